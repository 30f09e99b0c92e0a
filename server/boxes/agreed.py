"""How many of a box's visits agreed to be analysed: a public count under noise, where its legal basis is consent.

    share = A / (A + D),   A the evidence's 18 noisy cells together, D the 3 of those who did not agree.

What is told is the share of just these visits, so its error is the noise alone. A - share (A + D) has the variance
v (18 (1 - share)^2 + 3 share^2), with v the noise variance of a cell: the interval is of all shares of which it is not
further from nought than its quantile and half a visit, since counts are whole (Fieller 1954; ADR 0233).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from operator import add

from sqlalchemy import Connection, func

from calibration.intervals import LEVEL, normal_quantile
from calibration.tables import cell_noise_variance
from pipeline.calendar import month_of_day
from pipeline.language import Message, Number
from pipeline.release_kind import EVIDENCE, MONTHLY, NOT_AGREED
from pipeline.wire import PeriodKind
from server.boxes.release_gate import implausible_evidence
from server.core.scope import Scope
from server.store.tables.boxes import boxes
from server.store.tables.releases import CELL_COLUMNS, releases

MIN_VISITS = 100
"""Of fewer the noise would be most of what is said: so many surely, two standard deviations of their noise below."""
HALVINGS = 20
SHOWN_MONTHS = 3
"""So many months that have ended the page of the boxes adds up."""
CLERKS = 2


@dataclass(frozen=True, slots=True)
class Agreed:
    """`agreed` of `visits`, both noisy and from 0 on; `low` and `high` of the share in per cent, at 95 %."""

    agreed: int
    visits: int
    low: float
    high: float

    @property
    def words(self) -> Message:
        """As pages and papers say it."""
        return Message(
            "About {agreed} of {visits} visits agreed to be analysed ({low} to {high} %). The counts carry noise; the "
            "interval is that of the noise. Where no queue system tells of visits, each touch of the tablet counts as "
            "one.",
            agreed=Number(self.agreed),
            visits=Number(self.visits),
            low=Number(self.low, 1),
            high=Number(self.high, 1),
        )


def share_agreed(agreed: int, others: int, cell_variance: float) -> Agreed | None:
    """From the sums of the two tables' cells, whose noise has `cell_variance`; None of fewer than `MIN_VISITS`."""
    visits = agreed + others
    if visits - 2 * math.sqrt(cell_variance * (EVIDENCE.cells + NOT_AGREED.cells)) < MIN_VISITS:
        return None
    share = min(max(agreed / visits, 0.0), 1.0)

    def end(outermost: float) -> float:
        inside, outside = share, outermost
        for _ in range(HALVINGS):
            tried = (inside + outside) / 2
            cells = EVIDENCE.cells * (1.0 - tried) ** 2 + NOT_AGREED.cells * tried**2
            allowed = normal_quantile(LEVEL) * math.sqrt(cell_variance * cells) + 0.5
            inside, outside = (tried, outside) if abs(agreed - tried * visits) <= allowed else (inside, tried)
        return 100 * outside

    return Agreed(min(max(agreed, 0), visits), visits, end(0.0), end(1.0))


def agreed_by_box(connection: Connection, province_id: int, today: int) -> dict[int, Agreed]:
    """Box -> how many agreed in the last months that have ended, where it counts them. A box of one clerk is not told
    of, nor what is held back or cannot be true."""
    scope = Scope(province_id)
    last = month_of_day(today) - 1
    cells = reduce(add, (func.coalesce(releases.c[name], 0) for name in CELL_COLUMNS)).label("visits")
    names = ("id", "box_id", "epoch", "pool", "kind", "period_kind", "period_index", "epsilon_milli", "received_day")
    query = scope.select(releases, *(releases.c[name] for name in names), cells).join(
        boxes, boxes.c.id == releases.c.box_id
    )
    counting = scope.select(releases, releases.c.box_id).where(releases.c.kind == NOT_AGREED.name)
    query = query.where(
        releases.c.kind.in_([kind.name for kind in MONTHLY]),
        releases.c.held.is_(None),
        releases.c.box_id.in_(counting),
        boxes.c.clerks >= CLERKS,
    )
    tables: dict[tuple[int, ...], dict[str, tuple[int, int]]] = defaultdict(dict)
    rows = connection.execute(query).all()
    held = {table.release_id for table in implausible_evidence(connection, province_id)} if rows else set()
    for row in rows:
        demo = row.period_kind == PeriodKind.DEMO_EVIDENCE
        month = month_of_day(row.received_day) if demo else row.period_index
        if row.id not in held and (demo or last - SHOWN_MONTHS < month <= last):
            window = (row.box_id, row.epoch, row.pool, row.period_kind, row.period_index)
            tables[window][row.kind] = int(row.visits), row.epsilon_milli
    sums: dict[int, tuple[int, int, float]] = defaultdict(lambda: (0, 0, 0.0))
    for (box_id, *_), found in tables.items():
        if len(found) == len(MONTHLY):
            agreed, others, variance = sums[box_id]
            visits, epsilon_milli = found[EVIDENCE.name]
            noise = cell_noise_variance(epsilon_milli / 1000)
            sums[box_id] = agreed + visits, others + found[NOT_AGREED.name][0], variance + noise
    told = {box_id: share_agreed(*figures) for box_id, figures in sums.items()}
    return {box_id: one for box_id, one in told.items() if one is not None}
