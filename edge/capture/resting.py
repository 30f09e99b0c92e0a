"""Packets of a live stream that are not decoded while nobody is there.

Decoding is the dearest work of a hall: 2 ms for each small picture here, 15 times a second. Where nobody is there the
pictures that stand alone (key pictures, about every two seconds) show as well whether somebody has come. What comes
between is held, as it was sent, and decoded all at once as soon as somebody looks again, so that the present is seen
without waiting and without damage; the next picture that stands alone makes it needless.

A packet that is much larger than those before it tells that something moves: then decoding begins at once. And a stream
whose pictures that stand alone are far apart is decoded up to the present once in each stretch of the clock. What is
decoded when depends on the stream, the clock and `sleeps` alone, so no visit changes it for the next one.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from pipeline.records import Tallies

LONGEST_S = 2.5
"""Pictures that stand alone may be so far apart; cameras are delivered with two seconds or less."""
STRETCH_S = 2.0
"""Where they are further apart: in each such stretch of the clock the present is decoded once."""
GROWN = 1.5
"""A packet so many times larger than any of the `SIZES` before shows that something moves."""
SIZES, MIN_SIZES = 60, 15
AWAKE_S = 3.0
"""So long after that everything is decoded."""
MAX_HELD, MAX_HELD_BYTES = 240, 4 * 1024 * 1024


class Resting:
    """Of one stream. `tallies`: packets that were never decoded are counted (`resting`)."""

    def __init__(self, tallies: Tallies) -> None:
        self.has_gap = False
        """Whether something was left out before what `take` gave: the decoder has to begin anew."""
        self.shows_alone = False
        """Whether the last picture that stands alone came out of the decoder as soon as its packet was put in: then
        nobody waits for the next one's packets, though it may be decoded later than they come."""
        self._tallies = tallies
        self._held: list[Any] = []
        self._held_bytes = 0
        self._sizes: deque[int] = deque(maxlen=SIZES)
        self._largest = 0
        """Of `sizes`."""
        self._shows = False
        """Whether a picture has come out of the decoder since the last one that stands alone: where pictures are
        sorted anew it comes later."""
        self._alone_s = self._decoded_s = self._awake_until_s = float("-inf")

    def take(self, packet: Any, sleeps: bool, now_s: float) -> list[Any]:
        """A packet has come; those that are decoded now, in their order. Pictures of the last one alone are of the
        present. `sleeps`: whether pictures that stand alone are enough."""
        self.has_gap = False
        if packet.is_keyframe:
            self.has_gap = bool(self._held)
            self.leave_out()
            self._shows = self.shows_alone
            self._alone_s = self._decoded_s = now_s
            return [packet]
        if len(self._sizes) >= MIN_SIZES and packet.size > GROWN * self._largest:
            self._awake_until_s = now_s + AWAKE_S
        self._note_size(packet.size)
        self._held.append(packet)
        self._held_bytes += packet.size
        if sleeps and self._shows and self._may_hold(now_s):
            return []
        due, self._held, self._held_bytes = self._held, [], 0
        self._decoded_s = now_s
        return due

    def decoded(self, packet: Any, has_shown: bool) -> None:
        """A packet was decoded; whether the decoder gave a picture: of one that stands alone, that one."""
        if packet.is_keyframe:
            self._shows = self.shows_alone = has_shown
        self._shows = self._shows or has_shown

    def _note_size(self, size: int) -> None:
        oldest = self._sizes[0] if len(self._sizes) == SIZES else 0
        self._sizes.append(size)
        self._largest = max(self._sizes) if oldest == self._largest else max(self._largest, size)

    def leave_out(self) -> None:
        """What is held is not needed any more, or cannot be decoded."""
        if self._held:
            self._tallies.drop("resting", len(self._held))
        self._held, self._held_bytes = [], 0

    def _may_hold(self, now_s: float) -> bool:
        if now_s <= self._awake_until_s or len(self._held) > MAX_HELD or self._held_bytes > MAX_HELD_BYTES:
            return False
        return now_s - self._alone_s <= LONGEST_S or now_s // STRETCH_S == self._decoded_s // STRETCH_S
