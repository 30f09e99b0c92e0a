"""The store on SQLite and PostgreSQL: one schema, migrations from the version before, borders between provinces."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, Engine, Select, event, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from pipeline.calendar import parse_period
from pipeline.errors import StoreError
from pipeline.language import Text
from server.core.disclosure import published
from server.scores.fused import rated_quarters
from server.scores.held import version_of
from server.store.engine import connect, raw_numbers, raw_rows, read, store_url, write
from server.store.schema import metadata
from server.store.tables.agencies import agencies, levels
from server.store.tables.channels import channels
from server.store.tables.counters import counters
from server.store.tables.provinces import provinces, settings
from server.store.tables.ratings import ratings
from server.store.tables.releases import cell_values
from server.store.upgrade import (
    newest_version,
    rebuilding,
    require_current,
    store_version,
    upgrade,
    upgrade_on,
    versions,
)


def _province(connection: Any, code: str) -> tuple[int, int]:
    values = {"code": code, "name": Text.named(vi=code, en=code), "simulated": True, "created_day": 2500}
    province = connection.execute(insert(provinces).values(values)).inserted_primary_key[0]
    names = {"province_id": province, "code": "tinh", "name": Text.named(vi="Tỉnh", en="Province")}
    level = connection.execute(insert(levels).values(**names, rank=1)).inserted_primary_key[0]
    agency = {"province_id": province, "code": "so-1", "name": Text.named(vi="Sở", en="Dept"), "level_id": level}
    return province, connection.execute(insert(agencies).values(agency)).inserted_primary_key[0]


def _province_of_before(connection: Any) -> tuple[int, int]:
    """In the first schema, which names things otherwise than today's tables."""
    for table, row in (
        ("provinces (id, code, name_vi, name_en, simulated, created_day)", "1, 'p1', 'Tỉnh', 'Province', TRUE, 2500"),
        ("levels (id, province_id, code, name_vi, name_en, rank)", "1, 1, 'tinh', 'Tỉnh', 'Province', 1"),
        ("agencies (id, province_id, code, name_vi, name_en, level_id, active)", "1, 1, 'so', 'Sở', 'A', 1, TRUE"),
    ):
        connection.execute(text(f"INSERT INTO {table} VALUES ({row})"))
    return 1, 1


def _rating(province: int, agency: int, **more: Any) -> dict[str, Any]:
    fixed = {"channel": "paper", "day": 2400, "month": 78, "instrument": "2640", "instrument_version": 1}
    return {"province_id": province, "agency_id": agency, **fixed, **more}


@pytest.mark.postgres
def test_newest_schema_is_the_tables(any_store: Engine) -> None:
    with read(any_store) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    require_current(any_store)
    assert store_version(any_store) == newest_version() == versions()[-1]


def _schema(connection: Connection) -> dict[str, list[str]]:
    """Lines by table or index, constraints last and in order: each migration shuffles those of what it rewrites."""
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    lines = {name: [line.strip(" \t,") for line in sql.splitlines()] for name, sql in found}
    return {name: sorted(said, key=lambda one: one * one.startswith("CONSTRAINT")) for name, said in lines.items()}


def test_a_run_s_further_stores_are_as_migrations_make_them(store: Engine, tmp_path: Path) -> None:
    """`migrated_once` of tests/conftest.py: the first store was migrated, this run's others have its statements."""
    migrated, further = (connect(f"sqlite:///{tmp_path / name}") for name in ("migrated", "further"))
    with rebuilding(migrated) as connection:
        upgrade_on(connection)  # as it was imported, before the run's own took its place
    upgrade(further)
    found = []
    for engine in (migrated, further):
        with read(engine) as connection:
            found.append((_schema(connection), connection.execute(select(channels)).all(), store_version(engine)))
        engine.dispose()
    assert found[0] == found[1]


