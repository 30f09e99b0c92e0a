"""A view of the queue system's data base, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from edge.capture import queue_view
from edge.capture.queue_calls import ODDITIES
from edge.capture.queue_reader import QueueReader
from edge.capture.queue_view import MAX_ROWS, STALE_S, QueueView
from edge.queue_section import QueueViewSection
from pipeline.errors import SourceError
from tests.delivery.conftest import wait_for
from tests.edge.capture.queue_world import Hall

TABLE = "CREATE TABLE tickets (id bigint, quay text, service text, event text, ticket text, citizen text)"
VIEW = "CREATE VIEW calls AS SELECT * FROM tickets"
NAME = "Nguyễn Thị Hạnh"


class QueueSystem(Protocol):
    """Its data base, as whoever keeps it sees it, and what a box is told of it."""

    given: dict[str, object]

    def run(self, statement: str, values: Sequence[object] = ()) -> None: ...


class OnSqlite:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "queue.sqlite3"
        self.given: dict[str, object] = {"database": f"sqlite:///{self.file}"}

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as base:
            base.execute(statement.replace("%s", "?"), values)


class OnPostgres:
    def __init__(self, url: str) -> None:
        self.url = url
        place = url.rpartition("@")[2]
        self.given: dict[str, object] = {"database": f"postgresql://reader_{place.rpartition('_')[2]}@{place}"}
        self.reader = str(self.given["database"]).split("//")[1].split("@")[0]
        self.run(f"CREATE ROLE {self.reader} LOGIN")

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        with psycopg.connect(self.url, autocommit=True) as base:
            base.execute(statement.encode(), values or None)
            if statement.startswith("CREATE VIEW calls"):
                base.execute(f"GRANT SELECT ON calls TO {self.reader}".encode())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QueueSystem]:
    if request.param == "sqlite":
        found: Any = OnSqlite(tmp_path)
    else:
        found = OnPostgres(request.getfixturevalue("postgres_url"))
    found.run(TABLE)
    found.run(VIEW)
    yield found
    if isinstance(found, OnPostgres):
        found.run(f"DROP OWNED BY {found.reader}")
        found.run(f"DROP ROLE {found.reader}")


@pytest.fixture
def hall() -> Hall:
    return Hall("A1", "B2")


def section(system: QueueSystem, **more: object) -> QueueViewSection:
    given = {"view": "calls", "number": "id", "counter": "quay", "event": "event", **system.given, **more}
    return QueueViewSection.model_validate(given)


def add(system: QueueSystem, number: object, counter: object = "A1", event: str = "start", service: str = "") -> None:
    values = (number, counter, service, event, "B-0975", NAME)
    system.run("INSERT INTO tickets VALUES (%s, %s, %s, %s, %s, %s)", values)


@pytest.fixture
def view(system: QueueSystem, hall: Hall) -> Iterator[QueueView]:
    """Open, on a data base with two old rows."""
    add(system, 1)
    add(system, 2, "B2")
    with closing(QueueView(section(system), hall.calls, clock=lambda: hall.now_s)) as found:
        found.open()
        yield found


def test_new_rows_are_calls_and_old_ones_are_not(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    view.read()
    add(system, 3)
    add(system, 4, " B2 ")
    add(system, 7, event="end")
    add(system, 8, event="printed")
    assert view.read() == 2.0
    view.read()
    assert (hall.told("A1"), hall.told("B2")) == ([0, "end"], [0])
    assert hall.dropped == {"queue_other_event": 1}


def test_a_row_that_is_written_late_is_taken_once(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    add(system, 10)
    view.read()
    add(system, 9, "B2")
    view.read()
    view.read()
    assert (hall.told("A1"), hall.told("B2")) == ([0], [0])


def test_a_box_that_begins_anew_replays_nothing(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    view.close()
    add(system, 3)
    view.open()
    view.read()
    add(system, 4, "B2")
    view.read()
    assert (hall.told("A1"), hall.told("B2")) == ([], [0])


def test_what_came_while_the_box_could_not_look_is_over(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    view.read()
    add(system, 3)
    hall.now_s += 2.0 + STALE_S + 1.0
    view.read()
    assert hall.told("A1") == []
    assert hall.dropped == {"queue_old": 1}
    add(system, 4)
    view.read()
    assert hall.told("A1") == [0]


def test_numbers_that_begin_anew_are_told_and_followed(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    add(system, 500)
    view.read()
    system.run("DELETE FROM tickets")
    view.read()
    add(system, 1, "B2")
    view.read()
    add(system, 2, "B2")
    view.read()
    assert (hall.told("A1"), hall.told("B2")) == ([0], [0])
    assert hall.dropped == {"queue_numbers": 1}
    assert hall.calls.oddities == [ODDITIES["queue_numbers"]]


def test_rows_that_leave_the_view_are_not_told(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    """A view of those who are at a counter now: its newest row goes before the others."""
    add(system, 3)
    view.read()
    system.run("DELETE FROM tickets WHERE id = 3")
    view.read()
    add(system, 4)
    view.read()
    assert (hall.told("A1"), hall.dropped) == ([0, 0], {})


@pytest.mark.parametrize("slip", [2**62, 500])
def test_one_number_that_is_far_too_large_silences_nobody(
    slip: int, system: QueueSystem, hall: Hall, view: QueueView
) -> None:
    """A slip, or yesterday's rows while today's numbers begin anew: every later call is below it."""
    add(system, slip)
    view.read()
    for number in (3, 4, 5):
        add(system, number, "B2")
        view.read()
    system.run("DELETE FROM tickets WHERE id >= 500")
    add(system, 6, "B2")
    view.read()
    view.read()
    assert (hall.told("A1"), hall.told("B2")) == ([0], [0, 0, 0])
    assert hall.dropped == {"queue_numbers": 1}
    assert hall.calls.oddities == [ODDITIES["queue_numbers"]]


def test_many_old_rows_with_higher_numbers_silence_nobody(system: QueueSystem, hall: Hall) -> None:
    """Yesterday's rows still stand in the view, more of them than are new at once, and today's begin at 1."""
    rows = ", ".join(f"({number}, 'A1', 'start')" for number in range(1_000, 1_000 + 3 * MAX_ROWS))
    system.run(f"INSERT INTO tickets (id, quay, event) VALUES {rows}")
    with closing(QueueView(section(system), hall.calls, clock=lambda: hall.now_s)) as view:
        view.open()
        for number in (1, 2, 3):
            add(system, number, "B2")
            view.read()
    assert (hall.told("A1"), hall.told("B2")) == ([], [0, 0])
    assert hall.dropped == {"queue_numbers": 1}


def test_old_rows_that_come_into_sight_again_call_nobody(
    system: QueueSystem, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look reaches so far down: where a row leaves the view, an old one comes up from below. That it does not reach
    the view's end is told."""
    monkeypatch.setattr(queue_view, "MAX_NUMBERS", MAX_ROWS)
    rows = ", ".join(f"({number}, 'A1', 'start')" for number in range(100, 100 + 2 * MAX_ROWS))
    system.run(f"INSERT INTO tickets (id, quay, event) VALUES {rows}")
    with closing(QueueView(section(system), hall.calls, clock=lambda: hall.now_s)) as view:
        view.open()
        for gone, new in ((210, 300), (211, 301)):
            system.run(f"DELETE FROM tickets WHERE id = {gone}")
            view.read()
            add(system, new, "B2")
            view.read()
    assert (hall.told("A1"), hall.told("B2"), hall.dropped) == ([], [0, 0], {"queue_long_view": 1})


