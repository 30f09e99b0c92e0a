"""The sampling plan: how many to ask where, and who is drawn.

Sizes: n = N / (1 + N e^2) (Yamane 1967, the formula of the decisions; about 400 at most for e = 5 %). Allocation to the
strata (agency x service group): in proportion to transactions, or Neyman's with cost, n_h ~ N_h S_h / sqrt(c_h) (Neyman
1934; Cochran 1977, 5.5). Draw in three stages: agencies within each level and service groups within each agency with
probability proportional to size (systematic; Madow 1949), then transactions by a random start and equal steps in the
agency's own register. Everything follows from the seed (NumPy's PCG64), so a plan can be drawn again and checked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import InvalidError, StatisticsError
from pipeline.language import Message

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


def required_size(population: int, error: float) -> int:
    """n = N / (1 + N e^2), rounded up.

    >>> required_size(1_000_000, 0.05), required_size(500, 0.05)
    (400, 223)
    """
    if population < 0 or not 0 < error < 1:
        raise StatisticsError(Message("A population is not negative, and an error lies between 0 and 1."))
    return min(population, math.ceil(round(population / (1 + population * error**2), 9)))


def allocate(weights: Sequence[float], limits: Sequence[int], total: int, least: int = MIN_A_STRATUM) -> list[int]:
    """`total` in proportion to `weights`, at most `limits`, at least `least` where the limit allows; sums to `total`
    unless the limits do not let it. Where the minima alone are more than `total` they are lowered for all alike: no
    plan asks for more forms than it was given. Rounding by largest remainder."""
    while least > 0 and sum(min(limit, least) for limit in limits) > total:
        least -= 1
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


def draw_plan(
    frame: Mapping[tuple[int, int], int],
    level_of: Mapping[int, str],
    settings: PlanSettings,
    spread: Mapping[tuple[int, int], float] | None = None,
) -> list[Stratum]:
    """Sizes and draw for a frame of transactions by (agency, service group); `level_of`: level of every agency that may
    be drawn, level by level in the order of the draw.

    `spread`: standard deviation of satisfied (0..0.5) by stratum for Neyman's allocation; .5 where unknown. Raises
    `InvalidError` for settings that cannot be, `StatisticsError` for an empty frame."""
    _check(settings)
    frame = {key: count for key, count in sorted(frame.items()) if count > 0 and key[0] in level_of}
    if not frame:
        raise StatisticsError(
            Message("The frame has no transactions in {frame}.", frame=settings.frame),
            Message("Import them: hailong server import transactions."),
        )
    rng = np.random.default_rng(settings.seed)
    reach = _first_two_stages(frame, level_of, settings, rng)
    drawn = [key for key in frame if key in reach]
    # A drawn stratum stands for 1 / probability strata like it.
    stands_for = {key: frame[key] / reach[key] for key in drawn}
    costs = dict(settings.costs)
    weights = {}
    for key in drawn:
        weights[key] = stands_for[key]
        if settings.method == "neyman":
            cost = costs.get(level_of[key[0]], 1.0)
            weights[key] *= (spread or {}).get(key, 0.5) / math.sqrt(cost)
    forms: dict[tuple[int, int], int] = {}
    for members, total in _populations(frame, drawn, level_of, settings):
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
            Message("The method is one of {methods}, the scope one of {scopes}.", methods=METHODS, scopes=SCOPES)
        )
    if not 0.005 <= settings.error <= 0.5 or not 0 < settings.agencies <= 1 or settings.groups < 0:
        raise InvalidError(Message("The error lies between 0.5 % and 50 %, the share of agencies between 0 and 1."))
    if any(cost <= 0 for _, cost in settings.costs) or settings.forms < 0:
        raise InvalidError(Message("Costs are positive, and forms are not negative."))


def _first_two_stages(
    frame: Mapping[tuple[int, int], int], level_of: Mapping[int, str], settings: PlanSettings, rng: np.random.Generator
) -> dict[tuple[int, int], float]:
    """Probability of every stratum that was drawn."""
    reach: dict[tuple[int, int], float] = {}
    groups_of: dict[int, dict[int, int]] = {}
    for (agency, group), count in frame.items():
        groups_of.setdefault(agency, {})[group] = count
    members_of: dict[str, list[int]] = {level: [] for level in level_of.values()}
    for agency in sorted(groups_of):
        members_of[level_of[agency]].append(agency)
    for members in members_of.values():
        sizes = [sum(groups_of[member].values()) for member in members]
        taken, chance = draw_by_size(sizes, math.ceil(settings.agencies * len(members)), rng)
        for place in taken:
            groups = sorted(groups_of[members[place]])
            counts = [groups_of[members[place]][group] for group in groups]
            kept, within = draw_by_size(counts, settings.groups or len(groups), rng)
            for position in kept:
                reach[members[place], groups[position]] = chance[place] * within[position]
    return reach


def _populations(
    frame: Mapping[tuple[int, int], int],
    drawn: Sequence[tuple[int, int]],
    level_of: Mapping[int, str],
    settings: PlanSettings,
) -> list[tuple[list[tuple[int, int]], int]]:
    """The strata drawn of each population of the formula, and its number of forms."""

    def population(key: tuple[int, int]) -> int | str:
        if settings.scope == "agency":
            return key[0]
        return level_of[key[0]] if settings.scope == "level" else ""

    totals: dict[int | str, int] = {}
    members: dict[int | str, list[tuple[int, int]]] = {}
    for key, count in frame.items():
        totals[population(key)] = totals.get(population(key), 0) + count
    for key in drawn:
        members.setdefault(population(key), []).append(key)
    sizes = {number: required_size(totals[number], settings.error) for number in members}
    if settings.forms:
        share = allocate(
            [float(totals[number]) for number in members], [totals[number] for number in members], settings.forms, 0
        )
        sizes = dict(zip(members, share, strict=True))
    return [(keys, sizes[number]) for number, keys in members.items()]
