"""Import of catalogue files (agencies, counters, services ...) through `server.catalogue.writing`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Engine

from pipeline.errors import InvalidError
from pipeline.words import Words
from server.catalogue.writing import COLUMNS, ImportResult, import_catalogue
from server.core.changes import record_change
from server.store.engine import write
from server.tabular.columns import recognise
from server.tabular.labels import plain
from server.tabular.tables import bad_rows, read_rows

_AS = {"service_group": "group"}
"""Columns that go by another name in `server.catalogue.writing`."""


def import_catalogue_file(
    engine: Engine, province_id: int, kind: str, path: Path, *, preview: bool = False, user_id: int | None = None
) -> ImportResult:
    """Import one kind of catalogue entry: all or nothing. Raises `ImportRowError`, `InvalidError`."""
    must, may = COLUMNS[kind]
    wanted = set(must) | set(may)
    known = recognise()
    bad: list[tuple[int, str]] = []

    def name(header: str) -> str | None:
        found = known.get(plain(header))
        found = found if found in wanted else _AS.get(found or "", found)
        return found if found in wanted else None

    def rows() -> Iterator[tuple[int, Mapping[str, str]]]:
        for position, row in enumerate(read_rows(path, name, needed=min(2, len(must)))):
            missing = set(must) - set(row.cells)
            if position == 0 and missing:
                raise InvalidError(
                    Words(
                        f"{path.name} has no column {', '.join(sorted(missing))}.",
                        f"Tệp thiếu cột {', '.join(sorted(missing))}.",
                    ),
                    Words("See --columns.", "Xem tên cột ở trang này."),
                )
            if row.problem:
                bad.append((row.number, row.problem))
            else:
                yield row.number, row.cells

    with write(engine) as connection:
        result = import_catalogue(connection, province_id, kind, rows(), preview=preview)
        if bad:
            raise bad_rows(bad)
        if not preview and result.added + result.changed:
            detail = {"added": result.added, "changed": result.changed}
            record_change(connection, province_id, user_id, f"{kind}_imported", detail)
    return result
