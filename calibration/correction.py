"""The correction estimator: re-weight to the levels of all visits, for response that depends on the level.

    theta = sum_l W_l mu_l,   W_l = share of all visits at level l,
    mu_l  = (S_l + kappa_l (p_l + delta)) / (R_l + kappa_l),   delta = Ybar - sum_l (R_l / n) p_l,

with S_l of R_l rated visits of the level satisfied this month and p_l the earlier periods' curve, shifted to this
agency's own mean and worth kappa_l answers. kappa = 0 is post-stratification (the same as AIPW with saturated
weights); kappa -> infinity is the prediction-powered estimate with lam = 1, Ybar + mean_N p - mean_n p.
In between the *shape* of the past curve steadies levels with few answers, and is itself corrected by this month's; its
height is never used, so an agency that is better at every level than its group is not drawn to the group. Unlike the
efficiency estimator there is no tuning and no falling back on variance: a narrower interval around a biased mean would
be worth nothing.

Assumed: within a level, those who answer are like those who do not. Where that fails the bounds say by how much:
abstained visits (nothing assumed), response depending on satisfaction itself (exponential tilt by an odds ratio),
and the worst case (nothing assumed about anybody who did not answer).

Sources: Robins, Rotnitzky, Zhao 1994 (AIPW); Little 1993 (post-stratification); Robins, Rotnitzky, Scharfstein 2000
(tilt); Manski 1990 (worst case). Array functions broadcast over leading axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.efficiency import explicit_variance
from calibration.intervals import LEVEL, t_quantile, wilson
from calibration.response_curve import CurveArrays
from calibration.tables import SEEN_LEVELS, NoisyCells
from calibration.verdicts import Estimand

FloatArray = NDArray[np.float64]
CURVE_SD: Final = 0.05
"""How far one agency's satisfaction at a level is taken to lie from its group's curve (standard deviation)."""


@dataclass(frozen=True, slots=True)
class CorrectionArrays:
    """Estimates over any leading axes; float64 [...] unless said otherwise."""

    estimate: FloatArray
    variance: FloatArray
    low: FloatArray
    high: FloatArray
    n_eff: FloatArray
    by_level: FloatArray
    """[..., 6] satisfied by level, mu."""
    usable: NDArray[np.bool_]


def prior_answers(curve: CurveArrays) -> FloatArray:
    """kappa [..., 6]: how many of this month's answers the curve is worth, from its error and the agencies' spread."""
    share = np.clip(curve.fitted, 0.02, 0.98)
    return np.asarray(share * (1 - share) / (CURVE_SD**2 + curve.fitted_variance))


def correction_arrays(
    cells: NoisyCells,
    curve: CurveArrays,
    rated: ArrayLike,
    satisfied: ArrayLike,
    *,
    design_effect: ArrayLike = 1.0,
    degrees: ArrayLike | None = None,
    estimand: Estimand = Estimand.SUPERPOPULATION,
    level: float = LEVEL,
    prior: ArrayLike | None = None,
) -> CorrectionArrays:
    """Correct the share satisfied for response by level. `prior` [..., 6]: kappa (default `prior_answers(curve)`)."""
    n = np.maximum(np.asarray(rated, dtype=np.float64), 0.0)
    k = np.asarray(satisfied, dtype=np.float64)
    kappa = prior_answers(curve) if prior is None else np.asarray(prior, dtype=np.float64)
    visits = np.maximum(cells.visits.sum(axis=-1), np.maximum(cells.rated.sum(axis=-1), 1.0))
    weights = cells.visits / visits[..., None]
    answered = np.maximum(cells.rated, 0.0)
    paired = np.maximum(answered.sum(axis=-1), 1.0)
    share = np.where(n > 0, k / np.maximum(n, 1.0), 0.5)
    answered_share = answered / paired[..., None]
    shift = share - (answered_share * curve.fitted).sum(axis=-1)
    denominator = np.maximum(answered + kappa, 1.0)
    own = answered / denominator
    expected = curve.fitted + shift[..., None]
    mu = np.clip(cells.satisfied, 0.0, answered) / denominator + (1.0 - own) * expected
    estimate = np.clip((weights * mu).sum(axis=-1), 0.0, 1.0)

    # theta is linear in this month's shares by level (coefficients omega, sum 1) and in the curve (gamma, sum 0)
    borrowed = (weights * (1.0 - own)).sum(axis=-1, keepdims=True)
    omega = weights * own + borrowed * answered_share
    gamma = weights * (1.0 - own) - borrowed * answered_share
    by_level = np.clip(mu, 0.02, 0.98)
    bernoulli = by_level * (1.0 - by_level)
    within = (omega**2 * bernoulli / np.maximum(answered, 1.0)).sum(axis=-1)
    within = within + (gamma**2 * (curve.fitted_variance + CURVE_SD**2)).sum(axis=-1)
    centred = mu - estimate[..., None]
    between = (np.maximum(weights, 0.0) * centred**2).sum(axis=-1) / visits
    silent = centred / visits[..., None]
    residual = curve.fitted + shift[..., None]
    sat = silent + weights * (1.0 - mu) / denominator + borrowed * (share[..., None] - residual) / paired[..., None]
    dis = silent - weights * mu / denominator + borrowed * (share[..., None] - residual) / paired[..., None]
    noise = cells.variance * (sat**2 + dis**2 + silent**2).sum(axis=-1)
    rated_share = np.clip(n / visits, 0.0, 1.0)
    finite = estimand is Estimand.FINITE_MONTH
    variance = within * (1.0 - rated_share if finite else 1.0) + (0.0 if finite else between) + noise
    spread, simple = explicit_variance(n, k, visits, estimand)
    variance = variance + (np.maximum(np.asarray(design_effect, dtype=np.float64), 1.0) - 1.0) * simple
    variance = np.maximum(variance, 1e-12)
    smooth = (estimate * n + 1.0) / (n + 2.0)
    n_eff = smooth * (1 - smooth) / variance
    df = np.maximum(n - 1.0 if degrees is None else np.asarray(degrees, dtype=np.float64), 1.0)
    low, high = wilson(estimate, n_eff, t_quantile(df, level), level)
    usable = curve.calibrated & (n >= 2) & (cells.visits.sum(axis=-1) > cells.rated.sum(axis=-1)) & (spread > 0)
    return CorrectionArrays(estimate, variance, low, high, n_eff, np.clip(mu, 0.0, 1.0), usable)


def post_stratified(cells: NoisyCells) -> FloatArray:
    """Plain post-stratification [...] by level (kappa = 0): for comparison; levels without answers take the mean."""
    visits = np.maximum(cells.visits.sum(axis=-1, keepdims=True), 1.0)
    answered = np.maximum(cells.rated, 0.0)
    mean = np.clip(
        cells.satisfied.sum(axis=-1, keepdims=True) / np.maximum(answered.sum(axis=-1, keepdims=True), 1.0), 0, 1
    )
    mu = np.where(answered >= 1.0, np.clip(cells.satisfied / np.maximum(answered, 1.0), 0.0, 1.0), mean)
    return np.asarray(np.clip((cells.visits / visits * mu).sum(axis=-1), 0.0, 1.0))


def tilted(cells: NoisyCells, by_level: FloatArray, odds_ratio: ArrayLike) -> FloatArray:
    """Share satisfied [...] if, within a level, satisfied visitors answer at `odds_ratio` times the others' odds.

    Among those who did not answer the odds of being satisfied are then those of the answered divided by it."""
    ratio = np.asarray(odds_ratio, dtype=np.float64)
    silent = np.maximum(cells.not_rated, 0.0)
    answered = np.maximum(cells.rated, 0.0)
    of_silent = by_level / (by_level + (1.0 - by_level) * ratio[..., None])
    total = np.maximum((silent + answered).sum(axis=-1), 1.0)
    return np.asarray((answered * by_level + silent * of_silent).sum(axis=-1) / total)


def abstained_bounds(cells: NoisyCells, by_level: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(low, high) [...] of the share satisfied if unrated visits without a level were all unsatisfied, or satisfied."""
    positive = np.maximum(cells.visits, 0.0)
    total = np.maximum(positive.sum(axis=-1), 1.0)
    silent = np.maximum(cells.not_rated[..., SEEN_LEVELS], 0.0)
    known = (positive * by_level).sum(axis=-1) - silent * by_level[..., SEEN_LEVELS]
    low = np.clip(known / total, 0.0, 1.0)
    return low, np.clip((known + silent) / total, 0.0, 1.0)


def worst_case(satisfied: ArrayLike, rated: ArrayLike, visits: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(low, high) [...] of the share satisfied of `visits` if nothing is assumed about those who did not answer."""
    k, n, total = (np.asarray(x, dtype=np.float64) for x in (satisfied, rated, visits))
    total = np.maximum(np.maximum(total, n), 1.0)
    return k / total, (k + total - n) / total
