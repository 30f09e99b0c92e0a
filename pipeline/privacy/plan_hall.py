"""A plan for a hall: several pools on one box, under one policy, and what pooling before the noise saved.

Pools share periods and epsilons, since one box has one policy: the window of the pulse is the shortest that every pool
tolerates, and the evidence gets the most that any pool needs. Beside it stands what the same counters would tell with a
box each: one noisy table for every counter, added up after the noise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.privacy.plan import (
    PULSE_EPSILON,
    PULSE_TOLERANCE,
    TOTAL_EPSILON,
    Figures,
    ScoreError,
    pulse_error,
    recommend,
    score_error,
)
from pipeline.privacy.policy import PulsePeriod


@dataclass(frozen=True, slots=True)
class PlannedPool:
    """Public planning figures of one pool: `counters` with a clerk each, `visits_per_day` of each counter."""

    name: str
    counters: int
    visits_per_day: float

    @classmethod
    def parse(cls, text: str) -> PlannedPool:
        """From `NAME=COUNTERSxVISITS`, such as `so-tu-phap=8x33`. Raises `ConfigError`."""
        found = re.fullmatch(r"([A-Za-z0-9_.-]{1,40})=(\d{1,2})x(\d{1,5}(?:\.\d+)?)", text)
        if found is None or not 1 <= int(found[2]) <= 64 or float(found[3]) <= 0:
            raise ConfigError(
                Message("'{text}' plans no pool.", text=text),
                Message("Write NAME=COUNTERSxVISITS a day of each counter: --pool so-tu-phap=8x33."),
            )
        return cls(found[1], int(found[2]), float(found[3]))

    def figures(self, common: Figures) -> Figures:
        """Those of the pool as one box's."""
        return replace(common, visits_per_day=self.visits_per_day * self.counters, counters=self.counters, boxes=1)


@dataclass(frozen=True, slots=True)
class PoolAdvice:
    """What the hall's policy means for one pool: error of the index from its one table, and from a table a counter."""

    pool: PlannedPool
    pooled: ScoreError
    apart: ScoreError


@dataclass(frozen=True, slots=True)
class HallAdvice:
    """One policy for all pools. `pulse`: None for none."""

    pulse: PulsePeriod | None
    pulse_epsilon: float
    evidence_epsilon: float
    pools: tuple[PoolAdvice, ...]


def recommend_hall(pools: tuple[PlannedPool, ...], common: Figures) -> HallAdvice:
    """The policy for a hall. Raises `ConfigError` where a pool has one clerk, or too few visits to plan with."""
    for pool in pools:
        if pool.counters < 2:
            raise ConfigError(
                Message("Pool '{name}' has one clerk: its table would be that person's score.", name=pool.name),
                Message("Plan it within the pool that it joins."),
            )
    planned = [pool.figures(common) for pool in pools]
    windows = [
        period
        for period in PulsePeriod
        if all(pulse_error(figures, period, PULSE_EPSILON) <= PULSE_TOLERANCE for figures in planned)
    ]
    pulse = windows[0] if windows else None
    pulse_epsilon = PULSE_EPSILON if pulse else 0.0
    evidence = max(min(recommend(figures).evidence_epsilon, TOTAL_EPSILON - pulse_epsilon) for figures in planned)
    return HallAdvice(
        pulse,
        pulse_epsilon,
        evidence,
        tuple(
            PoolAdvice(pool, score_error(figures, evidence, 1), score_error(figures, evidence, pool.counters))
            for pool, figures in zip(pools, planned, strict=True)
        ),
    )


def hall_text(advice: HallAdvice) -> str:
    """In lines, with the tables for edge.toml."""
    lines = [
        f"Pulse: {advice.pulse.value if advice.pulse else 'none within the tolerance of every pool'}, "
        f"epsilon {advice.pulse_epsilon:g}; evidence a month, epsilon {advice.evidence_epsilon:g}.",
        "",
        "Index in points of 100, root mean square error; ratio of squared errors to ratings alone:",
    ]
    for each in advice.pools:
        pool, one, apart = each.pool, each.pooled, each.apart
        beside = f"{apart.fused_points:.2f}, ratio {apart.ratio:.3f} +- {apart.ratio_error:.3f}"
        lines += [
            f"  {pool.name}: {pool.counters} counters x {pool.visits_per_day:g} visits a day, ratings alone "
            f"{one.explicit_points:.2f}",
            f"    pooled before the noise  {one.fused_points:.2f}, ratio {one.ratio:.3f} +- {one.ratio_error:.3f}",
            f"    a box for each counter   {beside}",
        ]
    lines += ["", "[privacy]"]
    if advice.pulse:
        lines.append(f'pulse_period = "{advice.pulse.value}"')
    lines += [
        f"pulse_epsilon_milli = {round(1_000 * advice.pulse_epsilon)}",
        f"evidence_epsilon_milli = {round(1_000 * advice.evidence_epsilon)}",
        f"budget_epsilon_milli = {round(1_000 * (advice.pulse_epsilon + advice.evidence_epsilon))}",
    ]
    for number, each in enumerate(advice.pools, 1):
        lines += [
            "",
            "[[privacy.pools]]",
            f"number = {number}",
            f'agency = "{each.pool.name}"',
            f"clerks = {each.pool.counters}",
        ]
    total = advice.pulse_epsilon + advice.evidence_epsilon
    lines += ["", f"A visit costs {total:g} at most, in one pool, however many pools there are."]
    return "\n".join(lines)
