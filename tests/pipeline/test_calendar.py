"""The one calendar: days, months, periods, windows and working days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calendar import (
    DAY_ZERO,
    DAY_ZERO_S,
    INDOCHINA,
    DayRange,
    Holidays,
    day_at,
    day_date,
    day_index,
    month_date,
    month_of_day,
    month_words,
    parse_holidays,
    parse_period,
    period_of_months,
    quarter_of_month,
    vietnamese_holidays,
    window_end_s,
    window_index,
    window_span,
    window_start_s,
)
from pipeline.errors import ClockError, ConfigError, InvalidError
from pipeline.text import without_marks
from pipeline.wire import PeriodKind

YEARS = st.dates(DAY_ZERO, date(2090, 12, 31))
KNOWN = st.dates(date(2025, 1, 1), date(2027, 6, 30))


@given(YEARS)
def test_days_months_and_periods_agree(day: date) -> None:
    index = day_index(day)
    assert day_date(index) == day
    month = month_of_day(index)
    assert month_date(month) == day.replace(day=1)
    quarter = quarter_of_month(month)
    for name in (f"{day:%Y}", f"{day:%Y-%m}", quarter.name):
        period = parse_period(name)
        assert period.name == name
        assert period.first_day <= index <= period.last_day
        assert day in period.days
        assert period.before().last_day == period.first_day - 1


@given(YEARS, st.sampled_from([PeriodKind.HOUR, PeriodKind.FOUR_HOURS, PeriodKind.DAY, PeriodKind.MONTH]))
def test_windows_tile_time(day: date, kind: PeriodKind) -> None:
    now_s = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=INDOCHINA).timestamp()
    index = window_index(kind, now_s)
    assert window_start_s(kind, index) <= now_s < window_end_s(kind, index)
    assert window_index(kind, window_end_s(kind, index)) == index + 1
    assert day_at(now_s) == day_index(day)


def test_before_day_zero_there_is_no_day() -> None:
    assert day_at(DAY_ZERO_S) == 0
    with pytest.raises(ClockError):
        day_at(DAY_ZERO_S - 1)


@pytest.mark.parametrize(
    "text",
    ["", "26", "2019", "2026-Q5", "2026-13", "2026-07..2026-01", "9999", "Quý V/2026", "Quý/2026",
     "Q0 2026", "Tháng 13/2026", "Tháng 0/2026", "J 2026", "9 tháng cuối năm 2026", "2026 2027", "1/7/2026", "..", "-"],
)  # fmt: skip
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_period(text)


@given(st.integers(0, 12 * 60), st.sampled_from([1, 2, 3, 6, 7, 9, 12, 24]), st.sampled_from(["vi", "en"]))
def test_what_a_page_shows_of_a_period_is_understood(first: int, length: int, lang: str) -> None:
    """Whoever types what stands on the page is not told that it is no period."""
    period = period_of_months(first, first + length - 1)
    shown = period.words(lang)
    for text in (shown, shown.upper(), without_marks(shown), f"  {shown} ", period.name, period.name.lower()):
        assert parse_period(text) == period


def test_a_period_runs_until_its_last_day_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    month = parse_period("2028-02")
    for day, runs in ((date(2028, 1, 31), True), (date(2028, 2, 29), True), (date(2028, 3, 1), False)):
        monkeypatch.setattr("pipeline.calendar.today", lambda now=day: day_index(now))
        assert month.runs is runs


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("quý 3 năm 2026", "2026-Q3"),
        ("Quý Ⅲ/2026", "2026-Q3"),
        ("Q3/2026", "2026-Q3"),
        ("2026 q3", "2026-Q3"),
        ("tháng 07 năm 2026", "2026-07"),
        ("7/2026", "2026-07"),
        ("T7/2026", "2026-07"),
        ("July 2026", "2026-07"),
        ("6 tháng đầu năm 2026", "2026-01..2026-06"),
        ("6 tháng cuối năm 2026", "2026-07..2026-12"),
        ("9 tháng đầu năm 2026", "2026-01..2026-09"),
        ("01/2026 - 07/2026", "2026-01..2026-07"),
        ("tháng 1/2026 đến tháng 7/2026", "2026-01..2026-07"),
        ("２０２６", "2026"),
    ],
)
def test_periods_as_people_write_them(text: str, name: str) -> None:
    assert parse_period(text).name == name


def test_months_as_people_write_them() -> None:
    assert month_words(78, "vi") == "Tháng 7/2026"
    assert month_words(78, "en") == "Jul 2026"
    assert parse_period("2026-Q3").words("vi") == "Quý III/2026"


@given(KNOWN, st.integers(0, 30))
def test_a_deadline_counts_working_days(start: date, days: int) -> None:
    calendar = vietnamese_holidays()
    end = calendar.after(start, days)
    assert calendar.is_working(end)
    passed = sum(calendar.is_working(start + timedelta(days=step + 1)) for step in range((end - start).days))
    assert passed == days or (days == 0 and passed == 1 and not calendar.is_working(start))
    assert calendar.between(start, end) == passed
    assert calendar.between(end, start) == -passed


def test_tet_and_a_saturday_worked_instead() -> None:
    calendar = vietnamese_holidays()
    assert calendar.after(date(2026, 2, 13), 1) == date(2026, 2, 23), "the week of Tết is no deadline's day"
    assert calendar.is_working(date(2026, 8, 22))
    assert not calendar.is_working(date(2026, 8, 31))
    assert calendar.after(date(2026, 8, 28), 2) == date(2026, 9, 4)


def test_a_year_that_the_file_lacks_is_an_error() -> None:
    with pytest.raises(ConfigError, match="2031"):
        vietnamese_holidays().after(date(2031, 1, 1), 5)
    with pytest.raises(ConfigError, match="2028"):
        vietnamese_holidays().after(date(2027, 12, 31), 15)


@pytest.mark.parametrize(
    "text",
    [
        "[2026",
        "[2026]\nworked = []",
        '[2026]\noff = ["2026-01-01"]',
        "[2026]\noff = [2027-01-01]",
        "[2026]\noff = [2026-01-01T00:00:00]",
        "[2026]\noff = []\nworked = [2026-01-05]",
        "[2026]\noff = [2026-01-10]\nworked = [2026-01-10]",
        "2026 = 1",
    ],
)
def test_a_wrong_holiday_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_holidays(text)


def test_a_province_may_have_a_file_of_its_own() -> None:
    own = parse_holidays("[2030]\noff = [2030-01-01]")
    assert own == Holidays(frozenset({2030}), frozenset({date(2030, 1, 1)}), frozenset())
    assert not own.is_working(date(2030, 1, 1))


def test_ranges_of_days() -> None:
    assert parse_period("2026-07").days == DayRange.month(2026, 7)
    assert DayRange.month(2026, 12).end == date(2027, 1, 1)


@pytest.mark.parametrize("kind", [PeriodKind.HOUR, PeriodKind.FOUR_HOURS, PeriodKind.DAY, PeriodKind.MONTH])
def test_span_of_a_window(kind: PeriodKind) -> None:
    for index in (0, 1, 79, 80, 81):
        span = window_span(kind, index)
        assert (span.start_s, span.end_s) == (window_start_s(kind, index), window_end_s(kind, index))
        days = day_at(span.start_s), day_at(span.end_s - 1), day_at(span.end_s)
        assert (span.first_day, span.last_day, span.end_day) == days
    with pytest.raises((OverflowError, ValueError)):
        window_span(PeriodKind.MONTH, 2**31 - 1)
