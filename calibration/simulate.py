"""Worlds with a known truth: what the estimators are tried on, threats included. Seeded; never used on real figures.

`threatened_world` gives the joint distributions of (level, satisfaction) of those who rate and those who do not, now
and in the periods that the curve was learnt from, under one named threat. `simulate_province` draws whole months of a
province, dated ratings and noisy tables, in the records that the analysis takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from calibration.months import AgencyMonth, Stratum
from calibration.ratings import TABLET, DayCount
from calibration.tables import SEEN_LEVELS, EvidenceTable
from calibration.worlds import ABSTAINED, discrete_laplace, joint_distribution, split_by_response
from pipeline.calendar import DayRange

FloatArray = NDArray[np.float64]


class Threat(StrEnum):
    """What may break an assumption."""

    NONE = "none"
    """Response at random, a stable curve."""
    RESPONSE_BY_LEVEL = "response_by_level"
    """Those who look content answer more often; within a level at random."""
    RESPONSE_BY_SATISFACTION = "response_by_satisfaction"
    """Satisfied visitors answer at 1.5 times the odds of others."""
    SELECTIVE_PROMPTING = "selective_prompting"
    """From this month, staff hand the tablet to those who look, and are, content."""
    RATING_ALTERS_FACE = "rating_alters_face"
    """A quarter of the rated visits are read one level higher than they were before rating."""
    STAFF_SMILES = "staff_smiles"
    """From this month, staff make 30 % of visitors, satisfied or not, look one level happier."""
    TRANSFER_CHANNEL = "transfer_channel"
    """Those who do not rate on the tablet are read a quarter of a standard deviation lower, at equal satisfaction."""
    TRANSFER_AGENCY = "transfer_agency"
    """The group's signal means something, this agency's means nothing."""
    CAMERA_SEES = "camera_sees"
    """Dissatisfied visitors are twice as often without a level (they leave sooner, turn away)."""
    DRIFT = "drift"
    """This month every visit is read 0.3 standard deviations lower than when the curve was learnt."""
    SEASON_MIX = "season_mix"
    """Satisfaction was eight points higher when the curve was learnt (another season, other services)."""
    MODE_EFFECT = "mode_effect"
    """Three ratings in ten come by other channels, which answer ten points lower for the same service."""
    CONSENT_BY_SATISFACTION = "consent_by_satisfaction"
    """Half of the visitors agree to be looked at, satisfied ones at twice the odds of others; who does not agree is
    counted apart, and rates a third as often."""


@dataclass(frozen=True, slots=True)
class ThreatenedWorld:
    """Joint distributions float64 [6, 2] ([7, 2] where consent is asked), each summing to 1, and the share satisfied of
    all visits that is sought."""

    rated: FloatArray
    silent: FloatArray
    past_rated: FloatArray
    past_silent: FloatArray
    target: float
    other_channels: float = 0.0
    """Share of ratings by other channels."""
    mode_shift: float = 0.0
    """How much lower those answer."""


def raise_levels(joint: FloatArray, share: float) -> FloatArray:
    """Move `share` of the visits at each seen level below the highest one level up, whatever their satisfaction."""
    moved = joint.copy()
    step = share * joint[: SEEN_LEVELS - 1]
    moved[: SEEN_LEVELS - 1] -= step
    moved[1:SEEN_LEVELS] += step
    return moved


def agreeing(joint: FloatArray, share: float, odds: float) -> FloatArray:
    """The joint distribution [7, 2] where `share` of all visitors agree to be looked at, satisfied ones at `odds` times
    the odds of others: whoever does not is in the last row."""
    weight = joint.sum(axis=0)

    def agree(other: float) -> FloatArray:
        satisfied = odds * other / (1.0 - other + odds * other)
        return np.array([other, satisfied])

    other = float(brentq(lambda x: float((weight * agree(x)).sum()) - share, 1e-9, 1.0 - 1e-9))
    agreed = joint * agree(other)
    return np.concatenate([agreed, (weight - agreed.sum(axis=0))[None, :]])


def threatened_world(p: float, rho: float, threat: Threat, rate: float, strength: float = 1.0) -> ThreatenedWorld:
    """The world under one threat at response `rate`; `strength` scales the figures in `Threat`'s descriptions."""
    joint = joint_distribution(p, rho)
    now = past = (joint, joint)
    other, mode = 0.0, 0.0
    if threat is Threat.RESPONSE_BY_LEVEL:
        now = past = split_by_response(joint, rate, by_level=0.8 * strength)
    elif threat is Threat.RESPONSE_BY_SATISFACTION:
        now = past = split_by_response(joint, rate, by_satisfaction=math.log(1.5) * strength)
    elif threat is Threat.SELECTIVE_PROMPTING:
        now = split_by_response(joint, rate, by_level=0.8 * strength, by_satisfaction=math.log(1.5) * strength)
    elif threat is Threat.RATING_ALTERS_FACE:
        now = past = (raise_levels(joint, 0.25 * strength), joint)
    elif threat is Threat.STAFF_SMILES:
        smiling = raise_levels(joint, 0.3 * strength)
        now = (smiling, smiling)
    elif threat is Threat.TRANSFER_CHANNEL:
        now = past = (joint, joint_distribution(p, rho, shift=-0.25 * strength))
    elif threat is Threat.TRANSFER_AGENCY:
        nothing = joint_distribution(p, 0.0)
        now = (nothing, nothing)
    elif threat is Threat.CAMERA_SEES:
        seen = joint.copy()
        for y, factor in ((0, 2.0), (1, (1 - 2.0 * (1 - p)) / p if p > 0.5 else 1.0)):
            wanted = min(max(ABSTAINED * (1 + (factor - 1) * strength), 0.0), 0.9) * joint[:, y].sum()
            seen[:SEEN_LEVELS, y] *= (joint[:, y].sum() - wanted) / joint[:SEEN_LEVELS, y].sum()
            seen[SEEN_LEVELS, y] = wanted
        now = past = (seen, seen)
    elif threat is Threat.CONSENT_BY_SATISFACTION:
        # also where the curve was learnt: consent was asked from the first month on
        now = past = split_by_response(agreeing(joint, 0.5, 2.0**strength), rate, last=3.0**-strength)
    elif threat is Threat.DRIFT:
        drifted = joint_distribution(p, rho, shift=-0.3 * strength)
        now = (drifted, drifted)
    elif threat is Threat.SEASON_MIX:
        before = joint_distribution(min(p + 0.08 * strength, 0.985), min(rho, 0.5))
        past = (before, before)
    elif threat is Threat.MODE_EFFECT:
        other, mode = 0.3, 0.10 * strength
    return ThreatenedWorld(now[0], now[1], past[0], past[1], p, other, mode)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A province. Shares in 0..1; `icc_day`, `icc_counter`: intraclass correlations of satisfaction."""

    agencies: int = 12
    months: int = 6
    first_month: tuple[int, int] = (2026, 1)
    visits: tuple[int, int] = (300, 4000)
    """Smallest and largest agency's visits a month (log-spaced)."""
    response_rate: float = 0.08
    satisfied: tuple[float, float] = (0.75, 0.93)
    """Lowest and highest agency's share satisfied."""
    rho: float = 0.4
    epsilon: float | None = 1.5
    boxes: int = 1
    counters: int = 3
    icc_day: float = 0.02
    icc_counter: float = 0.0
    threat: Threat = Threat.NONE
    groups: int = 1
    """Agency groups; agencies are dealt round."""
    seed: int = 2026


