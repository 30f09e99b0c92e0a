"""Intervals for a share: Wilson's, and Wilson's at an effective sample size with t quantiles.

Sources: Wilson 1927; Brown, Cai, DasGupta 2001 (its coverage); Korn, Graubard 1998 and Franco et al. 2019 (effective
sample size in place of n for surveys). All functions broadcast over arrays.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

FloatArray = NDArray[np.float64]
LEVEL: Final = 0.95


def normal_quantile(level: float = LEVEL) -> float:
    """Two-sided standard normal quantile (1.96 at .95)."""
    return float(ndtri(0.5 + level / 2))


def t_quantile(degrees: ArrayLike, level: float = LEVEL) -> FloatArray:
    """Two-sided Student quantile; `degrees` [...] of freedom, taken as at least 1."""
    return np.asarray(stdtrit(np.maximum(np.asarray(degrees, dtype=np.float64), 1.0), 0.5 + level / 2))


def wilson(
    share: ArrayLike, n_eff: ArrayLike, quantile: ArrayLike | None = None, level: float = LEVEL
) -> tuple[FloatArray, FloatArray]:
    """Wilson's interval (low, high) for `share` [...] in [0, 1] at sample size `n_eff` [...] >= 0 (0: the whole scale).

    `quantile`: normal by default, or Student's for an estimated effective size."""
    p = np.clip(np.asarray(share, dtype=np.float64), 0.0, 1.0)
    n = np.maximum(np.asarray(n_eff, dtype=np.float64), 0.0)
    q2 = np.square(normal_quantile(level) if quantile is None else np.asarray(quantile, dtype=np.float64))
    safe = np.maximum(n, 1e-12)
    centre = (p + q2 / (2 * safe)) / (1 + q2 / safe)
    half = np.sqrt(q2 * p * (1 - p) / safe + np.square(q2 / (2 * safe))) / (1 + q2 / safe)
    low = np.where(n > 0, np.clip(centre - half, 0.0, 1.0), 0.0)
    high = np.where(n > 0, np.clip(centre + half, 0.0, 1.0), 1.0)
    # the interval always holds the share itself; rounding must not say otherwise
    return np.minimum(low, p), np.maximum(high, p)


def beta_interval(
    share: ArrayLike, variance: ArrayLike, degrees: ArrayLike, level: float = LEVEL
) -> tuple[FloatArray, FloatArray]:
    """Quantiles (low, high) [...] of the beta distribution with mean `share` [...] in 0..1 and `variance` [...], which
    is stretched by Student's quantile at `degrees` of freedom over the normal one."""
    p = np.clip(np.asarray(share, dtype=np.float64), 1e-6, 1 - 1e-6)
    stretch = np.square(t_quantile(degrees, level) / normal_quantile(level))
    spread = np.minimum(np.asarray(variance, dtype=np.float64) * stretch, 0.999 * p * (1 - p))
    size = p * (1 - p) / spread - 1.0
    a, b = p * size, (1 - p) * size
    return np.asarray(betaincinv(a, b, 0.5 - level / 2)), np.asarray(betaincinv(a, b, 0.5 + level / 2))


def mixture_quantile(weight: FloatArray, mean: FloatArray, spread: FloatArray, share: float) -> float:
    """Of a mixture of normal distributions with weights (summing to 1), means and standard deviations > 0 [parts]."""
    low, high = float((mean - 10 * spread).min()), float((mean + 10 * spread).max())
    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if weight @ ndtr((middle - mean) / spread) < share else (low, middle)
    return (low + high) / 2
