"""From the store to the statistics: the agencies' months as `calibration` reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.months import AgencyMonth, Stratum
from calibration.ratings import TABLET, DayCount
from calibration.tables import EvidenceTable, added_up, cell_noise_variance
from pipeline.calendar import DayRange, Period, day_date, month_of_day
from pipeline.release_kind import EVIDENCE, NOT_AGREED, ReleaseKind
from pipeline.wire import PeriodKind
from server.boxes.release_gate import Held, implausible_evidence
from server.catalogue.agencies import Agency, read_agencies
from server.core.scope import Scope
from server.scores.clerks import left_out, shown_releases
from server.scores.shown import shown_of
from server.scores.sums import pieces, rating_sums, release_sums, run, shown_ratings_table, transaction_sums, unbound
from server.store.channels import COUNTER_TABLET
from server.store.tables.releases import CELL_COLUMNS, releases

HISTORY_MONTHS = 12


@dataclass(slots=True)
class _Figures:
    """What is known of one agency in one span of months."""

    ratings: dict[int, list[DayCount]] = field(default_factory=lambda: defaultdict(list))
    transactions: dict[int, int] = field(default_factory=dict)
    tables: dict[str, list[EvidenceTable]] = field(default_factory=lambda: defaultdict(list))
    """By box: one table a box in the end, its months and epochs added up."""


def day_range(period: Period) -> DayRange:
    """The period as the statistics write it (end excluded)."""
    return period.days


def spans(period: Period, history: int = HISTORY_MONTHS) -> list[Period]:
    """The period and the `history` single months before it, oldest first."""
    first = period.first_month
    months = [Period(str(month), month, month) for month in range(max(0, first - history), first)]
    return [*months, period]


def agency_months(
    connection: Connection, province_id: int, period: Period, history: int = HISTORY_MONTHS
) -> list[AgencyMonth]:
    """Every active agency in the period and in the months before it, for `calibration.analysis.analyze`.

    Evidence of demo boxes, whose periods are seconds, counts for the month in which it came. That of a lone clerk is
    left out (`server/scores/clerks.py`), and so is what cannot be true (`server/boxes/release_gate.py`)."""
    all_spans = spans(period, history)
    span_of = {month: span for span in all_spans for month in span.months}
    first, last = all_spans[0].first_month, period.last_month
    figures: dict[tuple[int, Period], _Figures] = defaultdict(_Figures)
    month_of, date_of = cache(month_of_day), cache(day_date)  # a few hundred days, a million rows
    shown = shown_of(connection, province_id, Period(period.name, first, last))
    rated = pieces(connection, rating_sums(shown_ratings_table(shown), province_id, first, last))
    for row in chain.from_iterable(rated):
        # by the day: a row whose month does not go with its day must not stop the whole province's analysis
        span = span_of.get(month_of(row.day))
        if span is not None:
            channel = TABLET if row.channel == COUNTER_TABLET.code else intern(str(row.channel))
            counter = str(row.counter_id) if row.counter_id else ""
            count = DayCount(date_of(row.day), int(row.rated), int(row.satisfied), channel, counter)
            figures[row.agency_id, span].ratings[row.service_group].append(count)
    for row in run(connection, transaction_sums(unbound("transactions"), province_id, first, last)):
        span = span_of.get(row.month)
        if span is not None:
            known = figures[row.agency_id, span].transactions
            known[row.service_group] = known.get(row.service_group, 0) + int(row.transactions)
    for row, cells, without in monthly_tables(connection, province_id, first, last):
        span = span_of.get(month_of_table(row))
        if span is not None:
            noise = row.releases * cell_noise_variance(row.epsilon_milli / 1000)
            table = EvidenceTable(cells, noise, day_range(span), str(row.box_id), int(row.releases), without)
            figures[row.agency_id, span].tables[table.box].append(table)
    months = []
    for agency in read_agencies(connection, province_id):
        for span in all_spans:
            of_agency = figures.get((agency.agency_id, span))
            if of_agency is not None or span == period:
                months.append(_agency_month(agency, span, of_agency or _Figures()))
    return months


def monthly_tables(
    connection: Connection, province_id: int, first: int, last: int
) -> list[tuple[Any, NDArray[np.int64], int]]:
    """Evidence that may be used, held against what else is known of the months `first` to `last`: (row of
    `release_sums`, its cells [6, 3]; [7, 3] with those who did not agree, where their box counted them apart; and how
    many of its releases have no such count then: of an epoch's first month there is none).

    A box releases both at once. Where one of the two cannot be true, or came twice, the other alone would leave out
    part of the visits: neither is used."""
    held = {table.release_id for table in implausible_evidence(connection, province_id, first, last)}
    apart: dict[tuple[int, ...], Any] = {}
    for row in run(connection, _sums(province_id, NOT_AGREED, held)):
        apart[_key(row)] = row
    broken = _windows_apart(connection, province_id, held)
    found = []
    for row in run(connection, _sums(province_id, EVIDENCE, held)):
        if _key(row)[:-1] in broken:
            continue
        cells = np.array([int(getattr(row, name)) for name in CELL_COLUMNS]).reshape(6, 3)
        beside, without = apart.get(_key(row)), 0
        if beside is not None and beside.releases <= row.releases:
            last_row = [int(getattr(beside, name)) for name in CELL_COLUMNS[: NOT_AGREED.cells]]
            cells, without = np.vstack([cells, last_row]), int(row.releases - beside.releases)
        elif beside is not None:
            continue
        found.append((row, cells, without))
    return found


def _sums(province_id: int, kind: ReleaseKind, held: Collection[int]) -> Any:
    return release_sums(shown_releases(province_id, kind, but=held), province_id, kind)


def _key(row: Any) -> tuple[int, ...]:
    return row.agency_id, row.box_id, row.period_kind, row.period_index, row.epsilon_milli


def _windows_apart(connection: Connection, province_id: int, held: Collection[int]) -> set[tuple[int, ...]]:
    """(agency, box, period's kind and index) of counts of those who did not agree that may not be used."""
    query = Scope(province_id).select(
        releases, releases.c.agency_id, releases.c.box_id, releases.c.period_kind, releases.c.period_index
    )
    # a second one of a window is held, and the first stands
    unusable = (releases.c.held != Held.REPEATED.value) | releases.c.id.in_(sorted(held))
    query = query.where(releases.c.kind == NOT_AGREED.name, unusable)
    return {(row.agency_id, row.box_id, row.period_kind, row.period_index) for row in connection.execute(query)}


def month_of_table(row: Any) -> int:
    """The month that a row of `release_sums` counts for; of a demo's the one in which it came."""
    demo = row.period_kind == PeriodKind.DEMO_EVIDENCE
    return month_of_day(row.last_day) if demo else int(row.period_index)


def left_out_agencies(connection: Connection, province_id: int, period: Period) -> frozenset[int]:
    """Ids of the agencies of which evidence of the period is not used, as it would be one clerk's."""
    found = left_out(connection, province_id, EVIDENCE)
    return frozenset(r.agency_id for r in found if period.first_month <= month_of_table(r) <= period.last_month)


def _agency_month(agency: Agency, span: Period, figures: _Figures) -> AgencyMonth:
    """One service group: its tables are the stratum's; several: the boxes' tables are shared by them."""
    groups = sorted(set(figures.ratings) | set(figures.transactions)) or [0]
    alone = len(groups) == 1
    tables = tuple(replace(added_up(of_box), period=day_range(span)) for _, of_box in sorted(figures.tables.items()))
    strata = tuple(
        Stratum(
            str(group),
            figures.transactions.get(group),
            tuple(figures.ratings.get(group, ())),
            tables if alone else (),
        )
        for group in groups
    )
    return AgencyMonth(str(agency.agency_id), agency.level, day_range(span), strata, () if alone else tables)
