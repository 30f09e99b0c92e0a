"""Cells as other programs' trackers tell of them: read as meant, as nothing where nothing is, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from server.tabular.columns import recogniser
from server.tabular.parse import parse
from server.tabular.records import Bounds, Part, RawRow
from server.tabular.tables import Table
from server.tabular.values import read_answer, read_whole
from tests.server.tabular.files import alter, read_here, sheet_xml, workbook

REFUSED = -1


def _answer(cell: str, marks: list[tuple[int, str, str]]) -> int:
    """As a row with it would be read: the answer, 0 for none, or `REFUSED`."""
    if any(code in ("formula", "error", "label") for _, code, _ in marks):
        return REFUSED
    try:
        return read_answer(cell, fact=False)
    except ValueError:
        return REFUSED


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ('<c r="B2" t="s"><v/></c>', 0),  # an empty index was read as the first text (tafia/calamine 607)
        ('<c r="B2" t="s"><v>1</v></c>', 0),  # an index of an empty text was read as the number 1 (openai/codex 38118)
        ('<c r="B2" s="1"><v>4</v></c>', REFUSED),  # a number that is set as a day (exceljs 2899)
        ('<c r="B2" s="2"><v>0</v></c>', REFUSED),  # 0 that is set as a time: 1899-12-30 (pyexcel-xlsx 23)
        ('<c r="B2" s="1" t="inlineStr"><is><t>19/19/2000</t></is></c>', REFUSED),  # shuchkin/simplexlsx 36
        ('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', REFUSED),  # read as an empty text (tafia/calamine 720)
        ('<c r="B2"><v>5e0</v></c>', 5),
        ('<c r="B2"><v>4.0000000000000001</v></c>', 4),
        ('<c r="B2"><v>4.9999999999</v></c>', REFUSED),
        ('<c r="B2"><f t="shared" si="0"/><v>4</v></c>', 4),  # shared formulas were empty (JuliaData/XLSX.jl 235)
    ],
)
def test_a_cell_of_a_workbook(tmp_path: Path, cell: str, answer: int) -> None:
    path = workbook(tmp_path / "a.xlsx", Tờ1=[["code", "name_vi"], ["hoa", 1]])
    alter(path, "xl/workbook.xml", lambda data: data.replace(b' fullCalcOnLoad="1"', b""))
    found = b'<cellXfs count="3"><xf/><xf numFmtId="14" applyNumberFormat="1"/>'
    found += b'<xf numFmtId="20" applyNumberFormat="1"/></cellXfs>'
    alter(path, "xl/styles.xml", lambda data: data[: data.index(b"<cellXfs")] + found + data.split(b"</cellXfs>")[1])
    texts = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>code</t></si><si><t/></si>'
    texts += b"<si><t>name_vi</t></si><si><t>hoa</t></si></sst>"
    alter(path, "xl/sharedStrings.xml", lambda _: texts)
    kind = b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    kind += b'spreadsheetml.sharedStrings+xml"/></Types>'
    alter(path, "[Content_Types].xml", lambda data: data.replace(b"</Types>", kind))

    def changed(_text: str) -> str:
        space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        head = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>2</v></c></row>'
        row = f'<row r="2"><c r="A2" t="s"><v>3</v></c>{cell}</row>'
        return f"<worksheet {space}><sheetData>{head}{row}</sheetData></worksheet>"

    sheet_xml(path, changed)
    parts: list[Part] = []
    parse(path, path.suffix, frozenset(("code", "name_vi")), Bounds(), parts.append)
    head, row = (part for part in parts if isinstance(part, RawRow))
    assert head.cells == ["code", "name_vi"]
    assert row.cells[0] == "hoa"
    assert _answer(row.cells[1] if len(row.cells) > 1 else "", row.marks) == answer


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("1.0", 1),  # a whole code that became a decimal (XLSForm/pyxform 123)
        ("-oth-", REFUSED),  # "other" of LimeSurvey (16939)
        ("1 3", REFUSED),  # several choices in one cell
        ("A5", REFUSED),
        ("5-May", REFUSED),  # "5/5" that a spreadsheet made a day
        ("nan", REFUSED),
        ("NULL", REFUSED),
        ("None", REFUSED),
    ],
)
def test_a_cell_of_a_text_file(cell: str, answer: int) -> None:
    assert _answer(cell, []) == answer


@pytest.mark.parametrize("text", ["1.2E7", "12e3", "1.234 E+2", "∞", "1 2345", "1,23,456", "0x10", "½", "²"])
def test_a_count_that_a_program_wrote_otherwise_is_refused(text: str) -> None:
    """IATI.cloud 1820: an `E7` too many, a comma within a year."""
    with pytest.raises(ValueError, match="no whole number"):
        read_whole(text)


@pytest.mark.parametrize(
    ("header", "is_taken"),
    [
        ("agency,day,overall,_xform_id,_xform_id", True),  # columns of the program's own, twice (onadata 1155)
        ("agency,day,overall,C1,C1.1", False),  # a data frame's name of a second C1
        ("agency,agency.1,day,overall,x", False),  # and of a second agency
        ("agency,day,overall,overall.1,x", False),
        ("agency,day,overall,reasons/r1,reasons/r2", False),  # choices split up (kobotoolbox/formpack 56)
        ("agency,day,overall,sec/C1,sec/C1_other", True),  # words beside a choice: left out, by name
    ],
)
def test_columns_as_form_programs_name_them(tmp_path: Path, header: str, is_taken: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\nso-a,5/7/2026,5,1,1\n", "utf-8")
    instrument = load_instrument("2640")
    table = Table(read_here(path), path.name, recogniser(instrument), ("agency", "day"), any_answer=True)
    if is_taken:
        assert len(list(table)) == 1
    else:
        with pytest.raises(InvalidError, match=r"look like answers|stands twice"):
            list(table)


def test_two_files_put_together(tmp_path: Path) -> None:
    """With a second byte-order mark and header, and a first file without a last line end: told, not read askew."""
    path = tmp_path / "a.csv"
    whole = "agency,day,overall\nso-a,5/7/2026,5\n"
    path.write_text(f"\ufeff{whole}\ufeff{whole}", "utf-8")
    assert len(list(Table(read_here(path), path.name, recogniser(), ("agency", "day")))) == 2
    path.write_text(f"{whole.rstrip()}{whole}", "utf-8")
    rows = list(Table(read_here(path), path.name, recogniser(), ("agency", "day")))
    assert ["more cells" in row.problem for row in rows] == [True, False]
