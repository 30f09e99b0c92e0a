"""A store as a former version wrote it: its schema from the migrations, its rows from `store_0016.sql`.

`store_0016.csv` holds what that version's own `hailong server score` printed of it for 2026-Q3."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect

from server.store import upgrade as schema
from server.store.engine import read

HERE = Path(__file__).parent
OLD = "0016"
PROVINCES = ("mau", "nho")
PERIOD = "2026-Q3"
FIRST_CHANNELS = ("counter_tablet", "online", "sms", "call_1022", "paper")
"""Those that versions before 0006 knew."""


def make_old_store(engine: Engine) -> None:
    """Fill an empty data base with the old store."""
    schema.upgrade(engine, OLD)
    with schema.rebuilding(engine) as connection:
        connection.exec_driver_sql("DELETE FROM channels")
        sql = (HERE / f"store_{OLD}.sql").read_text(encoding="utf-8")
        if engine.dialect.name == "postgresql":  # whose driver reads a per cent sign as a place to fill
            sql = sql.replace("%", "%%")
        for statement in sql.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        if engine.dialect.name == "postgresql":
            _count_on(connection)


def _count_on(connection: Connection) -> None:
    """Numbers were given: those to come are after them."""
    for name in inspect(connection).get_table_names():
        found = connection.exec_driver_sql(
            "SELECT column_default FROM information_schema.columns WHERE table_schema = 'public'"
            f" AND table_name = '{name}' AND column_name = 'id'"
        ).scalar()
        if found:
            following = f"(SELECT coalesce(max(id), 0) + 1 FROM {name})"
            connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {following}, false)")


def take_back(engine: Engine, version: str) -> None:
    """Make of the old store one of a version before it: what that one does not know is left out."""
    with schema.rebuilding(engine) as connection:
        if version < "0006":
            known = ", ".join(f"'{channel}'" for channel in FIRST_CHANNELS)
            connection.exec_driver_sql(f"UPDATE ratings SET channel = 'paper' WHERE channel NOT IN ({known})")
        config = Config()
        config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations").replace("%", "%%"))
        config.attributes["connection"] = connection
        command.downgrade(config, version)


Rows = dict[str, dict[Any, dict[str, Any]]]
"""By table and key the columns of a row."""


def rows_of(engine: Engine) -> Rows:
    """Every row of every table, with the columns that the data base itself knows; by `id`, or by the first column."""
    found: Rows = {}
    with read(engine) as connection:
        for name in inspect(connection).get_table_names():
            rows = [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings()]
            found[name] = {row.get("id", next(iter(row.values()))): row for row in rows}
            assert len(found[name]) == len(rows), name
    return found


def as_now(rows: Rows) -> Rows:
    """The rows as 0030 holds them: one column for the name in every language."""
    return {table: {key: _named(row) for key, row in of.items()} for table, of in rows.items()}


def _named(row: dict[str, Any]) -> dict[str, Any]:
    if "name_vi" not in row:
        return row
    words = {"vi": row["name_vi"]} | ({"en": row["name_en"]} if row["name_en"] != row["name_vi"] else {})
    rest = {name: value for name, value in row.items() if name not in ("name_vi", "name_en")}
    return {**rest, "name": json.dumps(words, ensure_ascii=False, sort_keys=True)}


def lost_or_changed(before: Rows, after: Rows, *, meant: set[tuple[str, str]]) -> list[str]:
    """What of `before` is not in `after` any more, as table, key and column; but for the columns and (`*`) tables that
    are `meant` to change."""
    found = []
    for table, rows in before.items():
        if table == "alembic_version" or (table, "*") in meant:
            continue
        for key, row in rows.items():
            now = after.get(table, {}).get(key)
            if now is None:
                found.append(f"{table} {key}: gone")
                continue
            found += [
                f"{table} {key}.{name}: {value!r}, now {now.get(name, 'gone')!r}"
                for name, value in row.items()
                if (table, name) not in meant and (name not in now or now[name] != value)
            ]
    return found


def expected_figures() -> dict[tuple[str, str, str, str], tuple[int, int, float]]:
    """By province, dimension, key and item: valid answers, satisfied ones, index (three decimals)."""
    with (HERE / f"store_{OLD}.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["province"], row["dimension"], row["key"], row["item"]): (
                int(row["valid"]), int(row["satisfied"]), float(row["index"]),
            )
            for row in csv.DictReader(file)
        }  # fmt: skip
