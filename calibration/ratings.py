"""Exact ratings as the statistics see them: counts by day, channel (and counter) of one service group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipeline.errors import StatisticsError
from pipeline.language import Message

TABLET: Final = "tablet"
"""The channel whose ratings meet a visit on the box; only they are in the evidence tables."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """`satisfied` of `rated` answers on `day` by `channel`; `counter` where ratings carry it (else empty)."""

    day: date
    rated: int
    satisfied: int
    channel: str = TABLET
    counter: str = ""

    def __post_init__(self) -> None:
        if self.rated < 0 or not 0 <= self.satisfied <= self.rated:
            raise StatisticsError(
                Message(
                    "Ratings of {day} ({channel}): {satisfied} satisfied of {rated} is impossible.",
                    day=self.day,
                    channel=self.channel,
                    satisfied=self.satisfied,
                    rated=self.rated,
                )
            )


def totals(counts: Iterable[DayCount], channel: str | None = None) -> tuple[int, int]:
    """(rated, satisfied) over all counts, or of one channel."""
    chosen = [count for count in counts if channel is None or count.channel == channel]
    return sum(count.rated for count in chosen), sum(count.satisfied for count in chosen)
