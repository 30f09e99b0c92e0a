"""The box's clock as the curator sees it: wall time, time since start, and whether the wall time is trusted."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Protocol

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")  # made by systemd-timesyncd once it is, in this boot


class Clock(Protocol):
    """What the curator asks of a clock. Tests inject a simulated one."""

    def wall_s(self) -> float:
        """Unix seconds."""

    def monotonic_s(self) -> float:
        """Seconds that never jump."""

    def trusted(self) -> bool:
        """Whether the wall clock is synchronised. No release is made while it is not."""


class SystemClock:
    """The machine's clock; trusted where the kernel says that it is synchronised (adjtimex), or where
    `assume_synchronised` (the demo)."""

    def __init__(self, assume_synchronised: bool = False) -> None:
        self._assume_synchronised = assume_synchronised

    def wall_s(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def trusted(self) -> bool:
        """Whether the kernel's clock is synchronised, or systemd-timesyncd says so."""
        return self._assume_synchronised or kernel_clock_synchronised() or _TIMESYNC_FLAG.exists()


def kernel_clock_synchronised() -> bool:
    """adjtimex(2) with no change asked: false where it reports TIME_ERROR or cannot be called."""
    try:
        buffer = ctypes.create_string_buffer(512)  # struct timex with modes = 0; larger than on any platform
        state = int(ctypes.CDLL(None, use_errno=True).adjtimex(buffer))
    except (AttributeError, OSError):
        return False
    return 0 <= state < _TIME_ERROR


class ManualClock:
    """A clock moved by hand: for tests, the audits' simulations, and replays. `wall_s` may jump without
    `monotonic_s`."""

    def __init__(self, wall_s: float, trusted: bool = True) -> None:
        self.wall = wall_s
        self.monotonic = 0.0
        self.synchronised = trusted

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.monotonic += seconds

    def set_to(self, wall_s: float) -> None:
        """Time passes until the given instant (forward)."""
        self.advance(wall_s - self.wall)

    def jump(self, seconds: float) -> None:
        """The wall clock is set; no time passes."""
        self.wall += seconds

    def wall_s(self) -> float:
        """Unix seconds."""
        return self.wall

    def monotonic_s(self) -> float:
        """Seconds passed."""
        return self.monotonic

    def trusted(self) -> bool:
        """As set by hand."""
        return self.synchronised
