"""Files for people's spreadsheets: no text of ours runs there as a formula, and none breaks a file or a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from openpyxl.cell.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.text import tidy

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SEPARATORS = frozenset(";\t\r\n|")
_GAP = re.compile(r'(?<![;|\s"])[;|\s"]+(?=[=+\-@＝＋－＠])')
"""What stands before a sign of a formula. Where a separator is in it, a spreadsheet that is set to another one than the
comma begins a new cell there that it would run, quotes or not. Looked for from its first sign alone: looked for from
each, a cell of 32,000 line ends took 14 s."""


class _Writes(Protocol):
    def write(self, text: str, /) -> object:
        """As a file."""


def safe_cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe (OWASP, CSV injection), also where one that
    splits at semicolons, tabs or line ends would begin a cell within it."""
    if not isinstance(value, str):
        return value
    text = _GAP.sub(lambda gap: gap[0] + "'" * (not _SEPARATORS.isdisjoint(gap[0])), tidy(value))
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


class CsvWriter:
    """Writes rows of CSV with every cell safe. The only way in `server/` to a CSV (a test looks)."""

    def __init__(self, file: _Writes, lineterminator: str = "\r\n") -> None:
        self._rows = csv.writer(file, lineterminator=lineterminator)

    def row(self, values: Iterable[Any]) -> None:
        """One row."""
        self._rows.writerow([safe_cell(value) for value in values])

    def rows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Several rows."""
        for values in rows:
            self.row(values)


def add_row(sheet: Worksheet, values: Sequence[Any]) -> None:
    """Append a row to a worksheet; every text stays a text, also one that begins as a formula does."""
    sheet.append([_text_cell(sheet, value) if isinstance(value, str) else value for value in values])


def _text_cell(sheet: Worksheet, value: str) -> Any:
    text = tidy(value)
    if not text.startswith("="):
        return text
    cell = Cell(sheet, 1, 1, text)  # the worksheet puts it in its place
    cell.data_type = "s"
    return cell


def disposition(name: str) -> str:
    """`Content-Disposition` of a file to keep, whatever a code in its name holds (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "file"
    text = re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f]', "_", tidy(name))
    return f'attachment; filename="{plain}"' + ("" if text == plain else f"; filename*=UTF-8''{quote(text, safe='')}")
