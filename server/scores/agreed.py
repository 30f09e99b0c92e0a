"""How many of an agency's visits agreed to be analysed (`server.boxes.agreed`), from the tables that may be used."""

from __future__ import annotations

from sqlalchemy import Connection

from calibration.tables import NOT_AGREED, cell_noise_variance
from pipeline.calendar import Period
from pipeline.release_kind import NOT_AGREED as KIND
from server.boxes.agreed import Agreed, share_agreed
from server.core.scope import Scope
from server.scores.evidence import month_of_table, monthly_tables
from server.store.tables.releases import releases


def agreed_at(connection: Connection, province_id: int, agency_id: int, period: Period) -> Agreed | None:
    """How many agreed in the months of a period whose boxes count them; None where none does, or there are too few
    visits to say so."""
    any_there = (
        Scope(province_id)
        .select(releases, releases.c.id)
        .where(releases.c.kind == KIND.name, releases.c.agency_id == agency_id)
    )
    if connection.execute(any_there.limit(1)).first() is None:
        return None
    agreed, others, variance = 0, 0, 0.0
    for row, cells, without in monthly_tables(connection, province_id, period.first_month, period.last_month):
        in_period = period.first_month <= month_of_table(row) <= period.last_month
        # where a month's first release has no such count, its visits are no part of those who could say yes or no here
        if row.agency_id == agency_id and len(cells) > NOT_AGREED and not without and in_period:
            agreed, others = agreed + int(cells[:NOT_AGREED].sum()), others + int(cells[NOT_AGREED].sum())
            variance += row.releases * cell_noise_variance(row.epsilon_milli / 1000)
    return share_agreed(agreed, others, variance)
