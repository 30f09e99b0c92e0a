"""Agreement of implicit and explicit, from noisy tables alone, each figure with an interval.

Within an agency (or service group) the released table pairs level and rating of the same visits: correlation of level
and rating, Spearman's (level against a yes/no rating), weighted agreement of "looks content" (levels 3-4) with
"satisfied" - Cohen's kappa and Krippendorff's alpha. Between agencies each has an implicit and an explicit index:
Pearson's and Spearman's correlation, Lin's concordance (CCC) and Bland and Altman's limits.

The noise has a known variance: first moments of a table are unbiased as they are, and second moments of the between
figures have sampling and noise variance taken off. Intervals are parametric bootstraps that redraw visits *and* noise.
The tables hold satisfied or not, so a weighted kappa over five levels of rating cannot be had.

Sources: Lin 1989 (CCC); Cohen 1960; Krippendorff 2004; Bland, Altman 1986; Fuller 1987 (errors in variables); Efron,
Tibshirani 1993 (bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.intervals import LEVEL, normal_quantile, t_quantile
from calibration.reasons import Reason, Why
from calibration.tables import SEEN_LEVELS, EvidenceTable, noisy_cells
from calibration.worlds import discrete_laplace
from pipeline.errors import StatisticsError
from pipeline.language import Message, translator

if TYPE_CHECKING:
    import altair

FloatArray = NDArray[np.float64]
AT_ONCE: Final = 20_000
"""Agencies times draws that are made at one time: more leave the processor's cache."""
DRAWS: Final = 1000
MINIMUM_PAIRS: Final = 20
CONTENT_FROM: Final = 3
"""Levels from here on count as "looks content"."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its interval; all three are None where the data cannot say (`reason` tells why)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class TableAgreement:
    """Agreement of level and rating among the rated visits of one table; `pairs`: (noisy) rated visits with a level."""

    pairs: float
    pearson: Figure
    spearman: Figure
    kappa: Figure
    alpha: Figure
    abstained: Figure
    """Share of all visits without a level."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class IndexAgreement:
    """Agreement of agencies' implicit and explicit indices (shares, 0..1)."""

    agencies: int
    pearson: Figure
    spearman: Figure
    ccc: Figure
    mean_difference: Figure
    """Implicit minus explicit."""
    limits: Figure
    """Bland and Altman's 95 % limits of the true difference in an agency, as low and high."""
    points: tuple[tuple[str, float, float], ...]
    """(agency, explicit, implicit): the plot's data."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """The Bland-Altman plot's data."""
        return [
            {
                "agency": name,
                "explicit": 100 * e,
                "implicit": 100 * i,
                "mean": 50 * (e + i),
                "difference": 100 * (i - e),
            }
            for name, e, i in self.points
        ]

    def plot(self, language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """Bland and Altman's plot: difference against mean, with the limits."""
        import altair as alt

        _ = translator(language)
        x, y = _("Mean of both indices"), _("Implicit minus explicit")
        points = (
            alt.Chart(alt.InlineData(values=self.rows()), width=420)
            .mark_point(filled=True, size=60)
            .encode(
                x=alt.X("mean:Q", title=x, scale=alt.Scale(zero=False)),
                y=alt.Y("difference:Q", title=y),
                tooltip=["agency:N", "explicit:Q", "implicit:Q"],
            )
        )
        lines = [
            alt.Chart(alt.InlineData(values=[{"y": 100 * y}])).mark_rule(strokeDash=[4, 4]).encode(y="y:Q")
            for y in (self.mean_difference.value, self.limits.low, self.limits.high)
            if y is not None
        ]
        return alt.layer(points, *lines)


def _table_figures(
    dissatisfied: FloatArray, satisfied: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """(pearson, spearman, kappa, alpha) [...] of counts [..., 5]; NaN where one side does not vary."""
    bad, good = np.maximum(dissatisfied, 0.0), np.maximum(satisfied, 0.0)
    level = bad + good
    n = np.maximum(level.sum(axis=-1), 1e-9)
    p = good.sum(axis=-1) / n
    scores = np.arange(SEEN_LEVELS, dtype=np.float64)
    ranks = np.cumsum(level, axis=-1) - (level - 1) / 2

    def correlation(score: FloatArray) -> FloatArray:
        mean = (level * score).sum(axis=-1) / n
        spread = (level * score**2).sum(axis=-1) / n - mean**2
        covariance = (good * score).sum(axis=-1) / n - mean * p
        scale = spread * p * (1 - p)
        return np.asarray(np.where(scale > 1e-12, covariance / np.sqrt(np.maximum(scale, 1e-12)), np.nan))

    looks = level[..., CONTENT_FROM:].sum(axis=-1) / n
    both = (good[..., CONTENT_FROM:].sum(axis=-1) + bad[..., :CONTENT_FROM].sum(axis=-1)) / n
    chance = looks * p + (1 - looks) * (1 - p)
    kappa = np.where(chance < 1 - 1e-9, (both - chance) / np.maximum(1 - chance, 1e-9), np.nan)
    mixed = (looks + p) / 2
    disagreement = 2 * mixed * (1 - mixed) * (2 * n) / np.maximum(2 * n - 1, 1e-9)
    alpha = np.where(disagreement > 1e-9, 1 - (1 - both) / np.maximum(disagreement, 1e-9), np.nan)
    return correlation(np.broadcast_to(scores, level.shape)), correlation(ranks), kappa, alpha


def _figure(value: float, draws: FloatArray, level: float, reason: Reason) -> Figure:
    """Basic bootstrap interval centred on `value`, within [-1, 1]; too many failed draws: no figure."""
    good = draws[np.isfinite(draws)]
    if not math.isfinite(value) or len(good) < 0.8 * len(draws):
        return Figure(None, reason=reason)
    half = normal_quantile(level) * float(good.std(ddof=1))
    return Figure(float(np.clip(value, -1, 1)), float(max(value - half, -1.0)), float(min(value + half, 1.0)))


def table_agreement(
    table: EvidenceTable,
    *,
    rated: int | None = None,
    satisfied: int | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> TableAgreement:
    """Agreement within one (pooled) table; `rated`, `satisfied`: exact tablet totals of the same visits, if known.

    Fewer than twenty pairs, one level only or all answers equal: figures are None and say why."""
    cells = noisy_cells(table.counts, table.cell_variance, rated, satisfied)
    array = cells.cells
    pairs = float(array[:SEEN_LEVELS, 1:].sum())
    total = float(array.sum())
    share_abstained = float(array[SEEN_LEVELS:].sum()) / max(total, 1.0)
    share_abstained = min(max(share_abstained, 0.0), 1.0)
    silent = 3 * (len(array) - SEEN_LEVELS)  # cells without a level; those who did not agree have none either
    spread = share_abstained * (1 - share_abstained) / max(total, 1.0)
    spread += silent * table.cell_variance / max(total, 1.0) ** 2
    half = normal_quantile(level) * math.sqrt(spread)
    abstained = Figure(share_abstained, max(0.0, share_abstained - half), min(1.0, share_abstained + half))
    if total <= 2 * math.sqrt(table.total_variance):
        abstained = Figure(None, reason=Reason(Why.NO_VISITS))
    if pairs < max(MINIMUM_PAIRS, 3 * math.sqrt(10 * table.cell_variance)):
        none = Figure(None, reason=Reason.of(Why.FEW_PAIRS, pairs=round(max(pairs, 0.0))))
        return TableAgreement(max(pairs, 0.0), none, none, none, none, abstained)
    rng = np.random.default_rng(seed)
    observed = _table_figures(array[:SEEN_LEVELS, 1], array[:SEEN_LEVELS, 2])
    positive = np.maximum(array, 0.0)
    drawn = rng.multinomial(round(positive.sum()), (positive / positive.sum()).ravel(), size=draws)
    redrawn = drawn.reshape(draws, -1, 3).astype(np.float64)
    # the released noise is a sum of known discrete Laplace draws; any with its variance redraws it
    if table.cell_variance > 0:
        per_release = table.cell_variance / table.releases
        epsilon = math.log1p((1 + math.sqrt(1 + 2 * per_release)) / per_release)
        redrawn += discrete_laplace(rng, epsilon, redrawn.shape, table.releases)
    figures = _table_figures(redrawn[:, :SEEN_LEVELS, 1], redrawn[:, :SEEN_LEVELS, 2])
    reason = Reason(Why.NO_VARIATION)
    # clipping negative cells attenuates; the bootstrap repeats that step, so its mean shift is taken off once
    pearson, spearman, kappa, alpha = (
        _figure(float(2 * o - np.nanmean(d)) if np.isfinite(d).any() else float(o), d, level, reason)
        for o, d in zip(observed, figures, strict=True)
    )
    return TableAgreement(pairs, pearson, spearman, kappa, alpha, abstained)


def index_agreement(
    names: Sequence[str],
    explicit: ArrayLike,
    implicit: ArrayLike,
    explicit_variance: ArrayLike,
    implicit_variance: ArrayLike,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> IndexAgreement:
    """Agreement of agencies' indices [m] (shares) with known error variances [m], which are taken off second moments.

    Fewer than four agencies, or indices that do not differ beyond their errors: correlations are None and say why."""
    x, y = np.asarray(explicit, dtype=np.float64), np.asarray(implicit, dtype=np.float64)
    vx, vy = np.asarray(explicit_variance, dtype=np.float64), np.asarray(implicit_variance, dtype=np.float64)
    m = len(names)
    if not x.shape == y.shape == vx.shape == vy.shape == (m,):
        raise StatisticsError(Message("Index agreement: one explicit and implicit figure and variance per agency."))
    if not all(np.all(np.isfinite(a)) for a in (x, y, vx, vy)) or np.any(vx < 0) or np.any(vy < 0):
        raise StatisticsError(
            Message("Index agreement: a figure is missing."), Message("Leave agencies without ratings or tables out.")
        )
    points = tuple(zip(names, x.tolist(), y.tolist(), strict=True))
    if m < 4:
        none = Figure(None, reason=Reason.of(Why.FEW_AGENCIES, agencies=m))
        return IndexAgreement(m, none, none, none, none, none, points)

    def figures(a: FloatArray, b: FloatArray) -> FloatArray:
        da, db = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
        sa = (da**2).sum(axis=-1) / (m - 1) - vx.mean()
        sb = (db**2).sum(axis=-1) / (m - 1) - vy.mean()
        sab = (da * db).sum(axis=-1) / (m - 1)
        scale = sa * sb
        pearson = np.where((sa > 0) & (sb > 0), sab / np.sqrt(np.maximum(scale, 1e-15)), np.nan)
        gap = b.mean(axis=-1) - a.mean(axis=-1)
        base = np.maximum(sa, 0) + np.maximum(sb, 0) + np.maximum(gap**2 - (vx.mean() + vy.mean()) / m, 0)
        ccc = np.where(base > 0, 2 * sab / np.maximum(base, 1e-15), np.nan)
        from scipy.stats import rankdata

        ra, rb = rankdata(a, axis=-1), rankdata(b, axis=-1)
        ra, rb = ra - ra.mean(axis=-1, keepdims=True), rb - rb.mean(axis=-1, keepdims=True)
        spearman = (ra * rb).sum(axis=-1) / np.sqrt(np.maximum((ra**2).sum(axis=-1) * (rb**2).sum(axis=-1), 1e-15))
        difference = b - a
        spread = np.maximum(difference.var(axis=-1, ddof=1) - (vx + vy).mean(), 0.0)
        return np.stack([np.clip(pearson, -1.5, 1.5), spearman, np.clip(ccc, -1.5, 1.5), gap, np.sqrt(spread)])

    observed = figures(x, y)
    rng, parts, step = np.random.default_rng(seed), [], max(1, AT_ONCE // m)
    for first in range(0, draws, step):
        chosen = rng.integers(0, m, size=(min(step, draws - first), m))
        parts.append(figures(x[chosen], y[chosen]))
    boot = np.concatenate(parts, axis=1)
    reason = Reason(Why.AGENCIES_ALIKE)
    gap, spread = float(observed[3]), float(observed[4])
    half = normal_quantile(level) * float(boot[3].std(ddof=1))
    q = normal_quantile(0.95)
    return IndexAgreement(
        agencies=m,
        pearson=_percentile(float(observed[0]), boot[0], m, level, reason),
        spearman=_percentile(float(observed[1]), boot[1], m, level, reason),
        ccc=_percentile(float(observed[2]), boot[2], m, level, reason),
        mean_difference=Figure(gap, gap - half, gap + half),
        limits=Figure(gap, gap - q * spread, gap + q * spread),
        points=points,
    )


def _percentile(value: float, draws: FloatArray, m: int, level: float, reason: Reason) -> Figure:
    """Percentile interval of a bootstrap over `m` agencies, widened by Student's quantile over the normal one's."""
    good = draws[np.isfinite(draws)]
    if not math.isfinite(value) or len(good) < 0.8 * len(draws):
        return Figure(None, reason=reason)
    low, high = np.quantile(good, [0.5 - level / 2, 0.5 + level / 2])
    stretch = float(t_quantile(m - 2, level)) / normal_quantile(level) * math.sqrt(m / (m - 1))
    low, high = value + stretch * (low - value), value + stretch * (high - value)
    return Figure(float(np.clip(value, -1, 1)), float(np.clip(low, -1, 1)), float(np.clip(high, -1, 1)))


def implicit_index(table: EvidenceTable, by_level: ArrayLike) -> tuple[float, float]:
    """(share, variance): the curve's mean over all visits of a table, sampling and noise variance together.

    `by_level` [6 or 7]: P(satisfied | level) of the group's curve."""
    share = np.asarray(by_level, dtype=np.float64)
    visits = table.of_rows(len(share)).counts.sum(axis=1).astype(np.float64)
    total = max(float(visits.sum()), 1.0)
    mean = float((visits * share).sum() / total)
    centred = share - mean
    sampling = float((np.maximum(visits, 0) * centred**2).sum()) / total**2
    noise = 3 * table.cell_variance * float((centred**2).sum()) / total**2
    return min(max(mean, 0.0), 1.0), sampling + noise
