"""Whether a live source gives the very same picture over and over: a recorder or a relay that has lost its camera sends
the last one on, with times that go on. No camera does: its noise differs from picture to picture.

Kept of a picture is a hash of every sixteenth pixel of every sixteenth row.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

STANDS_S = 60.0
"""The same picture for so long ..."""
LOOKS = 10
"""... and in so many looks at least stands still."""
_STEP = 16


class Repeats:
    """Of one source. Times are those of the frames."""

    def __init__(self) -> None:
        self._hash = b""
        self._since_s = 0.0
        self._looks = 0

    def stands(self, pixels: NDArray[np.uint8], time_s: float) -> bool:
        """Whether the picture, BGR uint8 [h, w, 3], is the one of before, and has been for too long."""
        sample = pixels[::_STEP, ::_STEP].tobytes()
        found = hashlib.blake2b(sample, digest_size=16).digest()
        if found != self._hash:
            self._hash, self._since_s, self._looks = found, time_s, 0
        self._looks += 1
        return self._looks > LOOKS and time_s - self._since_s >= STANDS_S

    def forget(self) -> None:
        """Begin anew."""
        self._hash, self._looks = b"", 0
