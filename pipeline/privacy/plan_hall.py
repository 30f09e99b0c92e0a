"""A plan for a hall: several pools on one box, under one policy, and what pooling before the noise saved.

Pools share periods and epsilons, since one box has one policy: the window of the pulse is the shortest that every pool
tolerates, and the evidence gets the most that any pool needs. Beside it stands what the same counters would tell with a
box each: one noisy table for every counter, added up after the noise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.errors import ConfigError
from pipeline.language import Joined, Message, Number, Sentence, Spoken
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


def hall_text(advice: HallAdvice) -> Sentence:
    """In lines, with the tables for edge.toml."""
    lines: list[Spoken | str] = [
        Message(
            "Pulse: {pulse}, epsilon {pulse_epsilon}; evidence a month, epsilon {evidence_epsilon}.",
            pulse=advice.pulse.value if advice.pulse else Message("none within the tolerance of every pool"),
            pulse_epsilon=f"{advice.pulse_epsilon:g}",
            evidence_epsilon=f"{advice.evidence_epsilon:g}",
        ),
        "",
        Message("Index in points of 100, root mean square error; ratio of squared errors to ratings alone:"),
    ]
    for each in advice.pools:
        pool, one, apart = each.pool, each.pooled, each.apart
        planned = Message(
            "{pool}: {counters} counters x {visits} visits a day, ratings alone {points}",
            pool=pool.name,
            counters=pool.counters,
            visits=f"{pool.visits_per_day:g}",
            points=Number(one.explicit_points, 2),
        )
        pooled = _score(Message("pooled before the noise: {points}, ratio {ratio} +- {error}"), one)
        separate = _score(Message("a box for each counter: {points}, ratio {ratio} +- {error}"), apart)
        lines += [Joined(("  ", planned), ""), Joined(("    ", pooled), ""), Joined(("    ", separate), "")]
    settings: dict[str, object] = {"pulse_period": advice.pulse.value} if advice.pulse else {}
    settings |= {
        "pulse_epsilon_milli": round(1_000 * advice.pulse_epsilon),
        "evidence_epsilon_milli": round(1_000 * advice.evidence_epsilon),
        "budget_epsilon_milli": round(1_000 * (advice.pulse_epsilon + advice.evidence_epsilon)),
    }
    lines += ["", *toml_table("[privacy]", settings)]
    for number, each in enumerate(advice.pools, 1):
        pool_settings = {"number": number, "agency": each.pool.name, "clerks": each.pool.counters}
        lines += ["", *toml_table("[[privacy.pools]]", pool_settings)]
    total = advice.pulse_epsilon + advice.evidence_epsilon
    costs = Message("A visit costs {total} at most, in one pool, however many pools there are.", total=f"{total:g}")
    return Joined([*lines, "", costs], "\n")


def toml_table(head: str, settings: Mapping[str, object]) -> list[str]:
    """Lines of a configuration."""
    return [head, *(f"{name} = {json.dumps(value)}" for name, value in settings.items())]


def _score(words: Message, score: ScoreError) -> Message:
    return words.with_params(
        points=Number(score.fused_points, 2), ratio=Number(score.ratio, 3), error=Number(score.ratio_error, 3)
    )
