"""Rows under a header, columns by their names, with a balance of everything that the file holds.

A `Table` goes through a `RawTable`: it finds each sheet's header, hands out rows, takes back refusals, and accounts for
every row and cell. What is wrong with a cell matters only where its column is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from pipeline.errors import ImportRowError, InvalidError
from pipeline.language import Joined, Message
from pipeline.text import match_key, without_marks
from server.tabular.balance import Balance, SheetBalance
from server.tabular.columns import is_answer_column
from server.tabular.parse import HEADER_ROWS
from server.tabular.reading import RawTable
from server.tabular.records import RawRow, SheetStart
from server.tabular.values import SCALE

SHOWN_ERRORS = 1_000

LIKE_ANSWERS = 3
"""So many cells in the scale's words, and no other, make a column one of answers."""

Recognise = Callable[[str], str | None]
"""Header text -> the column's name, or None where it is none of ours. A name that begins with `?` is not one of ours
but looks as if it were: the file is refused unless the heading is named as ignored."""

MARKS: dict[str, Message] = {
    "control": Message("a character that cannot be shown: {detail}"),
    "unread": Message("a character that cannot be read (wrong encoding)"),
    "lost": Message("question marks in the place of letters (“{detail}”): export it again as UTF-8"),
    "garbled": Message("text that another program garbled (it was “{detail}”): export it again as UTF-8"),
    "font_code": Message("text in the font code {detail}: turn it into Unicode, for example with UniKey"),
    "long": Message("a cell has more than {detail} characters"),
    "error": Message("the cell holds the error {detail}"),
    "formula": Message("the cell holds a formula without a value: open the file in Excel and save it"),
    "rounded": Message("a number of more than 15 digits, which spreadsheets round: write it as text"),
    "csv": Message("not readable as CSV"),
    "partly": Message("a part of the cell is struck out: delete that part, or the line through it"),
    "label": Message("the spreadsheet shows a text, or nothing, in the place of this number: write what is meant"),
    "words": Message("the spreadsheet shows “{detail}” beside this number: write what is meant"),
    "thousands": Message("the cell holds {detail} and shows three decimals after it: write the whole number"),
    "stray": Message("text behind a closing quotation mark: write marks within a cell twice"),
    "quote": Message("a quotation mark is not closed: other rows stand within a cell"),
    "merged_across": Message("merged cells across several columns or over answers"),
}
"""What can be wrong with a cell before its content is looked at: code -> reason."""

SEE_COLUMNS = Message("The first row names the columns; see `hailong server import --columns`.")


_TOTALS = frozenset(map(match_key, ("tổng", "tổng cộng", "tổng số", "cộng", "total", "totals", "grand total", "sum")))
_COLUMN_NUMBER = re.compile(r"\((\d{1,2})\)")


def _is_heading(sheet: SheetBalance, raw: RawRow) -> bool:
    """A row below the header that says nothing of its own: the header again (a file put together of several), or the
    columns' numbers in brackets, as forms have them."""
    headings = [heading for heading, _ in sheet.columns]
    if raw.cells == headings[: len(raw.cells)] and not any(headings[len(raw.cells) :]):
        return True
    if raw.number > sheet.header_row + 2:
        return False
    numbers = [_COLUMN_NUMBER.fullmatch(cell) for cell in raw.cells if cell]
    found = [int(number[1]) for number in numbers if number is not None]
    return len(numbers) > 1 and len(found) == len(numbers) and found == sorted(set(found))


@lru_cache(maxsize=4_000)
def _in_words(cell: str) -> bool:
    return not cell.isdecimal() and without_marks(cell) in SCALE


@dataclass(frozen=True, slots=True)
class TableRow:
    """`number`: the row's number as a spreadsheet shows it, 1 the first. `cells`: column name -> clean text.
    `problems`: why the row cannot be used, before its content is looked at. `done`: share of the file read, 0..1.
    `sheet`: the worksheet's name where more than one is used. `key`: tells the row from all others of the file.
    `used`: cells in columns that are used. `part`: grows with each header above the row: with each worksheet, and where
    several files were put together."""

    number: int
    cells: dict[str, str]
    problems: tuple[str, ...] = ()
    done: float = 0.0
    sheet: str = ""
    key: str = ""
    used: int = 0
    part: int = 0

    @property
    def problem(self) -> str:
        """All problems as one text; empty where there is none."""
        return Joined(self.problems) if self.problems else ""


