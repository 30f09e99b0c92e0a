"""The design of a sample: which answers hang together, which differences are no chance, what each answer stands for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

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

    def take(self, rows: NDArray[np.bool_] | IntArray) -> Weights:
        """The chosen rows (bool [rows], or their numbers); the cells stay."""
        return replace(self, cell=self.cell[rows])

    def standing_for(self) -> FloatArray:
        """[cells] transactions that each cell with a row stands for: size over chance. Where any of them was drawn,
        those that were not stand for nothing; cells without a row are 0."""
        cells = np.unique(self.cell)
        found = np.zeros(len(self.size))
        found[cells] = self.standing_in(cells, np.zeros(len(cells), dtype=np.int64), 1)
        return found

    def standing_in(self, cells: IntArray, place: IntArray, places: int) -> FloatArray:
        """The same for the `cells` [n] with a row, each in a `place` [n] of its own account."""
        drawn = self.chance[cells] > 0
        counts = np.bincount(place, weights=drawn, minlength=places)[place] > 0
        chance = np.where(drawn, self.chance[cells], 1.0)
        return np.where(counts & ~drawn, 0.0, self.size[cells] / chance)


def first_stage_variance(
    totals: FloatArray, chance: FloatArray, stratum: IntArray, place: IntArray, places: int
) -> tuple[FloatArray, FloatArray]:
    """(Variance [places, k], degrees of freedom [places]) of sums of units' `totals` [units, k], which add to about 0
    in each `place` [units], over a draw with probability `chance` [units] within `stratum` [units].

    Hajek's approximation for draws without replacement with unequal probabilities (Hajek 1964; Berger 1998). A stratum
    with one unit that was not certain adds its square (an upper estimate)."""
    drawn = chance < 1.0
    left, z = (1.0 - chance[drawn])[:, None], totals[drawn]
    keys, row, _ = distinct(place[drawn], stratum[drawn])
    strata = keys.shape[1]
    count = np.bincount(row, minlength=strata).astype(np.float64)
    mean = sum_rows(left * z, row, strata) / np.maximum(sum_rows(left, row, strata), 1e-300)
    mean[count < 2] = 0.0
    spread = sum_rows(left * (z - mean[row]) ** 2, row, strata) * (count / np.maximum(count - 1, 1))[:, None]
    return (
        sum_rows(spread, keys[0], places),
        sum_rows(np.maximum(count - 1, 1)[:, None], keys[0], places)[:, 0],
    )


@dataclass(frozen=True, slots=True)
class Design:
    """How rows of answers came about. `cluster`, `stratum`: int64 [rows].

    A cluster is a day, numbered from 0 in order of time, of one stratum (an agency): its answers resemble each other,
    and near days do too. Strata differ by more than chance. `weight`: None where each answer counts the same."""

    cluster: IntArray
    stratum: IntArray
    weight: Weights | None = None

    def take(self, rows: NDArray[np.bool_] | IntArray) -> Design:
        """The chosen rows (bool [rows], or their numbers, as often as they are named)."""
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
        nested = Nested.of(self, np.zeros(len(residuals), dtype=np.int64), 1)
        return nested.variance(nested.totals(residuals))[0], int(nested.degrees[0])


@dataclass(frozen=True, slots=True)
class Nested:
    """Clusters in strata in places: `row_cluster` int64 [rows]; `stratum`, `day` int64 [clusters], in order of stratum
    and day; `place` int64 [strata], below `places`."""

    row_cluster: IntArray
    stratum: IntArray
    day: IntArray
    place: IntArray
    places: int

    @classmethod
    def of(cls, design: Design, place: IntArray, places: int) -> Nested:
        """Of the rows of a design, each in one `place` [rows]."""
        stratum, row_stratum = np.unique(
            place * (int(design.stratum.max(initial=0)) + 1) + design.stratum, return_inverse=True
        )
        place_of = np.zeros(len(stratum), dtype=np.int64)
        place_of[row_stratum] = place
        days = int(design.cluster.max(initial=0)) + 1
        cluster, row_cluster = np.unique(row_stratum * days + design.cluster, return_inverse=True)
        return cls(row_cluster, cluster // days, cluster % days, place_of, places)

    @property
    def degrees(self) -> IntArray:
        """[places] clusters less strata."""
        clusters = np.bincount(self.place[self.stratum], minlength=self.places)
        return np.asarray(clusters - np.bincount(self.place, minlength=self.places), dtype=np.int64)

    def totals(self, values: FloatArray) -> FloatArray:
        """Sums [clusters, k] of `values` [rows, k]."""
        return sum_rows(values, self.row_cluster, len(self.stratum))

    def variance(self, totals: FloatArray) -> FloatArray:
        """[places, k] spread of `totals` [clusters, k] within strata, added up by place."""
        strata = len(self.place)
        sizes = np.bincount(self.stratum, minlength=strata).astype(np.float64)
        means = sum_rows(totals, self.stratum, strata) / sizes[:, None]
        means[sizes == 1] = 0.0
        factor = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 1.0)
        squares = factor[self.stratum][:, None] * np.square(totals - means[self.stratum])
        return sum_rows(squares, self.place[self.stratum], self.places)

    def steps(self) -> Steps:
        """The clusters in the order in which sums over days run through all strata at once."""
        sizes = np.bincount(self.stratum, minlength=len(self.place))
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        step = np.arange(len(self.stratum)) - first[self.stratum]
        rank = np.empty(len(sizes), dtype=np.int64)
        rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
        order = np.lexsort((rank[self.stratum], step))
        ends = np.cumsum(np.bincount(step)) if len(step) else np.zeros(1, dtype=np.int64)
        lag = (self.day[order] - self.day[order - 1])[:, None]
        return Steps(order, tuple(int(end) for end in ends), lag)

    def earlier(self, totals: FloatArray, decay: FloatArray) -> FloatArray:
        """[clusters, k] of each day: `totals` [clusters, k] of the stratum's earlier days, each times decay^lag, decay
        [k]."""
        steps = self.steps()
        found = np.empty_like(totals)
        found[steps.order] = steps.earlier(totals[steps.order], decay)
        return found


@dataclass(frozen=True, slots=True)
class Steps:
    """Clusters ordered so that every stratum's first comes first, then every second ...; within each step the strata
    with most clusters lead, so that a step goes on from the beginning of the step before. `order` int64 [clusters];
    `ends`: where each step ends; `lag` int64 [clusters, 1]: days since the stratum's cluster before."""

    order: IntArray
    ends: tuple[int, ...]
    lag: IntArray

    def earlier(self, totals: FloatArray, decay: FloatArray | float) -> FloatArray:
        """`Nested.earlier` of totals in this order."""
        found = np.zeros_like(totals)
        for now, before in self._moves():
            found[now] = (found[before] + totals[before]) * decay ** self.lag[now]
        return found

    def near(self, totals: FloatArray, power: FloatArray) -> FloatArray:
        """[k, clusters] in this order: `totals` [k, clusters] of the stratum's other days, earlier and later, each
        times a decay to the days between; `power` [clusters]: that decay to `lag`."""
        found, later = np.zeros_like(totals), np.zeros_like(totals)
        moves = list(self._moves())
        for now, before in moves:
            of_step = found[:, now]
            np.add(found[:, before], totals[:, before], out=of_step)
            of_step *= power[now]
        for now, before in reversed(moves):
            of_step = later[:, before]
            np.add(later[:, now], totals[:, now], out=of_step)
            of_step *= power[now]
        found += later
        return found

    def _moves(self) -> Iterator[tuple[slice, slice]]:
        """Each step's clusters, and those before them."""
        start = 0
        for end, after in itertools.pairwise(self.ends):
            yield slice(end, after), slice(start, start + after - end)
            start = end


