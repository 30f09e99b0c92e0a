"""The counts behind the satisfaction group of Decision 766: as the portal's files tell them, and from our own dossiers,
ratings and feedback."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Connection, func

from calibration.decision766 import Counts
from pipeline.calendar import Period, period_of_months, today
from server.core.disclosure import known_day, published
from server.core.scope import Scope
from server.indicators.imports import COUNTS
from server.scores.held import Held, version_of
from server.store.tables.feedback import feedback
from server.store.tables.indicators import indicator_counts
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.transactions import transactions

PROVINCE = 0
"""The unit that is the whole province."""


class Origin(StrEnum):
    """Where counts come from."""

    PORTAL = "portal"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class UnitCounts:
    """A unit's counts in a period. `months`: of how many months they are; 0: a row of the whole period. `known_day`:
    the day they are of, where that was before the period's end; of several months, the first such day. `total_score`:
    as published, where one row says it. `open_petitions`: received and not yet due."""

    unit: int
    counts: Counts
    months: int = 0
    known_day: int | None = None
    total_score: float | None = None
    open_petitions: int = 0


def held_periods(connection: Connection, scope: Scope) -> list[Period]:
    """Periods that the portal's rows are of, and the months, quarters and years of our own counts; the newest first,
    the shorter before the longer."""
    columns = (indicator_counts.c.first_month, indicator_counts.c.last_month)
    found = {tuple(row) for row in connection.execute(scope.select(indicator_counts, *columns).distinct())}
    late = scope.select(transactions, transactions.c.month).where(transactions.c.late.is_not(None)).distinct()
    found |= {(month, month) for month in connection.execute(late).scalars()}
    for first, last in list(found):
        for length in (3, 12):
            start = first - first % length
            if last < start + length:
                found.add((start, start + length - 1))
    order = sorted(found, key=lambda months: (-months[1], months[1] - months[0]))
    return [period_of_months(first, last) for first, last in order]


def unit_counts(connection: Connection, scope: Scope, period: Period, origin: Origin) -> dict[int, UnitCounts]:
    """Counts by unit."""
    return (portal_counts if origin is Origin.PORTAL else own_counts)(connection, scope, period)


def portal_counts(connection: Connection, scope: Scope, period: Period) -> dict[int, UnitCounts]:
    """The portal's counts by unit: the row of the period itself, else its months added up, and in a year the row of a
    quarter of which not every month has one."""
    table = indicator_counts
    query = scope.select(table).where(
        table.c.first_month >= period.first_month, table.c.last_month <= period.last_month
    )
    whole: dict[int, UnitCounts] = {}
    months: dict[int, list[Any]] = defaultdict(list)
    quarters: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        if (row.first_month, row.last_month) == (period.first_month, period.last_month):
            whole[row.unit] = UnitCounts(row.unit, _counts(row), known_day=row.known_day, total_score=row.total_score)
        elif row.first_month == row.last_month:
            months[row.unit].append(row)
        else:
            quarters[row.unit].append(row)
    for unit in months.keys() | quarters.keys():
        if unit not in whole:
            rows = _disjoint(months[unit], quarters[unit])
            known = min((row.known_day for row in rows if row.known_day is not None), default=None)
            told = sum(row.last_month - row.first_month + 1 for row in rows)
            whole[unit] = UnitCounts(unit, sum(map(_counts, rows), Counts()), told, known)
    return whole


def _disjoint(months: Sequence[Any], quarters: Sequence[Any]) -> list[Any]:
    """Rows of which no two are of one month: a quarter's own where not all its months have one, else its months'."""
    told = {row.first_month for row in months}
    chosen = [row for row in quarters if not told.issuperset(range(row.first_month, row.last_month + 1))]
    covered = {month for row in chosen for month in range(row.first_month, row.last_month + 1)}
    return [*chosen, *(row for row in months if row.first_month not in covered)]


def _counts(row: Any) -> Counts:
    return Counts(*(getattr(row, name) for name in COUNTS))


@dataclass(slots=True)
class _Own:
    dossiers: int = 0
    late: int = 0
    complained: int | None = None
    petitions: int = 0
    in_time: int = 0
    good: int = 0
    open: int = 0
    months: set[int] = field(default_factory=set)


_disliked: Held[dict[int, int]] = Held(24)
"""Low ratings while nothing changes: of 3,000 agencies they take seconds to count, and the first page needs them."""


def own_counts(connection: Connection, scope: Scope, period: Period) -> dict[int, UnitCounts]:
    """Our own counts by agency, and their sum as the province's.

    Dossiers: the finished transactions of which it is told how many were late. With a petition or a dislike: as told,
    else the ratings of 1 or 2 that may be shown (`server.core.disclosure`). Petitions: feedback received in the period
    and not refused, of which the outcome is known: answered, or past its day; well where it was neither disliked nor
    reopened."""
    now = today()
    found: dict[int, _Own] = defaultdict(_Own)
    dossiers = scope.select(
        transactions,
        transactions.c.agency_id,
        transactions.c.month,
        func.sum(transactions.c.count),
        func.sum(transactions.c.late),
        func.sum(transactions.c.complained),
    ).where(transactions.c.month.between(period.first_month, period.last_month), transactions.c.late.is_not(None))
    for agency, month, count, late, complained in connection.execute(
        dossiers.group_by(transactions.c.agency_id, transactions.c.month)
    ):
        one = found[agency]
        one.dossiers += int(count)
        one.late += int(late)
        one.months.add(month)
        if complained is not None:
            one.complained = (one.complained or 0) + int(complained)
    _petitions(connection, scope, period, found, now)
    disliked: dict[int, int] = {}
    if any(one.dossiers and one.complained is None for one in found.values()):  # of the others it is told
        of, version = (scope.province_id, scope.agency_id, period), version_of(connection, scope.province_id)
        disliked = _disliked.get(of, version, partial(low_ratings, connection, scope, period))
    units = {
        agency: UnitCounts(
            agency, _of_own(one, disliked.get(agency, 0)), len(one.months), _known(period, now), None, one.open
        )
        for agency, one in found.items()
    }
    if units and scope.agency_id is None:
        whole = sum((one.counts for one in units.values()), Counts())
        months = len(set().union(*(one.months for one in found.values())))
        waiting = sum(one.open_petitions for one in units.values())
        units[PROVINCE] = UnitCounts(PROVINCE, whole, months, _known(period, now), None, waiting)
    return units


def _known(period: Period, now: int) -> int | None:
    # on its first day nothing of it is over: it runs all the same, and is forecast from the months before it
    return now - 1 if period.first_day <= now <= period.last_day else None


def _of_own(one: _Own, disliked: int) -> Counts:
    bad = one.late + (disliked if one.complained is None else one.complained)
    return Counts(one.dossiers, max(0, one.dossiers - bad), one.petitions, one.in_time, one.good)


def _petitions(connection: Connection, scope: Scope, period: Period, found: Mapping[int, _Own], now: int) -> None:
    columns = [feedback.c[name] for name in ("agency_id", "due_day", "answered_day", "liked", "reopened")]
    query = scope.select(feedback, *columns).where(
        feedback.c.received_day.between(period.first_day, period.last_day), feedback.c.status != "rejected"
    )
    for agency, due, answered, liked, reopened in connection.execute(query):
        one = found[agency]
        if answered is None and due >= now:
            one.open += 1
            continue
        in_time = answered is not None and answered <= due
        one.petitions += 1
        one.in_time += in_time
        one.good += in_time and liked is not False and not reopened


def low_ratings(connection: Connection, scope: Scope, period: Period) -> dict[int, int]:
    """Ratings of 1 or 2 overall by agency, of those that may be shown; an agency with too few sheets has none."""
    shown = published(connection, scope.province_id, period)
    condition = shown.condition(ratings.c, known_day(connection), "in_")
    if condition is None:
        return {}
    hidden = shown.hidden_agencies()
    query = (
        scope.select(ratings, ratings.c.agency_id, func.count())
        .where(
            condition,
            ratings.c.month.between(period.first_month, period.last_month),
            ratings.c.state != int(RatingState.SET_ASIDE),
            ratings.c.a00.between(1, 2),
        )
        .group_by(ratings.c.agency_id)
    )
    return {agency: int(count) for agency, count in connection.execute(query) if agency not in hidden}
