"""What a live camera and a live microphone have in common: threads of their own, a bounded hand-over, and whether the
source is lost."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Generic, TypeVar

from edge.capture.media_file import length_s
from edge.capture.redaction import redacted
from edge.capture.slots import Slots
from edge.worker import Worker
from pipeline.errors import SourceError
from pipeline.language import NOTHING, Message, Sentence
from pipeline.records import Tallies

T = TypeVar("T")


class Source(ABC, Generic[T]):
    """A source of pictures or sound that may hang, die and come back.

    `size`: how many items wait at most. `loop`: a file plays again and again. `on_lost(lost)` is called when the source
    is lost and when it is back."""

    kind: str
    """`camera` or `microphone`, in messages."""
    gives_nothing: str
    """What `check` says where the source opens and then gives nothing, and the fix."""

    def __init__(
        self, source: int | str, is_file: bool, size: int, loop: bool, on_lost: Callable[[bool], None]
    ) -> None:
        self.source = source
        self.is_file = is_file
        self.name = redacted(source)
        self.tallies = Tallies()
        self.reason: Sentence = NOTHING
        """Why the source is lost, in words."""
        self._loop, self._on_lost = loop, on_lost
        self._slots: Slots[T] = Slots(size, self.tallies)
        self._ended = threading.Event()
        self._lost = False
        self._live_s: float | None = None
        self._is_due: Callable[[T], bool] = lambda _item: True
        self._worker = Worker(self.kind, self._turn, on_error=self._failed)

    @abstractmethod
    def _items(self, tallies: Tallies, passed_s: float = 0.0) -> Generator[T]:
        """Open the source and read it to its end; of a file, what is after `passed_s`. Raises `SourceError`."""

    @abstractmethod
    def _run(self) -> None:
        """The thread's work: read, hand over, open anew, until stopped or the file has ended."""

    def _turn(self) -> bool:
        self._run()
        return False

    def _failed(self) -> None:
        """In a way that nobody has thought of: lost, like a source that is gone, and tried again."""
        self.tallies.drop("lost")
        self._set_lost(Message("The {kind} {name} has failed.", kind=self.kind, name=self.name))

    def check(self) -> T:
        """Open, read one item, close. Raises `SourceError` that says what is wrong."""
        with closing(self._items(Tallies())) as items:
            for item in items:
                return item
        raise SourceError(
            Message(
                "The {kind} {name} {gives_nothing}", kind=self.kind, name=self.name, gives_nothing=self.gives_nothing
            ),
            Message("Check its cable and its power."),
        )

    def note_lost(self, reason: Sentence) -> None:
        """A check has failed: it counts as lost until it gives something."""
        self._set_lost(reason)

    def play_from_now(self) -> None:
        """A file goes on from now, as the world does before a camera that is closed: opened later, it is read from
        where it would be by then. Otherwise it begins whenever it is opened."""
        self._live_s = time.monotonic()

    def start(self) -> None:
        """Begin to read, on threads of its own; also anew, after a stop."""
        self._slots.clear()
        self._worker.start()

    def stop(self) -> None:
        """Stop reading; waits a moment for the thread. Nothing that was read is kept."""
        self._worker.stop(2.0)
        self._slots.clear()

    def close(self) -> None:
        """Stop reading, without waiting for the thread: it ends by itself, and until then `is_open`. Nothing that was
        read is kept."""
        self._worker.ask_to_stop()
        self._slots.clear()

    def deliver_to(
        self, on_item: Callable[[T], None], why: Callable[[T], str], is_due: Callable[[T], bool] = lambda _item: True
    ) -> None:
        """Who takes the items: `on_item` is called with each that comes, on the source's thread; `why` says under which
        reason one is counted that nobody took in time; `is_due`, whether one that waits will be taken at all."""
        self._slots.on_put, self._slots.why, self._is_due = on_item, why, is_due

    @property
    def is_open(self) -> bool:
        """Whether it reads, or tries to."""
        return self._worker.is_alive

    def _file_start(self) -> tuple[float, float]:
        """When a file that is opened now has begun (monotonic clock), and how much of it has passed, in seconds. Raises
        `SourceError`."""
        start_s = now_s = time.monotonic()
        if self._live_s is not None:
            start_s = self._live_s
            length = length_s(str(self.source)) if self._loop else None
            if length:
                start_s += (now_s - start_s) // length * length
        return start_s, now_s - start_s

    def next(self, timeout_s: float) -> T | None:
        """The oldest item that waits, None where none came in time."""
        return self._slots.get(timeout_s)

    @property
    def waiting(self) -> T | None:
        """The oldest item that waits; it stays."""
        return self._slots.peek()

    @property
    def finished(self) -> bool:
        """Whether a file that does not loop is over and its last item was taken, or is one that nobody will take."""
        if not self._ended.is_set():
            return False
        waiting = self._slots.peek()
        return waiting is None or not self._is_due(waiting)

    @property
    def lost(self) -> bool:
        """Whether the source gives nothing now."""
        return self._lost

    def _set_lost(self, reason: Sentence) -> None:
        changed = self._lost != bool(reason)
        self.reason, self._lost = reason, bool(reason)
        if changed:
            self._on_lost(self._lost)
