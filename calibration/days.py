"""How answers hang together: those of one day (and sheet), and those of days near each other.

A bad day moves every counter of an agency, and bad days come in runs. The model of an agency's answers, variances and
covariances over p (1 - p):

    Var(sum of n_t answers of day t) = base n_t + same_day n_t^2,   Cov(days s, t) = same_day n_s n_t decay^|s - t|

`base` is 1 - same_day where a sheet holds one answer; where it holds several, they resemble each other and base is
larger. The three are learnt from all agencies (strata) together by moments: sums of products of daily residuals at lags
0 to 5, whose expectations hold the loss by the agency's own mean exactly; decay on a grid, the others by weighted least
squares. Lags count days on which the province was asked, so that a week-end is no gap.

A design's expected effect follows. A place's own variance between its days is drawn towards it, by degrees of freedom:
no agency alone can tell its days' correlation from chance.

Sources: Kish 1965, ch. 5; Newey, West 1987 (why lags matter).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.design import Design, Nested, Steps, sum_rows
from calibration.design_effect import DesignEffect

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LAGS: Final = 5
DECAYS: Final = (0.0, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9)
EVIDENCE: Final = 2.7
"""Fall of the chi-squared loss that shows runs of days: one in ten where there are none."""
FEWEST_DAYS: Final = 6
"""Days before which nothing is seen of how days hang together,"""
FEWEST_DEGREES: Final = 60
"""and agencies' days (less one an agency) before which too little is,"""
FIRST_DAYS: Final = (0.1, 0.8)
"""so that they may hang together by as much as this: (`same_day`, `decay`)."""
_Fit = tuple[float, float, float, float, float, float]
_Pair = tuple[IntArray, IntArray]
CELLS_AT_ONCE: Final = 100_000
"""Clusters times figures that are fitted at one time: 3 MB an array."""
PRIOR_DEGREES: Final = 30.0
"""Degrees of freedom that the other agencies' days are worth beside a place's own."""


