"""docs/inputs.md says what the code does: every value that it names is read, or refused, as it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from server.tabular import cells as table_cells
from server.tabular import parse, workbooks
from server.tabular.encodings import LEGACY
from server.tabular.records import Bounds
from server.tabular.values import NOT_ANSWERED, read_answer, read_day, read_missing, read_month, read_phone, read_whole

PAGE = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text(encoding="utf-8")
READERS: dict[str, Callable[[str], object]] = {
    "count": read_whole,
    "answer": lambda text: read_answer(text, False),
    "yes or no": lambda text: read_answer(text, True),
    "day": read_day,
    "month": read_month,
    "telephone": read_phone,
}
NO_VALUES = {"Z"}
ROWS = [
    (kind, cells)
    for line in PAGE.splitlines()
    if line.startswith("| ") and (kind := line.split("|")[1].split("/")[0].strip()) in READERS
    for cells in [line.strip("|").split("|")]
]


def _values(cell: str) -> list[str]:
    return [text for text in re.findall(r"`([^`]+)`", cell) if text not in NO_VALUES]


def test_every_kind_of_value_stands_in_the_page() -> None:
    assert [kind for kind, _ in ROWS] == list(READERS)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, cells in ROWS for text in _values(cells[1])])
def test_what_is_read(kind: str, text: str) -> None:
    READERS[kind](text)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, cells in ROWS for text in _values(cells[2])])
def test_what_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError):
        READERS[kind](text)


def test_codes_of_no_answer() -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith("| not answered")]
    named = set(_values(line.split("|")[2])) - {'--not-answered "-1 -99"'}
    assert named == NOT_ANSWERED - {""}
    assert read_missing("-1 -99") == NOT_ANSWERED | {"-1", "-99"}


def test_bounds_and_encodings() -> None:
    bounds = Bounds()
    for number in (bounds.rows, bounds.columns, bounds.cells):
        assert f"{number:,}" in PAGE
    assert f"{bounds.sheets} worksheets" in PAGE
    assert f"above {workbooks.MAX_RATIO}" in PAGE
    assert f"strings above {workbooks.MAX_STRINGS_BYTES >> 20} MiB" in PAGE
    assert f"styles above {workbooks.MAX_STYLES_BYTES >> 20} MiB" in PAGE
    assert f"({parse.HEADER_ROWS} rows)" in PAGE
    assert f"{table_cells.MAX_CELL:,} characters" in PAGE
    assert all(encoding.name in PAGE for encoding in LEGACY)
