"""What asking by level would save, and what it would cost: a simulation for a decision (ADR 0251). Nothing asks so.

A tablet that asked some visits only, those with an uncertain level more often, would need fewer answers for the same
error: of known chances by level, in proportion to the spread of answers within it (Neyman 1934), one answer of an
uncertain level tells more than one of a level at which all are satisfied. The chances are known, so that no figure need
be biased; the plain share, which the decisions ask for, is.

    python -m benchmarks.asking_by_level
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.worlds import discrete_laplace, joint_distribution

FloatArray = NDArray[np.float64]
MAX_TIMES: Final = 3.0
"""How many times as often the level that is asked most may be asked as the one that is asked least."""
MIN_SPREAD: Final = 0.1
RHOS: Final = (0.3, 0.4, 0.5)
SHARES: Final = (0.75, 0.85, 0.93)
REPLICATIONS: Final = 10_000
VISITS: Final = 3_000
ANSWERS: Final = 150
EPSILON: Final = 1.5


@dataclass(frozen=True, slots=True)
class Price:
    """Of a month of `share` and `rho`. `saved`: fewer answers for the same squared error, as a share of them, against
    as many visits asked at random with levels weighted alike (its Monte Carlo standard `error`). `coverage` of the
    interval under known chances at .95. `plain_bias`: of the plain share, in points. `official`: effective answers of
    the share weighted by the chances without levels, over the answers. `times`: how much more often the level asked
    most is asked; `epsilon`: what being asked tells of a visit's level (local differential privacy)."""

    share: float
    rho: float
    saved: float
    error: float
    coverage: float
    plain_bias: float
    official: float
    times: float
    epsilon: float


def chances(joint: FloatArray, asked: float, most: float = MAX_TIMES) -> FloatArray:
    """[6] chance with which a visit of each level is asked, `asked` of all visits on average (0..1), from P(level,
    satisfied) `joint` [6, 2]: in proportion to the spread of answers, no further apart than `most` times."""
    level = joint.sum(axis=1)
    satisfied = joint[:, 1] / level
    spread = np.maximum(np.sqrt(satisfied * (1 - satisfied)), MIN_SPREAD)
    spread = np.maximum(spread, spread.max() / most)
    return np.asarray(np.minimum(asked * spread / (level @ spread), 1.0))


def _asked(
    rng: np.random.Generator, visits: NDArray[np.int64], chance: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(Answers, satisfied ones) [r, 6] of `visits` [r, 6, 2] asked with `chance` [6]; who is asked answers."""
    answers = rng.binomial(visits, chance[:, None])
    return answers.sum(axis=-1), answers[..., 1]


def _by_level(
    n: NDArray[np.int64], k: NDArray[np.int64], noisy: FloatArray, chance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(Share, its variance) [r]: levels weighted by their noisy counts `noisy` [r, 6]; a level of which fewer than two
    were asked takes the share of all, weighted by the chances."""
    weight = np.maximum(noisy, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    whole = ((k / chance).sum(axis=1) / (n / chance).sum(axis=1))[:, None]
    share = np.where(n >= 2, k / np.maximum(n, 1), whole)
    middle = (k + 2 * whole) / (n + 2)
    variance = (weight**2 * middle * (1 - middle) / np.maximum(n, 1)).sum(axis=1)
    theta = (weight * share).sum(axis=1)
    between = (weight * (share - theta[:, None]) ** 2).sum(axis=1) / VISITS
    return theta, variance + between


def price(rng: np.random.Generator, share: float, rho: float, replications: int = REPLICATIONS) -> Price:
    """Simulated months of `VISITS` visits and about `ANSWERS` answers; level counts released at `EPSILON`.

    The chances are made of the true curve: a learnt one saves less."""
    joint = joint_distribution(share, rho)
    visits = rng.multinomial(VISITS, joint.ravel(), size=replications).reshape(replications, 6, 2)
    noisy = (visits.sum(axis=2) + discrete_laplace(rng, EPSILON, (replications, 6))).astype(np.float64)
    asked = ANSWERS / VISITS
    errors, official, coverage, plain = {}, 0.0, 0.0, 0.0
    alike, by_level = np.full(6, asked), chances(joint, asked)
    for name, chance in (("alike", alike), ("by level", by_level)):
        n, k = _asked(rng, visits, chance)
        theta, variance = _by_level(n, k, noisy, chance)
        errors[name] = (theta - share) ** 2
        if name == "by level":
            plain = float(100 * (k.sum(axis=1) / n.sum(axis=1) - share).mean())
            weighted = (k / chance).sum(axis=1) / (n / chance).sum(axis=1)
            official = float(share * (1 - share) / np.square(weighted - share).mean() / n.sum(axis=1).mean())
            coverage = float((np.abs(theta - share) <= 1.96 * np.sqrt(variance)).mean())
    by, same = errors["by level"], errors["alike"]
    ratio = float(by.mean() / same.mean())
    spread = ratio * math.sqrt(by.var() / by.mean() ** 2 + same.var() / same.mean() ** 2) / math.sqrt(replications)
    # what is not asked is told too: 1 - chance
    tells = max(math.log(one.max() / one.min()) for one in (by_level, 1 - by_level))
    times = float(by_level.max() / by_level.min())
    return Price(share, rho, 1 - ratio, spread, coverage, plain, official, times, tells)


def as_table(found: list[Price]) -> str:
    """Markdown."""
    head = [one.name for one in fields(Price)]
    rows = [[f"{value:.{3 if name == 'error' else 2}f}" for name, value in asdict(one).items()] for one in found]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    rng = np.random.default_rng(2026)
    print(as_table([price(rng, share, rho) for rho in RHOS for share in SHARES]))
