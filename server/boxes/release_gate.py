"""The gate for releases: what an enrolled box sends is in figures only as far as it can be true.

A box has a key, not a conscience: whoever holds one key could send tables at will. So a release is held back where

- it is a second one of a pool's window that its epoch has released already (`REPEATED`),
- its window has not ended (`FUTURE`), or ended before the box's epoch began (`BEFORE_EPOCH`),
- its epsilon or its window's length is not what the box was enrolled for (`TERMS`),
- a cell lies further below zero, the whole further above what its clerks can serve, or the rated visits further above
  what their tablets can take, than noise reaches (`IMPOSSIBLE`),

and evidence, once the other counts of its month are known, where even noise does not explain that a box's tables of all
pools and kinds hold more visits than the agency's known transactions allow (`OVER_TRANSACTIONS`), or more rated visits
than the tablet gave ratings (`OVER_RATINGS`). The first four are decided at arrival and kept; the last two follow from
the store at every use, so that late ratings put a table right by themselves.

What is held back is stored, acknowledged (the box does not send it for ever), counted, shown on the health page, and
written into the log of changes. Nothing is deleted. Noise bounds: `calibration/noise.py`, probability 1e-9 a cell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from itertools import chain
from operator import add
from typing import Any

from sqlalchemy import Connection, case, func, select, update

from calibration.noise import noise_bound
from pipeline import wire
from pipeline.calendar import WindowSpan, month_of_day
from pipeline.release_kind import KINDS, MONTHLY, PULSE, Release, ReleaseKind, kind_of
from server.boxes.registry import Box
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.channels import COUNTER_TABLET
from server.store.engine import keys_in, raw_rows
from server.store.tables.boxes import boxes as boxes_table
from server.store.tables.ratings import ratings
from server.store.tables.releases import CELL_COLUMNS, releases
from server.store.tables.transactions import transactions

DEMO_KINDS = (wire.PeriodKind.DEMO_PULSE, wire.PeriodKind.DEMO_EVIDENCE)
MAX_UNSTATED_EPSILON_MILLI = 2_000
"""Of a box whose terms nobody stated: the budget of a visit as it ships (`pipeline.privacy.policy`)."""
MIN_UNSTATED_EPSILON_MILLI = 250
"""The smaller, the more noise explains: of a thousandth every table could be true. Half the pulse's as it ships."""
CLOCKS_APART_S = 3_600
"""The box's clock may be ahead of the server's by so much."""
MAX_VISITS_PER_CLERK_DAY = 200
"""More than one visit in two and a half minutes of an eight-hour day: no counter serves so many."""
FEW_AGENCIES = 500
"""So many are named in a statement; of more the transactions of all are read."""
VISITS_PER_TRANSACTION = 3.0
"""Citizens come more than once, or without a dossier; a table with more visits than that is not believed."""


class Held(StrEnum):
    """Why a release is in no figure."""

    REPEATED = "repeated"
    FUTURE = "future"
    BEFORE_EPOCH = "before_epoch"
    TERMS = "terms"
    IMPOSSIBLE = "impossible"
    OVER_TRANSACTIONS = "over_transactions"
    OVER_RATINGS = "over_ratings"


Window = tuple[int, int, int, str, int, int]
"""Box, epoch, pool, kind, kind of the period and its index: what is released once."""
_WINDOW_COLUMNS = ("box_id", "epoch", "pool", "kind", "period_kind", "period_index")


def _window_of(box_id: int, message: Release) -> Window:
    return box_id, message.epoch, message.pool, kind_of(message).name, int(message.period), message.index


def _stored(connection: Connection, windows: set[Window]) -> set[Window]:
    """Those of these windows that the store holds already, in figures."""
    if not windows:
        return set()
    columns = [releases.c[name] for name in _WINDOW_COLUMNS]
    query = select(*columns).where(releases.c.held.is_(None), keys_in(connection, columns, windows))
    return {(row[0], row[1], row[2], row[3], row[4], row[5]) for row in connection.execute(query)}


