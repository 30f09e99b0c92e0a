"""Sampling plans in the store: made from the frame, kept, their returns, who still has to be asked."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, func, insert

from calibration.sampling import PlanSettings, Stratum, draw_plan
from pipeline.calendar import parse_period, today
from pipeline.errors import ConflictError, NotFoundError
from pipeline.language import Message, Text
from server.catalogue.reading import Catalogue, frame_counts, read_catalogue
from server.core.changes import record_change
from server.core.scope import Scope
from server.rounds.rounds import Round, find_round
from server.store.channels import CHANNELS
from server.store.engine import insert_row
from server.store.tables.plans import plan_strata, plans
from server.store.tables.ratings import RatingState, ratings


def agency_levels(catalogue: Catalogue) -> dict[int, str]:
    """Code of the level of every active agency, level by level."""
    return {agency.id: catalogue.levels[agency.parent].code for agency in catalogue.agencies.values()}


def spread_of_last(connection: Connection, province_id: int, frame_period: str) -> dict[tuple[int, int], float]:
    """Standard deviation of satisfied by stratum in the frame's period, drawn towards the province's (5 sheets)."""
    period = parse_period(frame_period)
    query = (
        Scope(province_id)
        .select(
            ratings,
            ratings.c.agency_id,
            ratings.c.service_group,
            func.count(),
            func.count().filter(ratings.c.a00 >= 4),
        )
        .where(
            ratings.c.day.between(period.first_day, period.last_day),
            ratings.c.state != int(RatingState.SET_ASIDE),
            ratings.c.a00 > 0,
        )
        .group_by(ratings.c.agency_id, ratings.c.service_group)
    )
    rows = connection.execute(query).all()
    total, satisfied = sum(row[2] for row in rows), sum(row[3] for row in rows)
    centre = satisfied / total if total else 0.5
    found = {}
    for agency, group, n, k in rows:
        p = (k + 5 * centre) / (n + 5)
        found[agency, group] = math.sqrt(max(p * (1 - p), 0.01))
    return found


def make_plan(
    connection: Connection, province_id: int, round_code: str, code: str, settings: PlanSettings, user_id: int | None
) -> list[Stratum]:
    """Make, draw and keep a plan. Raises `ConflictError`, `StatisticsError`."""
    survey_round = find_round(connection, province_id, code=round_code)
    taken = Scope(province_id).select(plans, plans.c.id).where(plans.c.code == code)
    if not code or len(code) > 40 or connection.execute(taken).first():
        raise ConflictError(
            Message("The plan's code '{code}' is taken, empty or too long.", code=code),
            Message("Choose another with --code."),
        )
    catalogue = read_catalogue(connection, province_id)
    frame = frame_counts(connection, province_id, parse_period(settings.frame))
    spread = spread_of_last(connection, province_id, settings.frame) if settings.method == "neyman" else None
    strata = draw_plan(frame, agency_levels(catalogue), settings, spread)
    values = {"province_id": province_id, "round_id": survey_round.id, "code": code, "seed": settings.seed}
    plan = insert_row(connection, plans, {**values, "settings": json.dumps(asdict(settings)), "made_day": today()})
    connection.execute(
        insert(plan_strata),
        [
            {
                "province_id": province_id,
                "plan_id": plan,
                "agency_id": one.agency_id,
                "service_group": one.service_group,
                "transactions": one.transactions,
                "drawn": one.drawn,
                "forms": one.forms,
                "probability": one.probability,
                "picks": " ".join(map(str, one.picks)),
            }
            for one in strata
        ],
    )
    detail = {"plan": plan, "round": survey_round.id, "seed": settings.seed, "forms": sum(one.forms for one in strata)}
    record_change(connection, province_id, user_id, "plan_made", detail)
    return strata


@dataclass(frozen=True, slots=True)
class Return:
    """One stratum's plan and what has come back. `to_ask`: forms that are still missing."""

    agency: str
    agency_name: Text
    level: str
    service_group: int
    group_name: Text
    transactions: int
    forms: int
    returned: int
    probability: float
    picks: tuple[int, ...]

    @property
    def to_ask(self) -> int:
        """Forms that are still missing."""
        return max(0, self.forms - self.returned)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "agency": self.agency,
            **self.agency_name.columns("agency_"),
            "level": self.level,
            "service_group": self.service_group,
            **self.group_name.columns("group_"),
            "transactions": self.transactions,
            "forms": self.forms,
            "returned": self.returned,
            "probability": self.probability,
            "picks": self.picks,
            "to_ask": self.to_ask,
        }


