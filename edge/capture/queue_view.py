"""A view of the queue system's data base, looked at every few seconds by an account that may only read.

Only the columns that the configuration names are in the query, texts cut off in the data base. A row is new where its
number is: what stands in the view when the box connects is passed over, and so is what came while it could not look. A
row that was written late, with a number a little below the newest, is still taken.

One number that is far too large (a slip, a clock that jumped, numbers that begin anew while the old rows still stand
there) would be the newest for ever, and every later call below it. So a row that comes far below the newest is not
taken, but followed: what stands above it is set aside. That is seen as far down as a look reaches; a view that holds
more rows is told.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from edge.capture.queue_calls import FLOOD, LONG, NUMBERS, OLD, OddEventError, QueueCalls
from edge.queue_section import MAX_NAME, QueueViewSection
from pipeline.errors import ConfigError, SourceError
from pipeline.language import Message

MAX_NUMBERS = 4_096
"""The largest numbers that one look reads: all of a view that holds a day's or a week's rows."""
MAX_ROWS = 64
"""So many new rows at once are no calls of people; fewer are read."""
MAX_LATE = 32
"""A number so far below the newest may still come: numbers are given out before rows can be seen."""
STALE_S = 15.0
"""So long after a look that was due, what is new has waited too long to be a call of now."""
QUERY_S = 5.0
HANG_S = QUERY_S + 5.0
"""The data base itself ends a query that takes too long; one that says nothing at all is left after so long."""
CONNECT_S = 10
_WHOLE_NUMBERS = frozenset({20, 21, 23, 1700})
"""PostgreSQL's types int8, int2, int4 and numeric (pg_type.oid)."""

_MAY_WRITE = SourceError(
    Message("The queue system's account may write in its data base."),
    Message("Give the box an account that may only SELECT from the view (docs/guides/technician.vi.md)."),
)
_NO_NUMBER = Message("The column '{column}' of the queue system's view is not of whole numbers.")


class _Base(Protocol):
    """A data base that is open."""

    def rows(self, statement: str) -> Sequence[Sequence[object]]: ...

    def close(self) -> None: ...