class ReleaseGate:
    """Judges the releases of one batch, within its transaction. One batch, one gate: what the store holds of the
    batch's windows is read once, and `write_down` tells the log of changes what was held, once for each box, kind and
    reason, so that a box that floods cannot fill the log."""

    def __init__(self, connection: Connection, now_s: float, batch: Iterable[tuple[int, wire.Message]] = ()) -> None:
        """`batch`: boxes and their messages, whether releases or not."""
        self.connection = connection
        self.now_s = now_s
        self._taken = _stored(
            connection,
            {_window_of(box_id, message) for box_id, message in batch if isinstance(message, Release)},
        )
        self._terms: dict[tuple[int, bool], tuple[int, int | None]] = {}
        """By box, and whether they are the pulse's."""
        self._held: dict[tuple[int, int, ReleaseKind, Held], list[tuple[int, int]]] = defaultdict(list)

    def judge(self, box: Box, message: Release, span: WindowSpan | None) -> Held | None:
        """Why this release of a known box, new in the store, is held back; None where it is in figures. `span`: of its
        window; None for a demonstration's."""
        held = self._window(box, message, span) or self._what_it_says(box, message, span) or self._stated(box, message)
        if held is not None:
            windows = self._held[box.province_id, box.box_id, kind_of(message), held]
            windows.append((int(message.period), message.index))
        return held

    def write_down(self) -> None:
        """Tell the log of changes what was held: the first window of each box, kind and reason, and how many more."""
        for (province_id, box_id, kind, held), windows in self._held.items():
            period, index = windows[0]
            detail = {"box": box_id, "kind": kind.name, "period": period, "index": index, "reason": held.value}
            more = {"tables": len(windows)} if len(windows) > 1 else {}
            record_change(self.connection, province_id, None, "release held", detail | more)
        self._held.clear()

    def _window(self, box: Box, message: Release, span: WindowSpan | None) -> Held | None:
        window = _window_of(box.box_id, message)
        if window in self._taken:
            return Held.REPEATED
        self._taken.add(window)
        if span is None:
            return None
        if span.end_s > self.now_s + CLOCKS_APART_S:
            return Held.FUTURE
        if box.epoch_day is not None and span.last_day < box.epoch_day:
            return Held.BEFORE_EPOCH
        return None

    def _what_it_says(self, box: Box, message: Release, span: WindowSpan | None) -> Held | None:
        epsilon = message.epsilon_milli / 1000
        if min(message.counts) < -noise_bound(1, epsilon):
            return Held.IMPOSSIBLE
        if span is None:
            return None
        days = max(1.0, (span.end_s - span.start_s) / 86_400)
        clerks = box.clerks_of(message.pool, month_of_day(span.first_day))
        most = clerks * MAX_VISITS_PER_CLERK_DAY * days + noise_bound(len(message.counts), epsilon)
        if sum(message.counts) > most:
            return Held.IMPOSSIBLE
        if kind_of(message) is PULSE:
            return None
        # sheets that were set aside are ratings, too: the bound of the ratings' gate alone bounds what pairs may be
        rated = sum(count for cell, count in enumerate(message.counts) if cell % 3)
        cells = 2 * len(message.counts) // 3
        taken = clerks * COUNTER_TABLET.sheets_a_day * days + noise_bound(cells, epsilon)
        return Held.IMPOSSIBLE if rated > taken else None

    def _stated(self, box: Box, message: Release) -> Held | None:
        """Whether the terms are the enrolled ones. Where nobody stated them, the box's first release within the
        budget as it ships does, in the log of changes."""
        if message.period in DEMO_KINDS:
            return None
        kind = kind_of(message)
        pulse = kind is PULSE
        stated = self._terms.get((box.box_id, pulse)) or (
            (box.pulse_epsilon_milli, box.pulse_period) if pulse else (box.evidence_epsilon_milli, None)
        )
        if stated[0] is None:
            if not MIN_UNSTATED_EPSILON_MILLI <= message.epsilon_milli <= MAX_UNSTATED_EPSILON_MILLI:
                return Held.TERMS
            stated = (message.epsilon_milli, int(message.period) if pulse else None)
            self._terms[box.box_id, pulse] = stated
            self._learn(box, kind, *stated)
        fits = message.epsilon_milli == stated[0] and message.period in kind.periods
        return None if fits and (not pulse or int(message.period) == stated[1]) else Held.TERMS

    def _learn(self, box: Box, kind: ReleaseKind, epsilon_milli: int, period: int | None) -> None:
        name = "pulse" if kind is PULSE else "evidence"  # both monthly tables have one epsilon
        values = {f"{name}_epsilon_milli": epsilon_milli} | ({} if period is None else {"pulse_period": period})
        scope = Scope(box.province_id)
        self.connection.execute(scope.update(boxes_table).where(boxes_table.c.id == box.box_id).values(values))
        record_change(self.connection, box.province_id, None, "box terms seen", {"box": box.box_id, **values})


