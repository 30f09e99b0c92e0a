"""Bounded hand-over between a thread that captures and the one that works: what is too much is dropped and counted."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pipeline.records import Tallies

T = TypeVar("T")


class Slots(Generic[T]):
    """At most `size` items; a new one pushes the oldest out. One writer, one reader."""

    def __init__(self, size: int, tallies: Tallies) -> None:
        self._items: deque[T] = deque(maxlen=size)
        self._filled = threading.Condition()
        self._tallies = tallies
        self.why: Callable[[T], str] = lambda _item: "late"
        """Under which reason an item is counted that is pushed out."""
        self.on_put: Callable[[T], None] = lambda _item: None
        """Called with every item that was put."""

    def put(self, item: T) -> None:
        """Hand an item over; never waits."""
        with self._filled:
            if len(self._items) == self._items.maxlen:
                self._tallies.drop(self.why(self._items[0]))
            self._items.append(item)
            self._filled.notify()
        self.on_put(item)

    def peek(self) -> T | None:
        """The oldest item, which stays."""
        with self._filled:
            return self._items[0] if self._items else None

    def get(self, timeout_s: float) -> T | None:
        """The oldest item, None where none came in time."""
        with self._filled:
            if not self._items:
                self._filled.wait(timeout_s)
            return self._items.popleft() if self._items else None

    def clear(self) -> None:
        """Forget what waits."""
        with self._filled:
            self._items.clear()

    def __len__(self) -> int:
        return len(self._items)
