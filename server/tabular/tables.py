"""Reading a CSV or XLSX file row by row, whatever its encoding, in bounded memory.

CSV: UTF-8 with or without BOM, UTF-16 (with BOM, or recognised by its zero bytes), else Windows-1258, whose tone marks
follow their letter. Separator `,` `;` or tab, found from the header. XLSX: the first sheet with a header, cells merged
downwards filled. All text comes out composed (NFC), without zero-width characters, blanks collapsed.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, ImportRowError
from pipeline.words import Words
from server.tabular.columns import is_answer_column

HEADER_ROWS = 20
"""Titles may stand above the header: it is looked for in so many rows."""
MAX_CELL = 4_000
"""Characters of a cell; more is an error of its row (a wrong separator or an unclosed quote)."""
MAX_UNPACKED_BYTES = 4 * 2**30
_CHUNK = 1 << 20
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_BLANKS = re.compile(r"\s+")
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')

Recognise = Callable[[str], str | None]
"""Header text -> the column's name, or None where it is none of ours. A name that begins with `?` is carried along but
does not make a row the header."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """`number`: the row's number as a spreadsheet shows it, 1 the first. `cells`: column name -> clean text.
    `problem`: why the row cannot be used, before its content is looked at. `done`: share of the file read, 0..1."""

    number: int
    cells: dict[str, str]
    problem: str = ""
    done: float = 0.0


def clean(value: object) -> str:
    """A cell as text: composed (NFC), no zero-width characters, blanks collapsed; whole numbers without `.0`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = unicodedata.normalize("NFC", str(value)).translate(_INVISIBLE)
    return _BLANKS.sub(" ", text).strip()


SEE_COLUMNS = Words(
    "The first row names the columns; see `hailong server import --columns`.",
    "Dòng đầu ghi tên cột; tên cột có ở trang Nhập tệp và ở lệnh hailong server import --columns.",
)


def no_file(path: Path) -> ConfigError:
    """The refusal of a path that leads nowhere."""
    return ConfigError(
        Words(f"There is no file {path}.", "Không có tệp này."), Words("Check the path.", "Hãy kiểm tra lại.")
    )


def bad_rows(errors: list[tuple[int, str]]) -> ImportRowError:
    """The refusal of a file with rows that do not fit."""
    text = Words(
        f"{len(errors)} rows do not fit; nothing was imported.", f"{len(errors)} dòng không hợp lệ; chưa nhập gì."
    )
    return ImportRowError(text, errors, Words("Correct them.", "Hãy sửa các dòng này."))


def read_rows(path: Path, recognise: Recognise, needed: int = 2) -> Iterator[TableRow]:
    """The rows under the header; empty rows are left out.

    The header is the first row in which at least `needed` cells are recognised. Raises `ConfigError` where the file
    cannot be read or has no such row."""
    if not path.is_file():
        raise no_file(path)
    suffix = path.suffix.lower()
    if suffix in (".xlsx", ".xlsm"):
        yield from _xlsx(path, recognise, needed)
    elif suffix == ".xls":
        raise ConfigError(
            Words(f"{path.name} is in the old XLS format.", "Tệp ở định dạng XLS cũ."),
            Words("Save it as XLSX or CSV and import that.", "Hãy lưu lại thành XLSX hoặc CSV rồi nhập."),
        )
    else:
        yield from _csv(path, recognise, needed)


def encoding_of(path: Path) -> str:
    """Python's name of a text file's encoding. Reads the file once."""
    with path.open("rb") as file:
        head = file.read(4_096)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[:2] == b"PK":
        raise ConfigError(
            Words(
                f"{path.name} is a spreadsheet or an archive, no CSV.", "Tệp là bảng tính hoặc tệp nén, không phải CSV."
            ),
            Words("Name it .xlsx, or save it as CSV.", "Hãy đặt đuôi .xlsx, hoặc lưu thành CSV."),
        )
    # Latin letters in UTF-16 have a zero byte each: odd places for little endian, even for big endian.
    if head.count(0) > len(head) // 8:
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1258"
    return "utf-8"


def _is_known(name: str | None) -> bool:
    return name is not None and not name.startswith("?")


def _header(cells: list[str], recognise: Recognise, needed: int) -> list[str | None] | None:
    names = [recognise(cell) if cell else None for cell in cells]
    known = [name for name in names if name is not None and _is_known(name)]
    if len(known) < needed:
        return None
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise ConfigError(
            Words(
                f"The column {', '.join(twice)} stands twice in the file.",
                f"Cột {', '.join(twice)} có hai lần trong tệp.",
            ),
            Words("Delete or rename one of them.", "Hãy xóa hoặc đổi tên một cột."),
        )
    return names


def _no_header(path: Path, seen: list[str]) -> ConfigError:
    first = " | ".join(cell for cell in seen if cell)[:120]
    return ConfigError(
        Words(
            f"{path.name}: no header found in the first {HEADER_ROWS} rows (the first reads: {first or 'nothing'}).",
            f"Không thấy dòng tên cột trong {HEADER_ROWS} dòng đầu (dòng đầu là: {first or 'trống'}).",
        ),
        SEE_COLUMNS,
    )


