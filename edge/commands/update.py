"""Update a box from a bundle that the trusted key signed (as root).

  hailong edge update --bundle hailong-edge.tar
  hailong edge update --bundle hailong-edge.tar --config edge.toml     with the configuration that it needs

The new release is built beside the present one, and everything is opened with it, within the service's walls, before it
takes its place in one step (`edge check --offline`; --skip-check leaves that out, where a device is missing just now).
Then the service is restarted and watched: until it says that it is at work, and for --watch-s seconds more. If it ends,
is started again, or no longer reaches the server that it reached before, the box returns to the release that it had,
and the new one is removed. A configuration that is given is tried with the new release, takes its place together with
it, and goes back with it. What a power cut left in the middle is judged first: the next start of the machine, and every
update, watch the release that is on trial, and go back where it fails.

  hailong edge update --offered            what the server offers, in the quiet hours of [update]: a timer calls it
  hailong edge update --offered --now      at once, also what this box did not take before
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.deploy.service import WATCH_S
from pipeline.language import NOTHING, Joined, Message, Number, Sentence
from pipeline.language.console import say

if TYPE_CHECKING:
    from edge.deploy.releases import Layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="the bundle")
    parser.add_argument("--offered", action="store_true", help="take what the server offers to this box")
    parser.add_argument("--now", action="store_true", help="with --offered: whatever the hour is")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the new release's edge.toml, where it needs another"
    )
    parser.add_argument("--skip-check", action="store_true", help="take it even if a device is missing just now")
    parser.add_argument(
        "--watch-s",
        type=float,
        default=WATCH_S,
        metavar="S",
        help=Message("how long it is watched, in seconds ({seconds})", seconds=f"{WATCH_S:.0f}"),
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.commands.update_offered import settle, take_offered
    from edge.deploy.releases import Layout
    from edge.deploy.trial import only_one
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    layout.trust()
    if args.offered == (args.bundle is not None) or (args.now and not args.offered):
        raise ConfigError(Message("Name a bundle (--bundle), or take what the server offers (--offered)."))
    with only_one(layout, told=not args.offered) as mine:
        if not mine:
            return 0  # somebody is at it
        settle(layout, args.watch_s)
        if args.offered:
            return take_offered(layout, args.now, args.watch_s, args.json)
        taken = take(layout, args.bundle, args.config, args.skip_check, args.watch_s)
    if args.json:
        print(json.dumps({"release": taken.name, "changed": taken.changed, "running": taken.running}))
    elif not taken.changed:
        say(Message("{name} is in use.", name=taken.name))
    elif not layout.config.exists():
        say(Message("{name} is in place. There is no {path} yet.", name=taken.name, path=layout.config))
    elif taken.running:
        seconds = Number(args.watch_s)
        say(Message("Now running {name}: at work, and watched for {seconds} s.", name=taken.name, seconds=seconds))
    else:
        say(
            Message(
                "{name} is in place. The service was not running; start it: {command}",
                name=taken.name,
                command="systemctl start hailong-edge",
            )
        )
    return 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A release that took its place, or had it."""

    name: str
    changed: bool
    running: bool


def take(
    layout: Layout,
    bundle: Path,
    given: Path | None = None,
    skip_check: bool = False,
    watch_s: float = WATCH_S,
    on_taking: Callable[[], None] = lambda: None,
) -> Taken:
    """Build a bundle's release, try it, put it in its place, watch it, and go back where it fails. `given`: its own
    configuration. `on_taking`: called when it is about to take its place.

    Raises `ConfigError`, `KeyFileError`; the box is as before then."""
    from edge.deploy.releases import activate, build, forget_config, prune, rely_on, take_config
    from edge.deploy.service import is_wanted
    from edge.deploy.trial import Trial
    from pipeline.errors import ConfigError

    release = build(layout, bundle, layout.trust(), partial(say, aside=True))
    if layout.current.exists() and layout.current.resolve() == release.resolve() and given is None:
        return Taken(release.name, changed=False, running=False)
    if not layout.config.exists():
        activate(layout, release)
        rely_on(layout, release)
        prune(layout)
        return Taken(release.name, changed=True, running=False)
    with _candidate(layout, given) as config:
        if not skip_check:
            _require_acceptance(layout, release, config, bundle)
        on_taking()
        trial = Trial.begin(layout, release)
        wanted = is_wanted(layout)
        heard = _server_answers(layout)
        activate(layout, release)
        if config == layout.config:
            forget_config(layout)
        else:
            take_config(layout)
    wrong = _write_unit_of(layout, release)
    if not wrong and wanted:
        say(Message("restarting the service, and watching it for {seconds} s", seconds=Number(watch_s)), aside=True)
        wrong = watch(layout, watch_s, heard)
    if wrong:
        raise ConfigError(
            Message("Release {name} was taken back: {wrong}.", name=release.name, wrong=wrong),
            Joined([trial.restore(wanted)]),
        )
    trial.keep()
    prune(layout)
    return Taken(release.name, changed=True, running=wanted)


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


def _write_unit_of(layout: Layout, release: Path) -> Sentence:
    """Each release writes its own unit; returns what went wrong."""
    from edge.deploy.releases import run_in

    done = run_in(release, ["edge", "apply", "--unit-only", "--root", str(layout.root)])
    if done.returncode == 0:
        return NOTHING
    return Message("it cannot write its unit ({error})", error=done.stderr.strip()[-300:])


def _server_answers(layout: Layout) -> bool:
    from edge.deploy.service import ask_running_box, has_systemd, tablet_of

    told = ask_running_box(tablet_of(layout.config)) if has_systemd(layout) else None
    return told is not None and told["server_answers"] is True


def watch(layout: Layout, watch_s: float, heard: bool) -> Sentence:
    """Restart the service, watch it, ask the box how it is; returns what is wrong. `heard`: the server answered the
    release before."""
    from edge.deploy.service import ask_running_box, restart_and_watch, tablet_of

    wrong = restart_and_watch(layout, watch_s)
    tablet = tablet_of(layout.config)
    if wrong or tablet.port == 0:
        return wrong
    told = ask_running_box(tablet)
    if told is None:
        return Message("its tablet's page does not answer")
    if heard and told["server_answers"] is not True:
        return Message("the server, which answered before, does not answer it (state {state})", state=told["state"])
    return NOTHING