def test_a_view_that_is_filled_anew_calls_nobody(system: QueueSystem, hall: Hall, view: QueueView) -> None:
    rows = ", ".join(f"({number}, 'A1', 'start')" for number in range(100, 100 + 2 * MAX_ROWS))
    system.run(f"INSERT INTO tickets (id, quay, event) VALUES {rows}")
    view.read()
    assert hall.told("A1") == []
    assert hall.dropped == {"queue_flood": 2 * MAX_ROWS}


@pytest.mark.parametrize(
    ("counter", "reason"), [("C9", "queue_counter"), ("Hạnh" * 100_000, "queue_malformed"), (None, "queue_malformed")]
)
def test_rows_of_no_counter_are_counted(
    counter: object, reason: str, system: QueueSystem, hall: Hall, view: QueueView
) -> None:
    add(system, 3, counter)
    view.read()
    assert hall.dropped == {reason: 1}


def test_service_groups(system: QueueSystem, hall: Hall) -> None:
    with closing(QueueView(section(system, service_group="service"), hall.calls)) as view:
        view.open()
        for number, service in ((1, "7"), (2, "300"), (3, "Hộ tịch")):
            add(system, number, service=service)
        view.read()
    assert (hall.told("A1"), hall.dropped) == ([7, 0, 0], {"queue_group": 2})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP VIEW calls", "no view calls"),
        ("ALTER TABLE tickets RENAME COLUMN quay TO window_name", "no column 'quay'"),
        ("ALTER TABLE tickets RENAME COLUMN id TO number", "no column 'id'"),
    ],
)
def test_a_view_that_is_gone_or_renamed_is_told_in_words(
    change: str, said: str, system: QueueSystem, view: QueueView
) -> None:
    view.read()
    system.run("DROP VIEW calls")
    if "ALTER" in change:
        system.run(change)
        system.run(VIEW)
    with pytest.raises(SourceError, match=said) as caught:
        view.read()
    assert "renamed" in caught.value.fix


