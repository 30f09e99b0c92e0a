"""With what chance the sampling plan of a period drew each agency and service group."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.calendar import Period
from pipeline.instruments import Instrument
from server.core.scope import Scope
from server.store.tables.plans import plan_strata, plans
from server.store.tables.rounds import rounds


@dataclass(frozen=True, slots=True)
class Chances:
    """`of`: chance in (0, 1] of every (agency, service group) that was drawn. `by_agency`: whether agencies were drawn,
    not only their groups."""

    of: dict[tuple[int, int], float]
    by_agency: bool


def chances(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> Chances | None:
    """Of the newest plan for a round of the instrument that lies in the period; None where there is none, or where it
    left nothing to chance before the transactions."""
    scope = Scope(province_id)
    query = (
        scope.select(plans, plans.c.id, plans.c.settings)
        .join(rounds, (rounds.c.id == plans.c.round_id) & scope.where(rounds))
        .where(
            rounds.c.instrument == instrument.code,
            rounds.c.first_day >= period.first_day,
            rounds.c.last_day <= period.last_day,
        )
        .order_by(plans.c.id.desc())
        .limit(1)
    )
    plan = connection.execute(query).first()
    if plan is None:
        return None
    strata = scope.select(plan_strata).where(plan_strata.c.plan_id == plan.id, plan_strata.c.forms > 0)
    found = {
        (row.agency_id, row.service_group): min(row.probability * row.transactions / row.forms, 1.0)
        for row in connection.execute(strata)
    }
    if all(chance > 1 - 1e-9 for chance in found.values()):
        return None
    return Chances(found, json.loads(plan.settings).get("agencies", 1.0) < 1.0)