@pytest.mark.postgres
def test_second_version_sets_flagged_ratings_aside(empty_store_url: str) -> None:
    engine = connect(empty_store_url)
    assert upgrade(engine, "0001") == "0001"
    with pytest.raises(StoreError, match="hailong server upgrade"):
        require_current(engine)
    with write(engine) as connection:
        province, agency = _province_of_before(connection)
        rows = [_rating(province, agency, flag=flag) for flag in (0, 3)]
        names = list(rows[0])
        marks = ", ".join(f":{name}" for name in names)
        # the old schema has no column `state`, which today's table would name; `a00`.. have a default in the data base
        connection.execute(
            text(f"INSERT INTO ratings ({', '.join([*names, 'service_group', 'reasons'])}) VALUES ({marks}, 0, 0)"),
            rows,
        )
    assert upgrade(engine) == newest_version()
    with read(engine) as connection:
        found = connection.execute(select(ratings.c.flag, ratings.c.state).order_by(ratings.c.flag)).all()
    assert [tuple(row) for row in found] == [(0, 0), (3, 1)]
    engine.dispose()


@pytest.mark.postgres
def test_a_row_cannot_join_two_provinces(any_store: Engine) -> None:
    with write(any_store) as connection:
        first, _ = _province(connection, "p1")
        second, agency_of_second = _province(connection, "p2")
    names = {"code": "q1", "name": Text.named(vi="Quầy", en="Counter")}
    with pytest.raises(IntegrityError), write(any_store) as connection:
        connection.execute(insert(counters).values(province_id=first, agency_id=agency_of_second, **names))
    with write(any_store) as connection:
        connection.execute(insert(counters).values(province_id=second, agency_id=agency_of_second, **names))
        assert connection.execute(select(func.count()).select_from(counters)).scalar_one() == 1


@pytest.mark.postgres
@pytest.mark.parametrize("bad", [{"channel": "telepathy"}, {"a00": 6}])
def test_ratings_outside_the_closed_values_are_refused(any_store: Engine, bad: dict[str, Any]) -> None:
    with write(any_store) as connection:
        province, agency = _province(connection, "p1")
    with pytest.raises(IntegrityError), write(any_store) as connection:
        connection.execute(insert(ratings).values(_rating(province, agency) | bad))


@pytest.mark.postgres
@pytest.mark.parametrize("bad", [{"channel": "0975123"}, {"origin": "0975123", "a00": 6}])
def test_a_row_that_is_refused_is_not_quoted(any_store: Engine, bad: dict[str, Any]) -> None:
    """PostgreSQL says "Failing row contains (...)": answers or a telephone number, in the log of the server."""
    with write(any_store) as connection:
        province, agency = _province(connection, "p1")
    with pytest.raises(IntegrityError) as caught, write(any_store) as connection:
        connection.execute(insert(ratings).values(_rating(province, agency) | bad))
    said = "".join(traceback.format_exception(caught.value))
    assert "0975123" not in said
    assert re.search("[cf]k_ratings|constraint failed", said)


@pytest.mark.postgres
def test_every_table_but_provinces_has_a_province(any_store: Engine) -> None:
    for table in metadata.tables.values():
        if table.name not in ("provinces", "channels"):  # the codes of channels are the same for all
            assert not table.c.province_id.nullable, table.name
            assert any(k.column.table.name == "provinces" for k in table.c.province_id.foreign_keys), table.name


def test_two_writers_wait_for_each_other(store: Engine) -> None:
    with write(store) as connection:
        province, _ = _province(connection, "p1")
        connection.execute(insert(settings).values(province_id=province, name="n", value="0"))
    errors: list[BaseException] = []

    def count_up() -> None:
        try:
            for _ in range(20):
                with write(store) as connection:
                    value = connection.execute(select(settings.c.value)).scalar_one()
                    connection.execute(settings.update().values(value=str(int(value) + 1)))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    with read(store) as connection:
        assert connection.execute(select(settings.c.value)).scalar_one() == "40"