class QueueView:
    """See the module. `calls`: where new rows go; `password`: of PostgreSQL's account; `clock`: seconds, monotonic.

    Raises `ConfigError` where the package for PostgreSQL is missing."""

    def __init__(
        self,
        section: QueueViewSection,
        calls: QueueCalls,
        password: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if section.file is None:
            _psycopg()
        self._section, self._calls, self._password, self._clock = section, calls, password, clock
        self._columns = [name for name in (section.counter, section.service_group, section.event) if name]
        self._number = f"v.{_quoted(section.number)}"
        self._view = ".".join(_quoted(part) for part in section.view.split("."))
        self._base: _Base | None = None
        self._seen: set[int] = set()
        self._newest: int | None = None
        self._aside: set[int] = set()
        """Numbers in the view that are no call's of now, however large they are."""
        self._shown: tuple[frozenset[int], int] = frozenset(), 0
        """Numbers of the look before, and the least that it reached: nothing of the view stood unseen above that."""
        self._looked_s: float | None = None
        self._is_cut = False
        """Whether the view holds more rows than a look reads."""

    def open(self) -> None:
        """Connect, check that the account cannot write, and pass over the rows that are there. Raises `SourceError`,
        and holds nothing then."""
        self.close()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        base: _Base = _Postgres(self._section, self._password) if self._section.file is None else _Sqlite(self._section)
        self._base = base
        shown = self._look()
        if self._is_cut:
            self._calls.tallies.drop(LONG)
        self._rows([])
        self._aside.clear()
        self._pass_over(shown)
        self._note(shown)

    def read(self) -> float:
        """Hand on the rows that are new; returns the seconds until the next look. Raises `SourceError`."""
        looked_s = self._looked_s
        shown = self._look()
        assert looked_s is not None
        assert self._looked_s is not None
        self._aside &= shown
        numbers = shown - self._aside
        newest = max(numbers, default=None)
        if newest is not None and self._newest is not None and newest < self._newest:
            # a row that is over has left the view, or the numbers have begun anew
            if newest <= self._newest - MAX_LATE:
                self._calls.tallies.drop(NUMBERS)
            self._pass_over(numbers)
        elif self._looked_s - looked_s > self._section.every_s + STALE_S:
            self._calls.tallies.drop(OLD, len(self._new(numbers)))
            self._pass_over(numbers)
        else:
            new = self._new(numbers)
            self._pass_over(numbers)
            if len(new) >= MAX_ROWS:
                self._calls.tallies.drop(FLOOD, len(new))
            else:
                for row in self._rows(new):  # also where nothing is new: a column that has gone is told at once
                    self._hand_on(row)
                self._follow(numbers)
        self._note(shown)
        return self._section.every_s

    def close(self) -> None:
        """Let go of the data base."""
        base, self._base = self._base, None
        if base is not None:
            base.close()

    def _look(self) -> frozenset[int]:
        """The largest numbers in the view."""
        assert self._base is not None
        number = self._number
        rows = self._base.rows(
            f"SELECT {number} FROM {self._view} AS v "  # noqa: S608  (names of the configuration, quoted)
            f"WHERE {number} IS NOT NULL ORDER BY {number} DESC LIMIT {MAX_NUMBERS}"
        )
        self._looked_s, self._is_cut = self._clock(), len(rows) >= MAX_NUMBERS
        return frozenset(self._whole(row[0]) for row in rows)

    def _rows(self, numbers: Sequence[int]) -> list[Sequence[object]]:
        """The rows of these numbers, in their order, without the number."""
        assert self._base is not None
        texts = [f", substr(CAST(v.{_quoted(name)} AS text), 1, {MAX_NAME + 1})" for name in self._columns]
        number, among = self._number, ", ".join(map(str, numbers)) or "NULL"
        rows = self._base.rows(
            f"SELECT {number}{''.join(texts)} FROM {self._view} AS v "  # noqa: S608  (the same, and whole numbers)
            f"WHERE {number} IN ({among}) ORDER BY {number} LIMIT {MAX_NUMBERS}"
        )
        return list({row[0]: row[1:] for row in rows}.values())

    def _whole(self, value: object) -> int:
        if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise SourceError(_NO_NUMBER.with_params(column=self._section.number))

    def _note(self, shown: frozenset[int]) -> None:
        """What stood in the view at this look."""
        self._shown = shown, min(shown) if self._is_cut else -(2**63)

    def _follow(self, numbers: frozenset[int]) -> None:
        """Where a row has come far below the newest, go on from there: what is above is none of now."""
        before, reached = self._shown
        newest = max(numbers, default=0)
        strays = [n for n in numbers if reached < n <= newest - MAX_LATE and n not in before]
        if strays:
            self._calls.tallies.drop(NUMBERS, len(strays))
            last = max(strays)
            self._aside |= {number for number in numbers if number > last}
            self._newest, self._seen = last, {number for number in numbers if last - MAX_LATE < number <= last}

    def _new(self, numbers: frozenset[int]) -> list[int]:
        """Numbers that were not there at the look before, in their order."""
        lowest = None if self._newest is None else self._newest - MAX_LATE
        return sorted(number for number in numbers if number not in self._seen and (lowest is None or number > lowest))

    def _pass_over(self, numbers: frozenset[int]) -> None:
        newest = max(numbers, default=None)
        if newest is None:  # an empty view tells nothing of what comes
            return
        if self._newest is not None and newest < self._newest:
            self._seen.clear()
        self._newest = newest
        self._seen = {number for number in self._seen | numbers if number > newest - MAX_LATE}

    def _hand_on(self, row: Sequence[object]) -> None:
        values = dict(zip(self._columns, row, strict=True))
        try:
            self._calls.take(self._calls.read(self._section, values.get))
        except OddEventError as odd:
            self._calls.tallies.drop(odd.reason)


class _Sqlite:
    """A file, opened to read. Raises `SourceError`."""

    def __init__(self, section: QueueViewSection) -> None:
        assert section.file is not None
        self._section = section
        if not section.file.is_file():
            raise SourceError(
                Message("The queue system's data base {file} is not there.", file=section.file),
                Message("Check [queue.view] database and who may read the file."),
            )
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(section.file))}?mode=ro",
                uri=True,
                timeout=2.0,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self._said(error) from None
        self._end_s = float("inf")
        self._connection.set_progress_handler(lambda: time.monotonic() > self._end_s, 100_000)

    def rows(self, statement: str) -> Sequence[Sequence[object]]:
        self._end_s = time.monotonic() + QUERY_S
        try:
            self._connection.execute("PRAGMA query_only = ON")
            # one row in another encoding is that row's trouble
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            return self._connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise self._said(error) from None

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _said(self, error: sqlite3.Error) -> SourceError:
        text = str(error)  # of SQLite alone: names of tables and columns, never a value
        if text.startswith("no such table"):
            return _no_view(self._section)
        if text.startswith("no such column"):
            return _no_column(self._section, text.removeprefix("no such column: ").removeprefix("v.").strip("\"[]`'"))
        if text == "interrupted":
            return _slow(self._section)
        return SourceError(
            Message("The queue system's data base {file} cannot be read.", file=self._section.file or ""),
            Message("Check [queue.view] database and who may read the file."),
        )