def _csv(path: Path, recognise: Recognise, needed: int) -> Iterator[TableRow]:
    encoding = encoding_of(path)
    size = max(1, path.stat().st_size)
    with path.open("rb") as raw:
        # A byte that the encoding lacks becomes the replacement character: an error of its row, not of the file.
        text = io.TextIOWrapper(raw, encoding, errors="replace", newline="")
        lines = (line.replace("\x00", "") for line in text)
        sample = []
        for line in lines:
            sample.append(line)
            if len(sample) >= HEADER_ROWS:
                break
        separator = _separator(sample, recognise)

        def all_lines() -> Iterator[str]:
            yield from sample
            yield from lines

        names: list[str | None] | None = None
        first: list[str] = []
        reader = csv.reader(all_lines(), delimiter=separator)
        rows = 0
        while True:
            try:
                values = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                rows += 1
                yield TableRow(reader.line_num, {}, f"not readable as CSV: {error}")
                continue
            rows += 1
            cells = [clean(value) for value in values]
            if names is None:
                first = first or cells
                names = _header(cells, recognise, needed)
                if names is None and rows >= HEADER_ROWS:
                    raise _no_header(path, first)
                continue
            if any(cells):
                yield _row(reader.line_num, cells, names, min(1.0, raw.tell() / size))
        if names is None:
            raise _no_header(path, first)


def _separator(sample: list[str], recognise: Recognise) -> str:
    """The separator with which most header cells are recognised."""

    def known(separator: str) -> int:
        rows = csv.reader(sample, delimiter=separator)
        try:
            return max((sum(1 for cell in row if _is_known(recognise(clean(cell)))) for row in rows), default=0)
        except csv.Error:
            return 0

    return max((",", ";", "\t", "|"), key=known)


def _row(number: int, cells: list[str], names: list[str | None], done: float, problem: str = "") -> TableRow:
    found = {name: cell for name, cell in zip(names, cells, strict=False) if name}
    if any(len(cell) > MAX_CELL for cell in cells):
        problem = problem or Words(f"a cell has more than {MAX_CELL} characters", f"một ô có hơn {MAX_CELL} ký tự")
    elif any("\ufffd" in cell for cell in cells):
        problem = problem or Words(
            "a character that cannot be read (wrong encoding)", "có ký tự không đọc được (sai bảng mã)"
        )
    elif len(cells) > len(names) and any(cells[len(names) :]):
        problem = problem or Words("more cells than the header has", "nhiều ô hơn dòng tên cột")
    return TableRow(number, found, problem, done)


def _xlsx(path: Path, recognise: Recognise, needed: int) -> Iterator[TableRow]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise ConfigError(
                    Words(f"{path.name} unpacks to more than 4 GiB.", "Tệp giải nén ra hơn 4 GiB."),
                    Words("Split it, or save it as CSV.", "Hãy chia nhỏ, hoặc lưu thành CSV."),
                )
        book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, OSError):
        raise ConfigError(
            Words(f"{path.name} is no XLSX file, or is damaged.", "Tệp không phải XLSX, hoặc bị hỏng."),
            Words("Open it and save it again.", "Hãy mở ra và lưu lại."),
        ) from None
    try:
        seen: list[str] = []
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            total = max(1, sheet.max_row or 1)
            header_row, names = 0, None
            for number, values in enumerate(rows, start=1):
                cells = [clean(value) for value in values]
                seen = seen or cells
                names = _header(cells, recognise, needed)
                header_row = number
                if names is not None or number >= HEADER_ROWS:
                    break
            if names is not None:
                reader: Any = sheet
                part = str(reader._worksheet_path)
                yield from _xlsx_rows(rows, names, header_row, total, _merges(path, part))
                return
        raise _no_header(path, seen)
    finally:
        book.close()


@dataclass(frozen=True, slots=True)
class _Merge:
    """Cells merged in a sheet; columns and rows from 1, both ends included."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int


def _merges(path: Path, part: str) -> list[_Merge]:
    """Merged ranges of a sheet; they stand after the cells, so the part is read through once, in pieces."""
    found = []
    with zipfile.ZipFile(path) as archive, archive.open(part.lstrip("/")) as file:
        tail = b""
        while chunk := file.read(_CHUNK):
            data = tail + chunk
            end = 0
            for match in _MERGE.finditer(data):
                c1, r1, c2, r2 = match.groups()
                found.append(_Merge(_column(c1), int(r1), _column(c2), int(r2)))
                end = match.end()
            tail = data[max(end, len(data) - 200) :]
    return found


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _xlsx_rows(
    rows: Iterator[tuple[Any, ...]], names: list[str | None], header_row: int, total: int, merges: list[_Merge]
) -> Iterator[TableRow]:
    merges = sorted((m for m in merges if m.last_row > header_row), key=lambda m: m.first_row)
    held: dict[int, tuple[int, str]] = {}  # column -> (last row of the merge, its value)
    position = 0
    for number, values in enumerate(rows, start=header_row + 1):
        cells = [clean(value) for value in values]
        if not any(cells):
            continue
        problem = ""
        while position < len(merges) and merges[position].first_row <= number:
            merge = merges[position]
            position += 1
            columns = range(merge.first_column - 1, min(merge.last_column, len(names)))
            if any(is_answer_column(names[c]) for c in columns) or len(columns) > 1:
                # One cell over several answers or questions: nobody can know what was meant.
                for column in columns:
                    held[column] = (merge.last_row, "\x00")
            elif merge.first_column <= len(cells):
                held[merge.first_column - 1] = (merge.last_row, cells[merge.first_column - 1])
        for column, (last_row, value) in list(held.items()):
            if number > last_row:
                del held[column]
            elif value == "\x00":
                problem = Words(
                    "merged cells across several columns or over answers", "ô gộp qua nhiều cột hoặc trên câu trả lời"
                )
            elif column < len(cells):
                cells[column] = value
        yield _row(number, cells, names, min(1.0, number / total), problem)