def test_numbers_that_are_none_are_told(system: QueueSystem, hall: Hall) -> None:
    add(system, 1)
    view = QueueView(section(system, number="ticket"), hall.calls)
    with closing(view), pytest.raises(SourceError, match=r"'ticket' .*whole numbers"):
        view.open()


def test_only_the_columns_that_are_named_are_read(
    system: QueueSystem, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a row with a ticket and a name, what reaches the box holds neither."""
    add(system, 1)
    read: list[Sequence[object]] = []

    def note(kind: type[queue_view._Sqlite] | type[queue_view._Postgres]) -> None:
        rows = kind.rows

        def noted(self: Any, statement: str) -> Sequence[Sequence[object]]:
            found = rows(self, statement)
            read.extend(found)
            return found

        monkeypatch.setattr(kind, "rows", noted)

    note(queue_view._Sqlite)
    note(queue_view._Postgres)
    with closing(QueueView(section(system), hall.calls)) as view:
        view.open()
        add(system, 2, "B2")
        view.read()
    assert [tuple(row) for row in read] == [(1,), (2,), (1,), (2, "B2", "start")]


def test_a_thread_reads_until_it_is_stopped_and_comes_back_by_itself(system: QueueSystem, hall: Hall) -> None:
    failed: list[bool] = []
    calls = hall.calls
    reader = QueueReader(QueueView(section(system, every_s=0.2), calls), calls, failed.append, first_pause_s=0.05)
    reader.start()
    try:
        assert wait_for(lambda: reader.is_heard, 60)
        system.run("DROP VIEW calls")
        assert wait_for(lambda: failed == [True], 60)
        assert "no view calls" in reader.problem
        assert not reader.is_heard
        add(system, 1)
        system.run(VIEW)
        assert wait_for(lambda: failed == [True, False], 60)
        assert reader.problem == ""
        numbers = itertools.count(2)

        def is_called() -> bool:
            add(system, next(numbers), "B2")
            return bool(hall.told("B2"))

        assert wait_for(is_called, 60)
        assert hall.told("A1") == [], "what came meanwhile is over"
    finally:
        assert reader.stop(30)
    assert not reader.is_heard


@pytest.mark.postgres
def test_an_account_that_may_write_is_refused(postgres_url: str, hall: Hall) -> None:
    system = OnPostgres(postgres_url)
    system.run(TABLE)
    system.run(VIEW)
    try:
        with closing(QueueView(section(system), hall.calls)) as view:
            view.open()
            system.run(f"GRANT UPDATE ON calls TO {system.reader}")
            with pytest.raises(SourceError, match="may write"):
                view.open()
            system.run(f"REVOKE ALL ON calls FROM {system.reader}")
            with pytest.raises(SourceError, match="may not read the view calls"):
                view.open()
        owner = QueueView(section(system, database=postgres_url), hall.calls)
        with closing(owner), pytest.raises(SourceError, match="may write"):
            owner.open()
    finally:
        system.run(f"DROP OWNED BY {system.reader}")
        system.run(f"DROP ROLE {system.reader}")


@pytest.mark.postgres
def test_a_data_base_that_lets_nobody_in_or_has_gone(postgres_url: str, hall: Hall) -> None:
    system = OnPostgres(postgres_url)
    system.run(TABLE)
    system.run(VIEW)
    nobody = postgres_url.replace("//", "//nobody_of_that_name@").replace("hailong@", "")
    with pytest.raises(SourceError, match="lets nobody in"):
        QueueView(section(system, database=nobody), hall.calls).open()
    with closing(QueueView(section(system), hall.calls)) as view:
        view.open()
        system.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{system.reader}'")
        with pytest.raises(SourceError, match="does not answer any more"):
            view.read()
        view.open()
        view.read()
    system.run(f"DROP OWNED BY {system.reader}")
    system.run(f"DROP ROLE {system.reader}")


@pytest.mark.postgres
def test_a_data_base_that_hangs_is_left(postgres_url: str, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its time-out nor the network's helps where the other side is there and says nothing."""
    monkeypatch.setattr(queue_view, "HANG_S", 0.5)
    system = OnPostgres(postgres_url)
    system.run(TABLE)
    system.run(VIEW)
    with closing(QueueView(section(system), hall.calls)) as view:
        view.open()
        view.read()
        with psycopg.connect(postgres_url) as base:
            found = base.execute("SELECT pid FROM pg_stat_activity WHERE usename = %s", [system.reader]).fetchone()
        assert found is not None
        os.kill(found[0], signal.SIGSTOP)
        freed = threading.Timer(20, os.kill, [found[0], signal.SIGCONT])
        freed.start()
        begun_s = time.monotonic()
        try:
            with pytest.raises(SourceError, match="does not answer any more"):
                view.read()
            assert time.monotonic() - begun_s < 15
        finally:
            freed.cancel()
            os.kill(found[0], signal.SIGCONT)
    system.run(f"DROP OWNED BY {system.reader}")
    system.run(f"DROP ROLE {system.reader}")


@pytest.mark.postgres
def test_a_data_base_that_lets_in_and_says_nothing(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_view, "CONNECT_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given = {"database": f"postgresql://box@127.0.0.1:{listener.getsockname()[1]}/queue", "view": "calls"}
        view = QueueView(QueueViewSection.model_validate({**given, "number": "id"}), hall.calls)
        with closing(view), pytest.raises(SourceError, match="lets nobody in"):
            view.open()


@pytest.mark.postgres
def test_bytes_of_another_encoding_are_one_rows_trouble_on_postgresql(postgres_url: str, hall: Hall) -> None:
    """A data base without an encoding hands out what was put in, and cuts a letter in two after so many bytes."""
    place, _, name = postgres_url.rpartition("/")
    with psycopg.connect(postgres_url, autocommit=True) as base:
        base.execute(f"CREATE DATABASE {name}_bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C'".encode())
    system = OnPostgres(f"{place}/{name}_bytes")
    try:
        system.run(TABLE)
        system.run(VIEW)
        _odd_bytes(system, hall, "convert_from('\\xc7f3', 'SQL_ASCII')")
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as base:
            base.execute(f"DROP DATABASE {name}_bytes WITH (FORCE)".encode())
            base.execute(f"DROP ROLE {system.reader}".encode())


def test_bytes_of_another_encoding_are_one_rows_trouble_on_sqlite(tmp_path: Path, hall: Hall) -> None:
    system = OnSqlite(tmp_path)
    system.run(TABLE)
    system.run(VIEW)
    _odd_bytes(system, hall, "CAST(x'c7f3' AS text)")


def _odd_bytes(system: QueueSystem, hall: Hall, odd: str) -> None:
    with closing(QueueView(section(system), hall.calls)) as view:
        view.open()
        system.run(f"INSERT INTO tickets (id, quay, event) VALUES (1, {odd}, 'start')")
        add(system, 2, "Quầy một cửa về hộ tịch và chứng thực số")
        add(system, 3)
        view.read()
    assert hall.told("A1") == [0]
    assert sum(hall.dropped.values()) == 2


def test_sqlite_is_opened_to_read_alone(tmp_path: Path, hall: Hall) -> None:
    system = OnSqlite(tmp_path)
    system.run(TABLE)
    system.run(VIEW)
    base = queue_view._Sqlite(section(system))
    with closing(base), pytest.raises(SourceError):
        base.rows("DELETE FROM tickets")
    system.file.unlink()
    with pytest.raises(SourceError, match="is not there"):
        QueueView(section(system), hall.calls).open()
    assert not system.file.exists(), "nothing was made"
    system.file.write_bytes(b"no data base at all" * 100)
    with pytest.raises(SourceError, match="cannot be read"):
        QueueView(section(system), hall.calls).open()


def test_a_view_that_takes_too_long_is_told(tmp_path: Path, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    system = OnSqlite(tmp_path)
    system.run(TABLE)
    system.run(
        "CREATE VIEW calls AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
        "SELECT id, 'A1' AS quay, 'start' AS event FROM n"
    )
    monkeypatch.setattr(queue_view, "QUERY_S", 0.05)
    begun_s = time.monotonic()
    view = QueueView(section(system), hall.calls)
    with pytest.raises(SourceError, match="takes longer"):
        view.open()
    assert time.monotonic() - begun_s < 60
    held = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if number.isdecimal()
            if os.path.islink(f"/proc/self/fd/{number}")]  # fmt: skip
    assert str(system.file) not in held, "what could not be opened whole is closed"
