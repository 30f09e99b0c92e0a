"""The smallest truth a simulation needs: how levels and satisfaction go together, and noisy tables drawn from it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from calibration.tables import LEVELS, SEEN_LEVELS

FloatArray = NDArray[np.float64]
LEVEL_QUANTILES = (0.10, 0.30, 0.60, 0.85)
"""Cuts of the seen visits into five levels, before the signal moves them."""
ABSTAINED = 0.12
"""Share of visits without a level."""


def _joint(p: float, strength: float, abstained: float, shift: float = 0.0) -> FloatArray:
    """[6, 2]: P(level, Y) for latent score = strength * (Y - p) / sd + noise, cut at quantiles moved by `shift`."""
    cuts = (np.asarray(ndtri(LEVEL_QUANTILES)) - shift) * math.sqrt(1.0 + strength**2)
    joint = np.zeros((LEVELS, 2))
    for y, weight in ((0, 1.0 - p), (1, p)):
        centre = strength * (y - p) / math.sqrt(p * (1 - p))
        edges = np.concatenate([[0.0], ndtr(cuts - centre), [1.0]])
        joint[:SEEN_LEVELS, y] = (1.0 - abstained) * weight * np.diff(edges)
        joint[SEEN_LEVELS, y] = abstained * weight
    return joint


def correlation(joint: FloatArray) -> float:
    """Correlation of Y with E[Y | level] in a joint distribution [6, 2]."""
    level = joint.sum(axis=1)
    p = float(joint[:, 1].sum())
    share = np.divide(joint[:, 1], level, out=np.full(len(level), p), where=level > 0)
    return math.sqrt(max(float((level * (share - p) ** 2).sum()), 0.0) / (p * (1 - p)))


@lru_cache(maxsize=512)
def _strength(p: float, rho: float, abstained: float) -> float:
    if rho <= 0:
        return 0.0
    return float(brentq(lambda s: correlation(_joint(p, s, abstained)) - rho, 0.0, 12.0))


def joint_distribution(p: float, rho: float, abstained: float = ABSTAINED, shift: float = 0.0) -> FloatArray:
    """P(level, Y) float64 [6, 2] with P(Y = 1) = `p` and correlation `rho` of Y with its best prediction by level.

    Levels are monotone in satisfaction; abstention says nothing. `shift`: all scores read so many standard deviations
    higher (a drifted camera, staff who make people smile). Raises `ValueError` where `rho` cannot be reached."""
    return _joint(p, _strength(float(p), float(rho), float(abstained)), abstained, shift)


def discrete_laplace(
    rng: np.random.Generator, epsilon: float | None, shape: tuple[int, ...], releases: int = 1
) -> NDArray[np.int64]:
    """Sum of `releases` independent discrete Laplace draws of scale 1/epsilon (simulation only: not a CSPRNG)."""
    if epsilon is None:
        return np.zeros(shape, dtype=np.int64)
    success = 1.0 - math.exp(-epsilon)
    up = rng.negative_binomial(releases, success, size=shape)
    return (up - rng.negative_binomial(releases, success, size=shape)).astype(np.int64)


def split_by_response(
    joint: ArrayLike, rate: float, by_level: float = 0.0, by_satisfaction: float = 0.0, last: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """(rated, silent) joint distributions [6 or 7, 2], each summing to 1, at response `rate` (0..1, not included).

    P(answers | level, Y) is proportional to exp(by_level (level - 2) / 2 + by_satisfaction Y), in the last row (without
    a level, or not agreed) to `last` times that of the middle level, scaled to `rate` and cut at .98."""
    full = np.asarray(joint, dtype=np.float64)
    full = full / full.sum()
    offset = np.zeros((len(full), 1))
    offset[:SEEN_LEVELS, 0] = (np.arange(SEEN_LEVELS) - 2.0) / 2.0
    odds = np.exp(by_level * offset + by_satisfaction * np.arange(2.0)[None, :])
    odds[-1] *= last

    def answers(scale: float) -> FloatArray:
        return np.asarray(np.minimum(scale * odds, 0.98))

    scale = brentq(lambda s: float((full * answers(s)).sum()) - rate, 1e-9, 1e4)
    rated = full * answers(float(scale))
    silent = full - rated
    return rated / rated.sum(), silent / silent.sum()


def draw_cells(
    rng: np.random.Generator,
    joint: ArrayLike,
    rated: int,
    visits: int,
    replications: int,
    epsilon: float | None = None,
    releases: int = 1,
    silent: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(Noisy tables [r, 6 or 7, 3], exact satisfied of `rated` [r], true satisfied of all `visits` [r]).

    Rated visits follow `joint` [6 or 7, 2], the others `silent` (the same by default: response at random)."""

    def draw(size: int, distribution: ArrayLike) -> NDArray[np.int64]:
        flat = np.asarray(distribution, dtype=np.float64).reshape(-1)
        return rng.multinomial(size, flat / flat.sum(), size=replications).reshape(replications, -1, 2)

    answered = draw(rated, joint)
    unanswered = draw(visits - rated, joint if silent is None else silent)
    table = np.concatenate([unanswered.sum(axis=-1, keepdims=True), answered], axis=-1)
    noise = discrete_laplace(rng, epsilon, table.shape, releases)
    satisfied = answered[..., 1].sum(axis=-1)
    return table + noise, satisfied, satisfied + unanswered[..., 1].sum(axis=-1)
