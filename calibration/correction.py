"""The correction estimator: re-weight to the levels of all visits, for response that depends on the level.

    theta = sum_l W_l mu_l,   W_l = share of all visits at level l,
    mu_l  = (S_l + kappa_l e_l) / (R_l + kappa_l),   sum_l (R_l / n) e_l = Ybar,

with S_l of R_l rated visits of the level satisfied this month and e_l the earlier periods' curve, moved to this
agency's own mean (`shifted_curve`) and worth kappa_l answers. Where the counts carry noise of variance v, S_l of R_l
are worth R_l / (1 + 2 v / (R_l e_l (1 - e_l))) answers: a share of noisy counts errs as that of so many without noise
does, and a level with few answers would else be biased by counts that fall below nothing (ADR 0226).
kappa = 0 without noise is post-stratification (the same as AIPW with saturated weights); kappa -> infinity is the
prediction-powered estimate with lam = 1, Ybar + mean_N e - mean_n e. In between the *shape* of the past curve steadies
levels with few answers, and is itself corrected by this month's; its height is never used, so an agency that is better
at every level than its group is not drawn to the group. Unlike the efficiency estimator there is no tuning and no
falling back on variance: a narrower interval around a biased mean would be worth nothing.

Assumed: within a level, those who answer are like those who do not. Where that fails the bounds say by how much:
abstained visits (nothing assumed), response depending on satisfaction itself (exponential tilt by an odds ratio),
and the worst case (nothing assumed about anybody who did not answer). Where the share would lie is itself estimated, so
bounds are the ends moved outwards until they hold it with the level's probability, wherever it lies between them.

Sources: Robins, Rotnitzky, Zhao 1994 (AIPW); Little 1993 (post-stratification); Robins, Rotnitzky, Scharfstein 2000
(tilt); Manski 1990 (worst case); Imbens, Manski 2004 (intervals of bounds). Array functions broadcast over leading
axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, ndtr

from calibration.design_effect import DesignEffect
from calibration.efficiency import explicit_variance
from calibration.intervals import LEVEL, normal_quantile, t_quantile, wilson
from calibration.response_curve import CurveArrays
from calibration.sequences import share_sequence, sure
from calibration.tables import SEEN_LEVELS, NoisyCells
from calibration.verdicts import Estimand

FloatArray = NDArray[np.float64]
CURVE_SD: Final = 0.05
"""How far one agency's satisfaction at a level is taken to lie from its group's curve (standard deviation)."""
HEIGHT_SD: Final = 0.3
"""How far agencies of a group differ in height (standard deviation of the log odds of satisfaction)."""
NEWTON_STEPS: Final = 10
HALVINGS: Final = 30
MAX_NOISE: Final = 2.0
"""Noise of the estimate, in standard deviations of the curve over the visits, beyond which nothing is corrected: it
would outweigh what even a strong selection does to the mean (ADR 0226)."""


@dataclass(frozen=True, slots=True)
class Linearised:
    """This month's figures as the estimate depends on them; float64 [..., 6 or 7] by level, [...] where said so.

    `silent`, `answered`: visits without and with a rating; `mu`: satisfied by level, of which `each` is the weight of
    one answer; `expected` and `slope`: the shifted curve, with `curve_variance`; `own`: weight of this month's answers.
    [...]: `visits`, `share` satisfied of the rated, `cell_variance`, `added` (variance that days add), `within` (1, or
    what is left of it where the month itself is sought), `between` (1, or 0 there), `degrees`."""

    silent: FloatArray
    answered: FloatArray
    mu: FloatArray
    each: FloatArray
    expected: FloatArray
    slope: FloatArray
    own: FloatArray
    curve_variance: FloatArray
    visits: FloatArray
    share: FloatArray
    cell_variance: FloatArray
    added: FloatArray
    within: FloatArray
    between: float
    degrees: FloatArray

    def at(self, of_silent: FloatArray, slope: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(Share satisfied of all visits, its variance, the noise's part of that) [...] if `of_silent` [..., 6 or 7] of
        those who did not answer are satisfied, whose derivative in `mu` is `slope` (1: as those who did; 0: known).

        Linear in this month's shares by level (coefficients omega) and in the shifted curve (gamma, sum about 0)."""
        visits, mu, answered = self.visits[..., None], self.mu, self.answered
        estimate = np.clip(((answered * mu + self.silent * of_silent) / visits).sum(axis=-1), 0.0, 1.0)
        weights = (answered + self.silent * np.asarray(slope, dtype=np.float64)) / visits
        paired = np.maximum(answered.sum(axis=-1, keepdims=True), 1.0)
        borrowed = (weights * (1.0 - self.own) * self.slope).sum(axis=-1, keepdims=True)
        omega = weights * self.own + borrowed * answered / paired
        gamma = weights * (1.0 - self.own) - borrowed * answered / paired
        by_level = np.clip(mu, 0.02, 0.98)
        within = (omega**2 * by_level * (1.0 - by_level) / np.maximum(answered, 1.0)).sum(axis=-1)
        within = within + (gamma**2 * self.curve_variance).sum(axis=-1)
        of_rated, silent = mu - estimate[..., None], of_silent - estimate[..., None]
        between = (answered * of_rated**2 + np.maximum(self.silent, 0.0) * silent**2).sum(axis=-1) / self.visits**2
        moved = of_rated / visits + borrowed * (self.share[..., None] - self.expected) / paired
        sat, dis = moved + weights * (1.0 - mu) * self.each, moved - weights * mu * self.each
        noise = self.cell_variance * (sat**2 + dis**2 + (silent / visits) ** 2).sum(axis=-1)
        variance = within * self.within + between * self.between + noise + self.added
        return estimate, np.maximum(variance, 1e-12), noise

    def bounds(
        self,
        low: tuple[FloatArray, ArrayLike],
        high: tuple[FloatArray, ArrayLike],
        level: float = LEVEL,
        *,
        watched: bool = False,
    ) -> tuple[FloatArray, FloatArray]:
        """(low, high) [...] that hold the share satisfied with probability `level`, wherever it lies between what the
        two ends (`of_silent`, `slope`) would make it (Imbens, Manski 2004). `watched`: at all looks at once, each end
        being its own confidence sequence's, and never within what one look says."""
        (bottom, of_bottom, _), (top, of_top, _) = self.at(*low), self.at(*high)
        apart = (top - bottom) / np.sqrt(np.maximum(of_bottom, of_top))
        one, two = np.full_like(apart, normal_quantile(2 * level - 1)), np.full_like(apart, normal_quantile(level))
        for _ in range(HALVINGS):
            middle = (one + two) / 2
            short = ndtr(middle + apart) - ndtr(-middle) < level
            one, two = np.where(short, middle, one), np.where(short, two, middle)
        quantile = two * t_quantile(self.degrees, level) / normal_quantile(level)
        ends = []
        for share, variance in ((bottom, of_bottom), (top, of_top)):
            smooth = (share * self.answered.sum(axis=-1) + 1.0) / (self.answered.sum(axis=-1) + 2.0)
            n_eff = smooth * (1.0 - smooth) / variance
            once = wilson(share, n_eff, quantile)
            if watched:
                always = share_sequence(share, sure(n_eff, self.degrees, level), level)
                once = (np.minimum(once[0], always[0]), np.maximum(once[1], always[1]))
            ends.append(once)
        return ends[0][0], ends[1][1]


