"""Small areas: communes with few answers borrow strength from all, with a mean squared error of their own.

Fay-Herriot, area level: y_i = theta_i + e_i, theta_i = x_i'b + v_i, Var e_i = psi_i known, Var v_i = s2 by REML.

    theta_i = g_i y_i + (1 - g_i) x_i'b,   g_i = s2 / (s2 + psi_i)
    MSE_i = g1 + g2 + 2 g3:  g1 = g_i psi_i,  g2 = (1 - g_i)^2 x_i'(X'V^-1 X)^-1 x_i,
    g3 = (1 - g_i)^2 [2 / sum_j V_j^-2] / V_i

On shares psi_i = deff_i P (1 - P) / n_i with P of all areas together: an area's own share in it would let satisfied
areas weigh more, and all would be drawn upward (by 3 to 5 points at P = .85 to .92 with 15 answers; ADR 0170). Shares
of areas without covariates are better served by the beta-binomial hierarchy (`hierarchical_shares`): no normal
approximation, a posterior over the spread between areas in place of an estimate that is often zero.

    k_i ~ Binomial(n_i, theta_i),  theta_i ~ Beta(mu M, (1 - mu) M),  answers divided by their design effect

Areas with earlier quarters borrow from these as well: `calibration.areas_over_time`.

Sources: Fay, Herriot 1979; Prasad, Rao 1990; Datta, Lahiri 2000; Rao, Molina 2015; Tang, Morris 2011
(a prior that keeps the spread off zero). Why our own and not a library: ADR 0043.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln

from calibration.intervals import LEVEL, beta_interval, t_quantile, wilson
from calibration.reasons import Reason, Why
from calibration.results import Estimate, Interval
from pipeline.errors import StatisticsError
from pipeline.language import Message, in_language

if TYPE_CHECKING:
    import altair

FloatArray = NDArray[np.float64]
ITERATIONS: Final = 200
TOLERANCE: Final = 1e-10
FEWEST_AREAS: Final = 5
"""Areas below which none borrows of the others."""
AREAS_AT_ONCE: Final = 500
"""Areas whose likelihood is on the grid at one time: 6 MB."""


@dataclass(frozen=True, slots=True)
class SmallAreaFit:
    """A fitted model. Arrays over areas [m] and coefficients [p]."""

    estimate: FloatArray
    mse: FloatArray
    trust: FloatArray
    """g: weight of the area's own figure, 0..1."""
    coefficients: FloatArray
    coefficient_errors: FloatArray
    model_variance: float
    """s2, between areas; 0 where all differences are sampling error."""
    log_likelihood: float
    iterations: int
    direct: FloatArray
    sampling_variance: FloatArray
    names: tuple[str, ...] = ()

    def interval(self, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
        """estimate -+ quantile sqrt(MSE), [m] each; Student's quantile, areas less coefficients: s2 is estimated."""
        half = t_quantile(len(self.estimate) - len(self.coefficients), level) * np.sqrt(self.mse)
        return self.estimate - half, self.estimate + half

    def rows(self) -> list[dict[str, Any]]:
        """One row per area: the plot's data."""
        low, high = self.interval()
        names = self.names or tuple(str(i + 1) for i in range(len(self.estimate)))
        columns = {
            "direct": self.direct,
            "estimate": self.estimate,
            "low": low,
            "high": high,
            "mse": self.mse,
            "trust": self.trust,
            "psi": self.sampling_variance,
        }
        return [
            {"area": name, **{column: float(values[place]) for column, values in columns.items()}}
            for place, name in enumerate(names)
        ]

    def summary(self) -> str:
        """Coefficients, model variance, and how much each area keeps of its own figure."""
        lines = [f"Fay-Herriot (REML): {len(self.estimate)} areas, s2 = {self.model_variance:.6g}"]
        for i, (b, se) in enumerate(zip(self.coefficients, self.coefficient_errors, strict=True)):
            lines.append(f"  b{i} = {b:.6f} ({se:.6f})")
        return "\n".join([*lines, f"  own weight {self.trust.min():.2f} to {self.trust.max():.2f}"])

    def plot(self, language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """Direct figures and borrowed ones with their intervals."""
        import altair as alt

        words = in_language(Message("Estimate (grey tick: own figure)"), language)
        base = alt.Chart(alt.InlineData(values=self.rows()), width=420).encode(y=alt.Y("area:N", title=None, sort=None))
        return alt.layer(
            base.mark_rule().encode(x=alt.X("low:Q", title=words, scale=alt.Scale(zero=False)), x2="high:Q"),
            base.mark_point(filled=True).encode(x="estimate:Q"),
            base.mark_tick(color="gray").encode(x="direct:Q"),
        )


def _checked(y: ArrayLike, variance: ArrayLike, x: ArrayLike | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    direct, psi = np.asarray(y, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    design = np.ones((len(direct), 1)) if x is None else np.asarray(x, dtype=np.float64)
    design = design[:, None] if design.ndim == 1 else design
    if direct.ndim != 1 or psi.shape != direct.shape or design.shape[0] != len(direct):
        raise StatisticsError(Message("Estimates, sampling variances and covariates must have one row per area."))
    if not (np.all(np.isfinite(direct)) and np.all(np.isfinite(psi)) and np.all(np.isfinite(design))):
        raise StatisticsError(
            Message("Small areas: a figure is missing."), Message("Leave areas without ratings out, then predict them.")
        )
    if np.any(psi <= 0):
        raise StatisticsError(Message("A sampling variance is zero or negative."), Message("Use pooled_variances()."))
    if len(direct) <= design.shape[1]:
        raise StatisticsError(
            Message("{count} areas cannot carry {shape} coefficients.", count=len(direct), shape=design.shape[1])
        )
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise StatisticsError(Message("Covariates are linearly dependent."), Message("Leave one of them out."))
    return direct, psi, design


def fay_herriot(
    y: ArrayLike, variance: ArrayLike, x: ArrayLike | None = None, names: Sequence[str] = ()
) -> SmallAreaFit:
    """Fit by REML (Fisher scoring). `y`, `variance` [m] > 0, `x` [m, p] with its own intercept (default: intercept).

    Raises `StatisticsError` for missing figures, zero variances, dependent covariates and too few areas."""
    direct, psi, design = _checked(y, variance, x)
    s2, iterations = float(np.median(psi)), 0
    while iterations < ITERATIONS:
        iterations += 1
        weight = 1.0 / (s2 + psi)
        # P = W - W X (X'WX)^-1 X'W in pieces of the size of the coefficients: P itself has areas x areas
        by_power = [(design * (weight**power)[:, None]).T @ design for power in (1, 2, 3)]
        first, second, third = by_power
        inverse = np.linalg.inv(first)
        py = weight * (direct - design @ (inverse @ ((design * weight[:, None]).T @ direct)))
        shrunk = inverse @ second
        score = -0.5 * (weight.sum() - np.trace(shrunk)) + 0.5 * float(py @ py)
        information = 0.5 * float((weight**2).sum() - 2 * np.trace(inverse @ third) + np.trace(shrunk @ shrunk))
        step = score / information
        new = max(s2 + step, 0.0)
        done = abs(new - s2) <= TOLERANCE * max(1.0, s2)
        s2 = new
        if done:
            break
    total = s2 + psi
    weight = 1.0 / total
    covariance = np.linalg.inv((design * weight[:, None]).T @ design)
    beta = covariance @ ((design * weight[:, None]).T @ direct)
    g = s2 / total
    fitted = design @ beta
    estimate = g * direct + (1 - g) * fitted
    g1 = g * psi
    g2 = (1 - g) ** 2 * np.einsum("ij,jk,ik->i", design, covariance, design)
    g3 = (1 - g) ** 2 * (2.0 / (weight**2).sum()) / total
    log_likelihood = -0.5 * float((np.log(2 * np.pi * total) + (direct - fitted) ** 2 / total).sum())
    return SmallAreaFit(
        estimate=estimate,
        mse=g1 + g2 + 2 * g3,
        trust=g,
        coefficients=beta,
        coefficient_errors=np.sqrt(np.diag(covariance)),
        model_variance=s2,
        log_likelihood=log_likelihood,
        iterations=iterations,
        direct=direct,
        sampling_variance=psi,
        names=tuple(names),
    )


def pooled_variances(
    satisfied: ArrayLike, rated: ArrayLike, design_effect: ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray]:
    """(shares [m], sampling variances [m] > 0): deff P (1 - P) / n with the pooled share P, two answers added.

    Raises `StatisticsError` for areas with no ratings and impossible counts."""
    k, n = np.asarray(satisfied, dtype=np.float64), np.asarray(rated, dtype=np.float64)
    if np.any(n < 1) or np.any(k < 0) or np.any(k > n):
        raise StatisticsError(Message("Every area needs at least one rating, and no more satisfied than rated."))
    pooled = (k.sum() + 1.0) / (n.sum() + 2.0)
    return k / n, np.maximum(np.asarray(design_effect, dtype=np.float64), 1.0) * pooled * (1 - pooled) / n


@dataclass(frozen=True, slots=True)
class HierarchicalShares:
    """Posterior of shares [m] in 0..1: mean, variance, and `trust` 0..1, the weight of the area's own figure."""

    estimate: FloatArray
    variance: FloatArray
    trust: FloatArray

    def interval(self, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
        """Quantiles [m] of the beta distribution with this mean and variance, stretched by Student's quantile at
        m - 1 degrees of freedom over the normal one: with few areas the spread between them is hardly known."""
        return beta_interval(self.estimate, self.variance, len(self.estimate) - 1, level)


def hierarchical_shares(satisfied: ArrayLike, rated: ArrayLike, design_effect: ArrayLike = 1.0) -> HierarchicalShares:
    """Beta-binomial hierarchy over areas [m]: the posterior is summed on a grid of mu (21) and shrinkage
    B = M / (M + mean n) (33, density proportional to sqrt(1 - B)), O(m). Raises as `pooled_variances`."""
    deff = np.maximum(np.asarray(design_effect, dtype=np.float64), 1.0)
    share, _ = pooled_variances(satisfied, rated)
    n = np.asarray(rated, dtype=np.float64) / deff
    k = share * n
    pooled = (k.sum() + 1.0) / (n.sum() + 2.0)
    shrinkage = (np.arange(33) + 0.5) / 33
    concentration = n.mean() * shrinkage / (1 - shrinkage)
    # mu on the logit scale, four of its standard errors to either side, with a spread of half a unit between areas
    error = np.sqrt(1.0 / (n.sum() * pooled * (1 - pooled)) + 0.25 / len(n))
    odds = np.log(pooled / (1 - pooled)) + np.linspace(-4, 4, 21) * error
    mu = 1.0 / (1.0 + np.exp(-odds))
    a, b = mu[:, None] * concentration, (1 - mu)[:, None] * concentration
    log_posterior = np.log(mu * (1 - mu))[:, None] + 0.5 * np.log(1 - shrinkage)
    for first in range(0, len(n), AREAS_AT_ONCE):
        k_, n_ = (x[first : first + AREAS_AT_ONCE, None, None] for x in (k, n))
        log_posterior = log_posterior + (betaln(k_ + a, n_ - k_ + b) - betaln(a, b)).sum(axis=0)
    weight = np.exp(log_posterior - log_posterior.max())
    weight /= weight.sum()
    # the posterior mean of an area is linear in (k + mu M) / (n + M): only M's grid remains with the area
    of_size = weight.sum(axis=0)
    mean_mu = np.divide(weight.T @ mu, of_size, out=np.full(33, pooled), where=of_size > 0)
    mean_mu2 = np.divide(weight.T @ mu**2, of_size, out=np.full(33, pooled**2), where=of_size > 0)
    total = n[:, None] + concentration
    mean = (k[:, None] + mean_mu * concentration) / total
    square = (k[:, None] ** 2 + 2 * k[:, None] * mean_mu * concentration + mean_mu2 * concentration**2) / total**2
    second = square + (mean - square) / (total + 1.0)
    estimate = (of_size * mean).sum(axis=1)
    variance = np.maximum((of_size * second).sum(axis=1) - estimate**2, 1e-12)
    return HierarchicalShares(estimate, variance, (of_size * n[:, None] / total).sum(axis=1))


def small_area_estimates(
    satisfied: ArrayLike,
    rated: ArrayLike,
    names: Sequence[str],
    design_effect: ArrayLike = 1.0,
    x: ArrayLike | None = None,
    level: float = LEVEL,
) -> list[Estimate]:
    """One result per area [m], borrowing strength; fewer than five areas cannot lend, and are returned as they are.

    Without covariates by `hierarchical_shares`; with `x` by Fay-Herriot."""
    share, psi = pooled_variances(satisfied, rated, design_effect)
    n = np.asarray(rated, dtype=np.float64)
    reasons = [Reason(Why.FEW_AREAS)] * len(share)
    if len(share) < FEWEST_AREAS:
        low, high = wilson(share, n / np.maximum(np.asarray(design_effect, dtype=np.float64), 1.0), level=level)
        estimate, mse = share, psi
    elif x is None:
        posterior = hierarchical_shares(satisfied, rated, design_effect)
        estimate, mse = posterior.estimate, posterior.variance
        low, high = posterior.interval(level)
        reasons = [Reason.of(Why.BORROWS, trust=f"{g:.2f}") for g in posterior.trust]
    else:
        fit = fay_herriot(share, psi, x, names)
        estimate, mse = np.clip(fit.estimate, 0, 1), fit.mse
        low, high = fit.interval(level)
        reasons = [Reason.of(Why.BORROWS, trust=f"{g:.2f}") for g in fit.trust]
    spread = np.maximum(estimate * (1 - estimate), 1e-9)
    return [
        Estimate.borrowed(
            float(e),
            Interval(max(0.0, float(lo)), min(1.0, float(hi)), level),
            n=int(size),
            n_eff=float(s / v),
            reason=reason,
        )
        for e, lo, hi, size, v, s, reason in zip(estimate, low, high, n, mse, spread, reasons, strict=True)
    ]
