"""Writing a checked file's sheets, and the record of the file.

On PostgreSQL one transaction, as others write beside it. SQLite has one writer at a time: there each batch is its own
short transaction, so that boxes deliver in between (ADR 0075). What fails half-way is taken back; only a killed process
or a power cut leaves a part, which the record shows as unfinished until the same file is imported again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from pipeline.calendar import today
from pipeline.errors import StoreError
from server.core.changes import record_change
from server.store.engine import write
from server.store.tables.imports import imports
from server.store.tables.ratings import ratings

Batch = Sequence[Mapping[str, Any]]
RUNNING = -1
"""In `imports.added`: this file is being written, or was cut off."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """The file that is being imported. `detail`: for the log of changes."""

    province_id: int
    digest: str
    batch: str
    rows: int
    added: int
    user_id: int | None
    detail: Mapping[str, Any]


def store_batches(engine: Engine, record: FileRecord, batches: Iterable[Batch]) -> None:
    """Write the sheets that the store does not hold yet, and the record; all of them, or none where it fails."""
    if record.added == 0:
        _finish_cut_off(engine, record)
        return
    if engine.dialect.name != "sqlite":
        with write(engine) as connection:
            for batch in batches:
                _insert_new(connection, batch)
            _begin(connection, record)
            _finish(connection, record)
        return
    with write(engine) as connection:
        _begin(connection, record)
    written: list[tuple[int, int]] = []
    try:
        for batch in batches:
            with write(engine) as connection:
                span = _insert_new(connection, batch)
            written.append(span)
        with write(engine) as connection:
            _finish(connection, record)
    except BaseException:
        with suppress(
            DBAPIError, StoreError
        ):  # the first error is told; the record goes on showing the file as unfinished
            _take_back(engine, record, written)
        raise


def unfinished(connection: Connection, province_id: int) -> int:
    """Sheets of files whose import is running, or was cut off: figures are short of some of them."""
    query = select(func.coalesce(func.sum(imports.c.rows), 0))
    is_running = (imports.c.province_id == province_id, imports.c.kind == "ratings", imports.c.added == RUNNING)
    return int(connection.execute(query.where(*is_running)).scalar_one())


def stored_origins(connection: Connection, batch: Batch, columns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What the store holds of the batch's keys: `columns` by key."""
    if not batch:
        return {}
    query = select(ratings.c.origin, *(ratings.c[name] for name in columns)).where(
        ratings.c.province_id == batch[0]["province_id"],
        ratings.c.origin.in_([values["origin"] for values in batch]),
    )
    return {row["origin"]: dict(row) for row in connection.execute(query).mappings()}


def _insert_new(connection: Connection, batch: Batch) -> tuple[int, int]:
    """Insert what is new; (first id, last id) of it on SQLite, where nobody else writes meanwhile."""
    held = stored_origins(connection, batch)
    fresh = [dict(values) for values in batch if values["origin"] not in held]
    if not fresh:
        return 0, -1
    before = connection.execute(select(func.coalesce(func.max(ratings.c.id), 0))).scalar_one()
    connection.execute(insert(ratings), fresh)
    after = connection.execute(select(func.max(ratings.c.id))).scalar_one()
    return int(before) + 1, int(after)


def _mine(record: FileRecord) -> tuple[Any, ...]:
    return (
        imports.c.province_id == record.province_id,
        imports.c.kind == "ratings",
        imports.c.digest == record.digest,
        imports.c.batch == record.batch,
    )


def _begin(connection: Connection, record: FileRecord) -> None:
    """The record of a file that is not finished."""
    values = {"rows": record.rows, "added": RUNNING, "day": today(), "user_id": record.user_id}
    if connection.execute(update(imports).where(*_mine(record)).values(**values)).rowcount == 0:
        key = {"province_id": record.province_id, "kind": "ratings", "digest": record.digest, "batch": record.batch}
        connection.execute(insert(imports).values(**key, **values))


def _finish(connection: Connection, record: FileRecord) -> None:
    connection.execute(update(imports).where(*_mine(record)).values(added=record.added))
    record_change(connection, record.province_id, record.user_id, "ratings_imported", record.detail)


def _finish_cut_off(engine: Engine, record: FileRecord) -> None:
    """A file whose last batch was written, but not its record."""
    with write(engine) as connection:
        if connection.execute(select(imports.c.id).where(*_mine(record), imports.c.added == RUNNING)).first():
            _finish(connection, record)


def _take_back(engine: Engine, record: FileRecord, written: Sequence[tuple[int, int]]) -> None:
    for first, last in reversed(written):
        with write(engine) as connection:
            ours = (ratings.c.province_id == record.province_id, ratings.c.id.between(first, last))
            connection.execute(delete(ratings).where(*ours))
    with write(engine) as connection:
        connection.execute(delete(imports).where(*_mine(record)))
