"""The coverage benchmark's engine: every estimator on the same simulated months, thousands of replications at once.

What is run is what is shipped: `curve_arrays`, `efficiency_arrays`, `correction_arrays` on whole arrays of months.
Beside them: the naive mean with its normal interval, the naive average of implicit and explicit, Wilson's interval, and
PPI++ as `ppi-python` computes it (`ppi_mean`, checked against the package in the same run where it is installed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.correction import correction_arrays, post_stratified
from calibration.design_effect import DesignEffect, design_effect_arrays
from calibration.efficiency import efficiency_arrays, explicit_variance
from calibration.intervals import normal_quantile, t_quantile, wilson
from calibration.response_curve import curve_arrays
from calibration.simulate import ThreatenedWorld
from calibration.tables import SEEN_LEVELS, cell_noise_variance, noisy_cells
from calibration.verdicts import Estimand, Verdict
from calibration.worlds import discrete_laplace, draw_cells, joint_distribution

FloatArray = NDArray[np.float64]
HISTORY: Final = 12
"""Earlier tables (months, or agencies x months) of the same size that the curve is learnt from."""
METHODS: Final = ("naive_mean", "naive_average", "wilson", "ppi_python", "post_stratified", "efficiency", "correction")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a grid: `rated` of `visits`, `epsilon` (None: no noise) on each of `boxes` tables."""

    rated: int
    visits: int
    epsilon: float | None = None
    boxes: int = 1


@dataclass(frozen=True, slots=True)
class Scores:
    """How one method did in one cell: `coverage`, mean `width`, `bias`, `mse`, and `used`, how often it fused."""

    coverage: float
    width: float
    bias: float
    mse: float
    used: float = 1.0

    @classmethod
    def of(cls, estimate: FloatArray, low: FloatArray, high: FloatArray, truth: ArrayLike, used: float = 1.0) -> Scores:
        """Score arrays [r] against `truth` (a number or [r])."""
        target = np.asarray(truth, dtype=np.float64)
        inside = (low <= target + 1e-12) & (target <= high + 1e-12)
        error = estimate - target
        return cls(
            float(inside.mean()), float((high - low).mean()), float(error.mean()), float((error**2).mean()), used
        )


