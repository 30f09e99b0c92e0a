"""Files of finished transactions: the sampling frame and the weights of every index; and how many of them were late."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, Table

from pipeline.calendar import day_date, day_index, month_of_day, today
from pipeline.language import Message
from server.catalogue.reading import known_agencies, known_groups, read_catalogue
from server.core.scope import Scope
from server.store.tables.transactions import transactions
from server.tabular.spec import Cells, ImportSpec, Options, Problems
from server.tabular.values import read_month, read_whole


class TransactionReader:
    """Counts by agency, service group and month; a line that is there with another count changes it."""

    table: Table = transactions
    key: tuple[str, ...] = ("agency_id", "service_group", "month")
    change: tuple[str, ...] = ("count", "late", "complained")
    known_by = Message("agency, service group and month")

    def __init__(self, connection: Connection, scope: Scope, _options: Options) -> None:
        catalogue = read_catalogue(connection, scope.province_id)
        self._agencies, self._groups = known_agencies(catalogue), known_groups(catalogue)
        columns = [transactions.c[name] for name in (*self.key, "late", "complained")]
        self._held = {
            tuple(row[:3]): tuple(row[3:]) for row in connection.execute(scope.select(transactions, *columns))
        }

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError`."""
        problems = Problems()
        group = cells.get("service_group", "")
        month, count = cells.get("month", ""), cells.get("count", "")
        if not month:
            problems.add(Message("the month is missing"))
        if not count:
            problems.add(Message("the count is missing"))
        values: dict[str, Any] = {
            "agency_id": problems.of(self._agencies.find, cells.get("agency", ""), otherwise=0),
            "service_group": problems.of(self._groups.find, group, otherwise=0) if group else 0,
            "month": problems.of(_month, month, otherwise=0) if month else 0,
            "count": problems.of(read_whole, count, otherwise=0) if count else 0,
        }
        # a file without these columns leaves what is there
        held = self._held.get(tuple(values[name] for name in self.key), (None, None))
        for name, before in zip(("late", "complained"), held, strict=True):
            given = cells.get(name, "")
            values[name] = problems.of(read_whole, given, otherwise=None) if given else before
            if values[name] is not None and values[name] > values["count"]:
                problems.add(Message("more {name} than dossiers", name=name))
        problems.end()
        return values


def _month(text: str) -> int:
    """The month's index; a year of another calendar, or two digits exchanged, would be no month of any figure."""
    month, last = read_month(text), month_of_day(day_index(date(day_date(today()).year + 1, 12, 1)))
    if month > last:
        raise ValueError(Message("the month '{text}' lies beyond the end of next year", text=text[:20]))
    return month


TRANSACTIONS = ImportSpec(
    "transactions", ("agency", "month", "count"), ("service_group", "late", "complained"), TransactionReader
)
