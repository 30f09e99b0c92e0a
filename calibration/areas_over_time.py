"""Communes over time: an area with few answers borrows from its own earlier quarters as well as from the other areas.

Rao and Yu's area-level model: in quarter t of T, area i shows

    y_it = mu_t + v_i + u_it + e_it,   Var v_i = f s,   u_it an autoregression of variance (1 - f) s and correlation r,

with sampling variance psi_it = deff_it P_t (1 - P_t) / n_it from the quarter's pooled share (ADR 0170) and mu_t free:
a season moves all. Best linear prediction of mu_T + v_i + u_iT, mean squared error g1 + g2.

s, f and r are not estimated and then taken for known: the restricted likelihood is added up over a grid of them, so
that an error in s, which with few areas is large and at zero tempting, is in the mean squared error of every area (in
place of Rao and Yu's g3 and of the boundary where it fails). Weights come from the pooled share, but an answer varies
by the area's own: the error of areas that lie lower is raised by p (1 - p) / P (1 - P).

A commune that changes abruptly must not be smoothed away. Its newest answers are held against what its past and the
others let expect (beta-binomial tails, at `FLAG`: a call to look, not a verdict). A flagged area stands for itself.
Short of a flag no estimate lies further from the area's own figure than `FURTHEST` of its standard errors (limited
translation; Efron, Morris 1972): so far at most can a change be smoothed, and what the limit moves is added to the mean
squared error.

Time and memory grow with the areas. Sources: Rao, Yu 1994; Rao, Molina 2015, ch. 4.4; Datta, Lahiri, Maiti, Lu 1999;
Harville 1974 (restricted likelihood as a posterior).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.intervals import LEVEL, beta_interval
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
FURTHEST: Final = 2.0
SHRINKAGES: Final = (np.arange(12) + 0.5) / 12
LASTING: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
CORRELATIONS: Final = (0.0, 0.4, 0.7, 0.9)
FLAG: Final = 0.005
"""Share of areas that are flagged though they did not change: one in two quarters among 100."""
FEWEST: Final = 5
"""Areas below which nothing is borrowed."""
UNSEEN: Final = 1e6
"""Sampling variance of a quarter without answers: it says nothing."""


@dataclass(frozen=True, slots=True)
class AreasOverTime:
    """Of the newest quarter, float64 [m]: `estimate` and its ends in 0..1, `mse`, `direct` (NaN without answers).

    `changed` bool [m]: whether the newest answers contradict what was expected of the area; `surprise` [m]: probability
    of answers so far out. `lasting`, `correlation`, `between`: f, r and s on average over the grid."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    mse: FloatArray
    direct: FloatArray
    changed: NDArray[np.bool_]
    surprise: FloatArray
    lasting: float
    correlation: float
    between: float


def areas_over_time(
    satisfied: ArrayLike, rated: ArrayLike, design_effect: ArrayLike = 1.0, level: float = LEVEL
) -> AreasOverTime:
    """From `satisfied` of `rated` answers [m, T], oldest quarter first, the newest one wanted; 0 rated: none.

    `design_effect` >= 1, broadcast to [m, T]. Raises `StatisticsError` for impossible counts, fewer than five areas
    and a newest quarter without answers."""
    n, k = np.asarray(rated, dtype=np.float64), np.asarray(satisfied, dtype=np.float64)
    if n.ndim != 2 or k.shape != n.shape or np.any(n < 0) or np.any(k < 0) or np.any(k > n):
        raise StatisticsError(Message("Areas over time: as many satisfied as rated counts, none negative or larger."))
    if len(n) < FEWEST or not n[:, -1].any():
        raise StatisticsError(
            Message("Areas over time: at least {count} areas, and answers in the newest quarter.", count=FEWEST)
        )
    effect = np.maximum(np.broadcast_to(np.asarray(design_effect, dtype=np.float64), n.shape), 1.0)
    kept = n.sum(axis=0) > 0
    n, k, effect = n[:, kept], k[:, kept], effect[:, kept]
    pooled = (k.sum(axis=0) + 1.0) / (n.sum(axis=0) + 2.0)
    asked = n > 0
    psi = np.where(asked, effect * pooled * (1 - pooled) / np.where(asked, n, 1.0), UNSEEN)
    y = np.where(asked, k / np.where(asked, n, 1.0), pooled)
    fits = _Grid(y, psi, asked)
    estimate, mse = fits.mean(0), fits.mean(1)
    mse = mse + fits.mean(0, 2) - estimate**2
    expected = np.clip(fits.mean(2), 0.005, 0.995)
    forecast = fits.mean(3) + fits.mean(2, 2) - fits.mean(2) ** 2
    has, own = asked[:, -1], psi[:, -1]
    surprise = np.ones(len(n))
    surprise[has] = _tails(
        k[has, -1] / effect[has, -1], n[has, -1] / effect[has, -1], expected[has], np.maximum(forecast[has], 1e-8)
    )
    changed = surprise < FLAG
    reach = np.where(has, FURTHEST * np.sqrt(own), np.inf)
    limited = np.clip(estimate, y[:, -1] - reach, y[:, -1] + reach)
    mse = np.where(changed, own, mse + (limited - estimate) ** 2)
    estimate = np.clip(np.where(changed, y[:, -1], limited), 0.0, 1.0)
    mse = mse * np.maximum(1.0, estimate * (1 - estimate) / (pooled[-1] * (1 - pooled[-1])))
    low, high = beta_interval(estimate, mse, len(n) - 1, level)
    return AreasOverTime(
        estimate=estimate,
        low=low,
        high=high,
        mse=mse,
        direct=np.where(has, y[:, -1], np.nan),
        changed=changed,
        surprise=surprise,
        lasting=fits.lasting,
        correlation=fits.correlation,
        between=fits.between,
    )


