"""What `hailong edge update --offered` does: asks the server, fetches in the quiet hours, takes, tells how it went.

The parts are kept apart by what they may: the service's own user, within the service's walls, talks to the server and
writes what it got into the box's data folder (`edge.commands.fetch`); root reads that file as a stranger's, and uses
nothing of it before the trusted key's signature was found good (`edge.commands.update.take`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.language import NOTHING, Joined, Message
from pipeline.language.console import say
from pipeline.wire import UpdateState

if TYPE_CHECKING:
    from edge.deploy.releases import Layout

MAX_TRIED = 32


@dataclass(slots=True)
class Tried:
    """What became of offered releases (`Layout.tried`). `not_again`: releases that this box does not take by itself
    once more; `spoilt_day`: the day on which a fetched bundle was not what its manifest says."""

    state: UpdateState = UpdateState.STEADY
    about: str = ""
    not_again: list[str] = field(default_factory=list)
    spoilt_day: int = -1

    @classmethod
    def load(cls, layout: Layout) -> Tried:
        """Of a box; where the file is not there or damaged, as if nothing had been tried."""
        try:
            told: dict[str, Any] = json.loads(layout.tried.read_text("utf-8"))
            names = [str(name) for name in told["not_again"]]
            return cls(UpdateState(told["state"]), str(told["about"]), names, int(told["spoilt_day"]))
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            return cls()

    def save(self, layout: Layout) -> None:
        """Write it in one step."""
        told = {"state": int(self.state), "about": self.about, "spoilt_day": self.spoilt_day}
        part = layout.tried.with_suffix(".part")
        part.write_text(json.dumps(told | {"not_again": self.not_again[-MAX_TRIED:]}), "utf-8")
        part.replace(layout.tried)

    def note(self, layout: Layout, state: UpdateState, about: str) -> None:
        """Write down how it stands with a release."""
        self.state, self.about = state, about
        if state in (UpdateState.RETURNED, UpdateState.REFUSED) and about not in self.not_again:
            self.not_again.append(about)
        self.save(layout)


def settle(layout: Layout, watch_s: float) -> None:
    """Judge the release on trial that a power cut, or whoever ended an update, left behind."""
    from edge.commands.update import watch
    from edge.deploy.releases import prune
    from edge.deploy.service import is_wanted
    from edge.deploy.trial import Trial

    trial = Trial.left(layout)
    if trial is None:
        return
    name, wanted, tried = trial.release.name, is_wanted(layout), Tried.load(layout)
    wrong = watch(layout, watch_s, heard=False) if wanted else NOTHING
    if wrong:
        said = trial.restore(wanted)
        tried.note(layout, UpdateState.RETURNED, name)
        taken_back = Message(
            "Release {name}, on trial when the update was cut off, was taken back: {wrong}.", name=name, wrong=wrong
        )
        say(Joined((taken_back, said), " "), aside=True)
    else:
        trial.keep()
        tried.note(layout, UpdateState.TAKEN, name)
        say(Message("Release {name}, on trial when the update was cut off, is at work.", name=name), aside=True)
    prune(layout)


def take_offered(layout: Layout, now: bool, watch_s: float, as_json: bool) -> int:
    """Ask, fetch, take, tell. `now`: whatever the hour, and also what was tried before. Returns the exit code: 0 also
    where there is nothing to do. Raises `ConfigError` where a release was not taken."""
    from edge.commands.update import take
    from edge.config import load_config
    from edge.deploy.archive import BundleError, peek
    from edge.deploy.building import release_name
    from edge.deploy.bundle import bundle_error
    from edge.deploy.releases import prune
    from pipeline.calendar import day_at
    from pipeline.errors import HailongError
    from pipeline.keys import verify

    def end(said: Message, **found: object) -> int:
        if as_json:
            print(json.dumps(found))
        else:
            say(said)
        return 0

    config = load_config(layout.config)
    quiet = config.update.offered and _knows_the_hour(config.box.demo) and config.update.is_quiet(time.time())
    tried, today = Tried.load(layout), day_at(time.time())
    if not now and (not quiet or tried.spoilt_day == today):
        return end(
            Message("Not now: it is no quiet hour ([update] in edge.toml), or the clock is not trusted."),
            changed=False, why="not now",
        )  # fmt: skip
    bundle = config.box.data_dir / "offered/bundle.tar"
    _as_service(layout, tried, ["--fetch", *(["--now"] if now else [])])
    if not bundle.is_file() or bundle.is_symlink():
        return end(Message("Nothing is offered to this box that it could take."), changed=False, why="nothing to take")
    try:
        try:
            name = release_name(peek(bundle, layout.trust(), verify))
        except BundleError as error:
            raise bundle_error(bundle, error) from None
        if name in tried.not_again and not now:
            said = Message("Release {name} was tried before; by hand: hailong edge update --offered --now.", name=name)
            return end(said, changed=False, why="tried before", release=name)
        tried.note(layout, UpdateState.FETCHING, name)

        def taking() -> None:
            tried.note(layout, UpdateState.TAKING, name)
            _as_service(layout, tried, [])

        try:
            taken = take(layout, bundle, watch_s=watch_s, on_taking=taking)
        except HailongError:
            if tried.state is UpdateState.TAKING:
                tried.note(layout, UpdateState.RETURNED, name)
            elif (layout.home / "releases" / name / "manifest.json").exists():
                tried.note(layout, UpdateState.REFUSED, name)
            else:  # it could not be built: another night it may be fetched whole, or have room
                tried.state, tried.spoilt_day = UpdateState.STEADY, today
                tried.save(layout)
            prune(layout)
            raise
        tried.not_again = [each for each in tried.not_again if each != name]
        tried.note(layout, UpdateState.TAKEN, name)
    finally:
        _as_service(layout, tried, ["--forget"])
    return end(
        Message("Release {name}, offered by the server, was taken.", name=taken.name),
        changed=taken.changed, release=taken.name, running=taken.running,
    )  # fmt: skip


def _knows_the_hour(demo: bool) -> bool:
    from pipeline.privacy.clock import SystemClock

    return SystemClock(assume_synchronised=demo).trusted()


def _as_service(layout: Layout, tried: Tried, more: list[str]) -> None:
    """Talk to the server as the service's user, within its walls. A server that does not answer changes nothing: what
    there is to tell is told the next night."""
    from edge.commands import fetch
    from edge.deploy.service import run_as_service
    from pipeline.errors import HailongError

    words = ["--config", str(layout.config), "--root", str(layout.root), "--state", str(int(tried.state))]
    words += ["--about", tried.about] if tried.about else []
    words += [f"--not-again={name}" for name in tried.not_again] + ["--silent", *more]
    try:
        if run_as_service(layout.config, ["edge", "fetch", *words]) is None:
            fetch.call(words)
    except HailongError as error:
        say(Joined(("hailong edge update", error), ": "), aside=True)
