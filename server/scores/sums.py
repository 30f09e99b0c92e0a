"""The group-by sums behind every fused figure, written once as Ibis expressions.

The same expression runs on the server's SQLite or PostgreSQL, on DuckDB over Parquet files for years of data, and on
Apache Spark for a nation. On the server it is compiled to the data base's SQL and run on the open connection, in its
transaction; elsewhere an Ibis backend executes it (`docs/scale.md`). Only integers are summed: equal everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from pipeline.release_kind import PULSE, ReleaseKind
from server.core.disclosure import Published, shown_ratings
from server.core.scope import Scope
from server.store.tables.ratings import ANSWER_COLUMNS, RatingState
from server.store.tables.releases import CELL_COLUMNS

RATINGS = {
    "province_id": "int64",
    "agency_id": "int64",
    "counter_id": "int64",
    "service_group": "int64",
    "channel": "string",
    "day": "int64",
    "month": "int64",
    "a00": "int64",
    "state": "int64",
}
RELEASES = {
    "province_id": "int64",
    "agency_id": "int64",
    "box_id": "int64",
    "pool": "int64",
    "kind": "string",
    "period_kind": "int64",
    "period_index": "int64",
    "epsilon_milli": "int64",
    "received_day": "int64",
    **dict.fromkeys(CELL_COLUMNS, "int64"),
}
TRANSACTIONS = {
    "province_id": "int64",
    "agency_id": "int64",
    "service_group": "int64",
    "month": "int64",
    "count": "int64",
}
_ROWS_AT_ONCE = 20_000
SCHEMAS: dict[str, Mapping[str, str]] = {"ratings": RATINGS, "releases": RELEASES, "transactions": TRANSACTIONS}
"""Table -> columns that the sums read, with Ibis types."""


def unbound(name: str) -> Any:
    """The table of that name, not yet bound to a data base."""
    import ibis

    return ibis.table(dict(SCHEMAS[name]), name=name)


def shown_ratings_table(shown: Published) -> Any:
    """The ratings that may be seen (`server.core.disclosure`), for `rating_sums`."""
    import ibis

    more = {"instrument": "string", "instrument_version": "int64", "received_day": "int64"}
    return shown_ratings(ibis.table({**RATINGS, **more}, name="ratings"), shown)


def sheets_table(shown: Published) -> Any:
    """The ratings that may be seen with all their answers."""
    import ibis

    whole = {"instrument": "string", "instrument_version": "int64", "received_day": "int64", "reasons": "int64"}
    answers = dict.fromkeys(ANSWER_COLUMNS, "int64")
    return shown_ratings(ibis.table({**RATINGS, **answers, **whole}, name="ratings"), shown)


def rating_sums(table: Any, province_id: int | None, first_month: int, last_month: int) -> Any:
    """Counted ratings with an overall answer, and the satisfied ones (4 or 5), by agency, group, channel, counter, day.

    Columns: agency_id, service_group, channel, counter_id, month, day, rated, satisfied. `province_id` None: all."""
    rows = table.filter(
        table.month >= first_month, table.month <= last_month, table.state != int(RatingState.SET_ASIDE), table.a00 > 0
    )
    if province_id is not None:
        rows = Scope(province_id).filter(rows)
    keys = ["agency_id", "service_group", "channel", "counter_id", "month", "day"]
    return rows.group_by(keys).aggregate(rated=rows.count(), satisfied=(rows.a00 >= 4).ifelse(1, 0).sum().cast("int64"))


def release_sums(table: Any, province_id: int | None, kind: ReleaseKind) -> Any:
    """Releases of one kind, added up by agency, box, period and epsilon: noise adds up with them (`releases` times).

    Columns: agency_id, box_id, period_kind, period_index, epsilon_milli, releases, c00..c17, first_day and
    last_day of receipt."""
    rows = table.filter(table.kind == kind.name)
    if province_id is not None:
        rows = Scope(province_id).filter(rows)
    keys = ["agency_id", "box_id", "period_kind", "period_index", "epsilon_milli"]
    cells = {name: rows[name].sum().cast("int64") for name in CELL_COLUMNS}
    return rows.group_by(keys).aggregate(
        releases=rows.count(), first_day=rows.received_day.min(), last_day=rows.received_day.max(), **cells
    )


def window_sums(table: Any, province_id: int | None, period_kind: int, first_index: int, last_index: int) -> Any:
    """Pulses of one kind of window, added up over a range of windows by agency: how much was seen, and how it went.

    Columns: agency_id, epsilon_milli, windows, low, middle, high, abstained. The noise of each sum has `windows` times
    the variance of one cell's."""
    rows = table.filter(
        table.kind == PULSE.name,
        table.period_kind == period_kind,
        table.period_index >= first_index,
        table.period_index <= last_index,
    )
    if province_id is not None:
        rows = Scope(province_id).filter(rows)
    names = {"low": "c00", "middle": "c01", "high": "c02", "abstained": "c03"}
    cells = {name: rows[column].sum().cast("int64") for name, column in names.items()}
    return rows.group_by(["agency_id", "epsilon_milli"]).aggregate(windows=rows.count(), **cells)


def transaction_sums(table: Any, province_id: int | None, first_month: int, last_month: int) -> Any:
    """Known transactions by agency, service group and month. Columns: agency_id, service_group, month, transactions."""
    rows = table.filter(table.month >= first_month, table.month <= last_month)
    if province_id is not None:
        rows = Scope(province_id).filter(rows)
    return rows.group_by(["agency_id", "service_group", "month"]).aggregate(
        transactions=rows["count"].sum().cast("int64")
    )


def run(connection: Connection, expression: Any) -> list[Any]:
    """The rows of an expression over unbound tables, by SQL on the open connection."""
    return list(chain.from_iterable(pieces(connection, expression)))


def pieces(connection: Connection, expression: Any) -> Iterator[Sequence[Any]]:
    """The same, some at a time: of a year of a large province all of them together are 100 MB."""
    dialect = {"sqlite": "sqlite", "postgresql": "postgres"}[connection.dialect.name]
    yield from connection.exec_driver_sql(_sql(expression.op(), dialect)).partitions(_ROWS_AT_ONCE)


@lru_cache(maxsize=128)
def _sql(operation: Any, dialect: str) -> str:
    """The SQL of an expression's operation. Compiling it takes a tenth of a second, a page asks for several, and asks
    for the same again: two expressions that say the same are equal."""
    import ibis

    return str(ibis.to_sql(operation.to_expr(), dialect=dialect))
