"""Work of a page that may take minutes: it is told when the server stops, and the server waits for it to end itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StoppingError
from pipeline.language import Message
from server.core.progress import Progress


class LongWork:
    """The long pieces of work of one server. Safe to use from any thread."""

    def __init__(self) -> None:
        self._stops = threading.Event()
        self._changed = threading.Condition()
        self._count = 0

    @contextmanager
    def begin(self) -> Iterator[Progress]:
        """One piece of work, to the block's end. It tells the progress given how far it is, between any two of its
        steps: once the server stops, that raises `StoppingError`, and the work has to take back what it has done."""
        with self._changed:
            self._count += 1
        try:
            yield _UntilStop(self._stops)
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Whatever is at work, or begins, ends at its next step."""
        self._stops.set()

    def wait(self, within_s: float) -> bool:
        """Whether everything ends within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, within_s)


class _UntilStop(Progress):
    """Shows nothing to anybody."""

    def __init__(self, stops: threading.Event) -> None:
        super().__init__("", quiet=True)
        self._stops = stops

    def update(self, share: float, note: str = "") -> None:
        if self._stops.is_set():
            raise StoppingError(
                Message("The server stops; nothing was changed."),
                Message("Send the same again when it is back."),
            )