@dataclass(frozen=True, slots=True)
class SimulatedProvince:
    """Months in the analysis' records, and the truth behind them by (agency, period)."""

    months: tuple[AgencyMonth, ...]
    truth: dict[tuple[str, DayRange], float]
    """Share satisfied that the agency's way of serving produces."""
    month_truth: dict[tuple[str, DayRange], float]
    """Share satisfied among exactly the month's visits."""


def _clustered_shares(rng: np.random.Generator, p: float, icc: float, size: int) -> FloatArray:
    if icc <= 0:
        return np.full(size, p)
    concentration = (1.0 - icc) / icc
    return np.asarray(rng.beta(p * concentration, (1 - p) * concentration, size=size))


def _agency_month(
    rng: np.random.Generator,
    scenario: Scenario,
    name: str,
    group: str,
    period: DayRange,
    visits: int,
    p: float,
    last: bool,
) -> tuple[AgencyMonth, float]:
    world = threatened_world(p, scenario.rho, scenario.threat, scenario.response_rate)
    rated_joint, silent_joint = (world.rated, world.silent) if last else (world.past_rated, world.past_silent)
    days = [d for d in range((period.end - period.start).days) if (period.start + timedelta(d)).weekday() < 5]
    by_day = _clustered_shares(rng, p, scenario.icc_day, len(days))
    by_counter = _clustered_shares(rng, p, scenario.icc_counter, scenario.counters)
    cells = np.zeros((len(silent_joint), 3), dtype=np.int64)
    counts: list[DayCount] = []
    satisfied_of_all = 0
    per_day = rng.multinomial(visits, np.full(len(days), 1.0 / len(days)))
    given = [joint / joint.sum(axis=0, keepdims=True) for joint in (silent_joint, rated_joint)]
    mean = [float(joint[:, 1].sum()) for joint in (silent_joint, rated_joint)]
    for day, share, of_day in zip(days, by_day, per_day, strict=True):
        per_counter = rng.multinomial(of_day, np.full(scenario.counters, 1.0 / scenario.counters))
        rated_today = kept_today = 0
        for counter_share, size in zip(by_counter, per_counter, strict=True):
            rated = int(rng.binomial(size, scenario.response_rate))
            shift = (share - p) + (counter_share - p)
            for answered, number in ((0, int(size) - rated), (1, rated)):
                kept = int(rng.binomial(number, min(max(mean[answered] + shift, 0.0), 1.0)))
                satisfied_of_all += kept
                for y, amount in ((0, number - kept), (1, kept)):
                    levels = rng.multinomial(amount, given[answered][:, y])
                    cells[:, 0 if not answered else 1 + y] += levels
                if answered:
                    rated_today += rated
                    kept_today += kept
        if rated_today:
            counts.append(DayCount(period.start + timedelta(day), rated_today, kept_today, TABLET))
            extra = int(rng.binomial(rated_today, world.other_channels))
            if extra:
                liked = int(rng.binomial(extra, max(p - world.mode_shift, 0.0)))
                counts.append(DayCount(period.start + timedelta(day), extra, liked, "online"))
    tables = []
    remaining = cells.copy()
    for box in range(scenario.boxes):
        part = remaining if box == scenario.boxes - 1 else rng.binomial(remaining, 1.0 / (scenario.boxes - box))
        remaining = remaining - part
        noisy = part + discrete_laplace(rng, scenario.epsilon, cells.shape)
        tables.append(EvidenceTable.released(noisy, scenario.epsilon, period=period, box=f"{name}/{box}"))
    stratum = Stratum("all", visits, tuple(counts))
    return AgencyMonth(name, group, period, (stratum,), tuple(tables)), satisfied_of_all / max(visits, 1)


def simulate_province(scenario: Scenario | None = None) -> SimulatedProvince:
    """Draw a province's months; the same seed gives the same province."""
    scenario = scenario or Scenario()
    rng = np.random.default_rng(scenario.seed)
    sizes = np.geomspace(*scenario.visits, num=scenario.agencies).round().astype(int)
    shares = rng.uniform(*scenario.satisfied, size=scenario.agencies)
    months: list[AgencyMonth] = []
    truth: dict[tuple[str, DayRange], float] = {}
    month_truth: dict[tuple[str, DayRange], float] = {}
    year, month = scenario.first_month
    for step in range(scenario.months):
        index = year * 12 + month - 1 + step
        period = DayRange.month(index // 12, index % 12 + 1)
        for agency in range(scenario.agencies):
            name = f"agency-{agency + 1:02d}"
            drawn, share = _agency_month(
                rng,
                scenario,
                name,
                f"group-{agency % scenario.groups + 1}",
                period,
                int(sizes[agency]),
                float(shares[agency]),
                step == scenario.months - 1,
            )
            months.append(drawn)
            truth[(name, period)] = float(shares[agency])
            month_truth[(name, period)] = share
    return SimulatedProvince(tuple(months), truth, month_truth)
