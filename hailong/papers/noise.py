"""What a released table can tell about a visit, and what its noise does to the agency's interval: two sentences.

The first holds for every table of that epsilon, whatever the visits: pure differential privacy bounds the odds, and the
best guess of a level has a closed form (`pipeline.audit.schema`). The second is for this agency: its visits and its
ratings a month go into the simulation of `pipeline.privacy.plan`, which adds the noise that is really added.
`tests/privacy/test_paper_noise.py` draws that noise from the real mechanism and counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from calibration.intervals import normal_quantile
from pipeline.audit.schema import evidence_bits, guess_among_levels
from pipeline.errors import ConfigError
from pipeline.language import Message, Number, Sentence
from pipeline.privacy.plan import Figures, score_error

RUNS = 4_000
RHO = 0.3
"""Correlation of signal and satisfaction that is planned with; in the field .1 to .4 is to be expected."""
DAYS = 22
MAX_RESPONSE = 0.95
"""Where everybody rates there is nothing left for the signal to tell."""
EVIDENCE_LEVELS, PULSE_LEVELS = 6, 4
"""Cells among which a visit lies that has a known rating; of a pulse all."""


@dataclass(frozen=True, slots=True)
class Odds:
    """What somebody can learn of one visit from one table of this epsilon. `factor`: by which the odds of any two
    statements about the visit change at most; `replaced`: where it is known that the visit took place. `guess`: chance
    to guess its level right, all other visits and its rating known; 1 / `levels` without the table."""

    factor: float
    replaced: float
    guess: float
    levels: int


def odds_of(epsilon_milli: int, levels: int) -> Odds:
    """For a table of this epsilon, in thousandths."""
    epsilon = epsilon_milli / 1_000
    return Odds(
        evidence_bits(epsilon)["odds_factor"],
        evidence_bits(2 * epsilon)["odds_factor"],
        guess_among_levels(epsilon, levels),
        levels,
    )


@dataclass(frozen=True, slots=True)
class Width:
    """Half widths of the 95 % interval of an agency's month, in points of 100: from ratings alone, with the signal
    without noise, with the signal as it is released."""

    ratings: float
    without_noise: float
    with_noise: float


@lru_cache(maxsize=4_096)
def width_of(visits_a_month: int, ratings_a_month: int, epsilon_milli: int, tables: int) -> Width:
    """By simulation with `RHO`. Raises `ConfigError` where a month has too few ratings to say anything."""
    figures = Figures(
        visits_per_day=visits_a_month / DAYS,
        response=min(MAX_RESPONSE, ratings_a_month / visits_a_month),
        rho=RHO,
        runs=RUNS,
    )
    clear, noisy = score_error(figures, None), score_error(figures, epsilon_milli / 1_000, tables)
    half = normal_quantile()
    return Width(half * noisy.explicit_points, half * clear.fused_points, half * noisy.fused_points)


def odds_sentence(epsilon_milli: int, levels: int) -> Sentence:
    """The first of the two sentences."""
    odds = odds_of(epsilon_milli, levels)
    return Message(
        "From this table somebody who knows every other visit can change the odds of any two statements about one "
        "visit at most by a factor of {factor} ({replaced} where it is known that the visit took place); a guess of "
        "its level among {levels} is right at most {guess} times in 100, and {before} times without the table.",
        factor=Number(odds.factor, 1),
        replaced=Number(odds.replaced, 1),
        guess=Number(100 * odds.guess, 1),
        before=Number(100 / levels, 1),
        levels=Number(levels),
    )


def width_sentence(visits: float | None, ratings: float, epsilon_milli: int, tables: int) -> Sentence:
    """The second of the two sentences."""
    if not visits or ratings < 2:
        return Message(
            "What the noise does to this agency's interval cannot be said: the server knows no transactions or fewer "
            "than two ratings a month of it."
        )
    try:
        width = width_of(round(visits), round(min(ratings, visits)), epsilon_milli, tables)
    except ConfigError as error:
        return Message("What the noise does to this agency's interval cannot be said: {reason}", reason=error.message)
    return Message(
        "With {visits} visits and {ratings} ratings a month this agency's 95 % interval is ± {plain} points from "
        "ratings alone, ± {noisy} with the signal as it is released, and would be ± {clear} without the noise "
        "(simulated with a correlation of {rho}).",
        visits=Number(visits),
        ratings=Number(ratings),
        plain=Number(width.ratings, 1),
        noisy=Number(width.with_noise, 1),
        clear=Number(width.without_noise, 1),
        rho=Number(RHO, 1),
    )
