"""A file costs what its size allows, in a process of its own: bombs are refused, never waited for."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import InvalidError
from server.tabular import reading
from server.tabular.columns import recognise
from server.tabular.reading import _listen, opened
from server.tabular.records import Bounds, RefusedError
from tests.server.tabular.files import alter, read_here, sheet_xml, workbook

HEAD = ["agency", "day", "overall"]
STRINGS = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType='
    b'"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return workbook(tmp_path / "a.xlsx", S=[HEAD, ["stp", "5/8/2026", 4]])


def _refusal(path: Path, bounds: Bounds | None = None) -> str:
    given = bounds or Bounds()
    if given.seconds >= Bounds().seconds:  # on a busy machine the process takes that long to begin
        given = replace(given, seconds=300.0)
    with pytest.raises(InvalidError) as error, opened(path, recognise(), given):
        pass
    assert error.value.fix
    return error.value.message


def _with_part(path: Path, name: str, head: bytes, unit: bytes, tail: bytes, size: int) -> None:
    alter(path, "[Content_Types].xml", lambda data: data.replace(b"</Types>", STRINGS))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w", force_zip64=True) as part:
        part.write(head)
        block = unit * ((1 << 20) // len(unit))
        for _ in range(size >> 20):
            part.write(block)
        part.write(tail)


def test_shared_strings_that_unpack_to_much_more(book: Path) -> None:
    head = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    _with_part(book, "xl/sharedStrings.xml", head, b"<si><t>abcdefgh</t></si>", b"</sst>", 70 << 20)
    assert "unpacks to more than 200 times" in _refusal(book)


def test_a_row_far_down_and_a_cell_far_out(book: Path) -> None:
    sheet_xml(
        book,
        lambda text: text.replace(
            "</sheetData>", '<row r="4000000000"><c r="A4000000000"><v>1</v></c></row></sheetData>'
        ),
    )
    assert "more than 1048576 rows" in _refusal(book)


def test_a_wide_row(book: Path) -> None:
    sheet_xml(book, lambda text: text.replace("</sheetData>", '<row r="3"><c r="XFD3"><v>1</v></c></row></sheetData>'))
    assert "more than 1000 cells" in _refusal(book)


def test_many_wide_empty_rows_cost_no_more_than_their_cells(book: Path) -> None:
    before = len(list(read_here(book).messages()))
    rows = "".join(f'<row r="{n}"><c r="XFD{n}"/></row>' for n in range(3, 20_003))
    sheet_xml(book, lambda text: text.replace("</sheetData>", rows + "</sheetData>"))
    table = read_here(book, Bounds(cells=50_000))
    assert not table.outcome.refused
    assert len(list(table.messages())) == before
    assert "cells" in _refusal(book, Bounds(cells=30_000))


def test_more_rows_and_sheets_than_the_bounds(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("agency,day,overall\n" + "stp,5/8/2026,4\n" * 50, encoding="utf-8")
    assert "more than 20 rows" in _refusal(path, Bounds(rows=20))
    sheets = {f"S{n}": [HEAD] for n in range(5)}
    assert "more than 3 worksheets" in _refusal(workbook(tmp_path / "b.xlsx", **sheets), Bounds(sheets=3))


def test_time_is_bounded_and_the_process_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("agency,day,overall\n" + "stp,5/8/2026,4\n" * 400_000, encoding="utf-8")
    assert "takes more than" in _refusal(path, Bounds(seconds=0.5))


@pytest.mark.parametrize(
    ("program", "refused"),
    [
        ("import time; time.sleep(0.9); print('{}')", False),  # before, a busy machine refused the smallest file
        ("while True: pass", True),
        ("import time; time.sleep(60)", True),
    ],
)
def test_the_bound_is_of_processor_time_and_waiting_ends(program: str, refused: bool) -> None:
    begun = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            if refused:
                with pytest.raises(RefusedError):
                    _listen(process.pid, process.stdout.fileno(), Bounds(seconds=0.4), lambda share: None)
            else:
                heard = _listen(process.pid, process.stdout.fileno(), Bounds(seconds=0.4), lambda share: None)
                assert heard == b"{}"
        finally:
            process.kill()
    assert time.monotonic() - begun < 20


def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('agency,day,overall\n"' + "x" * (300 << 20), encoding="utf-8")
    with pytest.raises(InvalidError), opened(path, recognise(), Bounds(memory_bytes=256 << 20, seconds=60)):
        pass


def test_a_damaged_or_locked_workbook(tmp_path: Path, book: Path) -> None:
    locked = tmp_path / "b.xlsx"
    locked.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "locked" in _refusal(locked)
    sheet_xml(
        book, lambda text: text.replace("</sheetData>", '<row r="3"><c r="A3" t="s"><v>99</v></c></row></sheetData>')
    )
    assert "damaged" in _refusal(book)
    book.write_bytes(book.read_bytes()[:-40])
    assert "damaged" in _refusal(book)


def test_no_more_files_at_once_than_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(reading, "WAIT_S", 0.1)
    path = tmp_path / "a.csv"
    path.write_text("agency,day,overall\nstp,5/8/2026,4\n", encoding="utf-8")
    with reading._a_place():
        assert "Other files" in _refusal(path)
    with opened(path, recognise()) as raw:
        assert len(list(raw.messages())) == 3
