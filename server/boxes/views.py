"""Boxes before whose camera hardly anybody is seen, as their released counts tell it.

A camera that was turned away or covered gives pictures, so the box is at work; that nobody is in view, only its counts
could say, and they leave the box noisy or not at all. What is read here is what was released: nothing more of any visit
is told than the releases tell (post-processing), and a box that releases too little to be sure of is not judged.
"""

from __future__ import annotations

from sqlalchemy import Connection, func

from calibration.noise import noise_bound
from pipeline.release_kind import PULSE
from pipeline.wire import PeriodKind
from server.core.scope import Scope
from server.store.tables.releases import CELL_COLUMNS, releases

DAYS = 7
FEW_A_DAY = 10
TAIL = 0.01
"""A box with `FEW_A_DAY` visits a day is taken for an empty one with at most this probability."""
_WINDOWS_A_DAY = {PeriodKind.HOUR: 24, PeriodKind.FOUR_HOURS: 6, PeriodKind.DAY: 1}


def boxes_without_anybody(connection: Connection, province_id: int, today: int) -> set[int]:
    """Boxes that surely had fewer than `FEW_A_DAY` visits a day, by their pulses of the last `DAYS` days."""
    cells = [releases.c[name] for name in CELL_COLUMNS[: PULSE.cells]]
    query = (
        Scope(province_id)
        .select(
            releases,
            releases.c.box_id,
            releases.c.period_kind,
            func.count().label("windows"),
            func.min(releases.c.epsilon_milli).label("epsilon_milli"),
            func.sum(sum(cells[1:], start=cells[0])).label("visits"),
        )
        .where(
            releases.c.kind == PULSE.name,
            releases.c.held.is_(None),
            releases.c.received_day > today - DAYS,
            releases.c.period_kind.in_([int(kind) for kind in _WINDOWS_A_DAY]),
        )
        .group_by(releases.c.box_id, releases.c.period_kind)
    )
    empty: set[int] = set()
    seen: set[int] = set()
    for row in connection.execute(query):
        days = row.windows / _WINDOWS_A_DAY[PeriodKind(row.period_kind)]
        reach = noise_bound(row.windows * PULSE.cells, row.epsilon_milli / 1000, TAIL)
        few = days >= DAYS - 2 and int(row.visits) + reach < FEW_A_DAY * days
        (empty if few else seen).add(row.box_id)
    return empty - seen
