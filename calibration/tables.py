"""Evidence tables: noisy counts of (implicit level or abstained) x (not rated, not satisfied, satisfied); where a box
counts those who did not agree to be analysed apart (ADR 0221), they are a seventh row.

A cell is a true count plus independent discrete Laplace noise of scale 1/epsilon, so its noise variance is
2 e^-eps / (1 - e^-eps)^2 and cells may be negative. Pooling adds tables and variances. Where the exact number of
rated and of satisfied visits is known (ratings are exact on the server), each rated column is projected on its known
sum: that removes a sixth of the column's noise and never adds any.

Sources: Ghosh, Roughgarden, Sundararajan 2012 (geometric mechanism); Hay et al. 2010 (consistency by projection).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError
from pipeline.language import Message
from pipeline.records import Level, Outcome

LEVELS: Final = len(Level)
"""Rows: five levels and abstained."""
OUTCOMES: Final = len(Outcome)
SEEN_LEVELS: Final = int(Level.ABSTAINED)
"""Rows that are ordered levels; the row after them is abstained."""
NOT_AGREED: Final = LEVELS
"""The row of those who did not agree, where there is one: the last."""
CONSISTENT_SD: Final = 2.0
"""How far a noisy column sum may lie from the exact one before the exact one is not believed to be the same visits."""

FloatArray = NDArray[np.float64]


def cell_noise_variance(epsilon: float | None) -> float:
    """Variance of one cell's discrete Laplace noise at `epsilon` (> 0); 0 for None (no noise).

    >>> round(cell_noise_variance(1.5), 3)
    0.739
    """
    if epsilon is None:
        return 0.0
    if not epsilon > 0 or not math.isfinite(epsilon):
        raise StatisticsError(Message("epsilon must be a positive number, got {epsilon}.", epsilon=epsilon))
    decay = math.exp(-epsilon)
    return 2.0 * decay / (1.0 - decay) ** 2


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """One table, of one box and month or pooled. `counts`: int64 [6, 3], or [7, 3] with those who did not agree; may be
    negative; `cell_variance` >= 0. `without`: of its `releases` those that have no such row, where the table has one:
    theirs are among those without a level."""

    counts: NDArray[np.int64]
    cell_variance: float
    period: DayRange | None = None
    box: str = ""
    releases: int = 1
    without: int = 0

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.shape not in ((LEVELS, OUTCOMES), (LEVELS + 1, OUTCOMES)):
            raise StatisticsError(
                Message(
                    "An evidence table is {levels} x {outcomes}, got shape {shape}.",
                    levels=LEVELS,
                    outcomes=OUTCOMES,
                    shape=counts.shape,
                )
            )
        if not np.all(np.isfinite(counts)) or np.any(counts != np.round(counts)):
            raise StatisticsError(Message("An evidence table holds whole numbers."))
        if not self.cell_variance >= 0:
            raise StatisticsError(
                Message(
                    "Noise variance must be known and not negative, got {cell_variance}.",
                    cell_variance=self.cell_variance,
                )
            )
        if self.cell_variance == 0 and np.any(counts < 0):
            raise StatisticsError(Message("Negative counts in a table that claims to hold no noise."))
        object.__setattr__(self, "counts", counts.astype(np.int64))

    @classmethod
    def released(
        cls, counts: ArrayLike, epsilon: float | None, *, period: DayRange | None = None, box: str = ""
    ) -> EvidenceTable:
        """One release: `counts` [6, 3] or [7, 3] (or their numbers row by row) noised at `epsilon`; None: exact."""
        array = np.asarray(counts)
        if array.size in (LEVELS * OUTCOMES, (LEVELS + 1) * OUTCOMES):
            array = array.reshape(-1, OUTCOMES)
        return cls(array, cell_noise_variance(epsilon), period, box)

    def of_rows(self, rows: int) -> EvidenceTable:
        """The table with 6 or 7 rows. Into 6, those who did not agree are added to those without a level, whose noise
        of twice the variance is then stated for all cells; into 7, there is nobody who did not agree."""
        if rows == len(self.counts):
            return self
        if rows > LEVELS:
            counts = np.concatenate([self.counts, np.zeros((1, OUTCOMES), dtype=np.int64)])
            return replace(self, counts=counts, without=self.releases)
        return replace(self, counts=_folded(self.counts), cell_variance=2.0 * self.cell_variance, without=0)

    @property
    def total(self) -> int:
        """Noisy number of visits."""
        return int(self.counts.sum())

    @property
    def rated(self) -> int:
        """Noisy number of rated visits."""
        return int(self.counts[:, Outcome.NOT_SATISFIED :].sum())

    @property
    def total_variance(self) -> float:
        """Noise variance of `total`."""
        return self.cell_variance * self.counts.size

    def is_empty(self) -> bool:
        """Whether the total cannot be told from zero (two standard deviations of its noise)."""
        return self.total <= 2.0 * math.sqrt(self.total_variance)


def pool(tables: Sequence[EvidenceTable]) -> EvidenceTable:
    """Sum of disjoint tables; variances add. Periods of one box must not overlap.

    Raises `StatisticsError` for no tables and for overlapping periods of one box."""
    if not tables:
        raise StatisticsError(
            Message("No evidence tables to pool."), Message("Check that the boxes' monthly releases arrived.")
        )
    seen: dict[str, list[DayRange]] = {}
    for table in tables:
        if table.box and table.period is not None:
            for other in seen.setdefault(table.box, []):
                if other.overlaps(table.period):
                    raise StatisticsError(
                        Message(
                            "Evidence of box {box} overlaps: {other} and {period}.",
                            box=table.box,
                            other=other,
                            period=table.period,
                        ),
                        Message("A visit would be counted twice; pass each period once."),
                    )
            seen[table.box].append(table.period)
    counts, without = _sum(tables)
    periods = {table.period for table in tables}
    boxes = {table.box for table in tables}
    return EvidenceTable(
        counts=counts,
        cell_variance=float(sum(table.cell_variance for table in tables)),
        period=periods.pop() if len(periods) == 1 else None,
        box=boxes.pop() if len(boxes) == 1 else "",
        releases=sum(table.releases for table in tables),
        without=without,
    )


def added_up(tables: Sequence[EvidenceTable]) -> EvidenceTable:
    """Sum of tables that are known to be disjoint (of one box over periods and agencies); variances add."""
    counts, without = _sum(tables)
    return EvidenceTable(
        counts=counts,
        cell_variance=float(sum(table.cell_variance for table in tables)),
        box=tables[0].box,
        releases=sum(table.releases for table in tables),
        without=without,
    )


def _folded(cells: NDArray[Any]) -> NDArray[Any]:
    """[..., 7, 3] as [..., 6, 3]: the last row added to the one before it."""
    folded = cells[..., :LEVELS, :].copy()
    folded[..., LEVELS - 1, :] += cells[..., LEVELS, :]
    return folded


def _sum(tables: Sequence[EvidenceTable]) -> tuple[NDArray[np.int64], int]:
    """(Counts, releases without the row). Where one of the tables has the row of those who did not agree, the others
    have nobody in it; the noise that these have not there is stated all the same."""
    rows = max(len(table.counts) for table in tables)
    same = [table.of_rows(rows) for table in tables]
    return np.asarray(np.sum([table.counts for table in same], axis=0)), sum(table.without for table in same)


@dataclass(frozen=True, slots=True)
class NoisyCells:
    """Tables ready for the estimators, over any leading axes (one estimate: none; a simulation: replications).

    `cells`: float64 [..., 6, 3], or [..., 7, 3] with those who did not agree; noisy, may be negative. `variance`:
    float64 [...], noise variance of a cell. `projected`: bool [...], whether the rated columns were projected on
    exact sums."""

    cells: FloatArray
    variance: FloatArray
    projected: NDArray[np.bool_] = field(default_factory=lambda: np.asarray(False))

    @property
    def rows(self) -> int:
        """6, or 7 with those who did not agree."""
        return int(self.cells.shape[-2])

    def folded(self) -> NoisyCells:
        """Of seven rows six, as `EvidenceTable.of_rows` does it."""
        return NoisyCells(_folded(self.cells), 2.0 * self.variance, self.projected)

    @property
    def not_rated(self) -> FloatArray:
        """[..., 6] visits without a rating, by level."""
        return np.asarray(self.cells[..., Outcome.NOT_RATED])

    @property
    def satisfied(self) -> FloatArray:
        """[..., 6] visits rated satisfied, by level."""
        return np.asarray(self.cells[..., Outcome.SATISFIED])

    @property
    def rated(self) -> FloatArray:
        """[..., 6] rated visits, by level."""
        return np.asarray(self.cells[..., Outcome.NOT_SATISFIED :].sum(axis=-1))

    @property
    def visits(self) -> FloatArray:
        """[..., 6] all visits, by level."""
        return np.asarray(self.cells.sum(axis=-1))


def noisy_cells(
    cells: ArrayLike,
    cell_variance: ArrayLike,
    rated: ArrayLike | None = None,
    satisfied: ArrayLike | None = None,
) -> NoisyCells:
    """Wrap noisy cells [..., 6 or 7, 3]; project the rated columns on exact `rated`, `satisfied` [...] where these fit.

    They agree when the noisy column sums lie within two standard deviations of the exact ones; where they do not,
    some ratings met no visit (or visits of another box) and the table is left as released."""
    array = np.array(cells, dtype=np.float64)
    variance = np.broadcast_to(np.asarray(cell_variance, dtype=np.float64), array.shape[:-2])
    if rated is None or satisfied is None:
        return NoisyCells(array, variance, np.zeros(array.shape[:-2], dtype=bool))
    k = np.asarray(satisfied, dtype=np.float64)
    targets = np.stack([np.asarray(rated, dtype=np.float64) - k, k], axis=-1)
    gap = targets - array[..., Outcome.NOT_SATISFIED :].sum(axis=-2)
    agrees = np.all(np.abs(gap) <= CONSISTENT_SD * np.sqrt(array.shape[-2] * variance)[..., None] + 1e-9, axis=-1)
    array[..., Outcome.NOT_SATISFIED :] += np.where(agrees[..., None], gap, 0.0)[..., None, :] / array.shape[-2]
    return NoisyCells(array, variance, agrees)
