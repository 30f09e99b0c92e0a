"""A progress bar on standard error: redrawn on a terminal, one line every ten per cent elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """`update(share, note)` with a share in 0..1; `close()` at the end. Draws at most five times a second."""

    def __init__(self, title: str, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._title = title
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = self._stream.isatty()
        self._last_s = 0.0
        self._tenths = -1

    def update(self, share: float, note: str = "") -> None:
        """Show how far the work is."""
        if self._quiet:
            return
        if self._terminal:
            now = time.monotonic()
            if now - self._last_s < 0.2 and share < 1.0:
                return
            self._last_s = now
            bar = "#" * round(30 * share)
            self._stream.write(f"\r{self._title} [{bar:<30}] {100 * share:3.0f} % {note:<24}")
        elif int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            self._stream.write(f"{self._title} {10 * self._tenths} % {note}\n")
        self._stream.flush()

    def close(self) -> None:
        """End the bar's line."""
        if not self._quiet and self._terminal:
            self._stream.write("\n")
