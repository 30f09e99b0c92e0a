"""The efficiency estimator: prediction-powered, for response at random, never much wider than ratings alone.

    theta = Ybar + lam * (mean over all visits of g(level) - mean over rated visits of g(level))

Ybar is exact. g is a score of the six levels made from *earlier* periods' curve, so it is independent of this month's
sampling and theta stays unbiased for any g and any lam that are fixed beforehand. Given the levels' shares pi, the
curve p, the known noise and A = 1/n - 1/N, the best score solves a ridge system,

    g = (A S + Omega)^-1 A c,   S = diag(pi) - pi pi',   c_l = pi_l (p_l - sum pi p),

where Omega is the noise of the difference of level shares: rare levels, which carry noise but no information, shrink.
Without noise it is the curve itself. lam is tuned as in PPI++, from a covariance that this agency's own pairs and the
group's curve share (empirical Bayes), the noise's variance added:

    lam = A' C / (A Var g + noise),   V = s^2/n - (A' C)^2 / (A Var g + noise).

The signal is used where n_eff = n V_explicit / V exceeds the explicit size by a margin; else the explicit one stands.
The interval is Wilson's at n_eff with Student's quantile, or at the explicit size where that is narrower. The choice is
made from n_eff, before the estimate is known, and the coverage benchmark runs the whole procedure, choice included.
Where rated visits' mean score lies 2.5 standard errors from all visits', response at random is not believed and the
explicit estimate stands: `calibration.correction` is the estimator for that. Pairs are those that the table holds; a
rating that met no visit counts in Ybar as another channel's.

Sources: Angelopoulos, Duchi, Zrnic 2023 (PPI++); arXiv 2505.20178 (when it cannot help); Cochran 1977, ch. 12 (double
sampling: with the rated among the N, lam = 1 plays the role of PPI++'s 1/(1 + n/N)).
All array functions broadcast over leading axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from calibration.design_effect import DesignEffect
from calibration.intervals import LEVEL, normal_quantile, t_quantile, wilson
from calibration.response_curve import CurveArrays
from calibration.tables import NoisyCells
from calibration.verdicts import Estimand, Verdict

FloatArray = NDArray[np.float64]
TRANSFER_SD: Final = 0.25
"""Prior standard deviation of (this agency's covariance) / (the group's): how far agencies of one group differ."""
MINIMUM_GAIN: Final = 0.08
"""Share by which the effective size must exceed the explicit one for the signal to be used at all."""
CONTRADICTION_Z: Final = 2.5
"""How many standard errors below the group's covariance an agency's own must lie to say that the signal misleads."""
FUSED_DEGREES: Final = 22.0
"""Degrees of freedom of a fused interval (quantile 2.07), whatever n: its effective size is itself estimated, and where
the lattice of k/n lets Wilson's own interval cover .97 the fused one, which has no lattice, must not fall far below.
Chosen by simulation (ADR 0042): Student's n - 1 covers .974 at n = 15, the normal quantile falls .02 below Wilson."""
RESPONSE_Z: Final = 2.5
"""How many standard errors rated visits' mean score may lie from all visits' before response at random is not believed:
either response depends on the level, or rating changes what is measured. Rings in 1.2 % of months where it holds. It
sees only what is large against its error: `detectable`, not the absence of selection (ADR 0172)."""
POWER: Final = 0.8
"""The chance with which a selection as large as `detectable` rings."""


@dataclass(frozen=True, slots=True)
class EfficiencyArrays:
    """Estimates over any leading axes; all float64 [...] but `verdict` (int64: `Verdict.number`)."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    n_eff: FloatArray
    lam: FloatArray
    rho: FloatArray
    verdict: NDArray[np.int64]
    response_z: FloatArray
    """Standard errors by which rated visits' mean score differs from all visits'."""
    detectable: FloatArray
    """Shift of the ratings' mean by selection on the level (share) that rings with probability `POWER`."""
    fused: FloatArray
    """The estimate before the choice."""
    fused_variance: FloatArray
    """Its variance before the choice."""