@dataclass(frozen=True, slots=True)
class PlanState:
    """A plan with its returns."""

    code: str
    round: Round
    settings: dict[str, Any]
    rows: tuple[Return, ...]

    @property
    def forms(self) -> int:
        """Forms to bring back, in all."""
        return sum(row.forms for row in self.rows)

    @property
    def returned(self) -> int:
        """Forms that are back, at most as many as planned in each stratum."""
        return sum(min(row.forms, row.returned) for row in self.rows)

    @property
    def with_forms(self) -> tuple[Return, ...]:
        """The rows that somebody has to do something for: with forms to bring back, or with some that came."""
        return tuple(row for row in self.rows if row.forms or row.returned)

    @property
    def without_forms(self) -> int:
        """How many rows are not among `with_forms`: an agency's fields for which the plan asks nobody."""
        return len(self.rows) - len(self.with_forms)


def plan_codes(connection: Connection, province_id: int) -> list[str]:
    """Codes of the province's plans, newest first."""
    query = Scope(province_id).select(plans, plans.c.code).order_by(plans.c.id.desc())
    return [str(code) for code in connection.execute(query).scalars()]


def plan_state(connection: Connection, province_id: int, code: str, channels: Sequence[str] = ()) -> PlanState:
    """A plan and its returns by stratum: counted sheets of the round's days (of `channels`, or of all that count for
    plans). Raises `NotFoundError`."""
    plan = connection.execute(Scope(province_id).select(plans).where(plans.c.code == code)).first()
    if plan is None:
        known = ", ".join(plan_codes(connection, province_id)) or "none yet"
        raise NotFoundError(
            Message("There is no plan '{code}'.", code=code),
            Message("Known: {known}.", known=known),
        )
    survey_round = find_round(connection, province_id, round_id=plan.round_id)
    catalogue = read_catalogue(connection, province_id)
    wanted = list(channels) or [channel.code for channel in CHANNELS if channel.for_plan]
    query = (
        Scope(province_id)
        .select(ratings, ratings.c.agency_id, ratings.c.service_group, func.count())
        .where(
            ratings.c.instrument == survey_round.instrument,
            ratings.c.day.between(survey_round.first_day, survey_round.last_day),
            ratings.c.channel.in_(wanted),
            ratings.c.state != int(RatingState.SET_ASIDE),
        )
        .group_by(ratings.c.agency_id, ratings.c.service_group)
    )
    back = {(agency, group): int(count) for agency, group, count in connection.execute(query)}
    rows = []
    drawn = Scope(province_id).select(plan_strata).where(plan_strata.c.plan_id == plan.id, plan_strata.c.drawn)
    for row in connection.execute(drawn):
        agency = catalogue.agencies[row.agency_id]
        group = catalogue.groups.get(row.service_group)
        rows.append(
            Return(
                agency.code,
                agency.name,
                catalogue.levels[agency.parent].code,
                row.service_group,
                group.name if group else Text(()),
                row.transactions,
                row.forms,
                back.get((row.agency_id, row.service_group), 0),
                row.probability,
                tuple(int(text) for text in row.picks.split()),
            )
        )
    return PlanState(code, survey_round, json.loads(plan.settings), tuple(rows))