def ppi_mean(
    labelled: FloatArray, unlabelled: FloatArray, score: FloatArray, level: float = 0.95
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """PPI++ mean and its normal interval as `ppi_py.ppi_mean_ci` with `lam=None`, from counts.

    `labelled` [..., 6, 2] counts of (level, Y), `unlabelled` [..., 6], `score` [..., 6] prediction by level. The
    package knows nothing of noise: noisy counts are used as they are, negative ones as zero."""
    a = np.maximum(labelled, 0.0)
    u = np.maximum(unlabelled, 0.0)
    n_l = a.sum(axis=-1)
    n, big = np.maximum(n_l.sum(axis=-1), 1.0), np.maximum(u.sum(axis=-1), 1.0)
    y_mean = a[..., 1].sum(axis=-1) / n
    f_mean = (n_l * score).sum(axis=-1) / n
    f_square = (n_l * score**2).sum(axis=-1) / n
    u_mean = (u * score).sum(axis=-1) / big
    u_square = (u * score**2).sum(axis=-1) / big
    covariance = (a[..., 1] * score).sum(axis=-1) / n - y_mean * f_mean
    total = n + big
    pooled_mean = (n * f_mean + big * u_mean) / total
    pooled = ((n * f_square + big * u_square) / total - pooled_mean**2) * total / np.maximum(total - 1.0, 1.0)
    lam = np.clip(covariance / np.maximum((1.0 + n / big) * pooled, 1e-15), 0.0, 1.0)
    estimate = lam * u_mean + y_mean - lam * f_mean
    imputed = lam**2 * np.maximum(u_square - u_mean**2, 0.0) / big
    residual = y_mean - y_mean**2 + lam**2 * (f_square - f_mean**2) - 2 * lam * covariance
    half = normal_quantile(level) * np.sqrt(imputed + np.maximum(residual, 0.0) / n)
    return estimate, estimate - half, estimate + half


def score_cell(
    rng: np.random.Generator,
    world: ThreatenedWorld,
    cell: Cell,
    replications: int,
    estimand: Estimand = Estimand.SUPERPOPULATION,
) -> dict[str, Scores]:
    """All methods on `replications` months of one cell, each with a curve from twelve earlier tables of its own."""
    n, visits, epsilon = cell.rated, cell.visits, cell.epsilon
    variance = cell_noise_variance(epsilon)
    past, past_k, _ = draw_cells(
        rng, world.past_rated, HISTORY * n, HISTORY * visits, replications, epsilon, HISTORY * cell.boxes,
        silent=world.past_silent,
    )  # fmt: skip
    curve = curve_arrays(noisy_cells(past, HISTORY * cell.boxes * variance, HISTORY * n, past_k))
    extra = round(n * world.other_channels)
    paired = n - extra
    table, k_paired, all_satisfied = draw_cells(
        rng, world.rated, paired, visits, replications, epsilon, cell.boxes, silent=world.silent
    )
    k = k_paired + (rng.binomial(extra, max(world.target - world.mode_shift, 0.0), size=replications) if extra else 0)
    cells = noisy_cells(table, cell.boxes * variance, np.full(replications, paired), k_paired)
    truth: ArrayLike = all_satisfied / visits if estimand is Estimand.FINITE_MONTH else world.target
    share = k / n
    full = np.full(replications, n)

    scores: dict[str, Scores] = {}
    half = normal_quantile() * np.sqrt(share * (1 - share) / n)
    scores["naive_mean"] = Scores.of(share, share - half, share + half, truth)
    seen = np.maximum(table, 0).sum(axis=-1)[..., :SEEN_LEVELS].astype(np.float64)
    # the kindest reading of an implicit index: the share of visits that do not look unhappy
    implicit = seen[..., 2:].sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1.0)
    average = (share + implicit) / 2
    half = normal_quantile() / 2 * np.sqrt(share * (1 - share) / n + implicit * (1 - implicit) / visits)
    scores["naive_average"] = Scores.of(average, average - half, average + half, truth)
    explicit_low, explicit_high = wilson(share, n)
    scores["wilson"] = Scores.of(share, explicit_low, explicit_high, truth)
    estimate, low, high = ppi_mean(table[..., 1:].astype(np.float64), table[..., 0].astype(np.float64), curve.share)
    scores["ppi_python"] = Scores.of(estimate, low, high, truth)
    stratified = post_stratified(cells)
    scores["post_stratified"] = Scores.of(stratified, stratified, stratified, truth)
    fused = efficiency_arrays(cells, curve, full, k, tablet_rated=np.full(replications, paired), estimand=estimand)
    used = float((fused.verdict == Verdict.HELPED.number).mean())
    scores["efficiency"] = Scores.of(fused.estimate, fused.low, fused.high, truth, used)
    corrected = correction_arrays(cells, curve, full, k, estimand=estimand)
    pairs = ((corrected.estimate, share), (corrected.low, explicit_low), (corrected.high, explicit_high))
    estimate, low, high = (np.where(corrected.usable, ours, explicit) for ours, explicit in pairs)
    scores["correction"] = Scores.of(estimate, low, high, truth, float(corrected.usable.mean()))
    if estimand is Estimand.FINITE_MONTH:
        spread, exact = explicit_variance(full, k, visits, estimand)
        low, high = wilson(share, spread / np.maximum(exact, 1e-12))
        scores["explicit_finite"] = Scores.of(share, low, high, truth)
    return scores


@dataclass(frozen=True, slots=True)
class Clusters:
    """`days` x `counters` clusters; `icc` of days (or of counters where `by_counter`); what the ratings tell of them.

    `key`: "day", "day_counter", "counter" or "none": the clusters that dated ratings let us see."""

    days: int
    counters: int
    icc: float
    by_counter: bool = False
    key: str = "day"


