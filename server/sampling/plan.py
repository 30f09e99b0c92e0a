"""The sampling plan: how many to ask where, who is drawn, who still has to be asked.

Sizes: n = N / (1 + N e^2) (Yamane 1967, the formula of the decisions; about 400 at most for e = 5 %). Allocation to the
strata (agency x service group): in proportion to transactions, or Neyman's with cost, n_h ~ N_h S_h / sqrt(c_h) (Neyman
1934; Cochran 1977, 5.5). Draw in three stages: agencies within each level and service groups within each agency with
probability proportional to size (systematic; Madow 1949), then transactions by a random start and equal steps in the
agency's own register. Everything follows from the seed (NumPy's PCG64), so a plan can be drawn again and checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert

from pipeline.calendar import parse_period, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError, StatisticsError
from pipeline.words import Words
from server.catalogue.reading import Catalogue, frame_counts, read_catalogue
from server.core.changes import record_change
from server.core.scope import Scope
from server.rounds.rounds import Round, find_round
from server.store.engine import insert_row
from server.store.tables.plans import plan_strata, plans
from server.store.tables.ratings import RatingState, ratings

METHODS = ("proportional", "neyman")
SCOPES = ("province", "level", "agency")
MIN_A_STRATUM = 5


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What a plan is made with.

    `frame`: period of the transactions. `error`: e of the formula. `scope`: the populations to which it is applied.
    `agencies`: share of each level's agencies drawn at stage 1. `groups`: at most so many service groups of an agency
    at stage 2 (0: all). `forms`: in all, instead of the formula (0: by the formula). `costs`: cost of a form by code of
    level, for Neyman's allocation."""

    frame: str
    seed: int
    error: float = 0.05
    scope: str = "level"
    method: str = "proportional"
    agencies: float = 1.0
    groups: int = 0
    forms: int = 0
    costs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Stratum:
    """One agency and service group. `forms` to bring back; `probability` that one of its transactions is asked;
    `picks`: ordinal numbers of the transactions drawn."""

    agency_id: int
    service_group: int
    transactions: int
    drawn: bool
    forms: int
    probability: float
    picks: tuple[int, ...]


def official_size(population: int, error: float) -> int:
    """n = N / (1 + N e^2), rounded up.

    >>> official_size(1_000_000, 0.05), official_size(500, 0.05)
    (400, 223)
    """
    if population < 0 or not 0 < error < 1:
        raise StatisticsError(
            Words(
                "A population is not negative, and an error lies between 0 and 1.",
                "Tổng thể không âm, sai số từ 0 đến 1.",
            )
        )
    return min(population, math.ceil(round(population / (1 + population * error**2), 9)))


def allocate(weights: Sequence[float], limits: Sequence[int], total: int, least: int = MIN_A_STRATUM) -> list[int]:
    """`total` in proportion to `weights`, at most `limits`, at least `least` where the limit allows; sums to `total`
    unless the limits or minima do not let it. Rounding by largest remainder."""
    share = np.asarray(weights, dtype=np.float64)
    low = np.minimum(np.asarray(limits, dtype=np.int64), least)
    high = np.where(share > 0, np.asarray(limits, dtype=np.int64), low)
    wanted = int(np.clip(total, low.sum(), high.sum()))
    if not (share > 0).any():
        return [int(size) for size in low]
    # Water filling: the one scale at which the sizes, each kept within its minimum and limit, sum to what is wanted.
    under, over = 0.0, float(high.max() / share[share > 0].min()) + 1.0
    while under < (scale := (under + over) / 2) < over:
        under, over = (scale, over) if np.clip(share * scale, low, high).sum() < wanted else (under, scale)
    size = np.clip(share * over, low, high)
    whole = np.floor(size)
    for place in np.argsort(whole - size, kind="stable")[: round(wanted - float(whole.sum()))]:
        whole[place] += 1
    return [int(value) for value in whole]


