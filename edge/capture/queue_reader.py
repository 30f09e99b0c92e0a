"""The thread that reads the queue system's events where the box asks for them itself: a broker's messages, a view's
rows. It is begun anew when the other side is gone, says so in words, and never takes what was told meanwhile: a call
that is over calls nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edge.capture.queue_calls import QueueCalls
from edge.queue_section import QueueMqttSection, QueueViewSection
from edge.worker import Worker
from pipeline.errors import KeyFileError, SourceError
from pipeline.language import NOTHING, Message, Sentence

_log = logging.getLogger(__name__)
MAX_PASSWORD_BYTES = 1_024


class QueueSource(Protocol):
    """A broker or a view. Every call is bounded in time."""

    def open(self) -> None:
        """Connect, and pass over what was told before. Raises `SourceError`."""

    def read(self) -> float:
        """Hand on what is new; returns how many seconds to wait before the next call. Raises `SourceError`."""

    def close(self) -> None:
        """Let go; also what is not open."""


class QueueReader:
    """Reads a source again and again. `is_heard`: whether calls reach the box now; `problem`: why not, in words that
    hold nothing of an event."""

    def __init__(
        self, source: QueueSource, calls: QueueCalls, on_failed: Callable[[bool], None], first_pause_s: float = 1.0
    ) -> None:
        self.calls = calls
        self.is_heard = False
        self.problem: Sentence = NOTHING
        self._source = source
        self._told: set[str] = set()
        self._worker = Worker("queue", self._turn, on_failed=on_failed, first_pause_s=first_pause_s)

    def start(self) -> None:
        """Begin to read; does not wait for the other side."""
        self._worker.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End; false where the thread hangs in a call that takes longer."""
        return self._worker.stop(deadline_s)

    def _turn(self) -> None:
        try:
            self._source.open()
            while not self._worker.stopping:
                wait_s = self._source.read()
                if not self.is_heard:
                    self.is_heard, self.problem = True, NOTHING
                    self._worker.works()
                if self._worker.wait(wait_s):
                    break
        except SourceError as error:
            self.problem = error.said
            if str(error.said) not in self._told:
                self._told.add(str(error.said))
                _log.warning("%s", error.said)
            raise
        finally:
            self.is_heard = False
            self._source.close()


def make_source(
    reached: QueueMqttSection | QueueViewSection,
    calls: QueueCalls,
    wall_s: Callable[[], float | None] = lambda: None,
) -> QueueSource:
    """The source that a configuration names, not open yet. `wall_s`: the time, None while it is not trusted. Raises
    `KeyFileError` where its password cannot be read, `ConfigError` where a package is missing."""
    password = read_password(reached.password_file)
    if isinstance(reached, QueueMqttSection):
        from edge.capture.queue_messages import QueueMessages
        from edge.capture.queue_mqtt import QueueMqtt

        return QueueMqtt(reached, QueueMessages(reached, calls, wall_s), password)
    from edge.capture.queue_view import QueueView

    return QueueView(reached, calls, password)


def read_password(path: Path | None) -> str | None:
    """The account's password; None where there is no file. Raises `KeyFileError`."""
    if path is None:
        return None
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            password = file.read(MAX_PASSWORD_BYTES + 1).decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(
            Message("The password of the queue system at {path} cannot be read.", path=path),
            Message("Write it there, mode 0600."),
        ) from None
    if mode & 0o077:
        raise KeyFileError(
            Message("The password of the queue system at {path} can be read by others.", path=path),
            Message("Run: chmod 600 {path}.", path=path),
        )
    if not 0 < len(password) <= MAX_PASSWORD_BYTES or "\0" in password:
        raise KeyFileError(
            Message("The password of the queue system at {path} is empty or far too long.", path=path),
            Message("Write it there, mode 0600."),
        )
    return password