def score_clustered(
    rng: np.random.Generator, p: float, rho: float, cell: Cell, clusters: Clusters, replications: int
) -> dict[str, Scores]:
    """Estimates where satisfaction varies by day or counter; truth: `p`, over new days or counters."""
    shape = (replications, clusters.days, clusters.counters)
    concentration = (1.0 - clusters.icc) / clusters.icc
    varying = (replications, 1, clusters.counters) if clusters.by_counter else (replications, clusters.days, 1)
    share_of = np.broadcast_to(rng.beta(p * concentration, (1 - p) * concentration, size=varying), shape)
    number = clusters.days * clusters.counters
    flat = share_of.reshape(replications, number)

    def visits_by_cluster(total: int) -> tuple[FloatArray, FloatArray]:
        sizes = rng.multinomial(total, np.full(number, 1.0 / number), size=replications)
        return sizes.astype(np.float64), rng.binomial(sizes, flat).astype(np.float64)

    joint = joint_distribution(p, rho)
    given = joint / joint.sum(axis=0, keepdims=True)
    n_c, k_c = visits_by_cluster(cell.rated)
    u_n, u_k = visits_by_cluster(cell.visits - cell.rated)

    def levels(count: FloatArray, y: int) -> NDArray[np.int64]:
        return rng.multinomial(count.astype(np.int64), given[:, y])

    k, n = k_c.sum(axis=-1), n_c.sum(axis=-1)
    silent = levels(u_k.sum(axis=-1), 1) + levels((u_n - u_k).sum(axis=-1), 0)
    table = np.stack([silent, levels(n - k, 0), levels(k, 1)], axis=-1)
    table = table + discrete_laplace(rng, cell.epsilon, table.shape, cell.boxes)
    variance = cell_noise_variance(cell.epsilon)
    past, past_k, _ = draw_cells(
        rng, joint, HISTORY * cell.rated, HISTORY * cell.visits, replications, cell.epsilon, HISTORY * cell.boxes
    )
    curve = curve_arrays(noisy_cells(past, HISTORY * cell.boxes * variance, HISTORY * cell.rated, past_k))
    cells = noisy_cells(table, cell.boxes * variance, n, k)

    cube = (replications, clusters.days, clusters.counters)
    if clusters.key == "day":
        seen_n, seen_k = n_c.reshape(cube).sum(axis=2), k_c.reshape(cube).sum(axis=2)
    elif clusters.key == "counter":
        seen_n, seen_k = n_c.reshape(cube).sum(axis=1), k_c.reshape(cube).sum(axis=1)
    else:
        seen_n, seen_k = n_c, k_c
    effect = design_effect_arrays(seen_n, seen_k)
    if clusters.key == "none":
        effect = DesignEffect.none(n)
    share = k / n
    scores = {}
    low, high = wilson(share, n)
    scores["wilson"] = Scores.of(share, low, high, p)
    quantile = np.where(effect.value > 1.0, t_quantile(effect.degrees), normal_quantile())
    low, high = wilson(share, n / effect.value, quantile)
    scores["explicit_clustered"] = Scores.of(share, low, high, p)
    fused = efficiency_arrays(cells, curve, n, k, effect=effect)
    used = float((fused.verdict == Verdict.HELPED.number).mean())
    scores["efficiency"] = Scores.of(fused.estimate, fused.low, fused.high, p, used)
    corrected = correction_arrays(cells, curve, n, k, effect=effect)
    scores["correction"] = Scores.of(corrected.estimate, corrected.low, corrected.high, p)
    return scores


def row(cell: Cell, scores: dict[str, Scores], **labels: Any) -> dict[str, Any]:
    """One flat row: labels, the cell, and `<method>_<figure>` columns."""
    flat: dict[str, Any] = {
        **labels,
        "rated": cell.rated,
        "visits": cell.visits,
        "epsilon": cell.epsilon,
        "boxes": cell.boxes,
    }
    for method, score in scores.items():
        for figure in ("coverage", "width", "bias", "mse", "used"):
            flat[f"{method}_{figure}"] = round(getattr(score, figure), 6)
    return flat
