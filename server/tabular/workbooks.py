"""XLSX as raw rows: every worksheet, its rows as they are; what openpyxl leaves out is found and told."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.text import without_marks
from server.tabular.beside import texts_beside
from server.tabular.cells import Counted
from server.tabular.records import SHEET_ROWS, Outcome, RefusedError

MAX_PART_BYTES = 4 << 30
MAX_STRINGS_BYTES = 64 << 20
MAX_STYLES_BYTES = 8 << 20
MAX_COLUMNS = 1_000
"""Beyond so many no hidden one is told: as `Bounds`."""
MAX_RATIO = 200
"""Unpacked over packed; a worksheet has 10 to 40."""
SMALL_BYTES = 4 << 20
"""Below, a ratio says nothing: nothing large comes of it."""
_CHUNK = 1 << 20
_CALCULATION = re.compile(rb"<(?:\w+:)?calcPr\b([^>]*)>")
_ATTRIBUTE = re.compile(rb'\b(\w+)="([^"]*)"')
_YES, _NO = (b"1", b"true"), (b"0", b"false")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def _part_key(name: str) -> str:
    """An archive's name as programs compare it: one reads the first of two that are the same, another the last."""
    return "/".join(part for part in name.replace("\\", "/").casefold().split("/") if part not in ("", "."))


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        found: set[str] = set()
        for entry in entries:
            key = _part_key(entry.filename)
            if key in found:
                raise RefusedError("twice", entry.filename)
            found.add(key)
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > MAX_PART_BYTES or len(entries) > 10_000:
            raise RefusedError("unpacks_too_large", MAX_PART_BYTES >> 30)
        for entry in entries:
            name = entry.filename.lower()
            if entry.flag_bits & 1:
                raise RefusedError("locked")
            if entry.file_size > SMALL_BYTES and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
                raise RefusedError("ratio", MAX_RATIO)
            is_sheet = "worksheets/" in name
            limit = MAX_STYLES_BYTES if name.endswith("styles.xml") else MAX_STRINGS_BYTES
            if not is_sheet and name.endswith((".xml", ".rels")) and entry.file_size > limit:
                raise RefusedError("part_too_large", f"{entry.filename}, {limit >> 20} MiB")


def xlsx(path: Path, out: Counted) -> Outcome:
    """Every worksheet of a workbook. Raises `RefusedError`."""
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
    from openpyxl.xml.functions import iterparse

    class Reader(ExcelReader):
        """Passes over sheets that are charts: no cell is in them, and one that openpyxl cannot read is no damage."""

        def read_chartsheet(self, _sheet: Any, _rel: Any) -> None:
            """Nothing."""

        def read_strings(self) -> None:
            """Texts with where they are struck out."""
            super().read_strings()
            package: Any = self.package
            part = package.find(SHARED_STRINGS)
            data = b"" if part is None else self.archive.read(part.PartName[1:])
            if b"strike" not in data:
                return
            texts = (node for _, node in iterparse(io.BytesIO(data)) if node.tag == f"{{{SHEET_MAIN_NS}}}si")
            for number, text in enumerate(texts):
                if how := _struck(text):
                    self.shared_strings[number] = _Struck.of(self.shared_strings[number], how)
                text.clear()

        def read_worksheets(self) -> None:
            """All of them: openpyxl passes over one whose part is not there, or that has none."""
            if _is_strict(path):
                raise RefusedError("strict")
            for sheet in self.parser.sheets:
                if not sheet.id or self.parser.rels[sheet.id].target not in self.valid_files:
                    raise RefusedError("no_part", sheet.name)
            super().read_worksheets()

    with path.open("rb") as file:
        if file.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise RefusedError("locked")  # an encrypted workbook, or an old XLS under a new name
    try:
        _check_archive(path)
        opened = Reader(path, read_only=True, data_only=True, keep_links=False)
        opened.read()
        book = opened.wb
    except RefusedError:
        raise
    except Exception as error:  # openpyxl raises what its parsers raise; a damaged file is a damaged file
        raise RefusedError("strict" if _is_strict(path) else "not_xlsx") from error
    try:
        is_made = _is_made(opened.archive.read(opened.parser.workbook_part_name))
        if not book.worksheets and _is_strict(path):
            raise RefusedError("strict")
        for sheet in book.worksheets:
            reader: Any = sheet
            with zipfile.ZipFile(path) as archive:
                part = str(reader._worksheet_path).lstrip("/")
                facts, beside = _facts(archive, part, is_made=is_made), texts_beside(archive, part)
            out.start(sheet.title, facts.hidden, beside)
            _sheet_rows(reader, facts, out)
    except (RefusedError, MemoryError):
        raise
    except Exception as error:
        raise RefusedError("not_xlsx") from error
    finally:
        book.close()
    return Outcome(encoding="XLSX")