class _Grid:
    """Predictions at every point of the grid, and averages over it. Of each area: prediction, its error, what was
    expected of the newest answers without them, and its error."""

    def __init__(self, y: FloatArray, psi: FloatArray, asked: NDArray[np.bool_]) -> None:
        lag = np.abs(np.subtract.outer(np.arange(y.shape[1]), np.arange(y.shape[1])))
        typical = float(np.median(psi[asked]))
        points = [
            (typical * b / (1 - b), f, r)
            for b in SHRINKAGES
            for f in LASTING
            for r in (CORRELATIONS if f < 1.0 else (0.0,))
        ]
        log_likelihood, found = [], []
        for s, f, r in points:
            between = s * (f + (1 - f) * r ** lag.astype(np.float64))
            one, prediction = _predict(y, psi, between)
            log_likelihood.append(one)
            found.append(prediction)
        weight = np.exp(np.array(log_likelihood) - max(log_likelihood))
        self._weight = weight / weight.sum()
        self._found = np.array(found)
        self.between, self.lasting, self.correlation = (
            float(self._weight @ np.array(column)) for column in zip(*points, strict=True)
        )

    def mean(self, what: int, power: int = 1) -> FloatArray:
        """[m] mean of a quantity to a power."""
        return np.asarray(np.tensordot(self._weight, self._found[:, what] ** power, axes=1))


def _predict(y: FloatArray, psi: FloatArray, between: FloatArray) -> tuple[float, FloatArray]:
    """(Restricted log-likelihood, [4, m] predictions) with the areas' covariance `between` [T, T]."""
    quarters = y.shape[1]
    whole = np.broadcast_to(between, (len(y), quarters, quarters)).copy()
    whole[:, np.arange(quarters), np.arange(quarters)] += psi
    inverse = np.linalg.inv(whole)
    information = inverse.sum(axis=0)
    covariance = np.linalg.inv(information)
    mu = covariance @ np.einsum("ist,it->s", inverse, y)
    residual = y - mu
    scaled = np.einsum("ist,it->is", inverse, residual)
    log_likelihood = -0.5 * float(
        np.linalg.slogdet(whole)[1].sum() + np.linalg.slogdet(information)[1] + (scaled * residual).sum()
    )
    to_newest = between[:, -1]
    trust = inverse @ to_newest
    prediction = mu[-1] + scaled @ to_newest
    left = -trust
    left[:, -1] += 1.0
    error = between[-1, -1] - trust @ to_newest + np.einsum("is,st,it->i", left, covariance, left)
    # the newest figure from all others of the area: the inverse holds the regression
    precision = inverse[:, -1, -1]
    expected = y[:, -1] - scaled[:, -1] / precision
    forecast = np.maximum(1.0 / precision - psi[:, -1], 0.0) + covariance[-1, -1]
    return log_likelihood, np.stack([prediction, error, expected, forecast])


def _tails(k: FloatArray, n: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """[m] twice the smaller tail of `k` of `n` answers under a beta-binomial with this mean and variance of the share,
    half of the probability of the answers themselves counted (mid-p; Lancaster 1961)."""
    size = np.maximum(mean * (1 - mean) / variance - 1.0, 0.5)
    whole = np.maximum(np.round(n), 1.0)
    from scipy.stats import betabinom  # takes as long to import as all the rest

    spread = betabinom(whole, mean * size, (1 - mean) * size)
    seen = np.clip(np.round(k), 0, whole)
    below = spread.cdf(seen) - spread.pmf(seen) / 2
    return np.asarray(np.minimum(1.0, 2.0 * np.minimum(below, 1.0 - below)))