@dataclass(frozen=True, slots=True)
class CorrectionArrays:
    """Estimates over any leading axes; float64 [...] unless said otherwise."""

    estimate: FloatArray
    variance: FloatArray
    low: FloatArray
    high: FloatArray
    n_eff: FloatArray
    by_level: FloatArray
    """[..., 6 or 7] satisfied by level, mu."""
    usable: NDArray[np.bool_]
    linear: Linearised
    """What bounds are made of."""


def shifted_curve(
    curve: CurveArrays, answered_share: FloatArray, share: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(e [..., 6], its slope in `share` [..., 6]): the curve moved until its mean over `answered_share` is `share`.

    Moved on the logit scale as far as `n` answers can tell this agency's height from its group's (shrunken by
    `HEIGHT_SD`), so that a better agency's curve flattens near the upper end; the rest of the gap is added evenly."""
    base = np.clip(curve.fitted, 0.01, 0.99)
    log_odds = np.log(base / (1.0 - base))
    weights = np.maximum(answered_share, 0.0)
    weights = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
    target = np.clip(share, 0.005, 0.995)
    delta = np.zeros_like(target)
    for _ in range(NEWTON_STEPS):
        moved = 1.0 / (1.0 + np.exp(-(log_odds + delta[..., None])))
        gap = target - (weights * moved).sum(axis=-1)
        slope = (weights * moved * (1.0 - moved)).sum(axis=-1)
        delta = np.clip(delta + np.clip(gap / np.maximum(slope, 1e-6), -1.5, 1.5), -8.0, 8.0)
    smooth = (share * n + 1.0) / (n + 2.0)
    own = HEIGHT_SD**2 / (HEIGHT_SD**2 + 1.0 / np.maximum(n * smooth * (1.0 - smooth), 1e-6))
    moved = 1.0 / (1.0 + np.exp(-(log_odds + (own * delta)[..., None])))
    moved = moved + (share - (answered_share * moved).sum(axis=-1))[..., None]
    inner = np.clip(moved, 0.01, 0.99)
    inner = inner * (1.0 - inner)
    inner = inner / np.maximum((weights * inner).sum(axis=-1, keepdims=True), 1e-6)
    return np.asarray(moved), np.asarray(own[..., None] * inner + 1.0 - own[..., None])


def prior_answers(
    curve: CurveArrays, cells: NoisyCells | None = None, expected: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """(kappa [..., 6], spread variance [...]): how many of this month's answers the curve is worth.

    From the curve's error and the agencies' spread about it, `CURVE_SD`. Where this month's own shares by level
    (`cells`) contradict the shifted curve's (`expected` [..., 6]) at the 1 % level, the spread is estimated from them
    (DerSimonian, Laird), so that a curve that means nothing here is worth next to nothing."""
    share = np.clip(curve.fitted if expected is None else expected, 0.02, 0.98)
    bernoulli = share * (1 - share)
    spread = np.full(share.shape[:-1], CURVE_SD**2)
    if cells is not None:
        answered = np.maximum(cells.rated, 0.0)
        seen = answered >= 2.0
        safe = np.maximum(answered, 2.0)
        error = bernoulli / safe + 2.0 * cells.variance[..., None] / safe**2
        weight = np.where(seen, 1.0 / (error + CURVE_SD**2 + curve.fitted_variance), 0.0)
        residual = np.where(seen, cells.satisfied / safe - share, 0.0)
        misfit = (weight * residual**2).sum(axis=-1)
        degrees = np.maximum(seen.sum(axis=-1) - 1.0, 1.0)
        total = np.maximum(weight.sum(axis=-1), 1e-12)
        scale = np.maximum(total - (weight**2).sum(axis=-1) / total, 1e-12)
        extra = np.clip((misfit - degrees) / scale, 0.0, 0.25)
        spread = spread + np.where(misfit > chdtri(degrees, 0.01), extra, 0.0)
    return np.asarray(bernoulli / (spread[..., None] + curve.fitted_variance)), spread


def correction_arrays(
    cells: NoisyCells,
    curve: CurveArrays,
    rated: ArrayLike,
    satisfied: ArrayLike,
    *,
    effect: DesignEffect | None = None,
    estimand: Estimand = Estimand.SUPERPOPULATION,
    level: float = LEVEL,
    prior: ArrayLike | None = None,
) -> CorrectionArrays:
    """Correct the share satisfied for response by level; those who did not agree are a stratum of their own where the
    curve knows them. `prior` [..., 6]: kappa (default `prior_answers(curve)`)."""
    curve, cells = curve.for_cells(cells)
    n = np.maximum(np.asarray(rated, dtype=np.float64), 0.0)
    k = np.asarray(satisfied, dtype=np.float64)
    effect = effect or DesignEffect.none(n)
    visits = np.maximum(cells.visits.sum(axis=-1), np.maximum(cells.rated.sum(axis=-1), 1.0))
    answered = np.maximum(cells.rated, 0.0)
    paired = np.maximum(answered.sum(axis=-1), 1.0)
    share = np.where(n > 0, k / np.maximum(n, 1.0), 0.5)
    answered_share = answered / paired[..., None]
    expected, slope = shifted_curve(curve, answered_share, share, n)
    kappa, curve_spread = prior_answers(curve, cells, expected)
    if prior is not None:
        kappa = np.asarray(prior, dtype=np.float64)
    # noise makes a level's own share worth fewer answers: its error is that of `informative` answers without noise
    safe = np.maximum(answered, 1.0)
    spread_of = np.clip(expected, 0.02, 0.98)
    informative = answered / (1.0 + 2.0 * cells.variance[..., None] / (safe * spread_of * (1.0 - spread_of)))
    own = informative / np.maximum(informative + kappa, 1.0)
    each = own / safe
    mu = each * np.clip(cells.satisfied, 0.0, answered) + (1.0 - own) * expected
    finite = estimand is Estimand.FINITE_MONTH
    spread, simple = explicit_variance(n, k, visits, estimand)
    linear = Linearised(
        cells.visits - answered,
        answered,
        mu,
        each,
        expected,
        slope,
        own,
        curve.fitted_variance + curve_spread[..., None],
        visits,
        share,
        cells.variance,
        np.asarray((effect.value - 1.0) * simple),
        1.0 - np.clip(n / visits, 0.0, 1.0) if finite else np.ones_like(visits),
        0.0 if finite else 1.0,
        np.asarray(effect.degrees),
    )
    estimate, variance, noise = linear.at(mu, 1.0)
    smooth = (estimate * n + 1.0) / (n + 2.0)
    n_eff = smooth * (1 - smooth) / variance
    low, high = wilson(estimate, n_eff, t_quantile(effect.degrees, level), level)
    usable = curve.calibrated & (n >= 2) & (cells.visits.sum(axis=-1) > cells.rated.sum(axis=-1)) & (spread > 0)
    curve_mean = (curve.level_share * curve.share).sum(axis=-1, keepdims=True)
    mendable = (curve.level_share * (curve.share - curve_mean) ** 2).sum(axis=-1)
    usable = usable & (noise <= MAX_NOISE**2 * mendable)
    return CorrectionArrays(estimate, variance, low, high, n_eff, np.clip(mu, 0.0, 1.0), usable, linear)


def post_stratified(cells: NoisyCells) -> FloatArray:
    """Plain post-stratification [...] by level (kappa = 0): for comparison; levels without answers take the mean."""
    visits = np.maximum(cells.visits.sum(axis=-1, keepdims=True), 1.0)
    answered = np.maximum(cells.rated, 0.0)
    mean = np.clip(
        cells.satisfied.sum(axis=-1, keepdims=True) / np.maximum(answered.sum(axis=-1, keepdims=True), 1.0), 0, 1
    )
    mu = np.where(answered >= 1.0, np.clip(cells.satisfied / np.maximum(answered, 1.0), 0.0, 1.0), mean)
    return np.asarray(np.clip((cells.visits / visits * mu).sum(axis=-1), 0.0, 1.0))


def tilted_bounds(
    linear: Linearised, odds_ratio: float, level: float = LEVEL, *, watched: bool = False
) -> tuple[FloatArray, FloatArray]:
    """(low, high) [...] of the share satisfied if, within a level, satisfied visitors answer at up to `odds_ratio` >= 1
    times the others' odds, or others at that of them; they hold it with probability `level`, `watched`: at all looks.

    Among those who did not answer the odds of being satisfied are then those of the answered divided by it."""
    mu = np.clip(linear.mu, 0.0, 1.0)

    def end(ratio: float) -> tuple[FloatArray, FloatArray]:
        scale = mu + (1.0 - mu) * ratio
        return mu / scale, ratio / scale**2

    return linear.bounds(end(odds_ratio), end(1.0 / odds_ratio), level, watched=watched)


def silent_bounds(
    linear: Linearised, rows: Sequence[int] = (SEEN_LEVELS,), level: float = LEVEL, *, watched: bool = False
) -> tuple[FloatArray, FloatArray]:
    """(low, high) [...] of the share satisfied if nothing is assumed about the unrated visits of some rows: of those
    without a level, or (`NOT_AGREED`) of those who did not agree; they hold it with probability `level`,
    `watched`: at all looks."""
    unknown = np.isin(np.arange(linear.mu.shape[-1]), rows)
    known = np.where(unknown, 0.0, 1.0)
    low, high = (np.where(unknown, end, linear.mu) for end in (0.0, 1.0))
    return linear.bounds((low, known), (high, known), level, watched=watched)


def worst_case(satisfied: ArrayLike, rated: ArrayLike, visits: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(low, high) [...] of the share satisfied of `visits` if nothing is assumed about those who did not answer."""
    k, n, total = (np.asarray(x, dtype=np.float64) for x in (satisfied, rated, visits))
    total = np.maximum(np.maximum(total, n), 1.0)
    return k / total, (k + total - n) / total
