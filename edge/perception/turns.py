"""Who is looked at next: the counters of a hall take turns by deadline.

Every counter says from when on something of it is due, or that nothing is. The one that has been due longest comes
first. So where there is more to do than time, each counter waits as long as the others: all are looked at less often,
evenly, and none is looked at later, since only the newest picture of each waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Due:
    """`since_s`: from when on its turn is due, for the order alone. `from_s`: not before (the clock's time): something
    of it waits, and cannot be done yet."""

    since_s: float
    from_s: float = float("-inf")


class Turns(Generic[T]):
    """Hands out what is due. Safe to use from several threads; nothing is in two hands at the same time."""

    def __init__(
        self,
        all_of_them: Sequence[T],
        due: Callable[[T], Due | None],
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._all, self._due, self._workers, self._clock = list(all_of_them), due, workers, clock
        self._woken = threading.Condition()
        self._taken: set[int] = set()

    def wake(self) -> None:
        """Something has become due."""
        with self._woken:
            self._woken.notify()

    def take(self, most: int, wait_s: float) -> list[T]:
        """Up to `most` whose turn it is, the longest due first, and no more than this worker's share; waits so long for
        one. Give them back."""
        end_s = self._clock() + wait_s
        with self._woken:
            while True:
                now_s = self._clock()
                ready: list[tuple[float, int]] = []
                again_s = end_s
                for number, each in enumerate(self._all):
                    due = None if number in self._taken else self._due(each)
                    if due is None:
                        continue
                    if due.from_s <= now_s:
                        ready.append((due.since_s, number))
                    again_s = min(again_s, max(due.from_s, now_s))
                if ready:
                    share = -(-len(ready) // self._workers)
                    chosen = [number for _, number in sorted(ready)[: min(most, share)]]
                    self._taken.update(chosen)
                    if len(chosen) < len(ready):
                        self._woken.notify()  # for another worker
                    return [self._all[number] for number in chosen]
                if now_s >= end_s:
                    return []
                self._woken.wait(again_s - now_s)

    def give_back(self, taken: Sequence[T]) -> None:
        """Their turn is over."""
        with self._woken:
            for each in taken:
                self._taken.discard(next(number for number, one in enumerate(self._all) if one is each))
            self._woken.notify()
