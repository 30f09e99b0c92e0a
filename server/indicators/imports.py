"""Files of the national portal with the satisfaction group of Decision 766: its JSON answer, or the same as a table.

A row is a unit in a month, a quarter or a year. What it says itself (numerators, denominators, the sum of points) is
checked; the scores are computed from the counts, not taken over.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Table

from calibration.decision766 import Counts, score
from pipeline.calendar import Period, day_words, parse_period, today
from pipeline.errors import InvalidError, StatisticsError
from pipeline.language import Message, Number
from pipeline.text import match_key, without_marks
from server.catalogue.reading import known_agencies, read_catalogue
from server.core.scope import Scope
from server.store.tables.agencies import agencies
from server.store.tables.indicators import indicator_counts
from server.tabular.spec import Cells, ImportSpec, Known, Options, Problems
from server.tabular.values import read_day, read_month, read_whole

COUNTS = ("dossiers", "dossiers_good", "petitions", "petitions_in_time", "petitions_good")
_MORE = ("petitions_procedure", "petitions_staff")
_PROVINCE = "PROVINCE"
ROUNDING = 0.0151
"""A published sum may differ by its own rounding and that of its three parts (half a hundredth each)."""


class IndicatorReader:
    """Reads rows into counts. A unit is found by its official code, else by its code or name."""

    table: Table = indicator_counts
    key: tuple[str, ...] = ("unit", "first_month", "last_month")
    change: tuple[str, ...] = (*COUNTS, *_MORE, "total_score", "known_day")
    known_by = Message("unit and period")

    def __init__(self, connection: Connection, scope: Scope, options: Options) -> None:
        catalogue = read_catalogue(connection, scope.province_id)
        self._units = known_agencies(catalogue)
        self._units.add(0, *catalogue.province.name.texts)
        self._units.add_codes({catalogue.province.code: 0})
        self._province = catalogue.province.name.in_language("vi")
        self._official = Known(Message("official code"))
        coded = scope.select(agencies, agencies.c.official_code, agencies.c.id).where(agencies.c.official_code != "")
        self._official.add_codes({row.official_code: row.id for row in connection.execute(coded)})
        self._period, self._today = options.period, today()

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError` with everything that is wrong."""
        problems = Problems()
        unit = problems.of(self._unit, cells, otherwise=0)
        period = problems.of(self._period_of, cells, otherwise=None)
        counts = {name: problems.of(_count, cells, name, otherwise=0) for name in COUNTS}
        more = {name: problems.of(_count, cells, name, otherwise=None) if cells.get(name) else None for name in _MORE}
        total = problems.of(_points, cells["total_score"], otherwise=None) if cells.get("total_score") else None
        known_day = None if period is None else problems.of(self._known_day, cells, period, otherwise=None)
        if (
            cells.get("petitions_handled")
            and problems.of(_count, cells, "petitions_handled", otherwise=0) != (counts["petitions"])
        ):
            problems.add(Message("the two denominators of petitions differ"))
        problems.end()
        assert period is not None
        checked = _checked(counts, more, total)
        months = {"first_month": period.first_month, "last_month": period.last_month}
        return {"unit": unit, "agency_id": unit or None, **months, **checked, "known_day": known_day}

    def _unit(self, cells: Cells) -> int:
        code, name = cells.get("official_code", ""), cells.get("agency", "")
        if code:
            try:
                return self._official.find(code)
            except ValueError:
                pass  # the portal's own number, which no catalogue has: the name it is then
        if cells.get("unit_type", "").upper() == _PROVINCE:
            mine, named = _of_a_province(self._province), _of_a_province(name)
            if mine and named and mine != named:
                raise ValueError(
                    Message("the row is of {name}, not of {province}", name=name[:60], province=self._province)
                )
            return 0
        return self._units.find(name or code)

    def _period_of(self, cells: Cells) -> Period:
        text = cells.get("period", "")
        if month := cells.get("month", "") if not text else "":
            number = read_month(month)
            return Period("", number, number)
        if not text and self._period is None:
            raise ValueError(Message("the period is missing: add a column, or say --period"))
        try:
            period = parse_period(text) if text else self._period
        except InvalidError as error:
            try:
                number = read_month(text)
            except ValueError:
                raise ValueError(error.message) from None
            period = Period("", number, number)
        assert period is not None
        length, first = len(period.months), period.first_month
        if (length, first % length) not in ((1, 0), (3, 0), (12, 0)):
            raise ValueError(Message("a period is a month, a quarter or a year: '{text}'", text=period.name))
        if period.first_day > self._today:
            raise ValueError(Message("the period has not begun: '{text}'", text=text or period.name))
        return period

    def _known_day(self, cells: Cells, period: Period) -> int | None:
        """The day that a row's counts are of; None where that day ends the period or is after it."""
        day = read_day(cells["day"]) if cells.get("day") else self._today
        if day > self._today:
            raise ValueError(Message("the day {day} has not come", day=day_words(day)))
        if day < period.first_day:
            raise ValueError(Message("the day {day} is before the period", day=day_words(day)))
        return day if day < period.last_day or period.last_day == self._today else None


_PROVINCE_NAME = re.compile(r"(?:ubnd |uy ban nhan dan )?(?:tinh|thanh pho|tp\.?) ?(.+)")


def _of_a_province(name: str) -> str:
    """What a province is called, without what it is; empty for a name that does not say that it is one."""
    match = _PROVINCE_NAME.fullmatch(without_marks(name))
    return match_key(name.split(" ", len(name.split()) - len(match[1].split()))[-1]) if match else ""


def _count(cells: Cells, name: str) -> int:
    text = cells.get(name, "")
    if not text:
        raise ValueError(Message("{name}: the count is missing", name=name))
    try:
        return read_whole(text)
    except ValueError as error:
        raise ValueError(Message("{name}: {reason}", name=name, reason=error.args[0])) from None


def _points(text: str) -> float:
    try:
        points = float(text.replace(",", "."))
    except ValueError:
        points = -1.0
    if not 0 <= points <= 18:
        raise ValueError(Message("the sum of points is from 0 to 18, not '{text}'", text=text[:20]))
    return points


def _checked(counts: dict[str, int], more: dict[str, int | None], total: float | None) -> dict[str, Any]:
    """The counts, if they can be: no part larger than its whole, and the sum of points that of the counts."""
    try:
        made = score(Counts(**counts)).total
    except StatisticsError as error:
        raise ValueError(error.message) from None
    if any((value or 0) > counts["petitions"] for value in more.values()):
        raise ValueError(Message("More petitions of a kind than petitions."))
    if total is not None and abs(total - float(made.exact)) > ROUNDING:
        raise ValueError(
            Message(
                "the sum of points is {total}, the counts give {made}",
                total=Number(total, 2),
                made=Number(made.published, 2),
            )
        )
    return {**counts, **more, "total_score": total}


INDICATORS766 = ImportSpec(
    "indicators766",
    ("agency", *COUNTS),
    ("official_code", "unit_type", "period", "month", "day", "petitions_handled", *_MORE, "total_score"),
    IndicatorReader,
    options=("period",),
)
