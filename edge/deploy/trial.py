"""A release on trial: what its update has changed is kept on the disk until it was at work and watched, so that
everything can be put back, also by whoever comes after a power cut.

    ROOT/opt/hailong/trial/links.json     the release on trial, and where the two links led
    ROOT/opt/hailong/trial/files/         unit and configurations as they were

`links.json` is written last: without it nothing was changed yet.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from edge.deploy.releases import Layout, activate, own_config, rely_on, wipe
from edge.deploy.service import restart_and_watch, systemctl
from pipeline.errors import ConfigError
from pipeline.language import NOTHING, Message, Sentence

_LINKS = "links.json"


@contextmanager
def only_one(layout: Layout, told: bool = True) -> Iterator[bool]:
    """One update at a time, by hand or by itself: whether it is this one's turn. `told`: raises `ConfigError` where it
    is not."""
    layout.home.mkdir(parents=True, exist_ok=True)
    with (layout.home / "update.lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except OSError:
            if told:
                raise ConfigError(
                    Message("Another update of this box is at work."), Message("Wait until it has ended.")
                ) from None
            yield False
            return
        yield True


class Trial:
    """One update's trial. `begin` it, then `keep` the new release or `restore` what was there."""

    def __init__(self, layout: Layout, release: Path, links: tuple[Path | None, Path | None]) -> None:
        self.release = release
        self._layout, self._links = layout, links

    @classmethod
    def begin(cls, layout: Layout, release: Path) -> Trial:
        """Keep what the update is about to change. A release that has no other beside it is not on trial."""
        current, previous = (link.resolve() if link.exists() else None for link in (layout.current, layout.previous))
        if layout.trial.exists():
            wipe(layout.trial)
        files = layout.trial / "files"
        layout.trial.mkdir(mode=0o700, parents=True)
        files.mkdir(mode=0o700)
        for path in cls._files(layout):
            if path.exists():
                copy = files / path.name
                copy.touch(mode=0o600)  # before the content: a camera's password stands in it
                copy.write_bytes(path.read_bytes())
        names = [None if link is None else link.name for link in (current, previous)]
        os.sync()
        part = layout.trial / "links.part"
        part.write_text(json.dumps({"release": release.name, "current": names[0], "previous": names[1]}), "utf-8")
        part.replace(layout.trial / _LINKS)
        os.sync()
        return cls(layout, release, (current, previous))

    @classmethod
    def left(cls, layout: Layout) -> Trial | None:
        """The trial that was not ended, because the power was cut or somebody ended the update; None where there is
        none. One that had changed nothing yet is cleared away."""
        if not layout.trial.exists():
            return None
        releases = layout.home / "releases"
        try:
            told = json.loads((layout.trial / _LINKS).read_text("utf-8"))
            release = releases / told["release"]
            links = tuple(None if told[name] is None else releases / told[name] for name in ("current", "previous"))
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            wipe(layout.trial)
            return None
        trial = cls(layout, release, (links[0], links[1]))
        if not layout.current.exists() or layout.current.resolve() != release.resolve():
            wipe(layout.trial)
            return None
        return trial

    @staticmethod
    def _files(layout: Layout) -> tuple[Path, ...]:
        return (layout.unit, layout.config, layout.previous_config)

    def keep(self) -> None:
        """The release was at work and watched: from now on it judges the next one."""
        rely_on(self._layout, self.release)
        wipe(self._layout.trial)

    def restore(self, wanted: bool) -> Sentence:
        """Put everything back and remove the release; returns a sentence on how the box is now. `wanted`: whether the
        service is to run."""
        layout, (current, previous) = self._layout, self._links
        if current is None:
            wipe(layout.trial)
            return Message("There is no other release on this box.")
        if previous is not None:
            activate(layout, previous)  # so that it is the one before again
        activate(layout, current)
        if previous is None:
            layout.previous.unlink(missing_ok=True)
        for path in self._files(layout):
            copy = layout.trial / "files" / path.name
            if not copy.exists():
                path.unlink(missing_ok=True)
            elif not path.exists() or path.read_bytes() != copy.read_bytes():
                path.touch(mode=0o644 if path == layout.unit else 0o600)
                path.write_bytes(copy.read_bytes())
        own_config(layout.config)
        systemctl(layout, "daemon-reload")
        wrong = restart_and_watch(layout, watch_s=5.0) if wanted else NOTHING
        wipe(layout.trial)
        if self.release != current:
            shutil.rmtree(self.release, ignore_errors=True)
        if wrong:
            return Message(
                "The box is back on {name}, which does not come up either: {wrong}.", name=current.name, wrong=wrong
            )
        if wanted:
            return Message("The box is back on {name} and at work.", name=current.name)
        return Message("The box is back on {name}.", name=current.name)
