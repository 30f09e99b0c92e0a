"""How far rounds are: sheets received against the plan, and days left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func

from pipeline.calendar import today
from server.core.scope import Scope
from server.rounds.rounds import Round
from server.store.tables.plans import plan_strata, plans
from server.store.tables.ratings import RatingState, ratings


@dataclass(frozen=True, slots=True)
class Returns:
    """A round's returns. `received`: sheets that count, of days that are over; `planned`: of its newest plan, None
    without one; `days_left`: with today, 0 once it is over; `starts_in`: days until it begins, 0 once it has."""

    received: int
    planned: int | None
    days_left: int
    starts_in: int

    @property
    def missing(self) -> int:
        """Sheets that the plan still lacks."""
        return max(0, (self.planned or 0) - self.received)

    @property
    def a_day(self) -> int:
        """Sheets a day that it takes to reach the plan."""
        return -(-self.missing // self.days_left) if self.days_left else 0


def round_returns(connection: Connection, province_id: int, rounds: Sequence[Round]) -> dict[int, Returns]:
    """The returns of rounds by their ids."""
    scope, now = Scope(province_id), today()
    forms = (
        scope.select(plans, plans.c.round_id, plans.c.id, func.sum(plan_strata.c.forms))
        .join(plan_strata, plan_strata.c.plan_id == plans.c.id)
        .where(plan_strata.c.drawn)
        .group_by(plans.c.round_id, plans.c.id)
        .order_by(plans.c.id)
    )
    planned = {round_id: int(count) for round_id, _plan, count in connection.execute(forms)}  # the newest stays
    found = {}
    for one in rounds:
        sheets = scope.select(ratings, func.count()).where(
            ratings.c.instrument == one.instrument,
            ratings.c.day.between(one.first_day, min(one.last_day, now - 1)),
            ratings.c.received_day < now,
            ratings.c.state != int(RatingState.SET_ASIDE),
        )
        found[one.id] = Returns(
            int(connection.execute(sheets).scalar_one()),
            planned.get(one.id),
            max(0, one.last_day - max(now, one.first_day) + 1) if one.active else 0,
            max(0, one.first_day - now),
        )
    return found
