"""Opening the store: SQLite or PostgreSQL by one URL, one code path.

`read(engine)` and `write(engine)` are the two ways to a connection. On SQLite a write begins with BEGIN IMMEDIATE, so
that two writers wait for each other instead of failing when the second one has already read.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, finalize

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ExceptionContext,
    Select,
    Table,
    create_engine,
    event,
    func,
    insert,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)

from pipeline.errors import HailongError, InvalidError, StoreError
from pipeline.language import Message
from pipeline.text import tidy_all
from server.store.types import TooLongError

BUSY_TIMEOUT_MS = 15_000
AT_ONCE = 16
"""Threads that hold a connection to one store; PostgreSQL ships with room for 100 connections."""
ROWS_AT_ONCE = 20_000


def store_url(text: str) -> URL:
    """The URL of a store: `sqlite:///file`, a plain path of a SQLite file, or `postgresql://user@host/name`.

    Raises `StoreError` for another data base."""
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        url = make_url(text)
    except ArgumentError:
        raise StoreError(
            Message("The store's URL cannot be read."),
            Message("Write sqlite:///file or postgresql://user:password@host/name."),
        ) from None
    if url.get_backend_name() == "sqlite":
        return url
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise StoreError(
        Message("The store cannot be on {get_backend_name}.", get_backend_name=url.get_backend_name()),
        Message("Use SQLite or PostgreSQL."),
    )


def connect(text: str | URL) -> Engine:
    """An engine on the store. SQLite: WAL, foreign keys on, waits up to 15 s for another writer.

    Raises `StoreError` where the data base cannot be reached."""
    url = store_url(text) if isinstance(text, str) else text
    try:
        # hide_parameters: an error's text, which may be logged, never holds an answer or a phone number
        is_server = url.get_backend_name() == "postgresql"
        # whoever holds a connection may need a second one: the pool has no end, and `_at_work` bounds who holds a first
        pool = {"max_overflow": -1} if is_server or url.database not in (None, "", ":memory:") else {}
        engine = create_engine(url, pool_pre_ping=is_server, hide_parameters=True, **pool)
    except NoSuchModuleError:  # pragma: no cover - store_url has refused it
        raise StoreError(Message("The store's data base has no driver.")) from None
    _close_when_let_go(engine)
    event.listen(engine, "engine_disposed", _close_when_let_go)  # it has another pool then
    if url.get_backend_name() == "sqlite":
        _keep_others_out(url)
        _prepare_sqlite(engine)
    _keep_text_clean(engine)
    try:
        with engine.connect():
            pass
    except (DBAPIError, sqlite3.Error) as error:  # the driver's own come from the first PRAGMA
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
        raise StoreError(
            Message(
                "The store at {render_as_string} cannot be opened ({reason}).",
                render_as_string=url.render_as_string(),
                reason=reason,
            ),
            Message("Check that the folder exists and is writable, or that the data base runs and lets this user in."),
        ) from None
    event.listen(engine, "handle_error", _say)
    return engine


def _close_when_let_go(engine: Engine) -> None:
    """Whoever lets go of an engine closes its files and connections, and need not say so."""
    finalize(engine, engine.pool.dispose)


def _keep_text_clean(engine: Engine) -> None:
    """No text with a control character, a mark of direction or a lone surrogate is ever stored or looked for, whatever
    page, file or gateway it came by: PostgreSQL refuses NUL, and an SVG or a workbook with one cannot be written."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _tidy(
        _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: bool
    ) -> tuple[str, Any]:
        return statement, tidy_all(parameters)


def _say(context: ExceptionContext) -> HailongError | None:
    """The one place where an error of the data base becomes one of ours: a store that is busy, full or away is a
    `StoreError`; a value that no column can hold, on either data base, an `InvalidError`. What a constraint refuses
    stays SQLAlchemy's `IntegrityError`, since only who wrote the row knows what it means."""
    error = context.original_exception
    kind = context.sqlalchemy_exception
    if kind is not None and getattr(error, "diag", None) is not None:
        _silence(error, kind)
    if isinstance(kind, OperationalError | InterfaceError):
        busy = "locked" in str(error) or "busy" in str(error)
        return StoreError(*(_BUSY if busy else _AWAY))
    if isinstance(kind, DataError) or isinstance(error, OverflowError | TooLongError):
        return InvalidError(*_DOES_NOT_FIT)
    return None


def _silence(error: BaseException, kind: BaseException) -> None:
    """PostgreSQL quotes the row that it refuses, a telephone number or answers in it ("Failing row contains ..."), and
    what an error says ends up in a log: the name of what refused is enough."""
    about: Any = error.diag  # type: ignore[attr-defined]
    if about.sqlstate and about.sqlstate[:2] in ("22", "23"):  # of data, of constraints
        name = about.constraint_name or about.column_name or ""
        error.args = (f"{about.sqlstate} {about.table_name or ''} {name}".strip(),)
        kind.args = (f"({type(error).__name__}) {error}",)


_TAKEN = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505")
"""What SQLite (https://www.sqlite.org/rescode.html) and PostgreSQL (unique_violation) say of a key that is there."""


def is_taken(error: IntegrityError) -> bool:
    """Whether a row with the same key was there: between a look and the insert somebody else has stored it. Any other
    constraint that refuses is a fault of ours."""
    told = getattr(error.orig, "sqlite_errorname", "") or getattr(error.orig, "sqlstate", "")
    return told in _TAKEN