def draw_by_size(sizes: Sequence[int], count: int, rng: np.random.Generator) -> tuple[list[int], list[float]]:
    """Systematic draw of `count` places with probability proportional to size; (places drawn, probability of each of
    all places). Places larger than a step are taken for certain."""
    values = np.asarray(sizes, dtype=np.float64)
    probability = np.zeros(len(values))
    if count >= (values > 0).sum():
        probability[values > 0] = 1.0
        return [int(place) for place in np.flatnonzero(values > 0)], probability.tolist()
    certain = np.zeros(len(values), dtype=bool)
    while True:
        left = count - certain.sum()
        rest = values[~certain].sum()
        new = ~certain & (values * left >= rest) & (values > 0)
        if not new.any() or left <= 0:
            break
        certain |= new
    probability[certain] = 1.0
    left = count - int(certain.sum())
    drawn = [int(place) for place in np.flatnonzero(certain)]
    others = np.flatnonzero(~certain & (values > 0))
    if left > 0 and len(others):
        probability[others] = left * values[others] / values[others].sum()
        order = rng.permutation(others)  # systematic draws depend on the order: a random one has no pattern in it
        ends = np.cumsum(probability[order])
        start = rng.uniform()
        drawn += [int(order[np.searchsorted(ends, start + step, side="right")]) for step in range(left)]
    return sorted(drawn), probability.tolist()


def draw_ordinals(population: int, count: int, rng: np.random.Generator) -> tuple[int, ...]:
    """`count` of 1..`population` by a random start and equal steps; every one with probability count / population."""
    if count <= 0:
        return ()
    step = population / count
    start = rng.uniform(0, step)
    return tuple(int(start + step * place) + 1 for place in range(count))


def make_strata(
    frame: Mapping[tuple[int, int], int],
    catalogue: Catalogue,
    settings: PlanSettings,
    spread: Mapping[tuple[int, int], float] | None = None,
) -> list[Stratum]:
    """Sizes and draw for a frame of transactions by (agency, service group).

    `spread`: standard deviation of satisfied (0..0.5) by stratum for Neyman's allocation; .5 where unknown. Raises
    `RequestError` for settings that cannot be, `StatisticsError` for an empty frame."""
    _check(settings)
    frame = {key: count for key, count in sorted(frame.items()) if count > 0 and key[0] in catalogue.agencies}
    if not frame:
        raise StatisticsError(
            Words(
                f"The frame has no transactions in {settings.frame}.",
                f"Khung mẫu kỳ {settings.frame} không có giao dịch.",
            ),
            Words("Import them: hailong server import transactions.", "Hãy nhập số giao dịch ở trang Nhập tệp."),
        )
    rng = np.random.default_rng(settings.seed)
    reach = _first_two_stages(frame, catalogue, settings, rng)
    drawn = [key for key in frame if key in reach]
    # A drawn stratum stands for 1 / probability strata like it.
    stands_for = {key: frame[key] / reach[key] for key in drawn}
    costs = dict(settings.costs)
    weights = {}
    for key in drawn:
        weights[key] = stands_for[key]
        if settings.method == "neyman":
            cost = costs.get(catalogue.levels[catalogue.agencies[key[0]].parent].code, 1.0)
            weights[key] *= (spread or {}).get(key, 0.5) / math.sqrt(cost)
    forms: dict[tuple[int, int], int] = {}
    for members, total in _populations(frame, drawn, catalogue, settings):
        sizes = allocate([weights[key] for key in members], [frame[key] for key in members], total)
        forms |= dict(zip(members, sizes, strict=True))
    strata = []
    for key, count in frame.items():
        n = forms.get(key, 0)
        picks = draw_ordinals(count, n, rng)
        probability = reach.get(key, 0.0) * n / count
        strata.append(Stratum(key[0], key[1], count, key in reach, n, probability, picks))
    return strata


def _check(settings: PlanSettings) -> None:
    if settings.method not in METHODS or settings.scope not in SCOPES:
        raise InvalidError(
            Words(
                f"The method is one of {METHODS}, the scope one of {SCOPES}.",
                "Cách phân bổ hoặc phạm vi không có trong danh sách.",
            )
        )
    if not 0.005 <= settings.error <= 0.5 or not 0 < settings.agencies <= 1 or settings.groups < 0:
        raise InvalidError(
            Words(
                "The error lies between 0.5 % and 50 %, the share of agencies between 0 and 1.",
                "Sai số nằm trong khoảng 0,5 % đến 50 %, tỷ lệ cơ quan từ 0 đến 100 %.",
            )
        )
    if any(cost <= 0 for _, cost in settings.costs) or settings.forms < 0:
        raise InvalidError(
            Words("Costs are positive, and forms are not negative.", "Chi phí phải dương, số phiếu không âm.")
        )