def explicit_variance(
    n: ArrayLike, k: ArrayLike, visits: ArrayLike, estimand: Estimand = Estimand.SUPERPOPULATION
) -> tuple[FloatArray, FloatArray]:
    """(s^2, variance of k/n): s^2 from the share smoothed by two answers, so that it is never zero.

    For the finite month the variance is multiplied by 1 - n/N."""
    n_, k_, visits_ = (np.asarray(x, dtype=np.float64) for x in (n, k, visits))
    smooth = (k_ + 1.0) / (n_ + 2.0)
    spread = smooth * (1.0 - smooth)
    variance = spread / np.maximum(n_, 1.0)
    if estimand is Estimand.FINITE_MONTH:
        variance = variance * np.clip(1.0 - n_ / np.maximum(visits_, 1.0), 0.0, 1.0)
    return spread, variance


def ridge_score(curve: CurveArrays, difference: FloatArray, noise: FloatArray) -> FloatArray:
    """The score g [..., 6], centred, best for `difference` A [...] = 1/n - 1/N and noise matrix [..., 6, 6]; of seven
    rows where those who did not agree have one."""
    share, level_share = curve.share, curve.level_share
    rows = share.shape[-1]
    centred = share - (level_share * share).sum(axis=-1, keepdims=True)
    covariance = level_share * centred
    spread = np.eye(rows) * level_share[..., None] - level_share[..., None] * level_share[..., None, :]
    a = difference[..., None, None]
    # adding 1 1' changes nothing that matters (a constant score has no effect) and makes S invertible
    system = a * (spread + 1.0 / rows**2 + 1e-6 * np.eye(rows)) + noise
    score = np.linalg.solve(system, (difference[..., None] * covariance)[..., None])[..., 0]
    return np.asarray(score - (level_share * score).sum(axis=-1, keepdims=True))


