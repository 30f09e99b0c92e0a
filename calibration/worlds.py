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


def _joint(p: float, strength: float, abstained: float) -> FloatArray:
    """[6, 2]: P(level, Y) for latent score = strength * (Y - p) / sd + noise, cut at quantiles."""
    cuts = np.asarray(ndtri(LEVEL_QUANTILES)) * math.sqrt(1.0 + strength**2)
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
def _cached(p: float, rho: float, abstained: float) -> FloatArray:
    if rho <= 0:
        return _joint(p, 0.0, abstained)
    strength = brentq(lambda s: correlation(_joint(p, s, abstained)) - rho, 0.0, 12.0)
    return _joint(p, float(strength), abstained)


def joint_distribution(p: float, rho: float, abstained: float = ABSTAINED) -> FloatArray:
    """P(level, Y) float64 [6, 2] with P(Y = 1) = `p` and correlation `rho` of Y with its best prediction by level.

    Levels are monotone in satisfaction; abstention says nothing. Raises `ValueError` where `rho` cannot be reached."""
    return _cached(float(p), float(rho), float(abstained)).copy()


def discrete_laplace(
    rng: np.random.Generator, epsilon: float | None, shape: tuple[int, ...], releases: int = 1
) -> NDArray[np.int64]:
    """Sum of `releases` independent discrete Laplace draws of scale 1/epsilon (simulation only: not a CSPRNG)."""
    if epsilon is None:
        return np.zeros(shape, dtype=np.int64)
    success = 1.0 - math.exp(-epsilon)
    up = rng.negative_binomial(releases, success, size=shape)
    return (up - rng.negative_binomial(releases, success, size=shape)).astype(np.int64)


def draw_cells(
    rng: np.random.Generator,
    joint: ArrayLike,
    rated: int,
    visits: int,
    replications: int,
    epsilon: float | None = None,
    releases: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Response at random: (noisy tables [r, 6, 3], exact satisfied [r], true satisfied among all visits [r])."""
    flat = np.asarray(joint, dtype=np.float64).reshape(-1)
    flat = flat / flat.sum()
    answered = rng.multinomial(rated, flat, size=replications).reshape(replications, LEVELS, 2)
    silent = rng.multinomial(visits - rated, flat, size=replications).reshape(replications, LEVELS, 2)
    table = np.concatenate([silent.sum(axis=-1, keepdims=True), answered], axis=-1)
    noise = discrete_laplace(rng, epsilon, table.shape, releases)
    satisfied = answered[..., 1].sum(axis=-1)
    return table + noise, satisfied, satisfied + silent[..., 1].sum(axis=-1)
