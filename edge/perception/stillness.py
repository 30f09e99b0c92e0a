"""Whether an empty place has stayed as it was: then nobody has come, and it need not be searched for faces again.

A search costs several milliseconds, and most of a hall's chairs are empty most of the time. What is kept of a picture
is the mean colour of 16 x 9 cells, of a place where no face was found. Light that changes everywhere alike (daylight, a
camera that adapts itself) is no change: the cells are compared after the median of how much brighter each has become.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS = (16, 9)
CHANGED = 3.0
"""Difference of a cell's mean, in levels of 255, from which something has changed: noise of a cell is below one."""
MAX_GAIN = 1.25
"""Light that changes by more since the last search is a change."""
ALERT_S = 3.0
"""So long after a change every look is a search: whoever comes may be blurred at first."""
LONGEST_S = 4.0
"""In each such stretch of the clock there is one search at least, whatever has changed. What is compared with is as old
at most: a face that comes slowly has moved the more."""


class Stillness:
    """Of one counter's place. Not thread-safe; times are those of the frames."""

    def __init__(self) -> None:
        self._empty: NDArray[np.float32] | None = None
        """The place as it was when it was searched last and nobody was there."""
        self._searched_s = float("-inf")
        self._alert_until_s = float("-inf")

    def holds(self, pixels: NDArray[np.uint8], time_s: float) -> bool:
        """Whether the picture, BGR uint8 [h, w, 3], is still that of an empty place; where not, search it and say what
        was found (`searched`)."""
        if self._empty is None:
            return False
        if _difference(_cells(pixels), self._empty) > CHANGED:
            self._alert_until_s = time_s + ALERT_S
        return not self.is_alert(time_s) and time_s // LONGEST_S == self._searched_s // LONGEST_S

    def is_alert(self, time_s: float) -> bool:
        """Whether something has changed a short while ago."""
        return float("-inf") < time_s <= self._alert_until_s

    def searched(self, pixels: NDArray[np.uint8], time_s: float, empty: bool) -> None:
        """The picture was searched; whether nobody is there."""
        self._searched_s = time_s
        self._empty = _cells(pixels) if empty else None

    def forget(self) -> None:
        """Keep nothing of the place."""
        self._empty, self._searched_s, self._alert_until_s = None, float("-inf"), float("-inf")


def _difference(now: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    """Largest difference of a cell, in levels; after light that has changed everywhere alike."""
    gain = float(np.median((now.mean(axis=2) + 1) / (before.mean(axis=2) + 1)))
    if not 1 / MAX_GAIN <= gain <= MAX_GAIN:
        gain = 1.0
    return float(np.abs(now - gain * before).max())


def _cells(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean colours float32 [9, 16, 3], of every fourth pixel of every fourth row."""
    import cv2

    # as floats: rounding a cell's mean would be as much as its noise
    thinned = np.asarray(pixels[::4, ::4], np.float32)
    return np.asarray(cv2.resize(thinned, CELLS, interpolation=cv2.INTER_AREA), np.float32)
