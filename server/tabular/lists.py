"""A short file of its own that goes to no table: lists of villages, of calls. Read as every import is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from pipeline.errors import ImportRowError, InvalidError
from pipeline.language import Joined, Message
from server.tabular.labels import plain
from server.tabular.reading import opened
from server.tabular.spec import Cells, Problems
from server.tabular.tables import Table

T = TypeVar("T")
SHOWN = 5
"""Rows whose reasons are told."""


def read_list(
    path: Path, columns: Mapping[str, tuple[str, ...]], required: Collection[str], read: Callable[[Cells], T]
) -> list[T]:
    """What `read` makes of every row. `columns`: name -> what else it is called. Raises `InvalidError` where the file
    cannot be read, has other columns, or where `read` raises `ValueError` for a row."""
    names = {plain(text): name for name, texts in columns.items() for text in (name, *texts)}
    found: list[T] = []
    with opened(path, names) as raw:
        table = Table(raw, path.name, lambda heading: names.get(plain(heading)), required)
        for row in table:
            named = (name for sheet in table.balance.sheets if sheet.used for _, name in sheet.columns if name)
            cells = {**dict.fromkeys(named, ""), **row.cells}  # empty ones at a row's end are left out
            problems = Problems()
            problems.reasons += row.problems
            value = None if row.problems else problems.of(read, cells, otherwise=None)
            if value is None or problems.reasons:
                table.refuse(row, problems.reasons)
            else:
                found.append(value)
        try:
            table.finish()
        except ImportRowError as error:
            rows = [Message("row {row}: {reason}", row=row, reason=reason) for row, reason in error.rows[:SHOWN]]
            raise InvalidError(Message("{file}: {rows}.", file=path.name, rows=Joined(rows, "; ")), error.fix) from None
    return found
