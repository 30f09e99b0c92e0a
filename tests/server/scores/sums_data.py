"""Ratings, releases and transactions of two provinces for tests of the sums; all drawn from one seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.release_kind import EVIDENCE, PULSE
from server.scores.sums import SCHEMAS, rating_sums, release_sums, transaction_sums, window_sums
from server.store.tables.releases import CELL_COLUMNS

Row = dict[str, Any]
CHANNELS = ("counter_tablet", "online", "sms", "paper")


def draw_rows(seed: int = 7) -> dict[str, list[Row]]:
    """Rows by table, with NULLs, negative cells, ratings set aside and ratings without an overall answer."""
    rng = np.random.default_rng(seed)

    def whole(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    ratings, releases, transactions = [], [], []
    for number in range(1_500):
        month = whole(70, 80)
        row: Row = {"province_id": 1 + number % 2, "agency_id": 1 + number % 8, "counter_id": None if number % 3 else 1}
        row |= {
            "service_group": whole(0, 4),
            "channel": CHANNELS[whole(0, 4)],
            "month": month,
            "day": month * 30 + whole(0, 28),
        }
        ratings.append({**row, "a00": whole(0, 6), "state": whole(0, 3)})
    for number in range(600):
        pulse = number % 3 > 0
        cells = {name: whole(-4, 60) if i < 4 or not pulse else None for i, name in enumerate(CELL_COLUMNS)}
        row = {"province_id": 1 + number % 2, "agency_id": 1 + number % 8, "kind": "pulse" if pulse else "evidence"}
        row["box_id"] = 1 + number % 16
        row |= {"period_kind": 3 if pulse else 4, "period_index": whole(2100, 2400) if pulse else whole(70, 80)}
        releases.append({**row, "epsilon_milli": 500 if pulse else 1500, "received_day": whole(2100, 2500), **cells})
    for number in range(300):
        row = {"province_id": 1 + number % 2, "agency_id": 1 + number % 8, "service_group": whole(0, 200)}
        transactions.append({**row, "month": whole(70, 80), "count": whole(0, 10_000)})
    return {"ratings": ratings, "releases": releases, "transactions": unique(transactions)}


def unique(rows: list[Row]) -> list[Row]:
    """One row for each agency, service group and month, as the store demands."""
    return list({(r["province_id"], r["agency_id"], r["service_group"], r["month"]): r for r in rows}.values())


def expressions(tables: dict[str, Any]) -> dict[str, Any]:
    """Every sum, over bound or unbound tables."""
    found = {}
    for province in (1, None):
        found[f"ratings {province}"] = rating_sums(tables["ratings"], province, 72, 77)
        found[f"evidence {province}"] = release_sums(tables["releases"], province, EVIDENCE)
        found[f"pulse {province}"] = release_sums(tables["releases"], province, PULSE)
        found[f"windows {province}"] = window_sums(tables["releases"], province, 3, 2150, 2350)
        found[f"transactions {province}"] = transaction_sums(tables["transactions"], province, 72, 77)
    return found


def comparable(rows: list[Row]) -> list[tuple[Any, ...]]:
    """Rows in one order, whole numbers as int, missing ones as None; columns by name."""

    def plain(value: Any) -> Any:
        if value is None or value != value:
            return None
        return value if isinstance(value, str) else int(value)

    found = [tuple(plain(row[name]) for name in sorted(row)) for row in rows]
    return sorted(found, key=lambda row: [(value is None, str(type(value)), value or 0) for value in row])


def write_parquet(rows: dict[str, list[Row]], folder: Path) -> dict[str, Path]:
    """One Parquet file a table, with the columns' types as the sums read them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = {}
    for name, table_rows in rows.items():
        types = {column: pa.string() if kind == "string" else pa.int64() for column, kind in SCHEMAS[name].items()}
        paths[name] = folder / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(table_rows, pa.schema(types.items())), paths[name])
    return paths


def by_duckdb(paths: dict[str, Path]) -> dict[str, list[tuple[Any, ...]]]:
    """Every sum by DuckDB over the Parquet files."""
    import ibis

    backend = ibis.duckdb.connect()
    tables = {name: backend.read_parquet(path, table_name=name) for name, path in paths.items()}
    return {name: comparable(e.to_pyarrow().to_pylist()) for name, e in expressions(tables).items()}
