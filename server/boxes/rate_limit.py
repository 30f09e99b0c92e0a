"""A token bucket for each box: a flood from one is dropped before it costs a decode or a write."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

_TELL_EVERY_S = 1.0


class RateLimit:
    """`take` a token of a box. Refills `rate_per_s` tokens a second up to `burst`. One thread."""

    class Verdict(Enum):
        """What becomes of the message."""

        PASS = 0
        REFUSE = 1
        REFUSE_AND_TELL = 2
        """At most once a second for each box: the flooder's answers must not become a flood."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._clock = clock
        self._tokens: dict[int, tuple[float, float]] = {}
        self._told_s: dict[int, float] = {}

    def take(self, box_id: int) -> RateLimit.Verdict:
        """One message of this box."""
        now_s = self._clock()
        tokens, since_s = self._tokens.get(box_id, (self._burst, now_s))
        tokens = min(self._burst, tokens + (now_s - since_s) * self._rate_per_s)
        if tokens >= 1.0:
            self._tokens[box_id] = (tokens - 1.0, now_s)
            return RateLimit.Verdict.PASS
        self._tokens[box_id] = (tokens, now_s)
        if now_s - self._told_s.get(box_id, float("-inf")) < _TELL_EVERY_S:
            return RateLimit.Verdict.REFUSE
        self._told_s[box_id] = now_s
        return RateLimit.Verdict.REFUSE_AND_TELL
