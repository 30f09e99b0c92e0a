"""The design of a sample: which answers hang together, which differences are no chance, what each answer stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weighting cells and what they stand for. `cell`: int64 [rows], a number below len(size); `size`: float64 [cells]
    transactions of each.

    Of a plan that draws agencies or service groups first: `chance` float64 [cells] in (0, 1], with which the cell was
    drawn, 0 where it was not (its answers came otherwise, and stand for itself alone); `unit`, `unit_stratum` int64
    [cells], what was drawn and among which. Without one everything was certain."""

    cell: IntArray
    size: FloatArray
    chance: FloatArray
    unit: IntArray
    unit_stratum: IntArray

    @classmethod
    def certain(cls, cell: IntArray, size: FloatArray) -> Weights:
        """Of cells that were not drawn, but are all there are."""
        cells = np.arange(len(size), dtype=np.int64)
        return cls(cell, size, np.ones(len(size)), cells, np.zeros(len(size), dtype=np.int64))

    def take(self, rows: NDArray[np.bool_]) -> Weights:
        """The chosen rows (bool [rows]); the cells stay."""
        return replace(self, cell=self.cell[rows])

    def standing_for(self) -> FloatArray:
        """[cells] transactions that each cell with a row stands for: size over chance. Where any of them was drawn,
        those that were not stand for nothing; cells without a row are 0."""
        seen = np.zeros(len(self.size), dtype=bool)
        seen[self.cell] = True
        drawn = seen & (self.chance > 0)
        if not drawn.any():
            return np.where(seen, self.size, 0.0)
        return np.where(drawn, self.size / np.where(self.chance > 0, self.chance, 1.0), 0.0)


def first_stage_variance(totals: FloatArray, chance: FloatArray, stratum: IntArray) -> tuple[FloatArray, float]:
    """(Variance [k], degrees of freedom) of sums of units' `totals` [units, k], which add to about 0, over a draw with
    probability `chance` [units] within `stratum` [units].

    Hajek's approximation for draws without replacement with unequal probabilities (Hajek 1964; Berger 1998). A stratum
    with one unit that was not certain adds its square (an upper estimate)."""
    variance, degrees = np.zeros(totals.shape[1]), 0.0
    for one in np.unique(stratum[chance < 1.0]):
        chosen = (stratum == one) & (chance < 1.0)
        left, z = (1.0 - chance[chosen])[:, None], totals[chosen]
        count = len(z)
        mean = (left * z).sum(axis=0) / left.sum() if count > 1 else 0.0
        variance = variance + max(count / max(count - 1, 1), 1.0) * (left * (z - mean) ** 2).sum(axis=0)
        degrees += max(count - 1, 1)
    return variance, degrees


@dataclass(frozen=True, slots=True)
class Design:
    """How rows of answers came about. `cluster`, `stratum`: int64 [rows].

    A cluster is a day, numbered from 0 in order of time, of one stratum (an agency): its answers resemble each other,
    and near days do too. Strata differ by more than chance. `weight`: None where each answer counts the same."""

    cluster: IntArray
    stratum: IntArray
    weight: Weights | None = None

    def take(self, rows: NDArray[np.bool_]) -> Design:
        """The chosen rows (bool [rows])."""
        weight = None if self.weight is None else self.weight.take(rows)
        return Design(self.cluster[rows], self.stratum[rows], weight)

    @property
    def clusters(self) -> IntArray:
        """[rows] a number for each stratum and day."""
        return self.stratum * (int(self.cluster.max(initial=0)) + 1) + self.cluster

    def variance(self, residuals: FloatArray) -> tuple[FloatArray, int]:
        """Variance [k] of sums of `residuals` [rows, k] from the spread of cluster totals within strata, and the
        degrees of freedom (clusters - strata).

        A stratum with one cluster adds its squared total (an upper estimate: it is not centred)."""
        totals, row_cluster = sums_by(residuals, self.clusters)
        stratum_of = np.zeros(len(totals), dtype=np.int64)
        stratum_of[row_cluster] = self.stratum
        strata, place = np.unique(stratum_of, return_inverse=True)
        sizes = np.bincount(place).astype(np.float64)
        means = np.zeros((len(strata), residuals.shape[1]))
        np.add.at(means, place, totals)
        means /= sizes[:, None]
        means[sizes == 1] = 0.0
        factor = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 1.0)
        variance = (factor[place][:, None] * np.square(totals - means[place])).sum(axis=0)
        return variance, len(totals) - len(strata)


def sums_by(values: FloatArray, group: IntArray) -> tuple[FloatArray, IntArray]:
    """Sums of `values` [rows, k] by `group` [rows]: [groups, k], and each row's place among the groups."""
    groups, place = np.unique(group, return_inverse=True)
    sums = np.zeros((len(groups), values.shape[1]))
    np.add.at(sums, place, values)
    return sums, place
