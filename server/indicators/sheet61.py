"""The quarterly sheet "61": nine indicators of 0 to 2 points, 18 in all, self-scored and verified; classes.

What is asked and where the classes begin stands in `sheet61.toml`, marked where no text confirms it.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from sqlalchemy import Connection, Table

from pipeline.calendar import Period, parse_period
from pipeline.errors import InvalidError
from pipeline.language import Message, Text, translator
from server.catalogue.reading import known_agencies, read_catalogue
from server.core.scope import Scope
from server.store.tables.indicators import sheet61_scores
from server.tabular.spec import Cells, ImportSpec, Options, Problems
from server.tabular.values import read_whole
from server.tabular.writing import add_row


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. `code`: its number on the sheet."""

    code: str
    name: Text


@dataclass(frozen=True, slots=True)
class Grade:
    """A class: from `bound` points on, or only above them."""

    bound: int
    above: bool
    name: Text


@dataclass(frozen=True, slots=True)
class Sheet61:
    """What is asked. `most`: points of an indicator, whole numbers from 0. `recalled`: what no text confirms."""

    indicators: tuple[Indicator, ...]
    grades: tuple[Grade, ...]
    most: int
    recalled: tuple[str, ...]

    @property
    def total(self) -> int:
        """Points of a full sheet."""
        return self.most * len(self.indicators)

    def grade(self, points: int) -> Grade:
        """The class of a sum of points, 0 to `total`."""
        return next(one for one in self.grades if points > one.bound or (points == one.bound and not one.above))


@cache
def load_sheet61() -> Sheet61:
    """The sheet that ships (`sheet61.toml`)."""
    found = tomllib.loads(resources.files("server.indicators").joinpath("sheet61.toml").read_text("utf-8"))

    def name(table: Mapping[str, Any]) -> Text:
        return Text.named(vi=table["vi"], en=table["en"])

    return Sheet61(
        tuple(Indicator(table["code"], name(table)) for table in found["indicators"]),
        tuple(
            Grade(table.get("above", table.get("from")), "above" in table, name(table)) for table in found["classes"]
        ),
        found["most"],
        tuple(found["recalled"]),
    )


