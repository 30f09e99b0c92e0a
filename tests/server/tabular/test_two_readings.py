"""Files that two programs read as two tables, or that show another value than they hold: refused, or read as shown."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.instruments import load_instrument
from server.tabular.columns import recogniser
from server.tabular.tables import Table, TableRow
from server.tabular.values import read_answer, read_whole
from tests.server.tabular.files import alter, read_here, sheet_xml, workbook

ITEMS = load_instrument("2640")
HEAD = ["form", "agency", "day", "overall", "A1"]
FILLED = ["F0", "stp", "5/8/2026", "4", "5"]
SHEET = "xl/worksheets/sheet1.xml"


def _rows(path: Path) -> list[TableRow]:
    table = Table(read_here(path), path.name, recogniser(ITEMS), ("agency", "day"), any_answer=True)
    rows = list(table)
    assert table.balance.adds_up
    return rows


def _book(tmp_path: Path) -> Path:
    return workbook(tmp_path / "a.xlsx", S=[HEAD, FILLED])


def _shown_as(tmp_path: Path, number_format: str, number: float) -> TableRow:
    """The row of a book one of whose answers is a number in a format."""
    path = _book(tmp_path)
    book = load_workbook(path)
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet["D2"] = number
    sheet["D2"].number_format = number_format
    book.save(path)
    (row,) = _rows(path)
    return row


def _cell(path: Path, place: str, xml: str) -> None:
    sheet_xml(path, lambda text: re.sub(rf'<c r="{place}"[^>]*>.*?</c>', f'<c r="{place}"{xml}</c>', text))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_part_that_stands_twice_under_one_name_refuses_the_workbook(tmp_path: Path, data: st.DataObject) -> None:
    """zipfile reads the last of two, others the first; programs that know no case or doubled strokes read either."""
    path = _book(tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    name = data.draw(st.sampled_from(names))
    again = "".join(data.draw(st.sampled_from((letter, letter.upper()))) for letter in name)
    again = again.replace("/", data.draw(st.sampled_from(("/", "//", "/./", "\\"))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(again, b"<x/>")
    assert read_here(path).outcome.refused == "twice"


def test_a_worksheet_that_is_named_and_not_there_refuses_the_workbook(tmp_path: Path) -> None:
    """openpyxl passes over it: half a file was read, and nothing told."""
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, FILLED], T=[HEAD, FILLED])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/Sheet2.xml"] = parts.pop("xl/worksheets/sheet2.xml")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    outcome = read_here(path).outcome
    assert (outcome.refused, outcome.detail) == ("no_part", "T")


@pytest.mark.parametrize("error", ["#REF!", "#FIELD!", "#BLOCKED!", "#GETTING_DATA", "#UNKNOWN!", "#LỖI"])
@pytest.mark.parametrize(("place", "column"), [("A2", "form"), ("D2", "overall")])
def test_an_error_is_one_whatever_its_name(tmp_path: Path, error: str, place: str, column: str) -> None:
    """Sheets called `#FIELD!` were one sheet that stood twice."""
    path = _book(tmp_path)
    _cell(path, place, f' t="e"><v>{error}</v>')
    (row,) = _rows(path)
    assert f"{column}: the cell holds the error {error}" in row.problem


@pytest.mark.parametrize(
    ("number_format", "number", "shown"),
    [
        ("0%", 1, "100%"),
        ("0.00%", 0.07, "7%"),
        ('0" điểm"%', 5, "500%"),
        ('0"%"', 4, "4"),
        ("0\\%", 4, "4"),
        ('[Red]0;[Color 3]"%"0', 3, "3"),
    ],
)
def test_a_percentage_is_no_answer_and_no_count(tmp_path: Path, number_format: str, number: float, shown: str) -> None:
    """`100%` of satisfaction was read as its stored 1: very dissatisfied."""
    row = _shown_as(tmp_path, number_format, number)
    assert row.cells["item:overall"] == shown
    if shown.endswith("%"):
        for read in (read_whole, lambda text: read_answer(text, False)):
            with pytest.raises(ValueError, match="%"):
                read(shown)


@pytest.mark.parametrize(
    ("number_format", "number", "is_shown"),
    [
        ("General", 4, True), ("0", 4, True), ("0.00", -4, True), ("#,##0", 4, True), ('0" phiếu"', 4, True),
        ("0;-0;;@", 4, True), ("0;;", 0, True), ("@", 4, True), ("[Red]0", 4, True), ("[>1]0;General", 4, True),
        ("# ?/?", 4.5, True),
        (";;;", 4, False), ('"Hài lòng"', 4, False), ('"5"', 2, False), ('0;"-"', -4, False),
        ('[=1]"Có";[=2]"Không";0', 2, False), ('[=1]"Có";0', 2, False), ("\\5", 2, False), ('"a;b"0', 2, True),
    ],
)  # fmt: skip
def test_a_number_in_whose_place_the_spreadsheet_shows_another_thing(
    tmp_path: Path, number_format: str, number: float, is_shown: bool
) -> None:
    """A cell that shows "5", by its format, and holds 2 was read as 2; one that shows nothing was an answer."""
    row = _shown_as(tmp_path, number_format, number)
    assert ("shows a text, or nothing" in str(row.problem)) == (not is_shown)


@pytest.mark.parametrize(
    ("number_format", "number", "is_read"),
    [
        ("0.000", 12, False), ("#,##0.000", 12, False), ('0.000" hồ sơ"', 12, False), ("0.000_);(0.000)", 12, False),
        ("0.00", 12, True), ("#,##0", 12_000, True), ("0.0000", 12, True), ("0.000", 12.5, True), ('0".000"', 12, True),
    ],
)  # fmt: skip
def test_a_whole_number_that_is_shown_as_thousands(
    tmp_path: Path, number_format: str, number: float, is_read: bool
) -> None:
    """`12.000` is typed for twelve thousand; a spreadsheet that divides by the point holds 12."""
    row = _shown_as(tmp_path, number_format, number)
    assert ("shows three decimals" in str(row.problem)) == (not is_read)


_STRUCK = "<r><rPr><strike/></rPr><t>3</t></r>"
_PLAIN = '<r><rPr><strike val="0"/></rPr><t>12</t></r>'


@pytest.mark.parametrize(("runs", "how"), [(_STRUCK, "struck"), (_STRUCK + _PLAIN, "partly"), (_PLAIN, "")])
@pytest.mark.parametrize("shared", [False, True])
def test_letters_struck_out_within_a_cell(tmp_path: Path, runs: str, how: str, shared: bool) -> None:
    """A 3 that somebody crossed out before 12 made 312."""
    path = _book(tmp_path)
    if shared:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(
                "xl/sharedStrings.xml",
                f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si/><si>{runs}</si></sst>',
            )
        alter(
            path,
            "[Content_Types].xml",
            lambda data: data.replace(
                b"</Types>",
                b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-'
                b'officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
            ),
        )
        _cell(path, "A2", ' t="s"><v>1</v>')
    else:
        _cell(path, "A2", f' t="inlineStr"><is>{runs}</is>')
    table = Table(read_here(path), path.name, recogniser(ITEMS), ("agency", "day"), any_answer=True)
    (row,) = table
    assert ("form: a part of the cell is struck out" in row.problem) == (how == "partly")
    assert table.balance.cells_struck == (how == "struck")


def test_a_day_of_a_workbook_keeps_its_time_zone(tmp_path: Path) -> None:
    """As in text: the evening of 5 August in UTC is the 6th here."""
    path = _book(tmp_path)
    _cell(path, "C2", ' t="d"><v>2026-08-05T18:30:00Z</v>')
    assert _rows(path)[0].cells["day"] == "2026-08-05T18:30:00Z"


TEXT = ",".join(HEAD) + "\n" + ",".join(FILLED) + "\n"


def test_a_file_that_was_cut_off_ends_in_zeros_and_is_told(tmp_path: Path) -> None:
    """What a power cut leaves of a file: it had been read as Chinese letters, or its end passed over."""
    path = tmp_path / "a.csv"
    for zeros in (7, 4_000):
        path.write_bytes(TEXT.encode() + bytes(zeros))
        first, last = _rows(path)
        assert not first.problems
        assert "U+0000" in last.problem


@pytest.mark.parametrize("codec", ["utf-32", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_every_unicode_is_read(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.replace("F0", "Phiếu số 0 ĀȀ").encode(codec))
    (row,) = _rows(path)
    assert row.cells["form"] == "Phiếu số 0 ĀȀ"
