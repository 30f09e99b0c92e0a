"""Rate limits in memory: so many events of one key in a window. Bounded; forgotten at a restart."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable


class RateLimiter:
    """At most `limit` events of a key within `window_s`; holds at most `max_keys` keys, oldest out first."""

    def __init__(
        self, limit: int, window_s: float, max_keys: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.window_s = window_s
        self._max_keys = max_keys
        self._clock = clock
        self._events: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def _recent(self, key: str, now: float) -> deque[float]:
        events = self._events.setdefault(key, deque(maxlen=self.limit))
        self._events.move_to_end(key)
        while events and events[0] <= now - self.window_s:
            events.popleft()
        while len(self._events) > self._max_keys:
            self._events.popitem(last=False)
        return events

    def wait_s(self, key: str) -> float:
        """Seconds until the key may act again; 0 where it may now. Counts nothing."""
        with self._lock:
            now = self._clock()
            events = self._recent(key, now)
            return events[0] + self.window_s - now if len(events) >= self.limit else 0.0

    def count(self, key: str) -> None:
        """Count an event of the key."""
        with self._lock:
            now = self._clock()
            self._recent(key, now).append(now)

    def allow(self, key: str) -> bool:
        """Count an event and say whether it was within the limit."""
        with self._lock:
            now = self._clock()
            events = self._recent(key, now)
            if len(events) >= self.limit:
                return False
            events.append(now)
            return True

    def forget(self, key: str) -> None:
        """Forget a key, after a success."""
        with self._lock:
            self._events.pop(key, None)
