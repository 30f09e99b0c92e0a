"""What leaves for spreadsheets and headers: texts stay texts."""

from __future__ import annotations

import ast
import csv
import io
import re
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

import server
from pipeline.text import tidy, tidy_all
from server.scores.interval_svg import Interval, interval_plot
from server.tabular.writing import CsvWriter, add_row, disposition, safe_cell

NASTY = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "-2+3",
    "+1",
    "\t=1",
    " =1",
    "＝1",
    "Sở\x08",
    "\ufffe",
    "a\x00b",
    '"; x=y',
    "\r\nA: b",
]
TEXTS = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(NASTY)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_no_cell_of_a_csv_begins_as_a_formula(values: list[str]) -> None:
    out = io.StringIO(newline="")
    CsvWriter(out).row(values)
    (cells,) = csv.reader(io.StringIO(out.getvalue(), newline=""))
    for cell, value in zip(cells, values, strict=True):
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.replace("'", "") == tidy(value).replace("'", "")


@given(st.lists(TEXTS | st.text(";\t\r\n|,=+-@\"' a", max_size=12), min_size=1, max_size=3))
def test_nor_where_it_is_split_otherwise(values: list[str]) -> None:
    """A spreadsheet that is set to semicolons or tabs splits within our cells, and at their line ends: seen in
    LibreOffice, which ran 4 of 20 cells with semicolons, 3 with tabs."""
    out = io.StringIO(newline="")
    CsvWriter(out).row(values)
    for separator in ";\t|":
        inner = [one for line in re.split(r"[\r\n]+", out.getvalue()) for one in line.split(separator)[1:]]
        inner += re.split(r"[\r\n]+", out.getvalue())[1:]
        assert not [one for one in inner if one.lstrip(' "\t\x0b\x0c').startswith(("=", "+", "-", "@", "＝"))]


def test_a_cell_of_separators_costs_no_more_than_its_length() -> None:
    """It grew with the square: 32,000 line ends took 14 s of processor time, as many quotes with tabs 32 s."""
    began_s = time.process_time()
    for signs in ("\n", ";", '"\t', "| "):
        assert safe_cell("x" + signs * 32_000) == tidy("x" + signs * 32_000)
        assert safe_cell("x" + signs * 32_000 + ";=1").endswith(";'=1")
    assert time.process_time() - began_s < 5


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS | st.integers() | st.none(), min_size=1, max_size=5))
def test_no_cell_of_a_workbook_is_a_formula(values: list[object]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    add_row(sheet, ["Mã"] * len(values))
    add_row(sheet, values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xlsx"
        book.save(path)
        written = openpyxl.load_workbook(path).active
    assert isinstance(written, Worksheet)
    assert all(cell.data_type != "f" for row in written for cell in row)


@pytest.mark.parametrize(
    "name", ["so-1.csv", 'a"b\r\nX: y.csv', "Sở Tư pháp.pdf", "../../etc/passwd", "", "x" * 300, "\ud800"]
)
def test_a_file_name_never_breaks_the_header(name: str) -> None:
    text = disposition(name)
    assert text.isascii()
    assert text.isprintable()
    assert "/" not in text.replace("UTF-8''", "")


def test_only_one_place_writes_csv() -> None:
    for path in Path(server.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("writer", "DictWriter") and path.name != "writing.py":
                assert getattr(node.value, "id", "") != "csv", path


@pytest.mark.parametrize("code", [0, 1, 8, 0x0B, 0x1B, 0x7F, 0xFFFE, 0xFFFF])
def test_a_name_cannot_abort_a_plot(code: int) -> None:
    plot = interval_plot([Interval(f"Sở{chr(code)}", 80.0, 70.0, 90.0)], "vi")
    assert "Sở" in plot
    assert chr(code) not in plot
    ElementTree.fromstring(f"<figure>{plot}</figure>")


def test_the_guard_reaches_every_text() -> None:
    spec = {"a": ["x\x00", ("y\x08", {"b": "\u202ez"})], "n": 1}
    assert tidy_all(spec) == {"a": ["x", ("y", {"b": "z"})], "n": 1}
