"""The one calendar: days, months, quarters, scoring periods, release windows, and working days.

Days are Indochina days (UTC+7, no summer time), counted from day zero, 1 January 2020; months are counted from January
2020. A scoring period is whole months; a release window is half open, [start, end), in Unix seconds. Public holidays
stand in `holidays.toml`: a year that is not in the file is an error, never a year without holidays.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise

from pipeline.errors import ClockError, ConfigError, InvalidError, StatisticsError
from pipeline.language import Day, Message, Month, in_language
from pipeline.text import without_marks
from pipeline.wire import EPOCH_DAY, PeriodKind

INDOCHINA = timezone(timedelta(hours=7))
DAY_ZERO = date.fromisoformat(EPOCH_DAY)
DAY_ZERO_S = int(datetime(DAY_ZERO.year, DAY_ZERO.month, DAY_ZERO.day, tzinfo=INDOCHINA).timestamp())
"""Unix seconds at which day zero begins."""
_WINDOW_S = {PeriodKind.HOUR: 3_600, PeriodKind.FOUR_HOURS: 14_400, PeriodKind.DAY: 86_400}
_QUARTERS = (Message("Q1 {year}"), Message("Q2 {year}"), Message("Q3 {year}"), Message("Q4 {year}"))


# days ----------------------------------------------------------------------------------------------------------------


def day_index(day: date) -> int:
    """Days since day zero."""
    return (day - DAY_ZERO).days


def day_date(index: int) -> date:
    """The calendar day of an index."""
    return DAY_ZERO + timedelta(days=index)


def day_at(now_s: float) -> int:
    """Index of the day that holds the instant (Unix seconds). Raises `ClockError` before day zero."""
    return window_index(PeriodKind.DAY, now_s)


def today() -> int:
    """Index of the present day in Indochina time."""
    return day_index(datetime.now(UTC).astimezone(INDOCHINA).date())


def now_s() -> int:
    """Unix seconds; for the staff's own doings only."""
    return int(time.time())


def day_words(index: int) -> Day:
    """`31/07/2026`: the day as pages write it."""
    return Day(day_date(index))


# months --------------------------------------------------------------------------------------------------------------


def month_of_date(day: date) -> int:
    """Months since January 2020 of a calendar day."""
    return (day.year - DAY_ZERO.year) * 12 + day.month - 1


@lru_cache(maxsize=4096)
def month_of_day(index: int) -> int:
    """Months since January 2020 of a day index."""
    return month_of_date(day_date(index))