def rejudge_terms(connection: Connection, province_id: int, box_id: int) -> int:
    """After a box's terms were stated: releases held for other terms are in figures where they fit now, and those in
    figures that do not fit are held. Returns how many changed."""
    scope = Scope(province_id)
    box = connection.execute(scope.select(boxes_table).where(boxes_table.c.id == box_id)).one()
    of_box = (releases.c.box_id == box_id, releases.c.period_kind.not_in([int(kind) for kind in DEMO_KINDS]))
    fits = case(
        (
            releases.c.kind == PULSE.name,
            (releases.c.epsilon_milli == box.pulse_epsilon_milli) & (releases.c.period_kind == box.pulse_period),
        ),
        else_=releases.c.epsilon_milli == box.evidence_epsilon_milli,
    )
    changed = 0
    query = scope.select(releases, releases.c.id, releases.c.kind, releases.c.period_kind, releases.c.period_index)
    query = query.add_columns(releases.c.epoch, releases.c.pool, releases.c.held, fits.label("fits")).where(*of_box)
    taken = set()
    for row in connection.execute(query.order_by(releases.c.id)).all():
        window = (row.epoch, row.pool, row.kind, row.period_kind, row.period_index)
        if row.held not in (None, Held.TERMS):
            continue
        held = None if row.fits and window not in taken else Held.REPEATED if row.fits else Held.TERMS
        if held is None:
            taken.add(window)
        if held != row.held:
            where = releases.c.id == row.id
            connection.execute(update(releases).where(where).values(held=None if held is None else held.value))
            changed += 1
    return changed


@dataclass(frozen=True, slots=True)
class Implausible:
    """A monthly table that other counts of its month contradict."""

    release_id: int
    box_id: int
    month: int
    held: Held


def implausible_evidence(
    connection: Connection, province_id: int, first_month: int = 0, last_month: int = 2**31 - 1
) -> list[Implausible]:
    """Monthly tables of these months (both included) that the agency's transactions or its tablets' ratings contradict,
    beyond what noise explains with probability 1e-9. Months without known transactions are not held against them. Those
    who did not agree are in a table of their own, and held against the same figures, with the evidence.

    A box that serves one counter is held against that counter's ratings; several boxes of an agency against the
    agency's: where only all of them together are too many, all are held back, as nobody can tell which."""
    scope = Scope(province_id)
    rows = _monthly_tables(connection, scope, first_month, last_month)
    if not rows:
        return []
    # of other agencies and months nothing is asked: where a box stands at few of thousands, little is read
    first_month, last_month = min(row.period_index for row in rows), max(row.period_index for row in rows)
    given = _tablet_ratings(connection, scope, first_month, last_month)
    known = _transactions(connection, scope, {row.agency_id for row in rows}, first_month, last_month)
    found: dict[int, Implausible] = {}

    def hold(row: Any, held: Held) -> None:
        found.setdefault(row.id, Implausible(row.id, row.box_id, row.period_index, held))

    by_key: dict[tuple[int, int, int], list[Any]] = defaultdict(list)
    by_agency: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in rows:
        month = row.period_index
        if (
            row.counter_id is not None
            and row.pool == 1
            and _more_rated(given[row.agency_id, row.counter_id, month], [row])
        ):
            hold(row, Held.OVER_RATINGS)
        if row.id not in found:
            by_key[row.box_id, row.agency_id, month].append(row)
    for (_, agency_id, month), of_key in by_key.items():
        if _more_visits(known.get((agency_id, month)), of_key):  # the tables of all its pools and kinds together
            for row in of_key:
                hold(row, Held.OVER_TRANSACTIONS)
        else:
            by_agency[agency_id, month] += of_key
    for (agency_id, month), of_agency in by_agency.items():
        if _more_rated(given[agency_id, None, month], of_agency):
            for row in of_agency:
                hold(row, Held.OVER_RATINGS)
    return list(found.values())


def held_by_box(connection: Connection, province_id: int) -> dict[int, dict[str, int]]:
    """Of every box that has any: how many of its releases are in no figure, by reason."""
    keys = (releases.c.box_id, releases.c.held)
    query = Scope(province_id).select(releases, *keys, func.count().label("tables")).where(releases.c.held.is_not(None))
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in connection.execute(query.group_by(*keys)):
        found[row.box_id][row.held] += row.tables
    for table in implausible_evidence(connection, province_id):
        found[table.box_id][table.held.value] += 1
    return {box_id: dict(reasons) for box_id, reasons in found.items()}


