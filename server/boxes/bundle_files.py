"""Bundles of the boxes' software in the server's data folder, given out in pieces. They are public, and what a box
makes of them is decided by their own signature."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.wire import PIECE_BYTES

PIECES_PER_S = 40.0
"""Of all boxes together: 10 MB a second, so that boxes' releases and the pages keep their share of the line."""
BURST = 80.0


def bundle_path(folder: Path, release: int) -> Path:
    """Where the bundle of a release lies."""
    return folder / f"{release:08x}.tar"


class BundleFiles:
    """Pieces of the bundles in a folder, at a bounded rate. One thread. `folder` may not exist; None: there is none."""

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._tokens, self._since_s = BURST, clock()

    def piece(self, release: int, number: int) -> bytes | None:
        """A piece; None where there is none of that number, or enough were given."""
        if self._folder is None or not self._may():
            return None
        try:
            with bundle_path(self._folder, release).open("rb") as file:
                content = os.pread(file.fileno(), PIECE_BYTES, number * PIECE_BYTES)
        except OSError:
            return None
        return content or None

    def _may(self) -> bool:
        now_s = self._clock()
        self._tokens = min(BURST, self._tokens + (now_s - self._since_s) * PIECES_PER_S)
        self._since_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
