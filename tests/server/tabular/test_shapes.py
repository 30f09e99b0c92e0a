"""Shapes of tables that programs write: nothing is lost between the file and the store without being told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.calendar import day_date
from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from server.imports.balance_text import notes
from server.imports.kinds import find_kind
from server.tabular.columns import recogniser
from server.tabular.encodings import unescaped
from server.tabular.tables import Table, TableRow
from server.tabular.values import read_day, read_whole
from tests.server.tabular.files import alter, read_here, sheet_xml, workbook

ITEMS = load_instrument("2640")
HEAD = ["form", "agency", "day", "overall", "A1"]
FILLED = [["F0", "stp", "5/8/2026", "4", "5"], ["F1", "stp", "5/8/2026", "3", "4"], ["F2", "stp", "5/8/2026", "2", "1"]]


def _table(path: Path, *ignored: str) -> Table:
    return Table(read_here(path), path.name, recogniser(ITEMS), ("agency", "day"), any_answer=True, ignored=ignored)


def _rows(table: Table) -> list[TableRow]:
    rows = list(table)
    assert table.balance.adds_up
    return rows


def _csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _all_of_row_2(text: str) -> str:
    text = re.sub(r'<row r="[34]"', '<row r="2"', text)
    return re.sub(r'r="([A-E])[34]"', r'r="\g<1>2"', text)


def _last_row_first(text: str) -> str:
    rows = re.findall(r"<row .*?</row>", text, re.DOTALL)
    return text.replace("".join(rows), "".join([rows[0], *reversed(rows[1:])]))


def _last_cell_first(text: str) -> str:
    return re.sub(r'(<c r="D2".*?</c>)(<c r="E2".*?</c>)', r"\2\1", text)


def _one_cell_twice(text: str) -> str:
    return text.replace('<c r="E2"', '<c r="D2"')


@pytest.mark.parametrize("change", [_all_of_row_2, _last_row_first, _last_cell_first, _one_cell_twice])
def test_rows_and_cells_that_come_twice_or_late_refuse_the_workbook(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *FILLED])
    sheet_xml(path, change)
    assert read_here(path).outcome.refused == "disorder"


def test_rows_and_cells_without_numbers_stand_in_their_order(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *FILLED])
    sheet_xml(path, lambda text: re.sub(r'<(row|c) r="[A-E]?\d"', r"<\1", text))
    assert [list(row.cells.values()) for row in _rows(_table(path))] == FILLED


def test_what_the_spreadsheet_hides_is_read_and_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *FILLED], T=[HEAD, *FILLED])
    sheet_xml(path, lambda text: text.replace('<row r="3"', '<row r="3" hidden="1"'))
    alter(
        path,
        "xl/workbook.xml",
        lambda data: re.sub(rb'(name="T" sheetId="2") state="visible"', rb'\1 state="hidden"', data),
    )
    table = _table(path)
    assert len(_rows(table)) == 6
    assert table.balance.rows_hidden == 1 + 3
    assert table.balance.to_dict()["rows"]["hidden"] == table.balance.counts()["rows_hidden"] == 4


def test_days_that_count_from_1904_are_the_days_that_excel_shows(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, ["F0", "stp", date(2026, 8, 5), 4, 5]])
    serial = (date(2026, 8, 5) - date(1904, 1, 1)).days
    alter(path, "xl/workbook.xml", lambda data: re.sub(rb"<workbookPr[^>]*>", b'<workbookPr date1904="1"/>', data))
    sheet_xml(path, lambda text: re.sub(r'(<c r="C2"[^>]*>)<v>\d+</v>', rf"\g<1><v>{serial}</v>", text))
    (row,) = _rows(_table(path))
    assert row.cells["day"] == "2026-08-05"


def test_a_strict_workbook_is_refused_by_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *FILLED])
    for part in ("_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"):
        alter(
            path,
            part,
            lambda data: data.replace(
                b"schemas.openxmlformats.org/spreadsheetml/2006/main", b"purl.oclc.org/ooxml/spreadsheetml/main"
            ).replace(
                b"schemas.openxmlformats.org/officeDocument/2006/relationships",
                b"purl.oclc.org/ooxml/officeDocument/relationships",
            ),
        )
    assert read_here(path).outcome.refused == "strict"


@pytest.mark.parametrize(
    "lines",
    [
        ['P1,stp,5/8/2026,4,"nói', "P2,stp,5/8/2026,4,x", "P3,stp,5/8/2026,4,x"],
        ['P1,stp,5/8/2026,4,"nói', "P2,stp,5/8/2026,4,x", 'P3,stp,5/8/2026,4,y"', "P4,stp,5/8/2026,4,"],
        ['P1,stp,5/8/2026,4,"nói', 'P2,stp,5/8/2026,4,y"', "P3,stp,5/8/2026,4,"],
    ],
)
def test_a_quotation_mark_that_swallows_rows_is_told(tmp_path: Path, lines: list[str]) -> None:
    table = _table(_csv(tmp_path, "\n".join(["form,agency,day,overall,ghi chú", *lines])))
    first, *others = _rows(table)
    assert "quotation mark" in first.problem
    assert not any(row.problem for row in others)


def test_a_cell_of_several_lines_is_one_cell_and_rows_have_the_spreadsheets_numbers(tmp_path: Path) -> None:
    text = 'form,agency,day,overall,ghi chú\n"P\n1",stp,5/8/2026,4,"a, b\nc, d"\n\nP2,stp,5/8/2026,4,x\n'
    assert [(row.number, row.cells["form"], row.problem) for row in _rows(_table(_csv(tmp_path, text)))] == [
        (2, "P 1", ""),
        (4, "P2", ""),
    ]


def test_the_header_again_and_the_columns_numbers_are_headings(tmp_path: Path) -> None:
    head, numbers = ",".join(HEAD), "(1),(2),(3),(4),(5)"
    rows = [",".join(row) for row in FILLED]
    table = _table(_csv(tmp_path, "\n".join([head, numbers, rows[0], head, *rows[1:]])))
    assert [row.cells["form"] for row in _rows(table)] == ["F0", "F1", "F2"]
    assert (table.balance.rows_heading, table.balance.cells_heading) == (3, 15)


@pytest.mark.parametrize("word", ["Tổng cộng", "TỔNG SỐ:", "Cộng", "Total"])
def test_a_row_of_totals_is_told(tmp_path: Path, word: str) -> None:
    table = _table(_csv(tmp_path, f"STT,agency,day,overall\n1,stp,5/8/2026,4\n,{word},,4\n"))
    assert ["totals" in row.problem for row in _rows(table)] == [False, True]


def test_a_header_of_two_lines_is_read_by_its_second(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        S=[
            ["Cơ quan", "Ngày", "Hài lòng chung", "Nhóm A", None],
            [None, None, None, "A1", "A2"],
            ["stp", "5/8/2026", 4, 3, 2],
        ],
    )
    merges = "".join(f'<mergeCell ref="{ref}"/>' for ref in ("A1:A2", "B1:B2", "C1:C2", "D1:E1"))
    sheet_xml(path, lambda text: text.replace("</sheetData>", f"</sheetData><mergeCells>{merges}</mergeCells>"))
    (row,) = _rows(_table(path))
    assert (row.cells["item:A1"], row.cells["item:A2"], row.problem) == ("3", "2", "")


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("sec_c/C1", "item:C1"),
        ("data:sec_c:C1", "item:C1"),
        ("sec_c-C1", "item:C1"),
        ("co_quan/agency", "agency"),
        ("**D2.** Thái độ phục vụ", "item:D2"),
        ("(D2) Thái độ", "item:D2"),
        ("[D2]", "item:D2"),
        ("<b>E1</b> x", "item:E1"),
        ("Dấu thời gian", "day"),
        ("A1/A2", "?A1/A2"),
        ("reasons/r1", "?reasons/r1"),
        ("sub-agency", None),
        ("date/time", None),
        ("Tên/Mã", None),
    ],
)
def test_headings_as_form_programs_write_them(heading: str, column: str | None) -> None:
    assert recogniser(ITEMS)(heading) == column


@pytest.mark.parametrize(
    ("kind", "headings", "columns"),
    [
        ("agencies", ("Mã cơ quan", "Tên cơ quan", "Cấp"), ("code", "name_vi", "level")),
        ("agencies", ("Mã đơn vị", "tên đơn vị", "Cấp hành chính"), ("code", "name_vi", "level")),
        ("counters", ("Mã cơ quan", "Mã quầy", "Tên quầy"), ("agency", "code", "name_vi")),
        ("services", ("Mã thủ tục", "Tên thủ tục", "Nhóm thủ tục"), ("code", "name_vi", "service_group")),
        ("levels", ("Mã cấp", "Tên cấp", "Thứ bậc"), ("code", "name_vi", "rank")),
        ("transactions", ("Tên cơ quan", "Tháng", "Mã bưu chính"), ("agency", "month", None)),
    ],
)
def test_a_list_s_own_code_and_name_as_an_office_writes_them(
    kind: str, headings: tuple[str, ...], columns: tuple[str | None, ...]
) -> None:
    spec = find_kind(kind)
    name = recogniser(columns={*spec.required, *spec.optional})
    assert tuple(map(name, headings)) == columns


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("S&#7903; T&#432; ph&#225;p", "Sở Tư pháp"),
        ("S&#x1EDF; A &amp; B", "Sở A & B"),
        ("S\\u1edf", "Sở"),
        ("&lt;b&gt;", "<b>"),
        ("A & B; C", ""),
        ("R&D;", ""),
        ("\\users", ""),
        ("Sở & ngành", ""),
    ],
)
def test_letters_of_pages_and_protocols_are_found(text: str, before: str) -> None:
    assert unescaped(text) == before


def test_a_name_with_letters_of_a_page_is_told(tmp_path: Path) -> None:
    (row,) = _rows(_table(_csv(tmp_path, "agency,day,overall\nS&#7903;,5/8/2026,4\n")))
    assert "it was “Sở”" in row.problem


@given(st.integers(1, 9_999_999), st.sampled_from([".", ",", " ", "\u00a0", "'"]))
@example(25_000, ".")
@example(7_000, ",")
@example(125_000, ".")
def test_a_grouped_number_begins_with_no_zero(number: int, sign: str) -> None:
    grouped = f"{number:,}".replace(",", sign)
    assert read_whole(grouped) == number
    for text in (f"0{sign}{number % 999 + 1:03d}", f"0{grouped}" if sign in grouped else f"0{sign}500"):
        with pytest.raises(ValueError, match="no whole number"):
            read_whole(text)


def test_days_of_form_programs() -> None:
    assert read_day("2026/06/30 6:30:12 CH GMT+7") == read_day("30/6/2026")


def test_a_sheet_of_a_thousand_and_one_columns_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *FILLED])
    sheet_xml(path, lambda text: text.replace('<c r="E2"', '<c r="ALM2"'))
    assert read_here(path).outcome.refused == "too_many_columns"
    with pytest.raises(InvalidError):
        list(_table(_csv(tmp_path, "x,y\n1,2\n")))


@pytest.mark.parametrize("how", ['hidden="1"', 'width="0" customWidth="1"'])
def test_columns_that_the_spreadsheet_hides_and_cells_struck_out_are_told(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in [[*HEAD, "ghi chú riêng"], *([*row, "x"] for row in FILLED)]:
        sheet.append(row)
    sheet["D3"].font = Font(strike=True)
    sheet["E4"].font = Font(strike=True)
    sheet["F2"].font = Font(strike=True)
    book.save(path)
    sheet_xml(path, lambda text: text.replace("<sheetData", f'<cols><col min="5" max="16384" {how}/></cols><sheetData'))
    table = _table(path)
    assert len(_rows(table)) == 3
    assert table.balance.columns_hidden == ["A1"], "the one beside it is not used"
    assert table.balance.cells_struck == 2
    assert table.balance.to_dict()["columns"]["hidden"] == ["A1"]
    assert table.balance.to_dict()["cells"]["struck"] == table.balance.counts()["cells_struck"] == 2
    told = [value for _title, value in notes(table.balance)]
    assert "A1" in told
    assert "2" in told


def test_a_header_without_rows_is_told(tmp_path: Path) -> None:
    table = _table(_csv(tmp_path, ",".join(HEAD) + "\n,,,,\n"))
    assert _rows(table) == []
    with pytest.raises(InvalidError, match="no row below"):
        table.finish()


@pytest.mark.parametrize(("name", "lost"), [("Sở Y t?", True), ("Phòng Tư pháp?", True), ("Sở Y tế", False)])
def test_a_letter_lost_at_a_words_end_is_told_in_a_name(tmp_path: Path, name: str, lost: bool) -> None:
    path = _csv(tmp_path, f"code,name_vi,level\na,{name},tinh\n")
    table = Table(read_here(path), path.name, recogniser(columns=("code", "name_vi", "level")), ("code", "name_vi"))
    (row,) = _rows(table)
    assert bool(row.problems) is lost


def test_an_error_without_a_name_is_no_empty_cell(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *FILLED])
    sheet_xml(path, lambda text: re.sub(r'<c r="D2"[^>]*>.*?</c>', '<c r="D2" t="e"/>', text))
    first, *_ = _rows(_table(path))
    assert "error" in str(first.problem)


def test_a_group_that_is_asked_again_is_no_remark(tmp_path: Path) -> None:
    head = "form,agency,day,overall,members[1]/A1,members[2]/A1"
    with pytest.raises(InvalidError, match="A1 stands twice"):
        list(_table(_csv(tmp_path, f"{head}\nF0,stp,5/8/2026,4,5,3\n")))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("8/5/2026 11:30:00 PM", None),
        ("05/08/2026 1:00 AM", None),
        ("8/8/2026 11:30 PM", "2026-08-08"),
        ("13/8/2026 11:30 PM", "2026-08-13"),
        ("5/8/2026 11:30 CH", "2026-08-05"),
        ("5/8/2026 23:30", "2026-08-05"),
    ],
)
def test_a_day_that_may_be_two_is_refused(text: str, day: str | None) -> None:
    """`8/5/2026 11:30:00 PM` had been 8 May without a word; who writes PM writes the month first as often as not."""
    if day is None:
        with pytest.raises(ValueError, match="day/month or month/day"):
            read_day(text)
    else:
        assert day_date(read_day(text)).isoformat() == day