@dataclass(frozen=True, slots=True)
class DayCorrelation:
    """float64 [k] each: `same_day` in [0, 1), `decay` in [0, 1), `base` > 0. `degrees`: clusters less strata behind."""

    same_day: FloatArray
    decay: FloatArray
    base: FloatArray
    degrees: float
    most: tuple[FloatArray, FloatArray, FloatArray] | None = None
    """The first three [k] where days hang together as much as the answers leave open."""

    @classmethod
    def unknown(cls, figures: int = 1) -> DayCorrelation:
        """Of answers of which nothing hangs together, with nothing behind it."""
        return cls(np.zeros(figures), np.zeros(figures), np.ones(figures), 0.0)

    def at_most(self) -> DayCorrelation:
        """For figures that are looked at while days still come: a few weeks hardly show runs of days, and a figure that
        took them for none would be told wrongly at one of its looks."""
        return self if self.most is None else DayCorrelation(*self.most, self.degrees)

    def between(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """[k] covariance of two weighted sums of answers with weights by day [..., days, k], over p (1 - p)."""
        lag = np.abs(np.subtract.outer(np.arange(first.shape[-2]), np.arange(first.shape[-2])))
        found = np.zeros(first.shape[-1])
        for j in range(len(found)):
            found[j] = self.same_day[j] * float((first[..., j] * (second[..., j] @ self.decay[j] ** lag)).sum())
        return found


def day_numbers(days: Sequence[date], first: date) -> NDArray[np.int64]:
    """[n] number of each day since `first`, Sundays left out (an answer of a Sunday counts with the Monday's)."""
    given = np.array(days, dtype="datetime64[D]")
    return np.asarray(np.busday_count(np.datetime64(first, "D"), given, weekmask="1111110"), dtype=np.int64)


def by_day(values: FloatArray, design: Design, days: int = 0) -> FloatArray:
    """Sums [strata, days, k] of `values` [rows, k]; clusters are the days' numbers, `days` at least so many."""
    _, place = np.unique(design.stratum, return_inverse=True)
    days = max(days, int(design.cluster.max(initial=0)) + 1)
    sums = np.zeros(((int(place.max(initial=-1)) + 1) * days, values.shape[1]))
    np.add.at(sums, place * days + design.cluster, values)
    return sums.reshape(-1, days, values.shape[1])


@dataclass(frozen=True, slots=True)
class _Clusters:
    """What the fits of all figures share: the clusters, in order of stratum and day, and which of them go together.

    `first` int64 [strata]: each stratum's first cluster. `pairs` of lags 1 to `LAGS`: numbers of clusters of one
    stratum whose days lie so far apart, the earlier ones and the later ones. `back` [clusters]: where each stands in
    the order of `steps`; `powers` [decays][clusters], in that order: each decay to the days since the cluster before.
    `days`: how many different ones there are."""

    nested: Nested
    steps: Steps
    first: IntArray
    pairs: tuple[_Pair, ...]
    back: IntArray
    powers: tuple[FloatArray, ...]
    days: int

    @classmethod
    def of(cls, nested: Nested) -> _Clusters:
        """Of clusters in strata."""
        steps = nested.steps()
        sizes = np.bincount(nested.stratum, minlength=len(nested.place))
        back = np.empty(len(nested.stratum), dtype=np.int64)
        back[steps.order] = np.arange(len(back))
        powers = tuple(decay ** np.maximum(steps.lag[:, 0], 0) for decay in DECAYS)
        first = np.cumsum(sizes) - sizes
        return cls(nested, steps, first, tuple(_pairs(nested)), back, powers, len(np.unique(nested.day)))

    def totals(self, values: FloatArray) -> FloatArray:
        """Sums [f, clusters] of `values` [rows, f]."""
        rows, clusters = self.nested.row_cluster, len(self.back)
        return np.stack([np.bincount(rows, weights=column, minlength=clusters) for column in values.T])

    def by_stratum(self, values: FloatArray) -> FloatArray:
        """Sums [f, strata] of `values` [f, clusters]."""
        return np.asarray(np.add.reduceat(values, self.first, axis=1))

    def pairs_by_stratum(self, lag: int, values: FloatArray) -> FloatArray:
        """Sums [f, strata] of `values` [f, pairs] of a lag."""
        found = np.zeros((len(values), len(self.first)))
        if values.shape[1]:
            of_pair = self.nested.stratum[self.pairs[lag - 1][0]]  # ascending
            starts = np.flatnonzero(np.diff(of_pair, prepend=-1))
            found[:, of_pair[starts]] = np.add.reduceat(values, starts, axis=1)
        return found


@dataclass(frozen=True, slots=True)
class _Moments:
    """What a fit of f figures needs of the clusters, whatever the decay. Figures come first in every array: clusters
    lie side by side, and each step runs over them at the memory's speed.

    `n`: valid answers [f, clusters] of the strata that tell something; `total` of each stratum [f, strata] (1 where it
    tells nothing). `observed`, `apart` [lags + 2, f]: sums of products of residuals, and what they would be without
    correlation; `weight` of each. `same_lag` [f, lags + 1, strata]: sums of products of answers; `both` [f, lags + 1,
    clusters]: the answers of days so far away, over the total. `tells` [f]: whether there is any such stratum."""

    clusters: _Clusters
    n: FloatArray
    total: FloatArray
    observed: FloatArray
    apart: FloatArray
    same_lag: FloatArray
    both: FloatArray
    weight: FloatArray
    tells: NDArray[np.bool_]

    @classmethod
    def of(cls, n: FloatArray, k: FloatArray, clusters: _Clusters) -> _Moments:
        """From valid `n` and satisfied `k` [f, clusters]."""
        stratum = clusters.nested.stratum
        total, good, asked = (clusters.by_stratum(one) for one in (n, k, (n > 0).astype(np.float64)))
        share = good / np.maximum(total, 1.0)
        spread = share * (1 - share) * total / np.maximum(total - 1.0, 1.0)
        keep = (spread > 0) & (asked > 1)
        total, spread = np.where(keep, total, 1.0), np.where(keep, spread, 1.0)
        n = n * keep[:, stratum]
        residual = k * keep[:, stratum]
        residual -= share[:, stratum] * n
        residual *= (1.0 / np.sqrt(spread))[:, stratum]
        scaled = n / total[:, stratum]
        squared = np.square(residual)
        products, same_lag = [squared.sum(axis=1)], [clusters.by_stratum(n * n)]
        both = np.zeros((len(n), LAGS + 1, n.shape[1]))
        np.multiply(scaled, 2.0 * n, out=both[:, 0])
        for lag, (first, second) in enumerate(clusters.pairs, start=1):
            products.append(np.einsum("fp,fp->f", residual[:, first], residual[:, second]))
            later = n[:, second]
            same_lag.append(clusters.pairs_by_stratum(lag, n[:, first] * later))
            later *= scaled[:, first]
            # no day is twice the first, nor twice the second, of the pairs of one lag
            of_lag = both[:, lag]
            of_lag[:, first] += later
            of_lag[:, second] += later
        within = (squared / np.maximum(n, 1.0)).sum(axis=1)
        given = (n > 0).sum(axis=1)
        squares = np.stack([*(lag.sum(axis=1) for lag in same_lag), 2.0 * given])
        squares[0] *= 2.0
        # expectations of the products under each part of the model, the agency's mean taken off
        ones = -np.stack([(lag / total).sum(axis=1) for lag in same_lag])
        ones[0] += n.sum(axis=1)
        apart = np.concatenate([ones, (given - scaled.sum(axis=1))[None]])
        return cls(
            clusters,
            n,
            total,
            np.stack([*products, within]),
            apart,
            np.stack(same_lag, axis=1),
            both,
            1.0 / np.maximum(squares, 1.0),
            np.asarray(keep.any(axis=1)),
        )

    def shared(self) -> list[FloatArray]:
        """[lags + 2, f] of each decay: what the sums would be where days hang together with it, and nothing else
        does."""
        in_steps = self.n[:, self.clusters.steps.order]
        answers, lags, found = self.n.sum(axis=1), self.same_lag.sum(axis=2).T, []
        for decay, power in zip(DECAYS, self.clusters.powers, strict=True):
            reach = self.n + self.clusters.steps.near(in_steps, power)[:, self.clusters.back] if decay else self.n
            whole = self.clusters.by_stratum(self.n * reach) / self.total**2
            # not by BLAS, whose threads take three times the processor time for sums of this shape
            of_mean = np.einsum("fls,fs->lf", self.same_lag, whole) - np.einsum("flc,fc->lf", self.both, reach)
            together = lags * decay ** np.arange(LAGS + 1.0)[:, None] + of_mean
            found.append(np.concatenate([together, (answers - (self.total * whole).sum(axis=1))[None]]))
        return found


def _pairs(nested: Nested) -> Iterator[_Pair]:
    """Clusters of one stratum whose days lie 1 to `LAGS` apart: (the earlier ones, the later ones) of each lag."""
    key = nested.stratum * (int(nested.day.max(initial=0)) + LAGS + 1) + nested.day
    for lag in range(1, LAGS + 1):
        later = np.minimum(np.searchsorted(key, key + lag), len(key) - 1)
        first = np.flatnonzero(key[later] == key + lag)
        yield first, later[first]


def _fits(n: FloatArray, k: FloatArray, clusters: _Clusters, one_answer: NDArray[np.bool_]) -> list[_Fit]:
    """(same_day, decay, base), likeliest and at most, of every figure; valid `n` and satisfied `k` [f, clusters]."""
    m = _Moments.of(n, k, clusters)
    shared = list(zip(DECAYS, m.shared(), strict=True))
    days, degrees = clusters.days, clusters.nested.degrees[0]
    fits = []
    for j in range(len(n)):
        found = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)
        if m.tells[j]:
            observed, apart, weight = m.observed[:, j], m.apart[:, j], m.weight[:, j]
            found = _fit(observed, apart, weight, [(d, s[:, j]) for d, s in shared], bool(one_answer[j]), days)
        if (days < FEWEST_DAYS or degrees < FEWEST_DEGREES) and _over(days, *found[3:5]) < _over(days, *FIRST_DAYS):
            found = (*found[:3], *FIRST_DAYS, max(found[2], 1.0 - FIRST_DAYS[0]))
        fits.append(found)
    return fits