def _monthly_tables(connection: Connection, scope: Scope, first_month: int, last_month: int) -> Sequence[Any]:
    names = ("id", "agency_id", "box_id", "pool", "kind", "period_index", "epsilon_milli")
    outcomes = (
        reduce(add, (func.coalesce(releases.c[name], 0) for name in CELL_COLUMNS[outcome::3])).label(
            f"outcome{outcome}"
        )
        for outcome in range(3)
    )
    query = scope.select(releases, *(releases.c[name] for name in names), *outcomes, boxes_table.c.counter_id).join(
        boxes_table, boxes_table.c.id == releases.c.box_id
    )
    query = query.where(
        releases.c.kind.in_([kind.name for kind in MONTHLY]),
        releases.c.held.is_(None),
        releases.c.period_kind == int(wire.PeriodKind.MONTH),
        releases.c.period_index.between(first_month, last_month),
    )
    return connection.execute(query).all()


def _cells(row: Any) -> int:
    return next(kind.cells for kind in KINDS if kind.name == row.kind)


def _visits(row: Any) -> int:
    return int(row.outcome0 + row.outcome1 + row.outcome2)


def _column(row: Any, outcome: int) -> int:
    return int(getattr(row, f"outcome{outcome}"))


def _more_visits(most: int | None, rows: Sequence[Any]) -> bool:
    """Whether a box's tables of one agency and month hold more visits than its transactions allow."""
    if most is None:
        return False
    epsilon = min(row.epsilon_milli for row in rows) / 1000
    noise = noise_bound(sum(map(_cells, rows)), epsilon)
    return sum(map(_visits, rows)) > VISITS_PER_TRANSACTION * most + noise


def _more_rated(given: tuple[int, int], rows: Sequence[Any]) -> bool:
    """Whether tables hold more not satisfied, more satisfied, or more rated visits than there are such ratings."""
    epsilon = min(row.epsilon_milli for row in rows) / 1000
    dissatisfied = sum(_column(row, 1) for row in rows)
    satisfied = sum(_column(row, 2) for row in rows)
    cells = sum(map(_cells, rows)) // 3
    one, both = noise_bound(cells, epsilon), noise_bound(2 * cells, epsilon)
    return dissatisfied > given[0] + one or satisfied > given[1] + one or dissatisfied + satisfied > sum(given) + both


def _tablet_ratings(
    connection: Connection, scope: Scope, first_month: int, last_month: int
) -> dict[tuple[int, int | None, int], tuple[int, int]]:
    """(not satisfied, satisfied) ratings of the tablets by agency, counter (None: the whole agency) and month. Those
    set aside as suspicious count: the box saw them too."""
    satisfied = func.sum(case((ratings.c.a00 >= 4, 1), else_=0))
    keys = (ratings.c.agency_id, ratings.c.counter_id, ratings.c.month)
    query = scope.select(ratings, *keys, func.count().label("rated"), satisfied.label("satisfied")).where(
        ratings.c.channel == COUNTER_TABLET.code,
        ratings.c.a00 > 0,
        ratings.c.month.between(first_month, last_month),
    )
    found: dict[tuple[int, int | None, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for agency, counter, month, rated, good in chain.from_iterable(raw_rows(connection, query.group_by(*keys))):
        counts = (int(rated - good), int(good))
        for place in {(agency, counter, month), (agency, None, month)}:
            before = found[place]
            found[place] = (before[0] + counts[0], before[1] + counts[1])
    return found


def _transactions(
    connection: Connection, scope: Scope, agencies: Collection[int], first_month: int, last_month: int
) -> dict[tuple[int, int], int]:
    keys = (transactions.c.agency_id, transactions.c.month)
    query = scope.select(transactions, *keys, func.sum(transactions.c.count).label("known"))
    query = query.where(transactions.c.month.between(first_month, last_month)).group_by(*keys)
    if len(agencies) <= FEW_AGENCIES:
        query = query.where(transactions.c.agency_id.in_(sorted(agencies)))
    rows = chain.from_iterable(raw_rows(connection, query))
    return {(agency, month): int(count) for agency, month, count in rows}