def distinct(*columns: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """(The distinct rows of some `columns` [rows] each, in order, int64 [columns, distinct]; which of them each row is
    [rows]; how many rows each is [distinct]).

    As `np.unique` over an axis, which compares rows as records: by one number a row it takes a tenth of the time."""
    if not len(columns[0]):
        nothing = np.zeros(0, dtype=np.int64)
        return np.zeros((len(columns), 0), dtype=np.int64), nothing, nothing
    lowest = [int(column.min()) for column in columns]
    spans = [int(column.max()) - low + 1 for column, low in zip(columns, lowest, strict=True)]
    if math.prod(spans) >= MAX_KEYS:
        found, row, counts = np.unique(np.stack(columns), axis=1, return_inverse=True, return_counts=True)
        return found, row.ravel(), counts
    key = np.zeros(len(columns[0]), dtype=np.int64)
    for column, low, span in zip(columns, lowest, spans, strict=True):
        key = key * span + (column - low)
    keys, row, counts = np.unique(key, return_inverse=True, return_counts=True)
    found = np.empty((len(columns), len(keys)), dtype=np.int64)
    for place in reversed(range(len(columns))):
        keys, rest = np.divmod(keys, spans[place])
        found[place] = rest + lowest[place]
    return found, row, counts


MAX_KEYS = 2**62
"""Combinations of values that one number can tell apart."""
FEW_ROWS = 2_000
"""Up to so many values are added up without the matrix, which costs more to build than they do to add."""


def sum_rows(values: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Sums [groups, k] of `values` [rows, k] by `group` [rows]."""
    rows = len(group)
    if values.size <= FEW_ROWS:
        sums = np.zeros((groups, values.shape[1]))
        for column in range(values.shape[1]):
            sums[:, column] = np.bincount(group, weights=values[:, column], minlength=groups)
        return sums
    member = csr_array((np.ones(rows), group, np.arange(rows + 1)), shape=(rows, groups))
    return np.asarray(member.T @ values, dtype=np.float64)