@dataclass(slots=True)
class Table:
    """One pass over a file. Iterate, `refuse` what does not fit, then `finish`; `balance` holds for the whole file.

    `name`: the file's, for refusals. `recognise`: finds a column for a heading. `required`: columns without which a
    sheet is not used. `any_answer`: whether a column of answers is needed, too. `ignored`: headings and worksheets
    that the person told us to leave out."""

    raw: RawTable
    name: str
    recognise: Recognise
    required: Collection[str]
    any_answer: bool = False
    ignored: Collection[str] = ()
    balance: Balance = field(default_factory=Balance)
    errors: list[tuple[int, str]] = field(default_factory=list)
    around: list[str] = field(default_factory=list)
    """Each row that stands above a header, or on a worksheet that is not used, as one text; names of the file and of
    its worksheets, and texts beside cells."""
    beside: list[tuple[str, str]] = field(default_factory=list)
    """(text, column) of what stands beside the cells of a column that is used."""
    _sheets: int = 0
    _current: int = 0
    _like: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[TableRow]:
        self.balance = Balance(encoding=self.raw.outcome.encoding)
        self.errors, self._like = [], {}
        plan = self._plan()
        self._current = 0
        sheet: SheetBalance | None = None
        names: list[str] = []
        for message in self.raw.messages():
            if isinstance(message, SheetStart):
                sheet = plan[len(self.balance.sheets)]
                self.balance.sheets.append(sheet)
                names = [name for _, name in sheet.columns]
                if sheet.used:
                    unseen = set(message.hidden)
                    found = (heading for at, (heading, name) in enumerate(sheet.columns) if name and at in unseen)
                    self.balance.columns_hidden += found
                self._current += sheet.used
                continue
            assert sheet is not None
            row = self._row(sheet, names, message)
            if row is not None:
                yield row

    def _row(self, sheet: SheetBalance, names: list[str], raw: RawRow) -> TableRow | None:
        """Count a row; None for one that is not under a used sheet's header."""
        balance = self.balance
        filled = {column for column, code, _ in raw.marks if code == "filled"}
        written = {column for column, cell in enumerate(raw.cells) if cell and column not in filled}
        written |= {
            column
            for column, code, detail in raw.marks
            if code in ("formula", "csv", "stray", "quote") or (code, detail) == ("control", "U+0000")
        }  # cells without a value; a file that ends in zeros was cut off
        if not written:
            return None
        balance.rows += 1
        balance.cells += len(written)
        sheet.rows += 1
        if not sheet.used:
            balance.rows_ignored += 1
            balance.cells_ignored += len(written)
            return None
        if raw.number <= sheet.header_row or _is_heading(sheet, raw):
            balance.rows_heading += 1
            balance.cells_heading += len(written)
            return None
        cells = {name: cell for name, cell in zip(names, raw.cells, strict=False) if name}
        used = sum(1 for column in written if column < len(names) and names[column])
        balance.rows_used += 1
        balance.cells_used += used
        balance.cells_ignored += len(written) - used
        balance.cells_filled += sum(1 for column in filled if column < len(names) and names[column])
        balance.rows_hidden += any(code == "hidden" for _, code, _ in raw.marks)
        balance.rows_short += 0 < raw.width < len(names) and any(names[raw.width :])
        if self.any_answer:
            self._suspect(len(balance.sheets), names, raw.cells)
        problems = self._problems(names, sheet.header_width, raw)
        several = self._sheets > 1
        return TableRow(
            raw.number,
            cells,
            tuple(problems),
            raw.done,
            sheet.name if several else "",
            f"{raw.number}" if self._current <= 1 else f"{self._current}.{raw.number}",
            used,
            balance.rows_heading,
        )

    def _problems(self, names: list[str], width: int, raw: RawRow) -> list[str]:
        found: dict[str, None] = {}
        for column, code, detail in raw.marks:
            name = names[column] if column < len(names) else ""
            if code in ("cleaned", "filled", "hidden", "struck"):
                self.balance.cells_cleaned += bool(name) and code == "cleaned"
                self.balance.cells_struck += bool(name) and code == "struck"
                continue
            if code in ("csv", "stray", "quote"):
                found[MARKS[code]] = None
                continue
            if not name or (code == "merged_down" and not is_answer_column(name)):
                continue
            words = MARKS["merged_across" if code == "merged_down" else code]
            found[Joined((name.removeprefix("item:"), words.with_params(detail=detail)), ": ")] = None
        for name, cell in zip(names, raw.cells, strict=False):
            if "?" in cell and name.startswith("name_"):  # nothing is called so: a letter was lost, be it the last
                words = MARKS["lost"].with_params(detail=cell[:40])
                found[Joined((name, words), ": ")] = None
        if any(raw.cells[len(names) :]) or 0 < width < raw.width:  # a comma that is no separator moves all behind it
            found[Message("more cells than the header has")] = None
        first = next((cell for name, cell in zip(names, raw.cells, strict=False) if name and cell), "")
        if match_key(first).rstrip(":") in _TOTALS:
            found[Message("a row of totals: delete it")] = None
        return list(found)

    def refuse(self, row: TableRow, reasons: Collection[str]) -> None:
        """A row that cannot be used, with all its reasons; the first thousand are told."""
        self.balance.rows_used -= 1
        self.balance.rows_refused += 1
        self.balance.cells_used -= row.used
        self.balance.cells_refused += row.used
        if len(self.errors) < SHOWN_ERRORS:
            reason = Joined(dict.fromkeys(reasons))
            self.errors.append((row.number, Joined((row.sheet, reason), ": ") if row.sheet else reason))

    def _suspect(self, sheet: int, names: list[str], cells: list[str]) -> None:
        """Watch the ignored columns: one whose every cell is an answer in words was meant to be read."""
        for column, cell in enumerate(cells):
            if cell and column < len(names) and not names[column]:
                like, others = self._like.get((sheet, column), (0, 0))
                is_like = _in_words(cell)
                self._like[sheet, column] = (like + is_like, others + (not is_like))

    def finish(self) -> None:
        """Raise `InvalidError` where a column that was not recognised holds answers, `ImportRowError` where rows were
        refused."""
        like = [
            heading
            for (sheet, column), (number, others) in sorted(self._like.items())
            if number >= LIKE_ANSWERS
            and not others
            and match_key(heading := self.balance.sheets[sheet - 1].columns[column][0]) not in self._ignored_keys
        ]
        if like:
            raise self._unknown_answers(like)
        refused = self.balance.rows_refused
        if 0 < self.balance.rows_short == self.balance.rows_used + refused:
            raise InvalidError(
                Message("No row of {name} is as wide as its header.", name=self.name),
                Message(
                    "A separator within a heading or a cell moves the columns: write such texts in quotation marks."
                ),
            )
        if not refused and not self.balance.rows_used:
            raise InvalidError(
                Message("{name} has a header and no row below it.", name=self.name),
                Message("Export it again, with its rows."),
            )
        if not refused:
            return
        rows = self.balance.rows_used + refused
        more = refused > len(self.errors)
        text = Message("{refused} of {rows} rows do not fit; nothing was imported.", refused=refused, rows=rows)
        listed = Message("The first {count} are listed.", count=len(self.errors))
        raise ImportRowError(
            Joined((text, listed), " ") if more else text,
            self.errors,
            Message("Correct these rows and import the file again."),
            self.balance,
        )

    def _plan(self) -> list[SheetBalance]:
        """Every sheet with its header, and whether it is used. Raises `InvalidError` where none can be."""
        sheets: list[SheetBalance] = []
        first: list[str] = []
        missing: set[str] = set()
        self.around, self.beside = [self.name.replace("_", " ")], []
        for begun, top in self._tops():
            start = begun.name
            sheet = SheetBalance(start)
            sheets.append(sheet)
            first = first or (top[0].cells if top else [])
            if start and match_key(start) in self._ignored_keys:
                continue
            self.around.append(start)
            header = self._header(top)
            if header is None:
                self._note_around(top)
                self._note_beside(begun, [])
                continue
            sheet.header_row, sheet.columns = header.number, self._columns(header.cells)
            sheet.header_width = header.width
            self._note_beside(begun, [name for _, name in sheet.columns])
            names = {name for _, name in sheet.columns if name}
            lacking = set(self.required) - names
            if self.any_answer and not any(map(is_answer_column, names)):
                lacking.add("answers")
            sheet.used = not lacking
            self._note_around(raw for raw in top if lacking or raw.number < header.number)
            missing = missing or lacking
        if not any(sheet.used for sheet in sheets):
            raise self._no_columns(missing) if missing else self._no_header(first)
        self._sheets = sum(sheet.used for sheet in sheets)
        return sheets

    def _note_around(self, rows: Iterable[RawRow]) -> None:
        self.around += [" ".join(filter(None, raw.cells)) for raw in rows]

    def _note_beside(self, begun: SheetStart, names: list[str]) -> None:
        for column, text in begun.beside:
            name = names[column] if 0 <= column < len(names) else ""
            if name:
                self.beside.append((text, name))
            else:
                self.around.append(text)

    def _tops(self) -> Iterator[tuple[SheetStart, list[RawRow]]]:
        """Each sheet's beginning and its first rows."""
        begun: SheetStart | None = None
        top: list[RawRow] = []
        for message in self.raw.messages():
            if isinstance(message, SheetStart):
                if begun is not None:
                    yield begun, top
                begun, top = message, []
            elif len(top) < HEADER_ROWS and any(message.cells):
                top.append(message)
        if begun is not None:
            yield begun, top

    @property
    def _ignored_keys(self) -> set[str]:
        return {match_key(text) for text in self.ignored}

    def _header(self, top: list[RawRow]) -> RawRow | None:
        """Of the rows that name every column needed the one that names most (a header of two lines names the parts of
        a group in its second), else the first that names two."""
        found, best, most = None, None, 0
        for raw in top:
            names = {name for _, name in self._named(raw.cells) if name and not name.startswith("?")}
            if names >= set(self.required) and (not self.any_answer or any(map(is_answer_column, names))):
                if len(names) > most:
                    best, most = raw, len(names)
            elif found is None and len(names) >= min(2, len(self.required) + self.any_answer):
                found = raw
        return best or found

    def _named(self, cells: list[str]) -> list[tuple[str, str]]:
        skipped = self._ignored_keys
        return [
            (cell, (self.recognise(cell) or "") if cell and match_key(cell) not in skipped else "") for cell in cells
        ]

    def _columns(self, cells: list[str]) -> list[tuple[str, str]]:
        """(heading, column) of a header row. Raises `InvalidError` for a column twice, or one that looks like
        answers."""
        found = self._named(cells)
        known = [name for _, name in found if name and not name.startswith("?")]
        twice = sorted({name.removeprefix("item:") for name in known if known.count(name) > 1} | self._renamed(found))
        if twice:
            raise InvalidError(
                Message("The column {twice} stands twice in the file.", twice=", ".join(twice)),
                Message("Delete or rename one of them, or name one as ignored."),
            )
        unknown = [heading for heading, name in found if name.startswith("?")]
        if unknown:
            raise self._unknown_answers(unknown)
        return found

    def _renamed(self, columns: list[tuple[str, str]]) -> set[str]:
        """Columns that were there twice before a program told them apart by a number, as `agency` and `agency.1`."""
        names = {match_key(heading): name for heading, name in columns if name}
        others = {match_key(heading) for heading, name in columns if heading and not name} - self._ignored_keys
        firsts = (re.sub(r"\.\d{1,2}$", "", heading) for heading in others)
        return {names[first].removeprefix("item:") for first in firsts if first in names}

    def _unknown_answers(self, headings: list[str]) -> InvalidError:
        names = ", ".join(heading or "?" for heading in headings)
        return InvalidError(
            Message(
                "{name} has columns that look like answers, or say for how many sheets a row stands, and are not "
                "known: {names}.",
                name=self.name,
                names=names,
            ),
            Message(
                "A row is one sheet, and its own number is called Mã phiếu. Choose the right instrument, remove these "
                "columns, or name them as ignored."
            ),
        )

    def _no_columns(self, missing: set[str]) -> InvalidError:
        if missing == {"answers"}:
            return InvalidError(
                Message("{name} has no column of answers.", name=self.name),
                Message("Such as overall, A1, C1."),
            )
        names = ", ".join(sorted(missing - {"answers"}))
        return InvalidError(Message("{name} has no column {names}.", name=self.name, names=names), SEE_COLUMNS)

    def _no_header(self, first: list[str]) -> InvalidError:
        text = " | ".join(cell for cell in first if cell)[:120]
        return InvalidError(
            Message(
                "{name}: no header found in the first {header_rows} rows (the first reads: {first}).",
                name=self.name,
                header_rows=HEADER_ROWS,
                first=text or Message("nothing"),
            ),
            SEE_COLUMNS,
        )
