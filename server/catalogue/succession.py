"""Who took over from whom: communes that were merged, departments that were joined; and the one line through it.

A line goes back from an agency to those that were merged into it. One that was split among several is no part of any
line: what it had cannot be told apart.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table

from pipeline.calendar import month_of_day
from pipeline.language import Message, Text
from server.catalogue.reading import known_agencies, read_catalogue
from server.core.scope import Scope
from server.store.tables.agencies import agencies, agency_successors
from server.tabular.spec import Cells, ImportSpec, Options, Problems
from server.tabular.values import read_day


@dataclass(frozen=True, slots=True)
class Line:
    """The agencies that an agency's line is made of. `members`: agency -> the day on which it went over into the next
    one, None for the agency itself. `breaks`: days on which one did, oldest first. `split`: agencies that were split,
    a part of which went over: they are left out."""

    agency_id: int
    members: dict[int, int | None]
    breaks: tuple[int, ...]
    split: frozenset[int]

    @classmethod
    def alone(cls, agency_id: int) -> Line:
        """An agency without those that were merged into it."""
        return cls(agency_id, {agency_id: None}, (), frozenset())

    def counts(self, agency_id: int, month: int) -> bool:
        """Whether the month is one of the line's for a member: before the month in which it went over."""
        day = self.members[agency_id]
        return day is None or month < month_of_day(day)

    @property
    def break_months(self) -> tuple[int, ...]:
        """The months in which the line breaks: the first that the new agency counts in."""
        return tuple(sorted({month_of_day(day) for day in self.breaks}))


def line_of(connection: Connection, scope: Scope, agency_id: int) -> Line:
    """The line that ends with an agency; without a merger the agency alone."""
    columns = (agency_successors.c.agency_id, agency_successors.c.successor_id, agency_successors.c.day)
    before: dict[int, list[tuple[int, int]]] = defaultdict(list)
    after: dict[int, int] = defaultdict(int)
    for old, new, day in connection.execute(scope.province.select(agency_successors, *columns)):
        before[new].append((old, day))
        after[old] += 1
    members: dict[int, int | None] = {agency_id: None}
    split, breaks, open_ones = set(), set(), [agency_id]
    while open_ones:
        for old, day in before[open_ones.pop()]:
            if after[old] > 1:
                split.add(old)
            elif old not in members:
                members[old] = day
                open_ones.append(old)
            breaks.add(day)
    return Line(agency_id, members, tuple(sorted(breaks)), frozenset(split))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An agency before or after another. `day`: when the later one took over."""

    code: str
    name: Text
    day: int


def successors_of(connection: Connection, scope: Scope, agency_id: int) -> list[Neighbour]:
    """Those that took over from an agency, the earliest first."""
    return _neighbours(connection, scope, agency_id, agency_successors.c.agency_id, agency_successors.c.successor_id)


def predecessors_of(connection: Connection, scope: Scope, agency_id: int) -> list[Neighbour]:
    """Those that an agency took over from, the earliest first."""
    return _neighbours(connection, scope, agency_id, agency_successors.c.successor_id, agency_successors.c.agency_id)


def _neighbours(
    connection: Connection, scope: Scope, agency_id: int, own: Column[int], other: Column[int]
) -> list[Neighbour]:
    query = (
        scope.province.select(agency_successors, agency_successors.c.day, agencies.c.code, agencies.c.name)
        .join(agencies, agencies.c.id == other)
        .where(own == agency_id)
        .order_by(agency_successors.c.day, agencies.c.code)
    )
    return [Neighbour(row.code, row.name, row.day) for row in connection.execute(query)]


def existing_successor(connection: Connection, scope: Scope, agency_id: int, day: int) -> int:
    """The agency that stands on `day` for one that programs still name by its old code: the one that took over from
    it, or from that one. An agency that exists, that was split, or that nobody took over from stands for itself."""
    met: set[int] = set()
    while agency_id not in met:
        met.add(agency_id)
        ended = agencies.c.last_day.is_not(None) & (agencies.c.last_day < day)
        if connection.execute(scope.select(agencies, agencies.c.id).where(agencies.c.id == agency_id, ended)).first():
            after = (agency_successors.c.agency_id == agency_id, agency_successors.c.day <= day)
            query = scope.select(agency_successors, agency_successors.c.successor_id).where(*after)
            found = list(connection.execute(query).scalars())
            agency_id = found[0] if len(found) == 1 else agency_id
    return agency_id


class SuccessorReader:
    """Reads rows of a file: agency, successor, day."""

    table: Table = agency_successors
    key: tuple[str, ...] = ("agency_id", "successor_id")
    change: tuple[str, ...] = ("day",)
    known_by = Message("agency and successor")

    def __init__(self, connection: Connection, scope: Scope, _options: Options) -> None:
        self._agencies = known_agencies(read_catalogue(connection, scope.province_id))
        columns = (agency_successors.c.agency_id, agency_successors.c.successor_id)
        self._after: dict[int, set[int]] = defaultdict(set)
        for old, new in connection.execute(scope.select(agency_successors, *columns)):
            self._after[old].add(new)

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError`: also where an agency would come from itself."""
        problems = Problems()
        day = cells.get("day", "")
        if not day:
            problems.add(Message("the day is missing"))
        old = problems.of(self._agencies.find, cells.get("agency", ""), otherwise=0)
        new = problems.of(self._agencies.find, cells.get("successor", ""), otherwise=0)
        if old and new and self._leads_to(new, old):
            problems.add(Message("an agency would come from itself"))
        values = {
            "agency_id": old,
            "successor_id": new,
            "day": problems.of(read_day, day, otherwise=0) if day else 0,
        }
        problems.end()
        self._after[old].add(new)
        return values

    def _leads_to(self, start: int, end: int) -> bool:
        met, open_ones = {start}, [start]
        while open_ones:
            one = open_ones.pop()
            if one == end:
                return True
            open_ones += self._after[one] - met
            met |= self._after[one]
        return False


SUCCESSORS = ImportSpec("successors", ("agency", "successor", "day"), (), SuccessorReader)
