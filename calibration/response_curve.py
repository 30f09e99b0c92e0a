"""The response curve: the probability of satisfaction given the implicit level, learnt from noisy tables.

Per agency group, from earlier periods' tables: the share satisfied among rated visits of each level, with the noise's
variance known; shrunken to a straight line over the levels and on to a flat one where the data say no more (empirical
Bayes, DerSimonian-Laird between-level variance), and made monotone (pool adjacent violators) unless the data
contradict that. Abstained visits have a value of their own, shrunken to the mean. A curve learnt from other visits
than those it is applied to cannot overfit them, so estimates that use it stay unbiased whatever it says.

Sources: DerSimonian, Laird 1986; Barlow et al. 1972 (isotonic regression, minimum-maximum formula); Efron, Morris 1973.
All array functions broadcast over leading axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from calibration.bounded import MINIMUM_BOXES, bounded_shares, caps
from calibration.tables import LEVELS, OUTCOMES, SEEN_LEVELS, EvidenceTable, NoisyCells, added_up, noisy_cells
from pipeline.errors import StatisticsError
from pipeline.language import Message, translator

if TYPE_CHECKING:
    import altair

FloatArray = NDArray[np.float64]
MINIMUM_PAIRS: Final = 100
"""Rated visits behind a curve before it may be used."""
MINIMUM_EACH: Final = 10
"""Satisfied, and not satisfied, rated visits behind a curve before it may be used."""
MINIMUM_APART: Final = 30
"""Rated visits of those who did not agree, before they are a stratum of their own rather than without a level."""
MONOTONE_P: Final = 0.01
"""A curve is left unordered only where order is rejected at this level."""
LEVEL_NAMES: Final = (
    Message("very low"),
    Message("low"),
    Message("middle"),
    Message("high"),
    Message("very high"),
    Message("abstained"),
    Message("not agreed"),
)
"""Rows of a table."""
_SCORES: Final = np.arange(SEEN_LEVELS, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CurveArrays:
    """Curves over any leading axes.

    Rows are six, or seven where those who did not agree are one: they have no place on the curve, and a value of their
    own, as those without a level. `share` [..., 6]: P(satisfied | level), shrunken, and `variance` [..., 6] its
    posterior variance. `level_share` [..., 6]: share of visits at each level, sums to 1. `mean` [...]: share satisfied
    among rated. `calibrated`, `monotone` bool [...]: whether it may be used, and whether order was imposed. `fitted`
    [..., 6]: monotone but not shrunken, and `fitted_variance` its sampling variance: for correcting, where a curve too
    flat would leave bias."""

    share: FloatArray
    variance: FloatArray
    level_share: FloatArray
    mean: FloatArray
    calibrated: NDArray[np.bool_]
    monotone: NDArray[np.bool_]
    fitted: FloatArray
    fitted_variance: FloatArray

    def for_cells(self, cells: NoisyCells) -> tuple[CurveArrays, NoisyCells]:
        """The curve and the cells with the same rows. A curve that knows nothing of those who did not agree is used for
        cells in which they are added to those without a level; cells without such a row need the others' alone."""
        rows = self.share.shape[-1]
        if cells.rows > rows:
            return self, cells.folded()
        if cells.rows == rows:
            return self, cells
        seen = self.level_share[..., : cells.rows]
        level_share = seen / np.maximum(seen.sum(axis=-1, keepdims=True), 1e-12)
        share, variance, fitted, fitted_variance = (
            values[..., : cells.rows] for values in (self.share, self.variance, self.fitted, self.fitted_variance)
        )
        cut = CurveArrays(
            share, variance, level_share, self.mean, self.calibrated, self.monotone, fitted, fitted_variance
        )
        return cut, cells