class ScoreReader:
    """Reads rows: agency, quarter, indicator, self-scored and verified points."""

    table: Table = sheet61_scores
    key: tuple[str, ...] = ("agency_id", "first_month", "indicator")
    change: tuple[str, ...] = ("self_score", "verified_score")
    known_by = Message("agency, quarter and indicator")

    def __init__(self, connection: Connection, scope: Scope, options: Options) -> None:
        self._agencies = known_agencies(read_catalogue(connection, scope.province_id))
        self._period = options.period
        self._sheet = load_sheet61()

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError` with everything that is wrong."""
        problems = Problems()
        most, count = self._sheet.most, len(self._sheet.indicators)
        given = cells.get("verified_score", "")
        values = {
            "agency_id": problems.of(self._agencies.find, cells.get("agency", ""), otherwise=0),
            "first_month": problems.of(self._quarter, cells.get("period", ""), otherwise=0),
            "indicator": problems.of(_whole, cells, "indicator", 1, count, otherwise=0),
            "self_score": problems.of(_whole, cells, "self_score", 0, most, otherwise=0),
            "verified_score": problems.of(_whole, cells, "verified_score", 0, most, otherwise=None) if given else None,
        }
        problems.end()
        return values

    def _quarter(self, text: str) -> int:
        if not text and self._period is None:
            raise ValueError(Message("the period is missing: add a column, or say --period"))
        try:
            period = parse_period(text) if text else self._period
        except InvalidError as error:
            raise ValueError(error.message) from None
        assert period is not None
        if len(period.months) != 3 or period.first_month % 3:
            raise ValueError(Message("the sheet is quarterly: '{text}' is no quarter", text=period.name))
        return period.first_month


def _whole(cells: Cells, name: str, low: int, high: int) -> int:
    text = cells.get(name, "")
    try:
        return read_whole(text, low, high)
    except ValueError:
        wrong = Message("{name} must be a whole number from {low} to {high}", name=name, low=low, high=high)
        raise ValueError(wrong) from None


SCORES61 = ImportSpec(
    "scores61", ("agency", "indicator", "self_score"), ("period", "verified_score"), ScoreReader, options=("period",)
)


@dataclass(frozen=True, slots=True)
class Filled:
    """An agency's sheet of a quarter. `self_scores`, `verified`: points by indicator, as far as told."""

    agency_id: int
    self_scores: Mapping[int, int]
    verified: Mapping[int, int]

    def points(self, sheet: Sheet61) -> int | None:
        """The sum that counts: verified, and only where every indicator is; None else."""
        return sum(self.verified.values()) if len(self.verified) == len(sheet.indicators) else None


def filled_sheets(connection: Connection, scope: Scope, quarter: Period) -> list[Filled]:
    """The sheets of a quarter, by agency."""
    query = scope.select(sheet61_scores).where(sheet61_scores.c.first_month == quarter.first_month)
    own: dict[int, dict[int, int]] = defaultdict(dict)
    verified: dict[int, dict[int, int]] = defaultdict(dict)
    for row in connection.execute(query):
        own[row.agency_id][row.indicator] = row.self_score
        if row.verified_score is not None:
            verified[row.agency_id][row.indicator] = row.verified_score
    return [Filled(agency, own[agency], verified[agency]) for agency in sorted(own)]


def sheet61_workbook(connection: Connection, scope: Scope, quarter: Period, lang: str = "vi") -> Workbook:
    """The quarter's sheets as a workbook: one page of sums and classes, one page for each agency; each as wide as
    paper."""
    _ = translator(lang)
    sheet = load_sheet61()
    catalogue = read_catalogue(connection, scope.province_id)
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = _("Sums")
    add_row(
        first, [_("Agency"), _("Self-scored"), _("Verified"), _("Points of {count}", count=sheet.total), _("Class")]
    )
    found = filled_sheets(connection, scope, quarter)
    if not found:
        add_row(first, [_("No sheet of {quarter} was imported yet.", quarter=quarter.words(lang))])
    for filled in found:
        agency = catalogue.agencies[filled.agency_id]
        name, points = _(agency.name), filled.points(sheet)
        grade = _(sheet.grade(points).name) if points is not None else _("not verified")
        verified = sum(filled.verified.values()) if filled.verified else None
        add_row(first, [name, sum(filled.self_scores.values()), verified, points, grade])
        page = book.create_sheet(_NO_TITLE.sub("-", agency.code)[:31])
        add_row(page, [_("Number"), name, _("Self-scored"), _("Verified"), _("at most")])
        add_row(page, ["", quarter.words(lang)])
        for number, one in enumerate(sheet.indicators, start=1):
            told = filled.self_scores.get(number), filled.verified.get(number)
            add_row(page, [number, _(one.name), *told, sheet.most])
        add_row(page, ["", _("Sum"), sum(filled.self_scores.values()), points, sheet.total])
        add_row(page, ["", _("Class"), "", grade])
        _lay_out(page, (8, 60, 14, 18, 12))
    note = book.create_sheet(_("About"))
    said = _("Not yet confirmed in an original text: wording, classes, whether Decree 118 keeps the nine.")
    add_row(note, [said])
    _lay_out(note, (90,))
    _lay_out(first, (44, 14, 14, 18, 18))
    return book


_NO_TITLE = re.compile(r"[\[\]:*?/\\]")
"""Signs that no worksheet's title may have."""


def _lay_out(page: Worksheet, widths: Sequence[int]) -> None:
    """A bold first row, columns as wide as their words (in characters) that wrap, and one page of A4 in width."""
    for column, width in enumerate(widths, start=1):
        page.column_dimensions[get_column_letter(column)].width = width
    for row in page.iter_rows():
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for cell in page[1]:
        cell.font = Font(bold=True)
    page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    page.page_setup.paperSize, page.page_setup.fitToHeight = int(Worksheet.PAPERSIZE_A4), 0
