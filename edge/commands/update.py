"""Update a box from a bundle that the trusted key signed (as root).

  hailong edge update --bundle hailong-edge.tar
  hailong edge update --bundle hailong-edge.tar --config edge.toml     with the configuration that it needs

The new release is built beside the present one, and everything is opened with it, within the service's walls, before it
takes its place in one step (`edge check --offline`; --skip-check leaves that out, where a device is missing just now).
Then the service is restarted and watched: until it says that it is at work, and for --watch-s seconds more. If it ends,
is started again, or no longer reaches the server that it reached before, the box returns to the release that it had,
and the new one is removed. A configuration that is given is tried with the new release, takes its place together with
it, and goes back with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.language import Joined, Message

if TYPE_CHECKING:
    from edge.deploy.releases import Layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from edge.deploy.service import WATCH_S

    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the bundle")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the new release's edge.toml, where it needs another"
    )
    parser.add_argument("--skip-check", action="store_true", help="take it even if a device is missing just now")
    parser.add_argument(
        "--watch-s", type=float, default=WATCH_S, metavar="S", help=f"how long it is watched ({WATCH_S:.0f})"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.releases import Layout, activate, build, forget_config, prune, take_config
    from edge.deploy.service import is_wanted
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    release = build(layout, args.bundle, layout.trust(), lambda text: print(text, file=sys.stderr))
    if layout.current.exists() and layout.current.resolve() == release.resolve() and args.config is None:
        print(json.dumps({"release": release.name, "changed": False}) if args.json else f"{release.name} is in use.")
        return 0
    if not layout.config.exists():
        activate(layout, release)
        prune(layout)
        print(f"{release.name} is in place. There is no {layout.config} yet.")
        return 0
    with _candidate(layout, args.config) as config:
        if not args.skip_check:
            _require_acceptance(layout, release, config, args.bundle)
        place = _Place(layout)
        wanted = is_wanted(layout)
        heard = _server_answers(layout)
        activate(layout, release)
        if config == layout.config:
            forget_config(layout)
        else:
            take_config(layout)
    wrong = _write_unit_of(layout, release)
    if not wrong and wanted:
        print(f"restarting the service, and watching it for {args.watch_s:.0f} s", file=sys.stderr)
        wrong = _try(layout, args.watch_s, heard)
    if wrong:
        raise ConfigError(
            Message("Release {name} was taken back: {wrong}.", name=release.name, wrong=wrong),
            Joined([place.restore(release, wanted)]),
        )
    prune(layout)
    if args.json:
        print(json.dumps({"release": release.name, "changed": True, "running": wanted}))
    elif wanted:
        print(f"Now running {release.name}: at work, and watched for {args.watch_s:.0f} s.")
    else:
        print(f"{release.name} is in place. The service was not running; start it: systemctl start hailong-edge")
    return 0


@contextmanager
def _candidate(layout: Layout, given: Path | None) -> Iterator[Path]:
    """The configuration that the new release is to have: the box's, or a copy of the one given that waits beside it.
    What waits there in the end was not taken, and is removed, unless it is the operator's own file."""
    from edge.deploy.releases import own_config, wipe_file

    if given is None:
        yield layout.config
        return
    is_copy = given.resolve() != layout.next_config.resolve()
    if is_copy:
        text = given.read_bytes()
        layout.next_config.touch(mode=0o600)  # before the content: a camera's password stands in it
        own_config(layout.next_config)
        layout.next_config.write_bytes(text)
    try:
        yield layout.next_config
    finally:
        if is_copy and layout.next_config.exists():
            wipe_file(layout.next_config)


def _require_acceptance(layout: Layout, release: Path, config: Path, bundle: Path) -> None:
    """Open everything with the new release. Raises `ConfigError` in its words; nothing was changed then."""
    from edge.deploy.releases import run_in
    from pipeline.errors import ConfigError

    done = run_in(release, ["edge", "check", "--offline", "--beside", "--config", str(config)])
    if done.returncode:
        raise ConfigError(
            Message(
                "Release {name} does not accept this box: {stdout}",
                name=release.name,
                stdout=(done.stdout + done.stderr).strip()[-1_200:],
            ),
            Message(
                "The box goes on with its present release. Where the new one needs another configuration, write it to "
                "{config} and run: sh install.sh {bundle} KEY {config} (as a Debian package: dpkg --configure -a)",
                bundle=bundle,
                config=layout.next_config,
            ),
        )


class _Place:
    """What an update changes, so that it can be put back: the two links, the configurations and the unit."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._releases = [link.resolve() if link.exists() else None for link in (layout.current, layout.previous)]
        files = (layout.unit, layout.config, layout.previous_config)
        self._files = {path: path.read_bytes() if path.exists() else None for path in files}

    def restore(self, release: Path, wanted: bool) -> str:
        """Put everything back and remove `release`; returns a sentence on how the box is now."""
        import shutil

        from edge.deploy.releases import activate, own_config
        from edge.deploy.service import restart_and_watch, systemctl

        current, previous = self._releases
        if current is None:
            return "There is no other release on this box."
        if previous is not None:
            activate(self._layout, previous)  # so that it is the one before again
        activate(self._layout, current)
        if previous is None:
            self._layout.previous.unlink(missing_ok=True)
        for path, content in self._files.items():
            if content is None:
                path.unlink(missing_ok=True)
            elif not path.exists() or path.read_bytes() != content:
                path.touch(mode=0o644 if path == self._layout.unit else 0o600)
                path.write_bytes(content)
        own_config(self._layout.config)
        systemctl(self._layout, "daemon-reload")
        wrong = restart_and_watch(self._layout, watch_s=5.0) if wanted else ""
        shutil.rmtree(release)
        if wrong:
            return f"The box is back on {current.name}, which does not come up either: {wrong}."
        return f"The box is back on {current.name}" + (" and at work." if wanted else ".")


def _write_unit_of(layout: Layout, release: Path) -> str:
    """Each release writes its own unit; returns what went wrong."""
    from edge.deploy.releases import run_in

    done = run_in(release, ["edge", "apply", "--unit-only", "--root", str(layout.root)])
    return "" if done.returncode == 0 else f"it cannot write its unit ({done.stderr.strip()[-300:]})"


def _server_answers(layout: Layout) -> bool:
    from edge.deploy.service import ask_running_box, has_systemd, tablet_of

    told = ask_running_box(tablet_of(layout.config)) if has_systemd(layout) else None
    return told is not None and told["server_answers"] is True


def _try(layout: Layout, watch_s: float, heard: bool) -> str:
    """Restart, watch, ask; returns what is wrong."""
    from edge.deploy.service import ask_running_box, restart_and_watch, tablet_of

    wrong = restart_and_watch(layout, watch_s)
    tablet = tablet_of(layout.config)
    if wrong or tablet.port == 0:
        return wrong
    told = ask_running_box(tablet)
    if told is None:
        return "its tablet's page does not answer"
    if heard and told["server_answers"] is not True:
        return f"the server, which answered before, does not answer it (state {told['state']})"
    return ""