_ELSEWHERE = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
held.execute("INSERT INTO settings (province_id, name, value) VALUES (1, ?, '')", (sys.argv[2],))
held.close()
"""


def test_no_row_is_lost_where_a_process_opens_the_store_twice(store: Engine) -> None:
    """Whoever closes a file loses all locks on it. Without them another process takes the log away that this one goes
    on writing into."""
    path = str(store.url.database)

    def elsewhere(name: str) -> None:
        subprocess.run([sys.executable, "-c", _ELSEWHERE, path, name], check=True, timeout=120)

    def here(name: str) -> None:
        with write(store) as connection:
            connection.execute(insert(settings).values(province_id=province, name=name, value=""))

    with write(store) as connection:
        province, _ = _province(connection, "p1")
    assert province == 1
    here("first")
    connect(f"sqlite:///{path}").dispose()
    elsewhere("second")
    here("third")
    elsewhere("fourth")
    with read(store) as connection:
        assert sorted(connection.execute(select(settings.c.name)).scalars()) == ["first", "fourth", "second", "third"]
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_new_store_is_its_owners_alone_behind_a_link_too(tmp_path: Path) -> None:
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "there.sqlite")
    connect(f"sqlite:///{tmp_path / 'link.sqlite'}").dispose()
    assert (tmp_path / "there.sqlite").stat().st_mode & 0o777 == 0o600


def test_store_from_the_future_is_refused(store: Engine) -> None:
    with write(store) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer program"):
        upgrade(store)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("mysql://a/b", "cannot be on mysql"),
        ("://", "cannot be read"),
        ("/nowhere/at/all/s.sqlite", "cannot be opened"),
    ],
)
def test_a_store_that_cannot_be(given: str, problem: str) -> None:
    with pytest.raises(StoreError, match=problem):
        connect(given)


def test_password_is_not_in_the_message() -> None:
    with pytest.raises(StoreError) as caught:
        connect("postgresql://someone:s3cret@127.0.0.1:1/nowhere")
    assert "s3cret" not in str(caught.value)
    assert store_url("postgresql://h/n").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(("counts", "filled"), [((1, -2, 3), 3), ((1, -2, 3, 4), 4), (tuple(range(18)), 18)])
def test_cells(counts: tuple[int, ...], filled: int) -> None:
    values = cell_values(counts)
    assert values == {f"c{slot:02d}": counts[slot] for slot in range(filled)}
    with pytest.raises(ValueError, match="4 or 18"):
        cell_values((1, 2))


def _of_seven(store: Engine, column: Column[Any]) -> Select[Any]:
    """Numbers of seven ratings that are stored here, and a column of them."""
    with write(store) as connection:
        province, agency = _province(connection, "lon")
        connection.execute(insert(ratings), [_rating(province, agency) for _ in range(7)])
    return select(ratings.c.id, column).where(ratings.c.province_id == province).order_by(ratings.c.id)


def test_rows_as_the_driver_gives_them_are_all_of_them(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.store.engine.ROWS_AT_ONCE", 3)
    query = _of_seven(store, ratings.c.channel)
    with read(store) as connection:
        pieces = [[tuple(row) for row in rows] for rows in raw_rows(connection, query)]
        assert [len(piece) for piece in pieces] == [3, 3, 1]
        assert [row for piece in pieces for row in piece] == [tuple(row) for row in connection.execute(query)]
        assert [list(rows) for rows in raw_rows(connection, query.where(ratings.c.id < 0))] == []


def test_rows_of_numbers_become_one_array(any_store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.store.engine.ROWS_AT_ONCE", 3)
    query = _of_seven(any_store, ratings.c.day)
    with read(any_store) as connection:
        numbers = raw_numbers(connection, query, 2)
        assert numbers.T.tolist() == [list(row) for row in connection.execute(query)]
        assert raw_numbers(connection, query.where(ratings.c.id < 0), 2).shape == (2, 0)


def test_what_decides_which_ratings_are_seen_is_read_from_an_index_alone(store: Engine) -> None:
    statements: list[tuple[str, Any]] = []
    with write(store) as connection:
        province, agency = _province(connection, "lon")
        connection.execute(insert(ratings), [_rating(province, agency) for _ in range(7)])

    def note(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        if "FROM ratings" in statement:
            statements.append((statement, parameters))

    with read(store) as connection:
        event.listen(store, "before_cursor_execute", note)
        version_of(connection, province)
        rated_quarters(connection, province)
        published(connection, province, parse_period("2026-Q3"), below=1)
        event.remove(store, "before_cursor_execute", note)
        assert len(statements) >= 3
        for statement, parameters in statements:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert any("COVERING INDEX ix_ratings_seen" in step for step in plan), (plan, statement)
