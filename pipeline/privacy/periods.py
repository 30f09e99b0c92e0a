"""Periods: which one an instant falls into, and when it ends. The calendar is Indochina time (UTC+7, no summer time),
day 0 is 2020-01-01.

A period is half open: [start, end). Instants are Unix seconds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from pipeline.errors import ClockError
from pipeline.wire import PeriodKind

INDOCHINA = timezone(timedelta(hours=7))
DAY_ZERO = date(2020, 1, 1)
DAY_ZERO_S = int(datetime(2020, 1, 1, tzinfo=INDOCHINA).timestamp())
_SECONDS = {PeriodKind.HOUR: 3_600, PeriodKind.FOUR_HOURS: 14_400, PeriodKind.DAY: 86_400}


def day_index(now_s: float) -> int:
    """Days since day 0 in Indochina time. Raises `ClockError` before day 0."""
    return period_index(PeriodKind.DAY, now_s)


def period_index(kind: PeriodKind, now_s: float, length_s: int = 0) -> int:
    """Index of the period of this kind that holds the instant; `length_s` for demo kinds. Raises `ClockError` before
    day 0."""
    elapsed_s = now_s - DAY_ZERO_S
    if elapsed_s < 0:
        raise ClockError("The clock stands before 2020.", "Set the box's clock, or wait until it is synchronised.")
    if kind is PeriodKind.MONTH:
        local = datetime.fromtimestamp(now_s, INDOCHINA)
        return (local.year - DAY_ZERO.year) * 12 + local.month - 1
    return int(elapsed_s // _length_s(kind, length_s))


def period_start_s(kind: PeriodKind, index: int, length_s: int = 0) -> int:
    """Unix seconds at which the period begins."""
    if kind is PeriodKind.MONTH:
        return int(
            datetime(DAY_ZERO.year + index // 12, index % 12 + 1, 1, tzinfo=INDOCHINA).astimezone(UTC).timestamp()
        )
    return DAY_ZERO_S + index * _length_s(kind, length_s)


def period_end_s(kind: PeriodKind, index: int, length_s: int = 0) -> int:
    """Unix seconds at which the period ends: the next one's start."""
    return period_start_s(kind, index + 1, length_s)


def period_label(kind: PeriodKind, index: int, length_s: int = 0) -> str:
    """The period as a person reads it, such as `2026-11` or `2026-11-22 08:00`; for logs and reports."""
    if kind in (PeriodKind.DEMO_PULSE, PeriodKind.DEMO_EVIDENCE) and not length_s:
        return f"demo {index}"
    start = datetime.fromtimestamp(period_start_s(kind, index, length_s), INDOCHINA)
    formats = {
        PeriodKind.MONTH: "%Y-%m",
        PeriodKind.DAY: "%Y-%m-%d",
        PeriodKind.HOUR: "%Y-%m-%d %H:%M",
        PeriodKind.FOUR_HOURS: "%Y-%m-%d %H:%M",
    }
    return start.strftime(formats.get(kind, "%Y-%m-%d %H:%M:%S"))


def _length_s(kind: PeriodKind, length_s: int) -> int:
    length_s = _SECONDS.get(kind, length_s)
    if length_s <= 0:
        raise ValueError("a demo period needs its length in seconds")
    return length_s