def isotonic(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted least-squares non-decreasing fit of `values` [..., k] with `weights` [..., k] > 0 (min-max formula)."""
    k = values.shape[-1]
    weight_sums = np.concatenate([np.zeros((*weights.shape[:-1], 1)), np.cumsum(weights, axis=-1)], axis=-1)
    value_sums = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values * weights, axis=-1)], axis=-1)
    fitted = np.empty_like(values)
    for i in range(k):
        best = np.full(values.shape[:-1], -np.inf)
        for low in range(i + 1):
            averages = [
                (value_sums[..., high + 1] - value_sums[..., low])
                / (weight_sums[..., high + 1] - weight_sums[..., low])
                for high in range(i, k)
            ]
            best = np.maximum(best, np.min(averages, axis=0))
        fitted[..., i] = best
    return fitted


def _shrunken(raw: FloatArray, variance: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Empirical-Bayes means and variances of the ordered levels' shares [..., 5] given sampling `variance`."""
    weight = 1.0 / variance
    total = weight.sum(axis=-1, keepdims=True)
    score = _SCORES - (weight * _SCORES).sum(axis=-1, keepdims=True) / total
    spread = (weight * score**2).sum(axis=-1, keepdims=True)
    centre = (weight * raw).sum(axis=-1, keepdims=True) / total
    slope = (weight * score * raw).sum(axis=-1, keepdims=True) / spread
    keep = np.clip(1.0 - 1.0 / np.maximum(slope**2 * spread, 1e-12), 0.0, 1.0) * (slope > 0)
    line = centre + keep * slope * score
    heterogeneity = (weight * (raw - line) ** 2).sum(axis=-1, keepdims=True) - (SEEN_LEVELS - 2)
    scale = total - (weight**2).sum(axis=-1, keepdims=True) / total
    between = np.maximum(heterogeneity / scale, 0.0)
    trust = between / (between + variance)
    fitted = line + trust * (raw - line)
    line_variance = 1.0 / total + score**2 / spread * keep
    return fitted, trust * variance + (1.0 - trust) ** 2 * line_variance


def curve_arrays(cells: NoisyCells, minimum_pairs: int = MINIMUM_PAIRS) -> CurveArrays:
    """Learn curves from pooled tables over any leading axes. Never raises: what cannot be learnt is not calibrated."""
    rated, satisfied = cells.rated, cells.satisfied
    noise = cells.variance[..., None]
    n = np.maximum(rated.sum(axis=-1), 1.0)
    k = np.clip(satisfied.sum(axis=-1), 0.0, n)
    mean = (k + 1.0) / (n + 2.0)
    m = mean[..., None]
    seen = np.maximum(rated, 1.0)
    # a level whose rated visits cannot be told from noise keeps a huge variance, so that it says nothing
    informative = rated > 2.0 * np.sqrt(2.0 * noise)
    raw = np.clip(np.where(informative, satisfied / seen, m), 0.0, 1.0)
    variance = (m * (1 - m)) / seen + noise * (m**2 + (1 - m) ** 2) / seen**2
    variance = np.where(informative, variance, 25.0)
    levels, levels_variance = _shrunken(raw[..., :SEEN_LEVELS], variance[..., :SEEN_LEVELS], mean)
    ordered = isotonic(levels, 1.0 / variance[..., :SEEN_LEVELS])
    raw_ordered = isotonic(raw[..., :SEEN_LEVELS], 1.0 / variance[..., :SEEN_LEVELS])
    misfit = ((raw[..., :SEEN_LEVELS] - raw_ordered) ** 2 / variance[..., :SEEN_LEVELS]).sum(axis=-1)
    monotone = misfit <= chdtri(SEEN_LEVELS - 1, MONOTONE_P)
    levels = np.where(monotone[..., None], ordered, levels)
    gap = raw[..., SEEN_LEVELS:] - m
    abstained_variance = variance[..., SEEN_LEVELS:]
    trust = np.clip(1.0 - abstained_variance / np.maximum(gap**2, 1e-12), 0.0, 1.0)
    share = np.clip(np.concatenate([levels, m + trust * gap], axis=-1), 0.0, 1.0)
    share_variance = np.concatenate(
        [levels_variance, trust * abstained_variance + (m * (1 - m)) / n[..., None]], axis=-1
    )
    known = np.where(informative, raw, share)
    fitted_levels = np.where(
        monotone[..., None],
        isotonic(known[..., :SEEN_LEVELS], 1.0 / variance[..., :SEEN_LEVELS]),
        known[..., :SEEN_LEVELS],
    )
    fitted = np.concatenate([fitted_levels, known[..., SEEN_LEVELS:]], axis=-1)
    fitted_variance = np.where(informative, variance, np.maximum(share_variance, m * (1 - m) / 4))
    visits = np.maximum(cells.visits, 0.0)
    total = visits.sum(axis=-1, keepdims=True)
    level_share = np.where(total > 0, visits / np.maximum(total, 1e-12), 1.0 / cells.rows)
    calibrated = (n >= minimum_pairs) & (k >= MINIMUM_EACH) & (n - k >= MINIMUM_EACH) & (total[..., 0] > n)
    return CurveArrays(share, share_variance, level_share, mean, calibrated, monotone, fitted, fitted_variance)


@dataclass(frozen=True, slots=True)
class ResponseCurve:
    """One group's curve. Arrays float64 [6] or [7] (`CurveArrays`), rows as `pipeline.records.Level`; `pairs`:
    rated visits behind it."""

    group: str
    share: FloatArray
    standard_error: FloatArray
    level_share: FloatArray
    mean: float
    rho: float
    """Correlation of the rating with the curve's value, on the visits that it was learnt from, shrunken."""
    pairs: int
    tables: int
    calibrated: bool
    monotone: bool
    fitted: FloatArray
    """As `share`, not shrunken."""
    fitted_error: FloatArray
    boxes: int = 0
    """Boxes behind it."""
    held: tuple[str, ...] = ()
    """Those whose pairs lie too far from the others' to count in full."""

    def arrays(self) -> CurveArrays:
        """The curve for the array functions."""
        return CurveArrays(
            self.share,
            self.standard_error**2,
            self.level_share,
            np.asarray(self.mean),
            np.asarray(self.calibrated),
            np.asarray(self.monotone),
            self.fitted,
            self.fitted_error**2,
        )

    def summary(self) -> str:
        """Figures by level, and whether the curve may be used."""
        lines = [f"{self.group}: calibrated = {self.calibrated}, pairs = {self.pairs}, rho = {self.rho:.2f}"]
        for level, (share, error) in enumerate(zip(self.share, self.standard_error, strict=True)):
            lines.append(f"  {level}  {100 * share:5.1f} ± {196 * error:.1f}")
        return "\n".join(lines)

    def rows(self) -> list[dict[str, Any]]:
        """One row per level: the plot's data."""
        return [
            {
                "group": self.group,
                "level": level,
                "satisfied": 100 * float(share),
                "low": 100 * max(0.0, float(share - 1.96 * error)),
                "high": 100 * min(1.0, float(share + 1.96 * error)),
                "share_of_visits": 100 * float(visits),
            }
            for level, (share, error, visits) in enumerate(
                zip(self.share, self.standard_error, self.level_share, strict=True)
            )
        ]

    def plot(self, language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """Share satisfied by level with its uncertainty."""
        import altair as alt

        _ = translator(language)
        names = [_(name) for name in LEVEL_NAMES]
        rows = [{**row, "name": names[row["level"]]} for row in self.rows()]
        base = alt.Chart(alt.InlineData(values=rows), title=self.group, width=320).encode(
            x=alt.X("name:N", title=_("Implicit level"), sort=names)
        )
        title = _("Share satisfied (%)")
        band = base.mark_rule(strokeWidth=2).encode(
            y=alt.Y("low:Q", title=title, scale=alt.Scale(domain=[0, 100])), y2="high:Q"
        )
        points = base.mark_point(filled=True, size=60).encode(
            y="satisfied:Q", tooltip=["name:N", "satisfied:Q", "low:Q", "high:Q", "share_of_visits:Q"]
        )
        return alt.layer(band, points)


class BoxTables:
    """A group's tables by box: what is learnt of all of them, or of all but one, adds each box up once.

    Tables without a box's name are boxes of their own."""

    def __init__(self, tables: Sequence[EvidenceTable]) -> None:
        self._by_box: dict[str, list[EvidenceTable]] = {}
        for number, table in enumerate(tables):
            self._by_box.setdefault(table.box or f" {number}", []).append(table)
        self.names = tuple(self._by_box)
        apart = [[table for table in of_box if len(table.counts) > LEVELS] for of_box in self._by_box.values()]
        self._releases = np.array([sum(table.releases for table in of_box) for of_box in self._by_box.values()])
        self._rated_apart = np.array([sum(int(t.counts[LEVELS, 1:].sum()) for t in found) for found in apart])
        self._noise_apart = np.array([sum(table.cell_variance for table in found) for found in apart])
        # in a majority tables without a name are one box
        self._unnamed = np.array([name.startswith(" ") for name in self.names], dtype=bool)
        self._has_apart = np.array([bool(found) for found in apart], dtype=bool)
        self._added: dict[int, tuple[FloatArray, FloatArray]] = {}

    def _kept(self, left_out: str | None) -> NDArray[np.bool_]:
        """Bool [boxes]: those not left out."""
        return np.array([name != left_out for name in self.names], dtype=bool)

    def _rows(self, kept: NDArray[np.bool_]) -> int:
        """7 where those who did not agree, and rated, are enough to be told from noise and to be a stratum, and most
        boxes count them: else one box could say what they are."""

        def boxes(of: NDArray[np.bool_]) -> int:
            return int((of & ~self._unnamed).sum()) + bool((of & self._unnamed).any())

        if 2 * boxes(kept & self._has_apart) <= boxes(kept):
            return LEVELS
        noise = 2.0 * math.sqrt(2.0 * float(self._noise_apart[kept].sum()))
        return LEVELS + (int(self._rated_apart[kept].sum()) >= MINIMUM_APART + noise)

    def _cells(self, rows: int) -> tuple[FloatArray, FloatArray]:
        """(Cells [boxes, rows, 3], noise variance of a cell [boxes])."""
        if rows not in self._added:
            pooled = [added_up([table.of_rows(rows) for table in of_box]) for of_box in self._by_box.values()]
            self._added[rows] = (
                np.array([table.counts for table in pooled], dtype=np.float64).reshape(-1, rows, OUTCOMES),
                np.array([table.cell_variance for table in pooled]),
            )
        return self._added[rows]

    def releases(self, left_out: str | None = None) -> int:
        """Releases behind what is learnt."""
        return int(self._releases[self._kept(left_out)].sum())

    def bounded(self, left_out: str | None = None) -> tuple[FloatArray, float, int, tuple[str, ...]]:
        """(cells [6, 3], noise variance of a cell, boxes, boxes held) of all boxes but one, none moving them far.

        [7, 3] where those who did not agree are a stratum (`MINIMUM_APART`). Each box's visits are capped, by level
        too, and its satisfied of rated held to the others' (`calibration.bounded`); fewer than `MINIMUM_BOXES` boxes
        are simply added up."""
        cells, noise, names, held = self._held(left_out)
        return cells.sum(axis=0), float(noise.sum()), len(names), held

    def _held(self, left_out: str | None = None) -> tuple[FloatArray, FloatArray, list[str], tuple[str, ...]]:
        """(what each box brings [boxes, rows, 3], its noise variance [boxes], the boxes, those held)."""
        kept = self._kept(left_out)
        cells, noise = (array[kept] for array in self._cells(self._rows(kept)))
        names = [name for name, keep in zip(self.names, kept, strict=True) if keep]
        if len(names) < MINIMUM_BOXES:
            return cells, noise, names, ()
        visits = np.maximum(cells.sum(axis=(1, 2)), 1.0)
        scale = np.minimum(1.0, caps(visits) / visits)
        cells, noise = cells * scale[:, None, None], noise * scale**2
        silent, rated, satisfied = cells[..., 0], cells[..., 1:].sum(axis=-1), cells[..., 2]
        silent = np.minimum(silent, caps(silent))
        shrink = np.minimum(1.0, caps(rated) / np.maximum(rated, 1.0))
        rated, satisfied = rated * shrink, satisfied * shrink
        seen = np.maximum(rated, 0.0)
        informative = rated > 2.0 * np.sqrt(2.0 * noise)[:, None]
        bounded, off = bounded_shares(satisfied, seen, noise, informative)
        held = tuple(sorted(box.strip() for box, any_off in zip(names, off, strict=True) if any_off))
        return np.stack([silent, rated - bounded, bounded], axis=-1), noise, names, held

    def nearly_without_each(self, minimum_pairs: int = MINIMUM_PAIRS) -> CurveArrays:
        """Of all boxes and then [boxes] without each in turn (in the order of `names`), about: what it brings taken
        off, the others held as far as they are beside it. To tell which boxes are worth doing without in earnest."""
        cells, noise, _, _ = self._held()
        less, less_noise = np.concatenate([np.zeros_like(cells[:1]), cells]), np.concatenate([[0.0], noise])
        return curve_arrays(noisy_cells(cells.sum(axis=0) - less, noise.sum() - less_noise), minimum_pairs)


def bounded_table(tables: Sequence[EvidenceTable]) -> EvidenceTable:
    """All tables as one (whole numbers), no box moving it far. At least one."""
    counts, variance, _, _ = BoxTables(tables).bounded()
    return EvidenceTable(np.round(counts), variance, releases=sum(table.releases for table in tables))


def learn_curve(
    tables: Sequence[EvidenceTable] | BoxTables,
    group: str = "",
    *,
    left_out: str | None = None,
    rated: int | None = None,
    satisfied: int | None = None,
    minimum_pairs: int = MINIMUM_PAIRS,
) -> ResponseCurve:
    """Learn a group's curve from its earlier tables; `rated`, `satisfied`: exact tablet totals of the same visits;
    `left_out`: a box to do without.

    No tables, or too few pairs: a flat curve that is not calibrated. Raises `StatisticsError` for impossible totals."""
    if rated is not None and satisfied is not None and not 0 <= satisfied <= rated:
        raise StatisticsError(
            Message("{satisfied} satisfied of {rated} rated is impossible.", satisfied=satisfied, rated=rated)
        )
    by_box = tables if isinstance(tables, BoxTables) else BoxTables(tables)
    counts, variance, boxes, held = by_box.bounded(left_out)
    cells = noisy_cells(counts, variance, rated, satisfied)
    arrays = curve_arrays(cells, minimum_pairs)
    spread = float((arrays.level_share * (arrays.share - (arrays.level_share * arrays.share).sum()) ** 2).sum())
    mean = float(arrays.mean)
    return ResponseCurve(
        group=group,
        share=arrays.share,
        standard_error=np.sqrt(arrays.variance),
        level_share=arrays.level_share,
        mean=mean,
        rho=float(np.sqrt(min(spread / (mean * (1 - mean)), 1.0))),
        pairs=max(0, round(float(cells.rated.sum()))),
        tables=by_box.releases(left_out),
        calibrated=bool(arrays.calibrated),
        monotone=bool(arrays.monotone),
        fitted=arrays.fitted,
        fitted_error=np.sqrt(arrays.fitted_variance),
        boxes=boxes,
        held=held,
    )