def _first_two_stages(
    frame: Mapping[tuple[int, int], int], catalogue: Catalogue, settings: PlanSettings, rng: np.random.Generator
) -> dict[tuple[int, int], float]:
    """Probability of every stratum that was drawn."""
    reach: dict[tuple[int, int], float] = {}
    for level in catalogue.levels:
        members = sorted({agency for agency, _ in frame if catalogue.agencies[agency].parent == level})
        sizes = [sum(count for (agency, _), count in frame.items() if agency == member) for member in members]
        taken, chance = draw_by_size(sizes, math.ceil(settings.agencies * len(members)), rng)
        for place in taken:
            groups = sorted(group for agency, group in frame if agency == members[place])
            counts = [frame[members[place], group] for group in groups]
            kept, within = draw_by_size(counts, settings.groups or len(groups), rng)
            for position in kept:
                reach[members[place], groups[position]] = chance[place] * within[position]
    return reach


def _populations(
    frame: Mapping[tuple[int, int], int],
    drawn: Sequence[tuple[int, int]],
    catalogue: Catalogue,
    settings: PlanSettings,
) -> list[tuple[list[tuple[int, int]], int]]:
    """The strata drawn of each population of the formula, and its number of forms."""

    def population(key: tuple[int, int]) -> int:
        if settings.scope == "agency":
            return key[0]
        return catalogue.agencies[key[0]].parent if settings.scope == "level" else 0

    totals: dict[int, int] = {}
    members: dict[int, list[tuple[int, int]]] = {}
    for key, count in frame.items():
        totals[population(key)] = totals.get(population(key), 0) + count
    for key in drawn:
        members.setdefault(population(key), []).append(key)
    sizes = {number: official_size(totals[number], settings.error) for number in members}
    if settings.forms:
        share = allocate(
            [float(totals[number]) for number in members], [totals[number] for number in members], settings.forms, 0
        )
        sizes = dict(zip(members, share, strict=True))
    return [(keys, sizes[number]) for number, keys in members.items()]


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
            Words(
                f"The plan's code {code!r} is taken, empty or too long.",
                f"Mã kế hoạch “{code}” đã có, trống hoặc quá dài.",
            ),
            Words("Choose another with --code.", "Hãy chọn mã khác."),
        )
    catalogue = read_catalogue(connection, province_id)
    frame = frame_counts(connection, province_id, parse_period(settings.frame))
    spread = spread_of_last(connection, province_id, settings.frame) if settings.method == "neyman" else None
    strata = make_strata(frame, catalogue, settings, spread)
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
    agency_vi: str
    level: str
    service_group: int
    group_vi: str
    transactions: int
    forms: int
    returned: int
    probability: float
    picks: tuple[int, ...]

    @property
    def to_ask(self) -> int:
        """Forms that are still missing."""
        return max(0, self.forms - self.returned)


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


def plan_codes(connection: Connection, province_id: int) -> list[str]:
    """Codes of the province's plans, newest first."""
    query = Scope(province_id).select(plans, plans.c.code).order_by(plans.c.id.desc())
    return [str(code) for code in connection.execute(query).scalars()]


def plan_state(connection: Connection, province_id: int, code: str, channels: Sequence[str] = ()) -> PlanState:
    """A plan and its returns by stratum: counted sheets of the round's days (of `channels`, or of all but tablets'
    unless named). Raises `NotFoundError`."""
    plan = connection.execute(Scope(province_id).select(plans).where(plans.c.code == code)).first()
    if plan is None:
        known = ", ".join(plan_codes(connection, province_id)) or "none yet"
        raise NotFoundError(
            Words(f"There is no plan {code!r}.", f"Không có kế hoạch “{code}”."),
            Words(f"Known: {known}.", f"Đã có: {known}."),
        )
    survey_round = find_round(connection, province_id, round_id=plan.round_id)
    catalogue = read_catalogue(connection, province_id)
    wanted = list(channels) or ["paper", "online", "sms", "call_1022", "hotline"]
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
                agency.name_vi,
                catalogue.levels[agency.parent].code,
                row.service_group,
                group.name_vi if group else "",
                row.transactions,
                row.forms,
                back.get((row.agency_id, row.service_group), 0),
                row.probability,
                tuple(int(text) for text in row.picks.split()),
            )
        )
    return PlanState(code, survey_round, json.loads(plan.settings), tuple(rows))
