"""Scoring periods: half-open ranges of days, and the check that they do not overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from pipeline.errors import StatisticsError


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days from `start` (included) to `end` (excluded)."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise StatisticsError(f"Period {self.start} to {self.end} is empty.", "Give an end after the start.")

    @classmethod
    def month(cls, year: int, month: int) -> Period:
        """One calendar month."""
        return cls(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))

    def overlaps(self, other: Period) -> bool:
        """Whether both hold one day in common."""
        return self.start < other.end and other.start < self.end

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __str__(self) -> str:
        return f"{self.start.isoformat()}/{self.end.isoformat()}"


def require_disjoint(periods: Iterable[Period], what: str) -> None:
    """Raise `StatisticsError` when two different or equal periods of `what` share a day."""
    ordered = sorted(periods)
    for earlier, later in pairwise(ordered):
        if earlier.overlaps(later):
            raise StatisticsError(
                f"Periods of {what} overlap: {earlier} and {later}.",
                "A visit would be counted twice; pass each period once.",
            )
