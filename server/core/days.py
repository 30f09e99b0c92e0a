"""Days, months and periods of the store: counted from 1 January 2020 in Indochina time (UTC+7)."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from pipeline.errors import ConfigError
from pipeline.wire import EPOCH_DAY
from pipeline.words import Words

INDOCHINA = timezone(timedelta(hours=7))
_EPOCH = date.fromisoformat(EPOCH_DAY)


def day_index(day: date) -> int:
    """Days since 2020-01-01."""
    return (day - _EPOCH).days


def day_date(index: int) -> date:
    """The calendar day of an index."""
    return _EPOCH + timedelta(days=index)


def day_words(index: int) -> str:
    """`31/07/2026`: the day as pages write it in both languages."""
    return day_date(index).strftime("%d/%m/%Y")


def today() -> int:
    """Index of the present day in Indochina time."""
    return day_index(datetime.now(UTC).astimezone(INDOCHINA).date())


def now_s() -> int:
    """Unix seconds; for the staff's own doings only."""
    return int(time.time())


def month_of_day(index: int) -> int:
    """Months since January 2020 of a day index."""
    day = day_date(index)
    return (day.year - _EPOCH.year) * 12 + day.month - 1


def month_name(month: int) -> str:
    """`2026-07` of a month index."""
    return f"{_EPOCH.year + month // 12:04d}-{month % 12 + 1:02d}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_words(month: int, lang: str) -> str:
    """`Tháng 7/2026` (vi) or `Jul 2026` (en) of a month index."""
    year, number = _EPOCH.year + month // 12, month % 12
    return f"Tháng {number + 1}/{year}" if lang == "vi" else f"{_MONTHS[number]} {year}"


@dataclass(frozen=True, slots=True)
class Period:
    """A period of scoring: whole months, both ends included."""

    name: str
    first_month: int
    last_month: int

    @property
    def first_day(self) -> int:
        """Index of the first day."""
        return day_index(date(_EPOCH.year + self.first_month // 12, self.first_month % 12 + 1, 1))

    @property
    def last_day(self) -> int:
        """Index of the last day."""
        after = self.last_month + 1
        return day_index(date(_EPOCH.year + after // 12, after % 12 + 1, 1)) - 1

    @property
    def year(self) -> int:
        """The calendar year of the first month."""
        return _EPOCH.year + self.first_month // 12

    @property
    def months(self) -> range:
        """Month indices of the period."""
        return range(self.first_month, self.last_month + 1)

    def words(self, lang: str) -> str:
        """The period as people write it: `Quý III/2026` (vi), `Q3 2026` (en). `name` is for addresses and files."""
        first, last = month_words(self.first_month, lang), month_words(self.last_month, lang)
        year, month = self.year, self.first_month % 12
        length = self.last_month - self.first_month + 1
        if length == 1:
            return first
        if length == 12 and month == 0:
            return f"Năm {year}" if lang == "vi" else f"{year}"
        if length == 3 and month % 3 == 0:
            quarter = month // 3
            return f"Quý {('I', 'II', 'III', 'IV')[quarter]}/{year}" if lang == "vi" else f"Q{quarter + 1} {year}"
        return f"{first} – {last}"

    def before(self) -> Period:
        """The period of the same length just before."""
        length = self.last_month - self.first_month + 1
        return _of_months(self.first_month - length, self.first_month - 1)


def _of_months(first: int, last: int) -> Period:
    year, month = _EPOCH.year + first // 12, first % 12
    length = last - first + 1
    if length == 12 and month == 0:
        name = f"{year}"
    elif length == 3 and month % 3 == 0:
        name = f"{year}-Q{month // 3 + 1}"
    elif length == 1:
        name = month_name(first)
    else:
        name = f"{month_name(first)}..{month_name(last)}"
    return Period(name, first, last)


_PERIOD = re.compile(r"^(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?$")


def parse_period(text: str) -> Period:
    """`2026`, `2026-Q3`, `2026-07` or `2026-01..2026-07`. Raises `ConfigError`."""
    first, dots, last = text.strip().partition("..")
    if dots:
        left, right = parse_period(first), parse_period(last)
        if right.last_month < left.first_month:
            raise ConfigError(
                Words(f"The period {text} ends before it begins.", f"Kỳ “{text}” kết thúc trước khi bắt đầu."),
                Words("Write the earlier month first.", "Hãy viết tháng trước ở đầu."),
            )
        return _of_months(left.first_month, right.last_month)
    match = _PERIOD.match(first)
    if match is None or int(match[1]) < _EPOCH.year:
        raise ConfigError(
            Words(f"{text!r} is no period.", f"“{text}” không phải là một kỳ."),
            Words(
                f"Write 2026, 2026-Q3, 2026-07 or 2026-01..2026-07, from {_EPOCH.year} on.",
                f"Hãy viết 2026, 2026-Q3, 2026-07 hoặc 2026-01..2026-07, từ năm {_EPOCH.year}.",
            ),
        )
    start = (int(match[1]) - _EPOCH.year) * 12
    if match[2]:
        start += 3 * (int(match[2]) - 1)
        return _of_months(start, start + 2)
    if match[3]:
        start += int(match[3]) - 1
        return _of_months(start, start)
    return _of_months(start, start + 11)


def quarter_of_month(month: int) -> Period:
    """The calendar quarter that a month lies in."""
    first = month - month % 3
    return _of_months(first, first + 2)