_BUSY = (
    Message("The store is busy: something else is writing."),
    Message("Try again in a minute."),
)
_AWAY = (
    Message("The store does not answer."),
    Message("Check the data base, its disk and its free space, and try again."),
)
_DOES_NOT_FIT = (
    Message("A value does not fit into the store."),
    Message("Nothing was changed. Correct it."),
)


def _keep_others_out(url: URL) -> None:
    """The store's file belongs to its owner alone (0600); SQLite gives its log and index the same mode.

    A file that is there is never opened here: closing it would end the locks of every other connection of this process
    (POSIX), whose next rows another process would then overwrite (https://www.sqlite.org/howtocorrupt.html, 2.2)."""
    if not url.database or url.database == ":memory:":
        return
    path = Path(url.database).resolve()  # a link's target is made, not the link
    with suppress(OSError):  # a folder that is not there, a file of somebody else's: told when it is opened
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        path.chmod(0o600)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).chmod(0o600)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # BEGIN is ours (below), not the driver's
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only unlinked
        cursor.execute("PRAGMA temp_store = MEMORY")  # no sorting of telephone numbers in a temporary file
        cursor.execute("PRAGMA synchronous = FULL")  # an Ack promises that a power cut loses nothing
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@dataclass(slots=True)
class _Depth:
    """How many connections a thread holds, one within another."""

    held: int = 0


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.depth = _Depth()


_of_thread = _OfThread()
_places: WeakKeyDictionary[Engine, threading.BoundedSemaphore] = WeakKeyDictionary()
_making = threading.Lock()


@contextmanager
def _at_work(engine: Engine) -> Iterator[None]:
    """A place among the threads that hold a connection. A thread that holds one has its place, and gets another
    connection at once: where all waited for their second, a pool with an end stood still. Raises `StoreError`."""
    depth = _of_thread.depth  # this very one is counted down, should another thread end what this one began
    with _making:
        places = _places.setdefault(engine, threading.BoundedSemaphore(AT_ONCE))
    is_first = depth.held == 0
    if is_first and not places.acquire(timeout=BUSY_TIMEOUT_MS / 1_000):
        raise StoreError(*_BUSY)
    depth.held += 1
    try:
        yield
    finally:
        depth.held -= 1
        if is_first:
            places.release()


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A connection for reading: one consistent view on SQLite; nothing is kept. Raises `StoreError` where the store
    is busy."""
    with _at_work(engine), engine.connect() as connection:
        yield connection


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back on an error. Raises `StoreError` where the
    store is busy."""
    with _at_work(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def raw_rows(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows of a query, some thousands at a time, for whoever makes arrays of hundreds of thousands of them: as
    SQLite's driver gives them, since to make SQLAlchemy's rows of them takes half as long as to read them. For columns
    that need no conversion (whole numbers, texts) alone."""
    if connection.dialect.name != "sqlite":
        yield from connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).partitions()
        return
    # without `yield_per`, with which SQLAlchemy takes the first row for itself
    with closing(connection.execute(query)) as result:
        cursor: Any = result.cursor
        try:
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows
        except sqlite3.OperationalError:
            raise StoreError(*_AWAY) from None


def raw_numbers(connection: Connection, query: Select[Any], columns: int) -> NDArray[np.int64]:
    """[columns, rows] of a query whose columns are all whole numbers, none of them NULL: as `raw_rows`, and a tenth of
    the time that it takes to turn its rows round."""
    parts = [np.zeros((0, columns), dtype=np.int64)]
    for rows in raw_rows(connection, query):
        flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=columns * len(rows))
        parts.append(flat.reshape(-1, columns))
    return np.concatenate(parts).T


def keys_in(
    connection: Connection, columns: Sequence[ColumnElement[Any]], keys: Iterable[Sequence[int | str]]
) -> ColumnElement[bool]:
    """The condition that `columns` hold one of `keys`, which finds each by an index of these columns.

    SQLite looks through every row of a table for a list of tuples, however few they are, and for a list of each column
    apart tries all combinations; for a query it looks up one key after the other. There the keys come as one text of
    JSON: the statement is the same for any number of them."""
    if connection.dialect.name != "sqlite":
        return tuple_(*columns).in_(list(keys))
    each = func.json_each(json.dumps(list(keys))).table_valued("value")
    members = (func.json_extract(each.c.value, literal_column(f"'$[{place}]'")) for place in range(len(columns)))
    return tuple_(*columns).in_(select(*members))


def insert_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert one row and return its id."""
    inserted = connection.execute(insert(table).values(**values)).inserted_primary_key
    if inserted is None:  # pragma: no cover - every table here has an integer key
        raise StoreError(Message("A row of {name} got no key.", name=table.name))
    return int(inserted[0])


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[str],
    change: Sequence[str] = (),
) -> None:
    """Insert rows; where one with the same `key` (columns of a unique constraint) is there, take over the columns
    `change`, or leave it as it is. One statement of the data base, so that nobody comes between looking and
    writing."""
    if not rows:
        return
    statement = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
    if change:
        taken = {name: statement.excluded[name] for name in change}
        done = statement.on_conflict_do_update(index_elements=list(key), set_=taken)
    else:
        done = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(done, [dict(row) for row in rows])


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, Any], key: Sequence[str]) -> bool:
    """Insert a row unless one with the same `key` (columns of a unique constraint) is there; whether it was inserted.

    Waits for another writer of the same key, so that what it wrote can be read afterwards."""
    statement = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
    inserted = statement.values(**values).on_conflict_do_nothing(index_elements=list(key))
    return connection.execute(inserted.returning(*table.primary_key.columns)).first() is not None
