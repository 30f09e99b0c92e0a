"""Rate limits in memory: so many events of one key in a window. Bounded; forgotten at a restart."""

from __future__ import annotations

import ipaddress
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

    def take_back(self, key: str) -> None:
        """Undo the newest count of the key."""
        with self._lock:
            events = self._events.get(key)
            if events:
                events.pop()

    def forget(self, key: str) -> None:
        """Forget a key, after a success."""
        with self._lock:
            self._events.pop(key, None)


def wait_for_all(*limits: tuple[RateLimiter, str]) -> float:
    """0 where every limit lets its key act now, and then counted in each, before anything slow is done: of many at once
    no more get through. Else seconds to wait, and counted in none."""
    taken: list[tuple[RateLimiter, str]] = []
    for limiter, key in limits:
        if not limiter.allow(key):
            for other, its_key in taken:
                other.take_back(its_key)
            return max(limiter.wait_s(key), 1.0)
        taken.append((limiter, key))
    return 0.0


def network(address: str) -> str:
    """What one caller can be taken to hold, for limits: an IPv4 address, or the /64 of an IPv6 address, of which he has
    2^64 to choose from. Another text stands for itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
