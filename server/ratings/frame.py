"""Files of finished transactions: the sampling frame and the weights of every index; and how many of them were late."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, Table

from pipeline.calendar import day_date, day_index, month_name, month_of_day, today
from pipeline.language import Message
from server.catalogue.reading import known_agencies, known_groups, read_catalogue
from server.core.scope import Scope
from server.ratings.closing import closed_through
from server.store.tables.transactions import transactions
from server.tabular.spec import Cells, ImportSpec, Options, Problems
from server.tabular.values import read_month, read_whole


class TransactionReader:
    """Counts by agency, service group and month; a line that is there with another count changes it.

    Counts weigh the figures, so those of a closed month stay: of a month that has some, none is changed or added, a
    column that no line of it has may still be filled, and a month that has none is taken whole."""

    table: Table = transactions
    key: tuple[str, ...] = ("agency_id", "service_group", "month")
    change: tuple[str, ...] = ("count", "late", "complained")
    known_by = Message("agency, service group and month")

    def __init__(self, connection: Connection, scope: Scope, _options: Options) -> None:
        catalogue = read_catalogue(connection, scope.province_id)
        self._agencies, self._groups = known_agencies(catalogue), known_groups(catalogue)
        columns = [transactions.c[name] for name in (*self.key, *self.change)]
        self._held = {
            tuple(row[:3]): tuple(row[3:]) for row in connection.execute(scope.select(transactions, *columns))
        }
        closed = closed_through(connection, scope)
        self._closed = -1 if closed is None else closed.last_month
        self._told = {
            (key[2], name)
            for key, held in self._held.items()
            for name, value in zip(self.change, held, strict=True)
            if value is not None
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
        held = self._held.get(tuple(values[name] for name in self.key), (None, None, None))
        for name, before in zip(self.change[1:], held[1:], strict=True):
            given = cells.get(name, "")
            values[name] = problems.of(read_whole, given, otherwise=None) if given else before
            if values[name] is not None and values[name] > values["count"]:
                problems.add(Message("more {name} than dossiers", name=name))
        problems.end()
        if values["month"] <= self._closed and any(
            values[name] != before and (values["month"], name) in self._told
            for name, before in zip(self.change, held, strict=True)
        ):
            problems.add(Message("{month} is closed: its counts stay as they are", month=month_name(values["month"])))
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