def _is_strict(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return b"purl.oclc.org/ooxml" in archive.read("_rels/.rels")
    except (zipfile.BadZipFile, KeyError, OSError):
        return False


def _is_made(data: bytes) -> bool:
    """Whether what a workbook's formulas have as their values was made by somebody: a program that writes formulas and
    does not work them out puts 0 there, and asks for it to be done when the file is opened (XlsxWriter). `data`: the
    workbook's part; openpyxl takes what is not said there for said."""
    found = _CALCULATION.search(data)
    said = dict(_ATTRIBUTE.findall(found[1])) if found else {}
    stale = said.get(b"calcMode") == b"manual" and said.get(b"calcOnSave") in _NO
    return said.get(b"fullCalcOnLoad") not in _YES and said.get(b"calcCompleted") not in _NO and not stale


@dataclass(frozen=True, slots=True)
class _Merge:
    """Cells merged in a sheet; columns and rows from 1, both ends included."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int


@dataclass(slots=True)
class _Facts:
    """What the values of a sheet do not tell: merged cells, formulas without a stored value (row -> columns), and
    columns from 0 that are hidden or of no width."""

    merges: list[_Merge] = field(default_factory=list)
    formulas: dict[int, list[int]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    rows: int = 0


_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_WIDTHS = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_SPAN = re.compile(rb'\b(min|max)="(\d{1,5})"')
_UNSEEN = re.compile(rb'\bhidden="(?:1|true)"|\bwidth="0(?:\.0*)?"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*)(?<!/)>(.*?)</(?:\w+:)?c>", re.DOTALL)
_REFERENCE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*(?:/>|>(.*?)</)", re.DOTALL)


class _Struck(str):
    """A text whose letters are struck out: `struck` all of them, `partly` some."""

    __slots__ = ("how",)
    how: str

    @classmethod
    def of(cls, text: str, how: str) -> _Struck:
        """That text, struck out so."""
        found = cls(text)
        found.how = how
        return found


def _struck(text: Any) -> str:
    """How the runs of a text's element are struck out: `struck`, `partly` or not at all."""
    from openpyxl.xml.constants import SHEET_MAIN_NS

    inside = f"{{{SHEET_MAIN_NS}}}"
    lines = [run.find(f"{inside}rPr/{inside}strike") for run in text.findall(f"{inside}r")]
    through = [line is not None and line.get("val", "1") in ("1", "true") for line in lines]
    return ("struck" if all(through) else "partly") if any(through) else ""


def _facts(archive: zipfile.ZipFile, part: str, *, is_made: bool) -> _Facts:
    """One pass over a sheet's part, in pieces that end with a row. `is_made`: whether its formulas' values are."""
    found = _Facts()
    with archive.open(part) as file:
        tail = b""
        while chunk := file.read(_CHUNK):
            data = tail + chunk
            cut = data.rfind(b"row>") + 4
            if cut < 4:
                cut = 0
            if len(data) - cut > MAX_STRINGS_BYTES:
                raise RefusedError("part_too_large", f"{part}, {MAX_STRINGS_BYTES >> 20} MiB")
            _look(data[:cut], found, is_made)
            tail = data[cut:]
        _look(tail, found, is_made)
    found.merges.sort(key=lambda merge: merge.first_row)
    return found


def _look(data: bytes, found: _Facts, is_made: bool) -> None:
    found.rows += data.count(b"row>")
    if b"mergeCell" in data:
        for match in _MERGE.finditer(data):
            c1, r1, c2, r2 = match.groups()
            found.merges.append(_Merge(_column(c1), int(r1), _column(c2), int(r2)))
    for match in _WIDTHS.finditer(data) if b"<cols" in data or b":cols" in data else ():
        ends = {name: int(number) for name, number in _SPAN.findall(match[1])}
        if len(ends) == 2 and _UNSEEN.search(match[1]):
            found.hidden.update(range(ends[b"min"] - 1, min(ends[b"max"], MAX_COLUMNS)))
    if not _FORMULA.search(data):
        return
    for cell in _CELL.finditer(data):
        if not _FORMULA.search(cell[2]):
            continue
        value = _VALUE.search(cell[2])
        if is_made and value is not None and (value[1] or b't="str"' in cell[1]):
            continue
        reference = _REFERENCE.search(cell[1])
        if reference is None:
            raise RefusedError("formula")
        found.formulas.setdefault(int(reference[2]), []).append(_column(reference[1]) - 1)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _sheet_rows(sheet: Any, facts: _Facts, out: Counted) -> None:
    held: dict[int, tuple[int, Any, bool]] = {}  # column -> (last row of the merge, its value, more than one column)
    position = 0
    for number, hidden, empty, values, told in _rows_of(sheet, out.bounds.columns):
        if number > SHEET_ROWS:
            raise RefusedError("too_many_rows", SHEET_ROWS)
        out.cells += empty + 1  # what is empty costs time, too
        marks: list[tuple[int, str, str]] = [(column, "formula", "") for column in facts.formulas.get(number, ())]
        if hidden:
            marks.append((0, "hidden", ""))
        marks += told
        cells = [_unescaped(value) if isinstance(value, str) else value for value in values]
        while position < len(facts.merges) and facts.merges[position].first_row <= number:
            merge = facts.merges[position]
            position += 1
            wide = merge.last_column > merge.first_column
            has_value = merge.first_row == number and merge.first_column <= len(cells)
            value = cells[merge.first_column - 1] if has_value else None
            for column in range(merge.first_column - 1, min(merge.last_column, out.bounds.columns)):
                held[column] = (merge.last_row, value, wide)
        if held and any(value is not None for value in cells):
            _fill(cells, held, number, marks)
        elif held:
            held = {column: merge for column, merge in held.items() if merge[0] > number}
        out.row(number, cells, marks, min(1.0, number / max(1, facts.rows)))


def _rows_of(sheet: Any, columns: int) -> Iterator[tuple[int, bool, int, list[Any], list[tuple[int, str, str]]]]:
    """(number, whether it is hidden, cells without a value, values, marks of cells that are errors or struck out) of
    each row that the sheet's part holds; values of at most `columns` columns. A number that the sheet shows as a
    percentage is one: `100%`, not 1; one in whose place it shows a text, or nothing, is marked. A day with a time zone
    keeps it.

    By openpyxl's parser: its worksheet believes the sheet's own size, and leaves out rows that come again or late, and
    cells behind a row's last one. Those are refused (`disorder`): two programs would read two tables."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
    from openpyxl.worksheet._reader import INLINE_STRING, VALUE_TAG, WorkSheetParser

    class Parser(WorkSheetParser):
        """Hands on what openpyxl's own leaves out of two kinds of cells."""

        def parse_cell(self, element: Any) -> dict[str, Any]:
            """The cell; a day in words as it is written, a text with where it is struck out."""
            kind = element.get("t")
            day = element.findtext(VALUE_TAG) if kind == "d" else None
            if day:
                element.set("t", "str")
            found: dict[str, Any] = super().parse_cell(element)
            inner = element.find(INLINE_STRING) if kind == "inlineStr" else None
            if inner is not None and (how := _struck(inner)):
                found["value"] = _Struck.of(found["value"], how)
            return found

    book, last = sheet.parent, 0
    formats = BUILTIN_FORMATS | dict(enumerate(book._number_formats, BUILTIN_FORMATS_MAX_SIZE))
    shown_by = {number: formats.get(style.numFmtId, "") for number, style in enumerate(book._cell_styles)}
    percent = {number for number, style in enumerate(book._cell_styles) if _is_percent(formats.get(style.numFmtId, ""))}
    fonts = {number for number, font in enumerate(book._fonts) if font.strike}
    crossed = {number for number, style in enumerate(book._cell_styles) if style.fontId in fonts}
    with sheet._get_source() as source:
        parser = Parser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, cells in parser.parse():
            dimension = parser.row_dimensions.pop(str(number), {})
            values: list[Any] = []
            marks: list[tuple[int, str, str]] = []
            behind = 0
            for cell in cells:
                column, value = cell["column"], cell["value"]
                if column <= behind or cell["row"] != number:
                    raise RefusedError("disorder", number)
                behind = column
                if value is None and cell["data_type"] == "e":
                    value = "#N/A"  # an error that tells no more is one all the same, and no empty cell
                if value is None:
                    continue
                if column > columns:
                    raise RefusedError("too_many_columns", columns)
                values += [None] * (column - 1 - len(values))
                values.append(value)
                if cell["data_type"] == "e":
                    marks.append((column - 1, "error", str(value)[:40]))
                elif percent and cell["style_id"] in percent and type(value) in (int, float):
                    values[-1] = f"{round(value * 100, 9):.15g}%"
                elif type(value) in (int, float) and not _shows(shown_by.get(cell["style_id"], ""), value):
                    marks.append((column - 1, "label", ""))
                elif type(value) in (int, float) and (words := _words_of(shown_by.get(cell["style_id"], ""))):
                    marks.append((column - 1, "words", words))
                elif (
                    type(value) in (int, float)
                    and value
                    and value == int(value)
                    and _is_in_thousandths(shown_by.get(cell["style_id"], ""))
                ):
                    marks.append((column - 1, "thousands", str(int(value))[:40]))
                if isinstance(value, _Struck):
                    marks.append((column - 1, value.how, ""))
                elif crossed and cell["style_id"] in crossed:
                    marks.append((column - 1, "struck", ""))
            if number <= last:
                raise RefusedError("disorder", number)
            last = number
            flat = dimension.get("customHeight") in ("1", "true") and dimension.get("ht") in ("0", "0.0")
            hidden = sheet.sheet_state != "visible" or dimension.get("hidden") in ("1", "true") or flat
            yield number, hidden, len(cells) - len(values) + values.count(None), values, marks


_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')


@lru_cache(maxsize=1_000)
def _is_percent(number_format: str) -> bool:
    """Whether a number of that format is shown as a percentage."""
    return "%" in _QUOTED.sub("", number_format)


@lru_cache(maxsize=1_000)
def _is_in_thousandths(number_format: str) -> bool:
    """Whether a whole number of that format is shown with three decimals: `12.000` is twelve, and reads as twelve
    thousand."""
    return re.search(r"\.000(?![0#?])", _QUOTED.sub("", number_format)) is not None


_LITERAL = re.compile(r'"([^"]*)"|\\(.)')
_CHANGES = re.compile(r"\d|\b(?:nghin|ngan|tram|chuc|trieu|ty|ti|k|thousands?|hundreds?|millions?|tr)\b")


@lru_cache(maxsize=1_000)
def _words_of(number_format: str) -> str:
    """What a format writes beside a number, where that makes it another one: `4/10`, `12.000`, `12 nghìn`."""
    words = "".join(quoted or escaped for quoted, escaped in _LITERAL.findall(number_format))
    return words[:40] if _CHANGES.search(without_marks(words)) else ""


_DIGITS = re.compile("[0#?@]|general|standard", re.IGNORECASE)
_CONDITION = re.compile(r"\[[<>=]")


@lru_cache(maxsize=10_000)
def _shows(number_format: str, value: float) -> bool:
    """Whether a format shows a number at all: `"Hài lòng";;` has a text in its place, `;;;` nothing. Of zero nothing is
    said: forms hide it, and it is no answer either way."""
    if not number_format or not value:
        return True
    sections = _QUOTED.sub("", number_format).split(";")
    if _CONDITION.search(number_format):  # which one holds is not looked at
        return all(_DIGITS.search(section) for section in sections[:3])
    section = sections[1] if value < 0 and len(sections) > 1 else sections[0]
    return _DIGITS.search(section) is not None


def _fill(cells: list[Any], held: dict[int, tuple[int, Any, bool]], number: int, marks: list[Any]) -> None:
    """Cells merged downwards hold the first one's value; those merged across columns are marked."""
    for column, (last_row, value, wide) in list(held.items()):
        if number > last_row:
            del held[column]
            continue
        marks.append((column, "merged_across" if wide else "merged_down", ""))
        if not wide and column < len(cells) and cells[column] is None:
            cells[column] = value
            marks.append((column, "filled", ""))


def _unescaped(text: str) -> str:
    """`_x000D_` and its like as the characters that they stand for."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