def _over(days: int, same: float, decay: float) -> float:
    """What so many days add to the variance of their mean, over what one day's share would if days were apart."""
    lag = np.arange(1, days)
    return same * (1.0 + 2.0 * float(((1.0 - lag / days) * decay**lag).sum()))


def _fit(
    observed: FloatArray,
    apart: FloatArray,
    weight: FloatArray,
    shared_by_decay: Sequence[tuple[float, FloatArray]],
    one_answer: bool,
    days: int,
) -> _Fit:
    """(same_day, decay, base) by weighted least squares, decay on the grid; and where the `days` hang together most of
    all fits that the loss does not speak against."""
    best: tuple[float, float, float, float] | None = None
    every = []
    root = np.sqrt(weight)
    for decay, shared in shared_by_decay:
        if one_answer:
            columns, target = (shared - apart)[:, None], observed - apart
        else:
            columns, target = np.stack([shared, apart], axis=1), observed
        found, *_ = np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)
        same = float(np.clip(found[0], 0.0, 0.95))
        if one_answer:
            base = 1.0 - same
        else:
            base = float((weight * apart) @ (observed - same * shared) / ((weight * apart) @ apart))
            base = max(base, 1.0 - same)
        loss = float((weight * (observed - same * shared - base * apart) ** 2).sum())
        # the loss is in units of variance of the products: days apart (decay 0) until the evidence is against them
        if best is None or loss + (EVIDENCE if best[2] == 0.0 else 0.0) < best[0]:
            best = (loss, same, decay, base)
        every.append((loss, same, decay, base))
    assert best is not None
    least = min(loss for loss, *_ in every)
    most = max((best, *(fit for fit in every if fit[0] <= least + EVIDENCE)), key=lambda fit: _over(days, *fit[1:3]))
    return (*best[1:], *most[1:])


