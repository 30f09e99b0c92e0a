"""Update a box from a bundle that the trusted key signed (as root).

  hailong edge update --bundle hailong-edge.tar

The new release is built beside the present one, and everything is opened with it, within the service's walls, before it
takes its place in one step (`edge check --offline`; --skip-check leaves that out, where a device is missing just now).
Then the service is restarted and watched: until it says that it is at work, and for --watch-s seconds more. If it ends,
is started again, or no longer reaches the server that it reached before, the box returns to the release that it had,
and the new one is removed.
"""

from __future__ import annotations

import argparse
import json
import sys
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
    parser.add_argument("--skip-check", action="store_true", help="take it even if a device is missing just now")
    parser.add_argument(
        "--watch-s", type=float, default=WATCH_S, metavar="S", help=f"how long it is watched ({WATCH_S:.0f})"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.releases import Layout, activate, build, prune, run_in
    from edge.deploy.service import is_wanted
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    release = build(layout, args.bundle, layout.trust(), lambda text: print(text, file=sys.stderr))
    if layout.current.exists() and layout.current.resolve() == release.resolve():
        print(json.dumps({"release": release.name, "changed": False}) if args.json else f"{release.name} is in use.")
        return 0
    if not layout.config.exists():
        activate(layout, release)
        prune(layout)
        print(f"{release.name} is in place. There is no {layout.config} yet.")
        return 0
    if not args.skip_check:
        done = run_in(release, ["edge", "check", "--offline", "--beside", "--config", str(layout.config)])
        if done.returncode:
            raise ConfigError(
                Message(
                    "Release {name} does not accept this box: {stdout}",
                    name=release.name,
                    stdout=(done.stdout + done.stderr).strip()[-600:],
                ),
                Message("The box goes on with its present release."),
            )
    place = _Place(layout)
    wanted = is_wanted(layout)
    heard = _server_answers(layout)
    activate(layout, release)
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


class _Place:
    """What an update changes, so that it can be put back: the two links and the unit."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._releases = [link.resolve() if link.exists() else None for link in (layout.current, layout.previous)]
        self._unit = layout.unit.read_text(encoding="utf-8") if layout.unit.exists() else None

    def restore(self, release: Path, wanted: bool) -> str:
        """Put everything back and remove `release`; returns a sentence on how the box is now."""
        import shutil

        from edge.deploy.releases import activate
        from edge.deploy.service import restart_and_watch, systemctl

        current, previous = self._releases
        if current is None:
            return "There is no other release on this box."
        if previous is not None:
            activate(self._layout, previous)  # so that it is the one before again
        activate(self._layout, current)
        if previous is None:
            self._layout.previous.unlink(missing_ok=True)
        if self._unit is not None:
            self._layout.unit.write_text(self._unit, encoding="utf-8")
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
    from edge.config import load_config
    from edge.deploy.service import ask_running_box, has_systemd

    told = ask_running_box(load_config(layout.config)) if has_systemd(layout) else None
    return told is not None and told["server_answers"] is True


def _try(layout: Layout, watch_s: float, heard: bool) -> str:
    """Restart, watch, ask; returns what is wrong."""
    from edge.config import load_config
    from edge.deploy.service import ask_running_box, restart_and_watch

    wrong = restart_and_watch(layout, watch_s)
    config = load_config(layout.config)
    if wrong or config.tablet.port == 0:
        return wrong
    told = ask_running_box(config)
    if told is None:
        return "its tablet's page does not answer"
    if heard and told["server_answers"] is not True:
        return f"the server, which answered before, does not answer it (state {told['state']})"
    return ""
