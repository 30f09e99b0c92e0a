"""Whether a live stream is read later than it was sent: then pictures wait in buffers on the way, and whoever looks
at them looks at the past.

How late the first picture was cannot be known; how much later than the earliest ones the present is, can. The two
clocks run apart by a little, so the earliest is forgotten slowly.
"""

from __future__ import annotations

BEHIND_S = 0.5
CAUGHT_UP_S = 0.15
DRIFT = 1e-3
"""Clocks of cameras are not worse than this; a stream that falls behind does so much faster."""
MAX_STEP_S = 5.0
"""Times that leap further belong to another stretch of the stream."""


class Lag:
    """Of one stream. `behind` holds from `BEHIND_S` on, until less than `CAUGHT_UP_S` is left."""

    def __init__(self) -> None:
        self.behind = False
        self._least_s: float | None = None
        self._last: tuple[float, float] = (0.0, 0.0)

    def update(self, sent_s: float | None, now_s: float) -> bool:
        """A packet of the stream's time `sent_s` (None: it has none) has come now; whether the stream is behind."""
        if sent_s is None:
            return self.behind
        before_sent_s, before_now_s = self._last
        self._last = (sent_s, now_s)
        if self._least_s is None or not -1.0 < sent_s - before_sent_s < MAX_STEP_S:
            self._least_s, self.behind = now_s - sent_s, False
            return False
        self._least_s = min(self._least_s + DRIFT * (now_s - before_now_s), now_s - sent_s)
        late_s = now_s - sent_s - self._least_s
        self.behind = late_s > (CAUGHT_UP_S if self.behind else BEHIND_S)
        return self.behind