def month_date(month: int) -> date:
    """The first day of a month index."""
    return date(DAY_ZERO.year + month // 12, month % 12 + 1, 1)


def month_name(month: int) -> str:
    """`2026-07` of a month index."""
    return month_date(month).strftime("%Y-%m")


def month_spoken(month: int) -> Message:
    """A month index, to be said in a language."""
    first = month_date(month)
    return Message("{month} {year}", month=Month(first.month), year=first.year)


def month_words(month: int, lang: str) -> str:
    """`Tháng 7/2026` (vi) or `Jul 2026` (en) of a month index."""
    return in_language(month_spoken(month), lang)


# scoring periods -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class DayRange:
    """Days from `start` (included) to `end` (excluded). Raises `StatisticsError` where that holds no day."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise StatisticsError(
                Message("Period {start} to {end} is empty.", start=self.start, end=self.end),
                Message("Give an end after the start."),
            )

    @classmethod
    def month(cls, year: int, month: int) -> DayRange:
        """One calendar month."""
        return cls(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))

    def overlaps(self, other: DayRange) -> bool:
        """Whether both hold one day in common."""
        return self.start < other.end and other.start < self.end

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __str__(self) -> str:
        return f"{self.start.isoformat()}/{self.end.isoformat()}"


def require_disjoint(ranges: Iterable[DayRange], what: str) -> None:
    """Raise `StatisticsError` when two different or equal ranges of `what` share a day."""
    for earlier, later in pairwise(sorted(ranges)):
        if earlier.overlaps(later):
            raise StatisticsError(
                Message("Periods of {what} overlap: {earlier} and {later}.", what=what, earlier=earlier, later=later),
                Message("A visit would be counted twice; pass each period once."),
            )


@dataclass(frozen=True, slots=True)
class Period:
    """A period of scoring: whole months, both ends included. `name` is for addresses and files: `2026-Q3`."""

    name: str
    first_month: int
    last_month: int

    @property
    def days(self) -> DayRange:
        """The same as calendar days."""
        return DayRange(month_date(self.first_month), month_date(self.last_month + 1))

    @property
    def first_day(self) -> int:
        """Index of the first day."""
        return day_index(month_date(self.first_month))

    @property
    def last_day(self) -> int:
        """Index of the last day."""
        return day_index(month_date(self.last_month + 1)) - 1

    @property
    def runs(self) -> bool:
        """Whether it is not over: what is said of it then has to hold at every look, as it is looked at day by day."""
        return self.last_day >= today()

    @property
    def year(self) -> int:
        """The calendar year of the first month."""
        return month_date(self.first_month).year

    @property
    def months(self) -> range:
        """Month indices of the period."""
        return range(self.first_month, self.last_month + 1)

    def words(self, lang: str) -> str:
        """The period as people write it: `Quý III/2026` (vi), `Q3 2026` (en)."""
        first, last = month_words(self.first_month, lang), month_words(self.last_month, lang)
        month, length = self.first_month % 12, len(self.months)
        if length == 1:
            return first
        if length == 12 and month == 0:
            return in_language(Message("{year}", year=self.year), lang)
        if length == 3 and month % 3 == 0:
            return in_language(_QUARTERS[month // 3].with_params(year=self.year), lang)
        return f"{first} – {last}"

    def before(self) -> Period:
        """The period of the same length just before."""
        return period_of_months(self.first_month - len(self.months), self.first_month - 1)

    def year_before(self) -> Period:
        """The same months a year earlier."""
        return period_of_months(self.first_month - 12, self.last_month - 12)


def period_of_months(first: int, last: int) -> Period:
    """The period from one month index to another, both included, under its usual name."""
    year, month, length = month_date(first).year, first % 12, last - first + 1
    if length == 12 and month == 0:
        name = f"{year}"
    elif length == 3 and month % 3 == 0:
        name = f"{year}-Q{month // 3 + 1}"
    elif length == 1:
        name = month_name(first)
    else:
        name = f"{month_name(first)}..{month_name(last)}"
    return Period(name, first, last)


_YEAR = r"(?P<year>[0-9]{4})"
_THEN = r"(?: ?[-/.,] ?| nam | )"
_MONTH = re.compile(rf"(?:{_YEAR}[-/](?P<month>[0-9]{{1,2}})|(?P<month2>[0-9]{{1,2}})[-/](?P<year2>[0-9]{{4}}))")
_MONTH_IN_WORDS = re.compile(rf"(?:thang|t\.?) ?(?P<month>[0-9]{{1,2}}){_THEN}{_YEAR}")
_MONTH_ENGLISH = re.compile(rf"(?P<name>[a-z]{{3,9}})\.? ?[-/,]? ?{_YEAR}")
_ENGLISH = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
            "november", "december")  # fmt: skip
_YEAR_IN_WORDS = re.compile(rf"(?:nam )?{_YEAR}")
_QUARTER = re.compile(rf"{_YEAR}[-/ ]?q(?P<quarter>[1-4])")
_QUARTER_IN_WORDS = re.compile(rf"(?:quy|quarter|q)\.? ?(?P<quarter>[1-4]|iv|i{{1,3}}){_THEN}{_YEAR}")
_FIRST_MONTHS = re.compile(rf"(?P<count>[69]) thang dau nam {_YEAR}|6 thang cuoi nam (?P<year2>[0-9]{{4}})")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4}
_TO = re.compile(r" ?\.\. ?| - | den ")


def read_year_month(plain: str) -> tuple[int, int] | None:
    """(year, month) of `2026-07`, `07/2026`, `thang 7/2026`, `t7/2026`, `thang 7 nam 2026`, `jul 2026`; None: none of
    these. `plain`: as `pipeline.text.without_marks` makes it. The month is not looked at: 13 is given back."""
    match = _MONTH.fullmatch(plain) or _MONTH_IN_WORDS.fullmatch(plain)
    if match is not None:
        groups = match.groupdict()
        return int(groups["year"] or groups["year2"]), int(groups["month"] or groups["month2"])
    if match := _MONTH_ENGLISH.fullmatch(plain):
        found = [number for number, name in enumerate(_ENGLISH, start=1) if name.startswith(match["name"])]
        if len(found) == 1:
            return int(match["year"]), found[0]
    return None


def parse_period(text: str) -> Period:
    """`2026`, `2026-Q3`, `2026-07`, `2026-01..2026-07`, and as people write these and `Period.words` shows them:
    `Năm 2026`, `Quý III/2026`, `Q3 2026`, `Tháng 7/2026`, `Jul 2026`, `6 tháng đầu năm 2026`, `Tháng 1/2026 – Tháng
    7/2026`. Raises `InvalidError`."""
    plain = without_marks(text)
    parts = _TO.split(plain)
    if len(parts) == 2:
        left, right = (_one_period(part, text) for part in parts)
        if right.last_month < left.first_month:
            raise InvalidError(
                Message("The period {text} ends before it begins.", text=text),
                Message("Write the earlier month first."),
            )
        return period_of_months(left.first_month, right.last_month)
    return _one_period(plain, text)


def _one_period(plain: str, text: str) -> Period:
    year, first, count = 0, 1, 12
    if match := _YEAR_IN_WORDS.fullmatch(plain):
        year = int(match["year"])
    elif match := _QUARTER.fullmatch(plain) or _QUARTER_IN_WORDS.fullmatch(plain):
        quarter = match["quarter"]
        year, count = int(match["year"]), 3
        first = 3 * (_ROMAN.get(quarter) or int(quarter)) - 2
    elif match := _FIRST_MONTHS.fullmatch(plain):
        year, count = int(match["year"] or match["year2"]), int(match["count"] or 6)
        first = 1 if match["count"] else 7
    elif (found := read_year_month(plain)) and 1 <= found[1] <= 12:
        (year, first), count = found, 1
    if not DAY_ZERO.year <= year < date.max.year:
        raise InvalidError(
            Message("'{text}' is no period.", text=text),
            Message("Write 2026, 2026-Q3, 2026-07 or 2026-01..2026-07, from {year} on.", year=DAY_ZERO.year),
        )
    start = (year - DAY_ZERO.year) * 12 + first - 1
    return period_of_months(start, start + count - 1)


def quarter_of_month(month: int) -> Period:
    """The calendar quarter that a month lies in."""
    first = month - month % 3
    return period_of_months(first, first + 2)


# release windows -----------------------------------------------------------------------------------------------------


def window_index(kind: PeriodKind, now_s: float, length_s: int = 0) -> int:
    """Index of the window of this kind that holds the instant; `length_s` for demo kinds. Raises `ClockError` before
    day zero."""
    elapsed_s = now_s - DAY_ZERO_S
    if elapsed_s < 0:
        raise ClockError(
            Message("The clock stands before 2020."), Message("Set the box's clock, or wait until it is synchronised.")
        )
    if kind is PeriodKind.MONTH:
        return month_of_date(datetime.fromtimestamp(now_s, INDOCHINA).date())
    return int(elapsed_s // _length_s(kind, length_s))


def window_start_s(kind: PeriodKind, index: int, length_s: int = 0) -> int:
    """Unix seconds at which the window begins."""
    if kind is PeriodKind.MONTH:
        first = month_date(index)
        return int(datetime(first.year, first.month, 1, tzinfo=INDOCHINA).timestamp())
    return DAY_ZERO_S + index * _length_s(kind, length_s)


def window_end_s(kind: PeriodKind, index: int, length_s: int = 0) -> int:
    """Unix seconds at which the window ends: the next one's start."""
    return window_start_s(kind, index + 1, length_s)


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """From when to when a window is, in Unix seconds, half open; `first_day`, `last_day`: of its first and last second;
    `end_day`: on which it has ended."""

    start_s: int
    end_s: int
    first_day: int
    last_day: int
    end_day: int


@lru_cache(maxsize=4096)
def window_span(kind: PeriodKind, index: int) -> WindowSpan:
    """When a window is; not of demo kinds. Every box of a province sends of the same windows, so it is kept. Raises
    `OverflowError` or `ValueError` for a window that the calendar does not hold."""
    start_s, end_s = window_start_s(kind, index), window_end_s(kind, index)
    return WindowSpan(start_s, end_s, day_at(start_s), day_at(end_s - 1), day_at(end_s))


def window_label(kind: PeriodKind, index: int, length_s: int = 0) -> str:
    """The window as a person reads it, such as `2026-11` or `2026-11-22 08:00`; for logs and reports."""
    if kind in (PeriodKind.DEMO_PULSE, PeriodKind.DEMO_EVIDENCE) and not length_s:
        return f"demo {index}"
    start = datetime.fromtimestamp(window_start_s(kind, index, length_s), INDOCHINA)
    formats = {
        PeriodKind.MONTH: "%Y-%m",
        PeriodKind.DAY: "%Y-%m-%d",
        PeriodKind.HOUR: "%Y-%m-%d %H:%M",
        PeriodKind.FOUR_HOURS: "%Y-%m-%d %H:%M",
    }
    return start.strftime(formats.get(kind, "%Y-%m-%d %H:%M:%S"))


def _length_s(kind: PeriodKind, length_s: int) -> int:
    length_s = _WINDOW_S.get(kind, length_s)
    if length_s <= 0:
        raise ValueError("a demo window needs its length in seconds")
    return length_s


# working days --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holidays:
    """Public holidays of the years that a file knows: days off, and weekend days worked instead. Not `strict`: in other
    years Mondays to Fridays are worked."""

    years: frozenset[int]
    off: frozenset[date]
    worked: frozenset[date]
    strict: bool = True

    def is_working(self, day: date) -> bool:
        """Whether public offices work on that day. Raises `ConfigError` for a year that the file lacks."""
        if day.year not in self.years and not self.strict:
            return day.weekday() < 5
        if day.year not in self.years:
            raise ConfigError(
                Message("The public holidays of {year} are not known.", year=day.year),
                Message("Add the year to pipeline/holidays.toml, or bring a newer version."),
            )
        return day in self.worked or (day.weekday() < 5 and day not in self.off)

    def after(self, day: date, working_days: int) -> date:
        """The last day of a deadline of so many working days (0 or more) that begins the day after `day`: with 0 the
        day itself, if it is worked, else the next worked one. Raises `ConfigError` for a year that the file lacks."""
        if working_days < 0:
            raise ValueError("a deadline lies ahead")
        left = working_days
        while left or not self.is_working(day):
            day += timedelta(days=1)
            left -= left > 0 and self.is_working(day)
        return day

    def between(self, first: date, last: date) -> int:
        """Working days after `first` up to and including `last`; negative where `last` lies before."""
        if last < first:
            return -self.between(last, first)
        return sum(self.is_working(first + timedelta(days=step + 1)) for step in range((last - first).days))


def parse_holidays(text: str) -> Holidays:
    """Holidays of a TOML text: a table for each year with `off` and `worked`, lists of dates. Raises `ConfigError`
    for a day that stands in another year's table, is worked and off at once, or is worked though no weekend day."""
    try:
        tables = tomllib.loads(text)
        years = frozenset(int(year) for year in tables)
        off = {day: int(year) for year, table in tables.items() for day in table["off"]}
        worked = {day: int(year) for year, table in tables.items() for day in table.get("worked", ())}
    except (tomllib.TOMLDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(Message("The file of public holidays is no such file: {error}", error=error)) from error
    for day, year in (*off.items(), *worked.items()):
        if type(day) is not date or day.year != year:
            raise ConfigError(
                Message("The file of public holidays has {day} in the table of {year}.", day=day, year=year)
            )
    wrong = {day for day in worked if day.weekday() < 5} | (off.keys() & worked.keys())
    if wrong:
        raise ConfigError(
            Message("A day worked instead lies on a weekend and is not off: {wrong}.", wrong=sorted(wrong)[0])
        )
    return Holidays(years, frozenset(off), frozenset(worked))


@cache
def vietnamese_holidays() -> Holidays:
    """The public holidays of Vietnam that ship (`holidays.toml`)."""
    return parse_holidays(resources.files("pipeline").joinpath("holidays.toml").read_text("utf-8"))


@cache
def office_days() -> Holidays:
    """The same for deadlines: in a year that the file lacks Mondays to Fridays count, so that a day is rather too early
    than too late, and nobody is turned away because a file is old."""
    return replace(vietnamese_holidays(), strict=False)