def day_correlation(
    satisfied: FloatArray, valid: FloatArray, design: Design, one_answer: NDArray[np.bool_] | None = None
) -> DayCorrelation:
    """Learn it from `satisfied` of `valid` answers [rows, k]; the design's clusters are numbers of days from 0.

    `one_answer` [k]: whether a sheet holds at most one answer of the figure (default: it does)."""
    figures = valid.shape[1]
    if not len(valid):
        return DayCorrelation.unknown(figures)
    one = np.ones(figures, dtype=bool) if one_answer is None else one_answer
    clusters = _Clusters.of(Nested.of(design, np.zeros(len(valid), dtype=np.int64), 1))
    # some figures at a time: what is held is bounded by the clusters, not by their product with the figures
    step = max(1, CELLS_AT_ONCE // len(clusters.back))
    fits: list[_Fit] = []
    for first in range(0, figures, step):
        some = slice(first, first + step)
        n, k = (clusters.totals(answers[:, some]) for answers in (valid, satisfied))
        fits += _fits(n, k, clusters, one[some])
    same, decay, base, *most = (np.array(column) for column in zip(*fits, strict=True))
    degrees = float(max(int(clusters.nested.degrees[0]), 0))
    return DayCorrelation(same, decay, base, degrees, (most[0], most[1], most[2]))


def expected_effects(
    valid: FloatArray, scale: FloatArray, nested: Nested, days: DayCorrelation
) -> tuple[FloatArray, FloatArray]:
    """[places, k] design effect that the model lets expect of sums of answers, each weighing `scale` [rows, k] (summing
    to 1 over a place's `valid` [rows, k]): unequal weights and days together; and what it were if days did not hang
    together in runs."""
    place = nested.place[nested.stratum]
    weighted = nested.totals(scale * valid)
    own_days = sum_rows(np.square(weighted), place, nested.places)
    row_place = place[nested.row_cluster]
    answers, apart = (sum_rows(one, row_place, nested.places) for one in (valid, scale**2 * valid))
    without_runs = answers * (days.base * apart + days.same_day * own_days)
    if not days.decay.any():
        return without_runs, without_runs
    near = sum_rows(2.0 * weighted * nested.earlier(weighted, days.decay), place, nested.places)
    return answers * (days.base * apart + days.same_day * (own_days + near)), without_runs


def place_effect(
    own: ArrayLike, expected: ArrayLike, without_runs: ArrayLike, degrees: ArrayLike, behind: float
) -> DesignEffect:
    """A place's effect [...]: its `own`, seen between its days with `degrees` of freedom, drawn to the `expected`.

    `without_runs`: expected where days did not hang together: by as much the own one, which cannot see runs, is raised.
    Runs leave fewer degrees. `behind`: degrees of freedom of the model; none beyond the place's: its own stands."""
    free = np.maximum(np.asarray(degrees, dtype=np.float64), 0.0)
    runs = np.maximum(np.asarray(expected) / np.maximum(np.asarray(without_runs, dtype=np.float64), 1e-12), 1.0)
    seen = np.asarray(own, dtype=np.float64) * runs
    prior = np.clip(behind - free, 0.0, PRIOR_DEGREES)
    prior = np.where(free + prior > 0, prior, 1.0)
    value = np.maximum((prior * np.asarray(expected) + free * seen) / (prior + free), 1.0)
    return DesignEffect(value, np.zeros_like(value), np.maximum((free + prior) / runs, 1.0), free)