def efficiency_arrays(
    cells: NoisyCells,
    curve: CurveArrays,
    rated: ArrayLike,
    satisfied: ArrayLike,
    *,
    tablet_rated: ArrayLike | None = None,
    effect: DesignEffect | None = None,
    estimand: Estimand = Estimand.SUPERPOPULATION,
    level: float = LEVEL,
) -> EfficiencyArrays:
    """Fuse exact ratings (`satisfied` of `rated`, all channels) with this period's tables.

    `tablet_rated`: ratings that met a visit (all by default). `effect`: of the design on the explicit mean (none
    by default). Fewer than two ratings, or no visits left unrated: the explicit result."""
    curve, cells = curve.for_cells(cells)
    rows = cells.rows
    n = np.asarray(rated, dtype=np.float64)
    k = np.asarray(satisfied, dtype=np.float64)
    effect = effect or DesignEffect.none(n)
    deff = effect.value
    n_safe = np.maximum(n, 1.0)
    table_n = np.maximum(cells.rated.sum(axis=-1), 1.0)
    # pairs are what the table holds: a rating that met no visit is another channel's
    paired = np.clip(n if tablet_rated is None else np.asarray(tablet_rated, dtype=np.float64), 1.0, table_n)
    visits = np.maximum(cells.visits.sum(axis=-1), table_n)
    share = np.where(n > 0, k / n_safe, 0.5)

    difference = np.maximum(1.0 / paired - 1.0 / visits, 0.0)
    shared_difference = np.maximum(1.0 / np.maximum(n_safe, paired) - 1.0 / visits, 0.0)
    v = cells.variance
    unrated_weight, rated_weight = 1.0 / visits**2, 2.0 * difference**2
    centring = np.eye(rows) - np.where(cells.projected, 1.0, 0.0)[..., None, None] / rows
    noise_matrix = (v * unrated_weight)[..., None, None] * np.eye(rows) + (v * rated_weight)[..., None, None] * centring
    score = ridge_score(curve, np.maximum(difference, 1e-12), noise_matrix)

    all_share = cells.visits / visits[..., None]
    rated_share = cells.rated / table_n[..., None]
    shift = (score * (all_share - rated_share)).sum(axis=-1)
    noise = np.einsum("...i,...ij,...j->...", score, noise_matrix, score)
    mean_score = (score * all_share).sum(axis=-1)
    centred = score - mean_score[..., None]
    score_spread = np.maximum((centred**2 * np.maximum(all_share, 0.0)).sum(axis=-1), 1e-12)

    spread, variance = explicit_variance(n, k, visits, estimand)
    own = (centred * (cells.satisfied - share[..., None] * cells.rated)).sum(axis=-1) / table_n
    own_noise = v * ((centred**2).sum(axis=-1)) * ((1 - share) ** 2 + share**2) / table_n**2
    group_centred = curve.share - (curve.level_share * curve.share).sum(axis=-1, keepdims=True)
    group_spread = np.maximum((curve.level_share * score**2).sum(axis=-1), 1e-12)
    group_covariance = (curve.level_share * group_centred * score).sum(axis=-1)
    group_variance = np.maximum(curve.mean * (1 - curve.mean), 1e-6)
    correlation = group_covariance / np.sqrt(group_spread * group_variance)
    expected = correlation * np.sqrt(score_spread * spread)
    own_variance = spread * score_spread / table_n + own_noise
    prior_variance = (TRANSFER_SD * expected) ** 2
    trust = prior_variance / np.maximum(prior_variance + own_variance, 1e-18)
    covariance = np.clip(expected + trust * (own - expected), 0.0, np.sqrt(spread * score_spread))
    contradiction = (own - expected) / np.sqrt(np.maximum(own_variance + prior_variance, 1e-18))

    power = difference * score_spread + noise
    lam = shared_difference * covariance / np.maximum(power, 1e-18)
    gain = lam * shared_difference * covariance
    fused = np.clip(share + lam * shift, 0.0, 1.0)
    simple_variance = spread / n_safe
    explicit_total = variance + (deff - 1.0) * simple_variance
    fused_variance = np.maximum(explicit_total - gain, 0.05 * explicit_total)

    df = effect.degrees
    clustered = deff > 1.0
    q_fused = t_quantile(np.where(clustered, np.minimum(df, FUSED_DEGREES), FUSED_DEGREES), level)
    q_explicit = np.where(clustered, t_quantile(df, level), normal_quantile(level))
    n_eff_explicit = n * simple_variance / np.maximum(explicit_total, 1e-18)
    n_eff_fused = n * simple_variance / np.maximum(fused_variance, 1e-18)
    worthwhile = n_eff_fused > (1.0 + MINIMUM_GAIN) * n_eff_explicit
    usable = curve.calibrated & (n >= 2) & (difference > 0)
    contradicted = contradiction < -CONTRADICTION_Z
    helped, no_gain = Verdict.HELPED.number, Verdict.NO_GAIN.number
    verdict = np.where(usable & worthwhile, helped, np.where(curve.calibrated, no_gain, Verdict.NOT_CALIBRATED.number))
    verdict = np.where(usable & contradicted, Verdict.MISLEADS.number, verdict)
    # what a selection along the curve does to the mean, for each unit that the score sees of it
    curve_spread = (curve.level_share * group_centred**2).sum(axis=-1)
    worth = np.where(group_covariance > 0, curve_spread / np.maximum(group_covariance, 1e-12), 0.0)
    response_z = shift / np.sqrt(np.maximum(power, 1e-18))
    selected = ((verdict == helped) | (usable & (verdict == no_gain))) & (np.abs(response_z) > RESPONSE_Z)
    verdict = np.where(selected, Verdict.NOT_AT_RANDOM.number, verdict)
    use = verdict == helped
    estimate = np.where(use, fused, share)
    n_eff = np.where(use, n_eff_fused, n_eff_explicit)
    # Wilson's interval depends on quantile^2 / n alone: a fused one is never wider than the explicit one would be
    quantile = np.minimum(q_fused, q_explicit * np.sqrt(n_eff / np.maximum(n_eff_explicit, 1e-12)))
    low, high = wilson(estimate, n_eff, np.where(use, quantile, q_explicit), level)
    return EfficiencyArrays(
        estimate=estimate,
        low=low,
        high=high,
        n_eff=n_eff,
        lam=np.where(use, lam, 0.0),
        rho=np.clip(covariance / np.sqrt(spread * score_spread), 0.0, 1.0),
        verdict=verdict.astype(np.int64),
        response_z=response_z,
        detectable=(RESPONSE_Z + float(ndtri(POWER))) * worth * np.sqrt(np.maximum(power, 0.0)),
        fused=fused,
        fused_variance=fused_variance,
    )
