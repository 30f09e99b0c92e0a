"""Zones of times that name none: programs that keep UTC write it without a word, and seven hours are another day.

Read as Indochina time (UTC+7) unless somebody says another zone; how many rows that could move is counted.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from pipeline.calendar import day_date, today
from pipeline.errors import InvalidError
from pipeline.language import Message
from server.tabular.values import digits_of, read_day

_OFFSET = re.compile(r"(?:UTC|GMT)?(?:([+-])(\d{1,2})(?::?(\d{2}))?)?", re.IGNORECASE)
_NAMED = re.compile(r"[A-Za-z]+(?:/[A-Za-z_+-]+){1,2}")
_PARTS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}(?!\d)")
MONTHS = 12
_SHORT = re.compile(r"(\d{2})[/.-](\d{2})[/.-](\d{2})(?!\d)")
_ISO_DAY = re.compile(r"\d{4}-\d{1,2}-(\d{1,2})(?!\d)")
_FIRST_YEAR = 2020
_OPEN = re.compile(r"\d[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?: ?(AM|PM|SA|CH))?$", re.IGNORECASE)
_FIRST_HOUR_MOVED = 17
"""UTC: from then on it is tomorrow in Indochina time."""
MAX_HOURS = 14


def find_zone(text: str) -> tzinfo | None:
    """The zone of a setting: `UTC`, `UTC+7`, `-06:00`, `America/Denver`; None for none. Raises `InvalidError`."""
    given = text.strip()
    if not given:
        return None
    try:
        if _NAMED.fullmatch(given):
            return ZoneInfo(given)
        if match := _OFFSET.fullmatch(given):
            minutes = int(match[2] or 0) * 60 + int(match[3] or 0)
            if minutes <= MAX_HOURS * 60:
                return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    except (OSError, ValueError, LookupError):
        pass
    raise InvalidError(
        Message("There is no zone '{text}'.", text=given[:40]),
        Message("Write UTC, UTC+7, -06:00 or a name such as America/Denver."),
    )


class Clock:
    """Reads days of rows. `open`: rows whose time says no zone; `moved`: those of another day if it were UTC, counted
    where nobody has said the zone; `swapped`: those that read as another day with the month first; `turned`: with the
    year first, where it has two digits."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self.open = self.moved = self.swapped = self.turned = 0
        self._is_day_first = self._is_year_last = False
        self._typed: set[bool] = set()
        self._dates: set[bool] = set()
        self._last_year = day_date(today()).year

    def day(self, text: str) -> int:
        """The day index of a cell. Raises `ValueError`."""
        if not text:
            raise ValueError(Message("the day is missing"))
        found = read_day(text, self._zone)
        if parts := _PARTS.match(digits_of(text)):
            first, second = int(parts[1]), int(parts[2])
            self._is_day_first = self._is_day_first or first > MONTHS
            self.swapped += first != second and first <= MONTHS
            self._typed.add(first > MONTHS)
        elif date := _ISO_DAY.match(digits_of(text)):
            self._dates.add(int(date[1]) <= MONTHS)
        if short := _SHORT.match(digits_of(text)):
            year, month, day = (int(part) for part in short.groups())
            if _FIRST_YEAR <= 2000 + year <= self._last_year and 1 <= month <= MONTHS and 1 <= day <= 31:
                self.turned += year != day
            else:
                self._is_year_last = True
        if match := _OPEN.search(digits_of(text)):
            hour, half = int(match[1]), (match[4] or "").upper()
            hour = hour % 12 + (12 if half in ("PM", "CH") else 0) if half else hour
            if hour or int(match[2]) or int(match[3] or 0):  # midnight sharp is a day that a program wrote as a time
                self.open += 1
                self.moved += self._zone is None and hour >= _FIRST_HOUR_MOVED
        return found

    def check(self) -> None:
        """Raise `InvalidError` where a spreadsheet set to American days has turned some of the file's: of what was
        typed day first it makes a date with both exchanged where the day may be a month, and leaves the rest."""
        if self._typed == self._dates == {True}:
            raise InvalidError(
                Message(
                    "Days up to the 12th are dates (year-month-day), the later ones texts (day/month/year): a "
                    "spreadsheet set to American days has exchanged day and month of the first."
                ),
                Message("Open the file as it was first exported, with its days as text; or write all days in one way."),
            )

    @property
    def doubtful(self) -> int:
        """Rows that may be of another day, where no row shows in which order the file writes its days."""
        swapped = 0 if self._is_day_first else self.swapped
        turned = 0 if self._is_year_last else self.turned
        return max(swapped, turned)
