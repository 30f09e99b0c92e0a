"""Writing a checked file's sheets, and the record of the file.

On PostgreSQL one transaction, as others write beside it. SQLite has one writer at a time: there each batch is its own
short transaction, so that boxes deliver in between (ADR 0075). What fails half-way, or meets a server that stops, is
taken back; only a killed process or a power cut leaves a part, which the record shows as unfinished until the same file
is imported again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, func
from sqlalchemy.exc import DBAPIError

from pipeline.calendar import today
from pipeline.errors import StoreError
from server.core.changes import record_change
from server.core.scope import Scope
from server.ratings.admission import Admitted, Gate
from server.ratings.origins import find_origins
from server.ratings.source import Source, SourceKind
from server.ratings.store import SourceState, add, state_of, take_back
from server.store.engine import write
from server.store.tables.imports import imports

Batch = Sequence[Admitted]
Batches = Callable[[Gate], Iterable[Batch]]
"""The file's sheets, once their source has its gate."""
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

    @property
    def scope(self) -> Scope:
        """The province's rows."""
        return Scope(self.province_id)


def store_batches(engine: Engine, record: FileRecord, batches: Batches) -> None:
    """Write the sheets that the store does not hold yet, and the record; all of them, or none where it fails."""
    if record.added == 0:
        _finish_cut_off(engine, record)
        return
    if engine.dialect.name != "sqlite":
        with write(engine) as connection:
            begun = _begin(connection, record)
            for batch in batches(begun.gate):
                _add_new(connection, record.scope, batch)
            _finish(connection, record)
        return
    with write(engine) as connection:
        begun = _begin(connection, record)
    try:
        for batch in batches(begun.gate):
            with write(engine) as connection:
                _add_new(connection, record.scope, batch)
        with write(engine) as connection:
            _finish(connection, record)
    except BaseException:
        with suppress(
            DBAPIError, StoreError
        ):  # the first error is told; the record goes on showing the file as unfinished
            _take_back(engine, record, begun)
        raise


def unfinished(connection: Connection, province_id: int) -> int:
    """Sheets of files whose import is running, or was cut off: figures are short of some of them."""
    query = Scope(province_id).select(imports, func.coalesce(func.sum(imports.c.rows), 0))
    return int(connection.execute(query.where(imports.c.kind == "ratings", imports.c.added == RUNNING)).scalar_one())


def _add_new(connection: Connection, scope: Scope, batch: Batch) -> None:
    origins = [one.rating.origin for one in batch if one.rating.origin is not None]
    held = find_origins(connection, scope, origins)
    add(connection, [one for one in batch if one.rating.origin not in held])


def _is_this_file(record: FileRecord) -> tuple[Any, ...]:
    return imports.c.kind == "ratings", imports.c.digest == record.digest, imports.c.batch == record.batch


@dataclass(frozen=True, slots=True)
class _Begun:
    """What stood there when a file was begun. `added`: of its record before, None where there was none."""

    gate: Gate
    added: int | None
    state: SourceState


def _begin(connection: Connection, record: FileRecord) -> _Begun:
    """Make or open the record of the file, which is then not finished; its sheets bear it as their source."""
    values = {"rows": record.rows, "added": RUNNING, "day": today(), "user_id": record.user_id}
    query = record.scope.select(imports, imports.c.id, imports.c.added).where(*_is_this_file(record))
    held = connection.execute(query).first()
    if held is None:
        key = {"kind": "ratings", "digest": record.digest, "batch": record.batch}
        number = record.scope.insert(connection, imports, {**key, **values})
    else:
        number = int(held.id)
        connection.execute(record.scope.update(imports).where(imports.c.id == number).values(**values))
    source = Source(SourceKind.IMPORT, number, record.user_id)
    gate = Gate(connection, record.scope, source)
    return _Begun(gate, held.added if held else None, state_of(connection, record.scope, source))


def _finish(connection: Connection, record: FileRecord) -> None:
    connection.execute(record.scope.update(imports).where(*_is_this_file(record)).values(added=record.added))
    record_change(connection, record.province_id, record.user_id, "ratings_imported", record.detail)


def _finish_cut_off(engine: Engine, record: FileRecord) -> None:
    """A file whose last batch was written, but not its record."""
    with write(engine) as connection:
        query = record.scope.select(imports, imports.c.id).where(*_is_this_file(record), imports.c.added == RUNNING)
        if connection.execute(query).first():
            _finish(connection, record)


def _take_back(engine: Engine, record: FileRecord, begun: _Begun) -> None:
    """Leave the store as it was before: what this run wrote is removed, and the record is what it was."""
    with write(engine) as connection:
        take_back(connection, record.scope, begun.state)
        if begun.added is None:
            connection.execute(record.scope.delete(imports).where(*_is_this_file(record)))
        else:
            connection.execute(record.scope.update(imports).where(*_is_this_file(record)).values(added=begun.added))
