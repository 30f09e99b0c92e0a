"""A live stream's packets where nobody is: taken in together, four times a second (docs/adr/0257)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

GUST_S = 0.25
"""Where nobody is, what has come from the network is taken in so seldom. FFmpeg takes each piece of a packet in two or
three steps, and whoever waits for each is woken each time. As long as what `idle_every_s` allows to come unseen."""
WAITED_S = 0.003
"""Who waits so long for a packet has taken in all that had come."""


def in_gusts(
    packets: Iterator[Any],
    sleeps: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Any]:
    """A live stream's packets as they come; while it `sleeps`, those of `GUST_S` at once. Nothing is left out: they
    wait in the connection's buffer."""
    asked_s = clock()
    for packet in packets:
        waited_s = clock() - asked_s
        yield packet
        if waited_s >= WAITED_S and sleeps():
            pause(GUST_S)
        asked_s = clock()
