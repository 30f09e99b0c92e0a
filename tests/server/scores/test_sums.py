"""The sums behind every figure, written once: equal on SQLite, PostgreSQL and DuckDB over Parquet, and to plain Python.

Apache Spark: `tests/server/scores/test_spark.py` (make test-spark)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from pipeline.language import Text
from pipeline.release_kind import EVIDENCE
from server.core.provinces import make_province
from server.scores.clerks import shown_releases
from server.scores.sums import SCHEMAS, _sql, release_sums, run, unbound
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters
from server.store.tables.ratings import ratings
from server.store.tables.releases import releases
from server.store.tables.transactions import transactions
from tests.server.scores.sums_data import Row, by_duckdb, comparable, draw_rows, expressions, write_parquet

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
"""Ibis calls DuckDB by its older name."""


def _fill(engine: Engine, rows: dict[str, list[Row]]) -> None:
    with write(engine) as connection:
        for code in ("p1", "p2"):
            make_province(connection, code, Text.named(vi=code))
        for agency in range(1, 9):
            # agency 1 is the first province's, 2 the second's, and so on, as in the rows
            province = 1 + (agency - 1) % 2
            names = {"province_id": province, "name": Text.named(vi="x", en="x")}
            row = {**names, "id": agency, "code": f"a{agency}", "level_id": 1 + 3 * (province - 1)}
            connection.execute(insert(agencies).values(**row))
            for box in (agency, agency + 8):
                connection.execute(
                    insert(boxes).values(id=box, province_id=province, agency_id=agency, label=f"b{box}")
                )
        for province in (1, 2):
            names = {"province_id": province, "name": Text.named(vi="x", en="x")}
            connection.execute(insert(counters).values(id=province, agency_id=province, code="c", **names))
        fixed = {"instrument": "2640", "instrument_version": 1}
        # every row names the counter of its own province
        connection.execute(
            insert(ratings),
            [{**row, **fixed, "counter_id": row["counter_id"] and row["province_id"]} for row in rows["ratings"]],
        )
        connection.execute(
            insert(releases),
            [{**row, "epoch": n, "sequence": n} for n, row in enumerate(rows["releases"])],
        )
        connection.execute(insert(transactions), rows["transactions"])


def _rows() -> dict[str, list[Row]]:
    rows = draw_rows()
    for row in rows["ratings"]:
        row["counter_id"] = row["counter_id"] and row["province_id"]
    return rows


@pytest.mark.postgres
def test_the_store_and_duckdb_give_equal_sums(any_store: Engine, tmp_path: Path) -> None:
    rows = _rows()
    _fill(any_store, rows)
    expected = by_duckdb(write_parquet(rows, tmp_path))
    with read(any_store) as connection:
        for name, expression in expressions({name: unbound(name) for name in SCHEMAS}).items():
            found = comparable([dict(row._mapping) for row in run(connection, expression)])
            assert found, name
            assert found == expected[name], name


def test_the_sums_are_those_of_plain_python(tmp_path: Path) -> None:
    rows = _rows()
    found = by_duckdb(write_parquet(rows, tmp_path))
    names = sorted(("agency_id", "service_group", "channel", "counter_id", "month", "day", "rated", "satisfied"))
    rated: Counter[tuple[object, ...]] = Counter()
    satisfied: Counter[tuple[object, ...]] = Counter()
    for row in rows["ratings"]:
        if row["province_id"] == 1 and 72 <= row["month"] <= 77 and row["state"] != 1 and row["a00"] > 0:
            key = tuple(row[name] for name in names if name in row)
            rated[key] += 1
            satisfied[key] += row["a00"] >= 4
    keys = [name for name in names if name in RATING_KEYS]
    by_hand = [
        {**dict(zip(keys, key, strict=True)), "rated": n, "satisfied": satisfied[key]} for key, n in rated.items()
    ]
    assert comparable(by_hand) == found["ratings 1"]
    total = sum(row["count"] for row in rows["transactions"] if 72 <= row["month"] <= 77)
    position = sorted(("agency_id", "service_group", "month", "transactions")).index("transactions")
    assert sum(row[position] for row in found["transactions None"]) == total


RATING_KEYS = frozenset({"agency_id", "service_group", "channel", "counter_id", "month", "day"})


@pytest.mark.postgres
def test_an_empty_store_gives_no_rows(any_store: Engine) -> None:
    with read(any_store) as connection:
        for expression in expressions({name: unbound(name) for name in SCHEMAS}).values():
            assert run(connection, expression) == []


def test_what_says_the_same_is_compiled_once_and_what_does_not_is_not() -> None:
    def asked(province_id: int, held: set[int]) -> str:
        rows = shown_releases(province_id, EVIDENCE, but=held)
        return _sql(release_sums(rows, province_id, EVIDENCE).op(), "sqlite")

    first, compiled = asked(7, {3, 1}), _sql.cache_info().misses
    assert asked(7, {1, 3}) == first
    assert _sql.cache_info().misses == compiled
    assert len({first, asked(8, {1, 3}), asked(7, {1}), asked(7, set())}) == 4
