"""Files for tests of the reading, and the reading itself without a process of its own."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from server.tabular.columns import recognise
from server.tabular.reading import RawTable
from server.tabular.records import Bounds
from server.tabular.worker import Job, run


def read_here(path: Path, bounds: Bounds | None = None) -> RawTable:
    """The file as the reading process would read it, in this process; its outcome may be a refusal."""
    bounds = bounds or Bounds()
    spool = path.with_name(path.name + ".rows")
    job = Job(
        bytes(path),
        path.suffix,
        bytes(spool),
        sorted(recognise()),
        bounds.rows,
        bounds.columns,
        bounds.cells,
        bounds.sheets,
        bounds.memory_bytes,
        bounds.seconds,
    )
    return RawTable(spool, run(job))


def workbook(path: Path, **sheets: Sequence[Sequence[Any]]) -> Path:
    """A workbook of those sheets and rows."""
    book = openpyxl.Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    book.remove(first)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def alter(path: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """Change one part of an archive, or add it, as another program would have written it."""
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry.filename) for entry in archive.infolist()}
    parts[part] = change(parts.get(part, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def sheet_xml(path: Path, change: Callable[[str], str]) -> None:
    """Change the first worksheet's XML."""
    alter(path, "xl/worksheets/sheet1.xml", lambda data: change(data.decode()).encode())


def without_dimension(text: str) -> str:
    """A worksheet that says it is one cell large."""
    return re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1"', text)
