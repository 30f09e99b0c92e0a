"""What a third reading found of files as people bring them: read whole, or told; never another value in silence."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text import one_line
from server.tabular.parse import parse
from server.tabular.records import Bounds, Part, RawRow, RefusedError
from server.tabular.values import read_phone
from tests.server.tabular.files import alter, read_here, sheet_xml, workbook

HEAD = ["code", "name_vi", "level"]
_FIELD = r'"(?:[^"]|"")*"|(?!")[^,]*'


def _rows(path: Path) -> list[RawRow]:
    found: list[Part] = []
    parse(path, path.suffix, frozenset(HEAD), Bounds(), found.append)
    return [one for one in found if isinstance(one, RawRow)]


def _codes(row: RawRow) -> set[str]:
    return {code for _, code, _ in row.marks}


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ('"Sở \\"Tư\\" pháp"', "stray"),
        ('"Trung tâm" một cửa', "stray"),
        ('"x" ', "stray"),
        ("S? T? ph?p", "lost"),
        ("Bình D??ng", "lost"),
        ("?à N?ng", "lost"),
        ("TI?N GIANG", "lost"),
        ("??ng Tháp", "lost"),
    ],
)
def test_a_cell_whose_text_would_become_another_is_told(tmp_path: Path, cell: str, code: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"code,name_vi,level\nhoa,{cell},cs\nhob,Sở B,cs\n", encoding="utf-8")
    head, first, second = _rows(path)
    assert not head.marks
    assert _codes(first) == {code}
    assert second.cells == ["hob", "Sở B", "cs"]


@pytest.mark.parametrize(
    "cell",
    [
        "Có gì không?",
        "Thế à?Vâng",
        "https://x.vn/s?id=3",
        "x.vn/tra?ma=5",
        "(?)",
        "?",
        "??",
        "C1?",
        "a ? b",
        'Sở "Tư" pháp',
    ],
)
def test_questions_addresses_and_marks_within_a_word_stay(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"code,name_vi,level\nhoa,{cell},cs\n", encoding="utf-8")
    row = _rows(path)[1]
    assert row.cells[1] == cell
    assert not row.marks


@given(st.lists(st.text('"ab\\ ', max_size=8), min_size=3, max_size=3))
@settings(max_examples=150, deadline=None)
def test_quotation_marks_never_change_a_cell_in_silence(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    """A row that is not told was written as RFC 4180 has it, and comes as it was written."""
    path = tmp_path_factory.mktemp("marks") / "a.csv"
    line = ",".join(cells)
    path.write_text(f"code,name_vi,level\n{line}\n", encoding="utf-8")
    row = next((one for one in _rows(path) if one.number > 1), None)
    if row is None or row.marks:
        return
    assert re.fullmatch(f"(?:{_FIELD})(?:,(?:{_FIELD}))*", line), line
    expected = [one_line(cell) for cell in next(csv.reader(io.StringIO(line), strict=True))]
    assert row.cells == expected[: len(row.cells)]
    assert not any(expected[len(row.cells) :])


WORDS = [
    "Phòng", "Công", "án", "Tòa", "chúng", "Hòa", "Bình", "xã", "Hà", "Nam", "Cà", "Mau", "Tân", "Quý", "Hùng", "Vinh",
    "Tháp", "Lâm", "Sóc", "công", "dân", "các", "tôi", "cán",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_windows_1252_can_write_is_never_read_as_a_font_code(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    """`Phòng Công chúng` became `Phũng Cụng chỳng`, which are Vietnamese syllables, too."""
    path = tmp_path_factory.mktemp("western") / "a.csv"
    path.write_bytes(f"code,name_vi,level\nhoa,{' '.join(words)},cs\n".encode("cp1252"))
    try:
        row = _rows(path)[1]
    except RefusedError as refusal:
        assert refusal.code == "unknown_code"  # noqa: PT017
        return
    assert row.cells[1] == " ".join(words)


def test_a_sheet_that_is_a_chart_is_no_damage_and_a_row_without_height_is_hidden(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = workbook(tmp_path / "a.xlsx", S=[HEAD, ["hoa", "Sở A", "cs"], ["hob", "Sở B", "cs"]])
    book = load_workbook(path)
    book.create_chartsheet("Biểu đồ")
    book.save(path)
    sheet_xml(path, lambda text: text.replace('<row r="3"', '<row r="3" ht="0" customHeight="1"'))
    _, first, second = _rows(path)
    assert first.cells == ["hoa", "Sở A", "cs"]
    assert not first.marks
    assert _codes(second) == {"hidden"}


def test_a_file_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/bad\xff\n.csv"))
    path.write_text("code,name_vi,level\nhoa,Sở A,cs\n", encoding="utf-8")
    assert not read_here(path).outcome.refused


@pytest.mark.parametrize(
    "text", ["\u3164", "\u2800", "\u034f", "\u180e", "\ufe0f", "\U000e0041", "\u2063", "\u115f \uffa0"]
)
def test_a_name_of_what_nobody_sees_is_none(text: str) -> None:
    assert one_line(text) == ""
    assert one_line(f"Sở{text}") == "Sở"


@pytest.mark.parametrize("text", ["(+84) 912 345 678", "＋84912345678", "(0084)912345678", "(+84)(0)912345678"])
def test_country_codes_in_brackets(text: str) -> None:
    assert read_phone(text) == "0912345678"


@pytest.mark.parametrize("text", ["(+84", "+84) 912", "(+1) 912 345 678", "(+84) 912 345 678 9", "+", "()"])
def test_other_brackets_are_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="no phone number"):
        read_phone(text)


CALCULATION = [
    ('<calcPr calcId="124519" fullCalcOnLoad="1"/>', {"formula"}),  # XlsxWriter: 0 stands where it did not work out
    ('<calcPr calcId="191029" calcCompleted="0"/>', {"formula"}),
    ('<calcPr calcId="191029" calcMode="manual" calcOnSave="0"/>', {"formula"}),
    ('<calcPr calcId="191029" calcMode="manual"/>', set()),
    ('<calcPr calcId="191029"/>', set()),
    ("", set()),
]


@pytest.mark.parametrize(("calculation", "codes"), CALCULATION)
def test_a_value_that_nobody_has_worked_out_is_told(tmp_path: Path, calculation: str, codes: set[str]) -> None:
    """A formula's 0 was read as no transactions, and as no answer."""
    path = workbook(tmp_path / "a.xlsx", Tờ1=[HEAD, ["hoa", "Sở A", "cs"], ["hob", "Sở B", 1]])
    alter(path, "xl/workbook.xml", lambda data: re.sub(rb"<calcPr[^>]*>", calculation.encode(), data))
    sheet_xml(path, lambda text: re.sub(r'(<c r="C3"[^>]*>)<v>1</v>', r"\1<f>1+1</f><v>0</v>", text))
    first, second = _rows(path)[1:]
    assert (_codes(first), _codes(second)) == (set(), codes)
