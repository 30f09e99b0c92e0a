"""A cell of any file as clean text with marks of what is wrong with it, and the rows sent within the bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from pipeline.text import first_unsafe, has_unseen, one_line
from server.tabular.encodings import font_code_of, unescaped, ungarbled
from server.tabular.records import Bounds, Part, RawRow, RefusedError, SheetStart

MAX_CELL = 4_000
"""Characters of a cell; more is an error of its row (a wrong separator or an unclosed quote)."""
_LOWER = "a-zà-öø-ÿăĩũơưđ\u1ea0-\u1eff"
_LOST = re.compile(
    rf"(?<![\w/=&.?])(?:[^\W\d_]*[^\W\d_]\?+[{_LOWER}]|[A-Z]*[A-Z]\?+[A-Z]|\?{{2,}}[{_LOWER}])[\w?]*(?![\w=/])"
)
"""A word whose letters a program could not write, as `ph?p`, `D??ng`; not the end of a question, nor an address with a
query."""
_ERRORS = frozenset({"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"})
Send = Callable[[Part], None]


@dataclass(slots=True)
class Counted:
    """Sends rows within the bounds."""

    bounds: Bounds
    send: Send
    rows: int = 0
    cells: int = 0
    sheets: int = 0

    def start(self, name: str, hidden: Iterable[int] = (), beside: Iterable[tuple[int, str]] = ()) -> None:
        """A worksheet begins; columns from 0 that are hidden, and texts beside its cells (`SheetStart`)."""
        self.sheets += 1
        if self.sheets > self.bounds.sheets:
            raise RefusedError("too_many_sheets", self.bounds.sheets)
        self.send(SheetStart(name, sorted(hidden), list(beside)))

    def row(
        self, number: int, values: Iterable[Any], marks: list[tuple[int, str, str]], done: float, width: int = 0
    ) -> None:
        """Send a row, unless nothing is in it."""
        cells: list[str] = []
        for column, value in enumerate(values):
            self.cells += 1
            cells.append(_cell(value, column, marks) if value is not None and value != "" else "")
        if self.cells > self.bounds.cells:
            raise RefusedError("too_many_cells", self.bounds.cells)
        while cells and not cells[-1]:
            cells.pop()
        if not cells and all(code == "hidden" for _, code, _ in marks):
            return
        if len(cells) > self.bounds.columns:
            raise RefusedError("too_many_columns", self.bounds.columns)
        self.rows += 1
        if self.rows > self.bounds.rows:
            raise RefusedError("too_many_rows", self.bounds.rows)
        self.send(RawRow(number, cells, width, marks, done))


def clean(value: object) -> str:
    """A cell as text: one line, composed (NFC), no characters that nobody sees; whole numbers without `.0`."""
    return _cell(value, 0, [])


def _cell(value: object, column: int, marks: list[tuple[int, str, str]]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, column, marks)
    if isinstance(value, datetime):
        moment = value.replace(microsecond=0)
        return moment.isoformat(" ") if moment.time() != time() else moment.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    given = str(value)
    text = one_line(given)
    if given.isascii() and given.isprintable():
        if text in _ERRORS:
            marks.append((column, "error", text))
        elif before := unescaped(given):
            marks.append((column, "garbled", before[:40]))
        elif "?" in text and (lost := _LOST.search(text)):
            marks.append((column, "lost", lost[0][:40]))
    else:
        _mark_text(given, text, column, marks)
    if len(text) > MAX_CELL:
        marks.append((column, "long", str(MAX_CELL)))
        text = text[:MAX_CELL]
    return text


def _number(value: float, column: int, marks: list[tuple[int, str, str]]) -> str:
    if abs(value) >= 1e15:
        marks.append((column, "rounded", ""))
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    text = repr(value)
    # 1.234 from a cell of numbers is one and a bit; as text it would be read as one thousand and more.
    return f"{text}0" if re.fullmatch(r"-?\d{1,3}\.\d{3}", text) else text


def _mark_text(given: str, text: str, column: int, marks: list[tuple[int, str, str]]) -> None:
    if unsafe := first_unsafe(given):
        marks.append((column, "control", unsafe))
    elif "\ufffd" in text:
        marks.append((column, "unread", ""))
    elif before := ungarbled(given) or unescaped(given):
        marks.append((column, "garbled", before[:40]))
    elif code := font_code_of(given):
        marks.append((column, "font_code", code.name))
    elif "?" in text and (lost := _LOST.search(text)):
        marks.append((column, "lost", lost[0][:40]))
    elif has_unseen(given):
        marks.append((column, "cleaned", ""))