class _Postgres:
    """A session that may only read. Raises `SourceError`."""

    def __init__(self, section: QueueViewSection, password: str | None) -> None:
        self._section, self._psycopg = section, _psycopg()
        parts = urlsplit(section.database)
        encryption = {"sslmode": "verify-full", "sslrootcert": str(section.ca_file)} if section.ca_file else {}
        try:
            self._connection = self._psycopg.connect(
                host=parts.hostname,
                port=parts.port or 5432,
                user=unquote(parts.username or "") or None,
                dbname=parts.path.removeprefix("/"),
                password=password,
                connect_timeout=CONNECT_S,
                application_name="hailong",
                client_encoding="utf8",
                options=f"-c default_transaction_read_only=on -c statement_timeout={int(QUERY_S * 1000)}",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=10_000,
                autocommit=True,
                prepare_threshold=None,
                **encryption,
            )
        except self._psycopg.Error:
            raise SourceError(
                Message("The queue system's data base at {host} lets nobody in.", host=section.host),
                Message(
                    "Check [queue.view] database, password_file and ca_file, and whether it is running: its own log "
                    "says more."
                ),
            ) from None
        self._connection.adapters.register_loader("text", _lenient_loader())
        try:
            self._refuse_who_may_write()
            if self._connection.info.parameter_status("server_encoding") == "SQL_ASCII":
                self._run("SET client_encoding TO 'SQL_ASCII'")  # as it was put in: not asked whether it is UTF-8
        except SourceError:
            self.close()
            raise

    def _refuse_who_may_write(self) -> None:
        section = self._section
        view = ".".join(_quoted(part) for part in section.view.split("."))
        whole = self._run(f"SELECT {_quoted(section.number)} FROM {view} LIMIT 0").description  # noqa: S608
        if not whole or whole[0].type_code not in _WHOLE_NUMBERS:
            raise SourceError(_NO_NUMBER.with_params(column=section.number))
        rights = (
            "SELECT rolsuper OR has_table_privilege(%s, 'INSERT') OR has_table_privilege(%s, 'UPDATE') OR "
            "has_table_privilege(%s, 'DELETE') OR has_table_privilege(%s, 'TRUNCATE') "
            "FROM pg_roles WHERE rolname = current_user"
        )
        row = self._run(rights, (view,) * 4).fetchone()
        if row is None or row[0]:
            raise _MAY_WRITE

    def rows(self, statement: str) -> Sequence[Sequence[object]]:
        found: Sequence[Sequence[object]] = self._run(statement).fetchall()
        return found

    def close(self) -> None:
        with suppress(self._psycopg.Error):
            self._connection.close()

    def _run(self, statement: str, values: Sequence[object] | None = None) -> Any:
        errors = self._psycopg.errors
        try:
            with self._left_after(HANG_S):
                return self._connection.execute(statement.encode(), values)
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            raise _no_view(self._section) from None
        except errors.UndefinedColumn as error:
            named = [each for each in self._names() if each in (error.diag.message_primary or "")]
            raise _no_column(self._section, named[0] if named else "") from None
        except errors.InsufficientPrivilege:
            raise SourceError(
                Message("The queue system's account may not read the view {view}.", view=self._section.view),
                Message("Its administrator runs: GRANT SELECT ON {view} TO the account.", view=self._section.view),
            ) from None
        except errors.QueryCanceled:
            raise _slow(self._section) from None
        except self._psycopg.Error:
            raise SourceError(
                Message("The queue system's data base at {host} does not answer any more.", host=self._section.host),
                Message("The box connects again by itself; calls of the meantime are passed over."),
            ) from None

    @contextmanager
    def _left_after(self, seconds: float) -> Iterator[None]:
        """Within, a server that says nothing for so long is hung up on: its own time-out ends what it does, not what
        it, or a pooler before it, does not do."""
        waiting = threading.Timer(seconds, _hang_up, [self._connection.fileno()])
        waiting.daemon = True
        waiting.start()
        try:
            yield
        finally:
            waiting.cancel()
            waiting.join()

    def _names(self) -> list[str]:
        section = self._section
        names = (section.number, section.counter, section.service_group, section.event)
        return sorted((each for each in names if each), key=len, reverse=True)


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise ConfigError(
            Message("A view of PostgreSQL needs an extra."), Message("Run: pip install 'hailong[edge-queue]'")
        ) from None
    return psycopg


def _lenient_loader() -> Any:
    """Reads texts as UTF-8, and what is none as signs that no counter's name has: a data base without an encoding hands
    out whatever bytes were put in, and cuts a letter in two."""
    from psycopg.adapt import Loader

    class Lenient(Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode("utf-8", "replace")

    return Lenient


def _hang_up(file: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(file)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _no_view(section: QueueViewSection) -> SourceError:
    return SourceError(
        Message("The queue system's data base has no view {view}.", view=section.view),
        Message("It was removed or renamed: ask who keeps the queue system, and set [queue.view] view."),
    )


def _no_column(section: QueueViewSection, column: str) -> SourceError:
    return SourceError(
        Message("The queue system's view {view} has no column '{column}'.", view=section.view, column=column),
        Message("It was removed or renamed: ask who keeps the queue system, and set [queue.view]."),
    )


def _slow(section: QueueViewSection) -> SourceError:
    return SourceError(
        Message("The queue system's view {view} takes longer than five seconds to read.", view=section.view),
        Message("Let it hold the newest rows alone, with an index on the column of numbers."),
    )
