"""A live stream whose pictures are decoded by whoever looks, when he looks.

The thread that reads a camera only takes its packets in. In a hall two dozen threads that decode besides would stand in
the way of the few that look, at every step of these: measured, a look of ten milliseconds took sixty. So packets wait
here, and the worker whose turn it is decodes them all, in their order, and turns the newest picture alone into a frame.
What waits when a picture that stands alone comes is needless: nobody looks at the past.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from edge.capture.decoding import Coded, Decoder
from edge.capture.resting import MAX_HELD, MAX_HELD_BYTES
from pipeline.records import Frame, Tallies


class LiveFilm:
    """What waits of one stream. `put` is the reading thread's, `newest` anybody's.

    `tallies`: pictures handed out, and dropped by reason: `needless` (never decoded, as one that stands alone came),
    `unwanted` (decoded, as later ones need them), `corrupt`."""

    def __init__(self, stream: Any, tallies: Tallies) -> None:
        self.decoder = Decoder(stream, tallies)
        self.has_shown = False
        """Whether there ever was a picture."""
        self.barren_since_s: float | None = None
        """Since when packets have been decoded and gave no picture."""
        self._tallies = tallies
        self._hand, self._decoding = threading.Lock(), threading.Lock()
        self._waiting: deque[tuple[Coded, float]] = deque()
        self._bytes = 0
        self._ready: Frame | None = None
        self._closed = False

    def put(self, coded: Coded, now_s: float) -> None:
        """A packet has come; decodes what waits itself where that is too much, or while there was no picture yet."""
        with self._hand:
            if self._closed:
                return
            # where pictures are sorted anew, those of before are still to come out after it
            if coded.packet.is_keyframe and self._waiting and self.decoder.resting.shows_alone:
                self._tallies.drop("needless", len(self._waiting))
                self._forget()
                self._ready, coded.after_gap = None, True
            self._waiting.append((coded, now_s))
            self._bytes += coded.packet.size
            too_much = len(self._waiting) > MAX_HELD or self._bytes > MAX_HELD_BYTES
        if too_much or not self.has_shown:
            with self._decoding:
                self._ready = self._newest() or self._ready

    def newest(self) -> Frame | None:
        """The newest picture, with the time at which its packet came; None where none has come since, or was
        damaged."""
        with self._decoding:
            ready, self._ready = self._ready, None
            return self._newest() or ready

    def end(self) -> None:
        """The stream is over: its newest picture is decoded, for whoever looks later."""
        with self._decoding:
            self._ready = self._newest() or self._ready
            with self._hand:
                self._closed = True

    def close(self) -> None:
        """Decode nothing any more, and keep nothing: whoever decodes is waited for."""
        with self._decoding, self._hand:
            self._closed, self._ready = True, None
            self._forget()

    def _forget(self) -> None:
        self._waiting.clear()
        self._bytes = 0

    def _newest(self) -> Frame | None:
        with self._hand:
            waiting = list(self._waiting)
            self._forget()
        picture: Any = None
        come_s = 0.0
        for coded, now_s in waiting:
            for each in self.decoder.decode(coded):
                if picture is not None or not coded.is_present:
                    self._tallies.drop("unwanted")
                picture, come_s = (each, now_s) if coded.is_present else (None, 0.0)
        frame = None if picture is None else self.decoder.frame(picture, come_s)
        if frame is not None:
            self._tallies.forwarded += 1
            self.has_shown, self.barren_since_s = True, None
        elif waiting and self.barren_since_s is None:
            self.barren_since_s = time.monotonic()
        return frame
