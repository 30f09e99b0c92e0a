"""Small areas: communes with few answers borrow strength from all, with a mean squared error of their own.

Fay-Herriot, area level: y_i = theta_i + e_i, theta_i = x_i'b + v_i, Var e_i = psi_i known, Var v_i = s2 by REML.

    theta_i = g_i y_i + (1 - g_i) x_i'b,   g_i = s2 / (s2 + psi_i)
    MSE_i = g1 + g2 + 2 g3:  g1 = g_i psi_i,  g2 = (1 - g_i)^2 x_i'(X'V^-1 X)^-1 x_i,
    g3 = (1 - g_i)^2 [2 / sum_j V_j^-2] / V_i

Where a covariate is itself a noisy estimate with known covariance C_i (a share from a privacy-noised table), Ybarra and
Lohr's form adds b'C_i b to the model variance in g_i and corrects X'X; the covariate's error must not be the area's own
sampling error. Sampling variances are smoothed first (generalised variance function), so that an area where everyone
is satisfied does not get zero.

Sources: Fay, Herriot 1979; Prasad, Rao 1990; Datta, Lahiri 2000; Rao, Molina 2015; Ybarra, Lohr 2008; Wolter 2007
(generalised variance functions). Why our own and not a library: ADR 0043.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.intervals import LEVEL, normal_quantile, t_quantile
from calibration.reasons import Reason, Why
from calibration.results import Estimate, Interval
from pipeline.errors import StatisticsError

if TYPE_CHECKING:
    import altair

FloatArray = NDArray[np.float64]
ITERATIONS: Final = 200
TOLERANCE: Final = 1e-10


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

        words = "Ước lượng (vạch xám: số liệu riêng)" if language == "vi" else "Estimate (grey tick: own figure)"
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
        raise StatisticsError("Estimates, sampling variances and covariates must have one row per area.")
    if not (np.all(np.isfinite(direct)) and np.all(np.isfinite(psi)) and np.all(np.isfinite(design))):
        raise StatisticsError(
            "Small areas: a figure is missing.", "Leave areas without ratings out, then predict them."
        )
    if np.any(psi <= 0):
        raise StatisticsError("A sampling variance is zero or negative.", "Smooth them first: smoothed_variances().")
    if len(direct) <= design.shape[1]:
        raise StatisticsError(f"{len(direct)} areas cannot carry {design.shape[1]} coefficients.")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise StatisticsError("Covariates are linearly dependent.", "Leave one of them out.")
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
        xtvx = (design * weight[:, None]).T @ design
        projection = np.diag(weight) - (weight[:, None] * design) @ np.linalg.solve(xtvx, design.T * weight)
        py = projection @ direct
        score = -0.5 * np.trace(projection) + 0.5 * float(py @ py)
        information = 0.5 * float((projection * projection.T).sum())
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


def ybarra_lohr(
    y: ArrayLike,
    variance: ArrayLike,
    x: ArrayLike,
    covariance: ArrayLike,
    names: Sequence[str] = (),
) -> SmallAreaFit:
    """Fay-Herriot where covariates x [m, p] are estimates with known error `covariance` [m, p, p] (0 for exact ones).

    b and s2 by the modified least squares and moments of Ybarra and Lohr (2008); MSE from g1 with the error of the
    covariate, and a jackknife over areas for the estimation of b and s2. With zero `covariance` the estimates are
    those of a moment-fitted Fay-Herriot model. Raises as `fay_herriot`."""
    direct, psi, design = _checked(y, variance, x)
    error = np.asarray(covariance, dtype=np.float64)
    m, p = design.shape
    if error.shape != (m, p, p):
        raise StatisticsError(f"The covariates' error covariance must have shape {(m, p, p)}, got {error.shape}.")

    def fit(keep: NDArray[np.bool_]) -> tuple[FloatArray, float]:
        z, d, e, v = direct[keep], design[keep], error[keep], psi[keep]
        weights, s2 = np.ones(len(z)), 0.0
        beta = np.zeros(p)
        for _ in range(30):
            gram = np.einsum("i,ij,ik->jk", weights, d, d) - np.einsum("i,ijk->jk", weights, e)
            plain = np.einsum("i,ij,ik->jk", weights, d, d)
            # a correction that leaves no information in a direction is not made: it would divide by noise
            if np.linalg.eigvalsh(gram).min() < 0.05 * np.linalg.eigvalsh(plain).min():
                gram = plain
            beta = np.linalg.solve(gram, np.einsum("i,ij,i->j", weights, d, z))
            extra = np.einsum("j,ijk,k->i", beta, e, beta)
            s2 = max(float(((z - d @ beta) ** 2 - v - extra).sum() / (len(z) - p)), 0.0)
            new = 1.0 / np.maximum(s2 + v + extra, 1e-12)
            if np.allclose(new, weights, rtol=1e-8):
                break
            weights = new
        return beta, s2

    def predict(beta: FloatArray, s2: float) -> tuple[FloatArray, FloatArray]:
        extra = np.einsum("j,ijk,k->i", beta, error, beta)
        g = (s2 + extra) / (s2 + extra + psi)
        return g, g * direct + (1 - g) * (design @ beta)

    everything = np.ones(m, dtype=bool)
    beta, s2 = fit(everything)
    g, estimate = predict(beta, s2)
    spread, coefficients, leading = np.zeros(m), [], g * psi
    bias = np.zeros(m)
    for left_out in range(m):
        keep = everything.copy()
        keep[left_out] = False
        beta_j, s2_j = fit(keep)
        g_j, estimate_j = predict(beta_j, s2_j)
        spread += (estimate_j - estimate) ** 2
        bias += g_j * psi - leading
        coefficients.append(beta_j)
    factor = (m - 1) / m
    mse = np.maximum(leading - factor * bias, 0.25 * leading) + factor * spread
    errors = np.sqrt(factor * ((np.array(coefficients) - beta) ** 2).sum(axis=0))
    total = s2 + psi + np.einsum("j,ijk,k->i", beta, error, beta)
    log_likelihood = -0.5 * float((np.log(2 * np.pi * total) + (direct - design @ beta) ** 2 / total).sum())
    return SmallAreaFit(
        estimate=estimate,
        mse=mse,
        trust=g,
        coefficients=beta,
        coefficient_errors=errors,
        model_variance=s2,
        log_likelihood=log_likelihood,
        iterations=0,
        direct=direct,
        sampling_variance=psi,
        names=tuple(names),
    )


def smoothed_variances(
    satisfied: ArrayLike, rated: ArrayLike, design_effect: ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray]:
    """(shares [m], sampling variances [m] > 0): a generalised variance function over all areas.

    Var = deff p~ (1 - p~) / n with p~ drawn to the pooled share by two answers' worth, so that an area where everyone
    is satisfied, or nobody, keeps a variance. Areas with no ratings are refused."""
    k, n = np.asarray(satisfied, dtype=np.float64), np.asarray(rated, dtype=np.float64)
    if np.any(n < 1) or np.any(k < 0) or np.any(k > n):
        raise StatisticsError("Every area needs at least one rating, and no more satisfied than rated.")
    pooled = (k.sum() + 1.0) / (n.sum() + 2.0)
    weight = 4.0
    smooth = (k + weight * pooled) / (n + weight)
    return k / n, np.maximum(np.asarray(design_effect, dtype=np.float64), 1.0) * smooth * (1 - smooth) / n


def small_area_estimates(
    satisfied: ArrayLike,
    rated: ArrayLike,
    names: Sequence[str],
    design_effect: ArrayLike = 1.0,
    x: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    level: float = LEVEL,
) -> list[Estimate]:
    """One result per area [m], borrowing strength; fewer than five areas cannot lend, and are returned as they are."""
    share, psi = smoothed_variances(satisfied, rated, design_effect)
    n = np.asarray(rated, dtype=np.float64)
    if len(share) < 5:
        estimate, mse = share, psi
        quantile = normal_quantile(level)
        reasons = [Reason(Why.FEW_AREAS)] * len(share)
    else:
        if covariance is not None and x is not None:
            fit = ybarra_lohr(share, psi, x, covariance, names)
        else:
            fit = fay_herriot(share, psi, x, names)
        estimate, mse = np.clip(fit.estimate, 0, 1), fit.mse
        quantile = float(t_quantile(len(share) - len(fit.coefficients), level))
        reasons = [Reason.of(Why.BORROWS, trust=f"{g:.2f}") for g in fit.trust]
    half = quantile * np.sqrt(mse)
    return [
        Estimate.borrowed(
            float(e),
            Interval(max(0.0, float(e - h)), min(1.0, float(e + h)), level),
            n=int(size),
            n_eff=float(max(p, 1e-9) * size / v),
            reason=reason,
        )
        for e, h, size, v, p, reason in zip(estimate, half, n, mse, psi, reasons, strict=True)
    ]
