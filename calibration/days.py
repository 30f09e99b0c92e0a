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
CELLS_AT_ONCE: Final = 400_000
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
class _Moments:
    """What a fit of f figures needs of the clusters, whatever the decay; the clusters in the order of `steps`, each of
    a `stratum` [clusters].

    `n`: valid answers [clusters, f] of the strata that tell something; `total` of each stratum [strata, f] (1 where it
    tells nothing). `observed`, `apart` [lags + 2, f]: sums of products of residuals, and what they would be without
    correlation; `weight` of each. `same_lag` [lags + 1, strata, f]: sums of products of answers; `both` [lags + 1,
    clusters, f]: the answers of days so far away, over the total. `tells` [f]: whether there is any such stratum."""

    steps: Steps
    stratum: IntArray
    n: FloatArray
    total: FloatArray
    observed: FloatArray
    apart: FloatArray
    same_lag: FloatArray
    both: FloatArray
    weight: FloatArray
    tells: NDArray[np.bool_]

    @classmethod
    def of(cls, n: FloatArray, k: FloatArray, nested: Nested, steps: Steps, pairs: Sequence[_Pair]) -> _Moments:
        """From valid `n` and satisfied `k` [clusters, f]; `pairs` of each lag (`_pairs`)."""
        stratum, strata = nested.stratum, len(nested.place)
        total, good, asked = (sum_rows(one, stratum, strata) for one in (n, k, (n > 0).astype(np.float64)))
        share = good / np.maximum(total, 1.0)
        spread = share * (1 - share) * total / np.maximum(total - 1.0, 1.0)
        keep = (spread > 0) & (asked > 1)
        n, k = n * keep[stratum], k * keep[stratum]
        total, spread = np.where(keep, total, 1.0), np.where(keep, spread, 1.0)
        of_cluster = total[stratum]
        scaled = n / of_cluster
        residual = (k - share[stratum] * n) / np.sqrt(spread)[stratum]
        place = np.empty(len(stratum), dtype=np.int64)
        place[steps.order] = np.arange(len(stratum))
        products, same_lag, both = [], [], np.zeros((LAGS + 1, *n.shape))
        for lag, (first, second) in enumerate(pairs):
            products.append((residual[first] * residual[second]).sum(axis=0))
            later = n[second]
            same_lag.append(sum_rows(n[first] * later, stratum[first], strata))
            of_both = scaled[first] * later
            # no day is twice the first, nor twice the second, of the pairs of one lag
            both[lag, place[first]] += of_both
            both[lag, place[second]] += of_both
        within = np.where(n > 0, residual**2 / np.maximum(n, 1.0), 0.0).sum(axis=0)
        squares = np.stack([*(lag.sum(axis=0) for lag in same_lag), 2.0 * (n > 0).sum(axis=0)])
        squares[0] *= 2.0
        # expectations of the products under each part of the model, the agency's mean taken off
        ones = -np.stack([(lag / total).sum(axis=0) for lag in same_lag])
        ones[0] += n.sum(axis=0)
        apart = np.concatenate([ones, ((n > 0) * (1.0 - scaled)).sum(axis=0)[None]])
        return cls(
            steps,
            stratum[steps.order],
            n[steps.order],
            total,
            np.stack([*products, within]),
            apart,
            np.stack(same_lag),
            both,
            1.0 / np.maximum(squares, 1.0),
            np.asarray(keep.any(axis=0)),
        )

    def shared(self, decay: float) -> FloatArray:
        """[lags + 2, f] what the sums would be where days hang together with this decay, and nothing else does."""
        strata = len(self.total)
        reach = self.n + self.steps.near(self.n, decay) if decay else self.n
        whole = sum_rows(self.n * reach, self.stratum, strata) / self.total**2
        together = self.same_lag.sum(axis=1) * decay ** np.arange(LAGS + 1.0)[:, None]
        together += np.einsum("sf,lsf->lf", whole, self.same_lag) - np.einsum("cf,lcf->lf", reach, self.both)
        own = (self.n / self.total[self.stratum] * reach).sum(axis=0)
        day = self.n.sum(axis=0) - 2.0 * own + (sum_rows(self.n, self.stratum, strata) * whole).sum(axis=0)
        return np.concatenate([together, day[None]])


def _pairs(nested: Nested) -> Iterator[_Pair]:
    """Clusters of one stratum whose days lie 0 to `LAGS` apart: (the earlier ones, the later ones) of each lag."""
    key = nested.stratum * (int(nested.day.max(initial=0)) + LAGS + 1) + nested.day
    for lag in range(LAGS + 1):
        later = np.minimum(np.searchsorted(key, key + lag), len(key) - 1)
        first = np.flatnonzero(key[later] == key + lag)
        yield first, later[first]


def _fits(
    n: FloatArray,
    k: FloatArray,
    nested: Nested,
    steps: Steps,
    pairs: Sequence[_Pair],
    one_answer: NDArray[np.bool_],
) -> list[_Fit]:
    """(same_day, decay, base), likeliest and at most, of every figure; valid `n` and satisfied `k` [clusters, f]."""
    m = _Moments.of(n, k, nested, steps, pairs)
    shared = [(decay, m.shared(decay)) for decay in DECAYS]
    days = len(np.unique(nested.day))
    fits = []
    for j in range(n.shape[1]):
        found = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)
        if m.tells[j]:
            observed, apart, weight = m.observed[:, j], m.apart[:, j], m.weight[:, j]
            found = _fit(observed, apart, weight, [(d, s[:, j]) for d, s in shared], bool(one_answer[j]), days)
        if (days < FEWEST_DAYS or nested.degrees[0] < FEWEST_DEGREES) and _over(days, *found[3:5]) < _over(
            days, *FIRST_DAYS
        ):
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
    nested = Nested.of(design, np.zeros(len(valid), dtype=np.int64), 1)
    steps, pairs = nested.steps(), tuple(_pairs(nested))
    # some figures at a time: what is held is bounded by the clusters, not by their product with the figures
    step = max(1, CELLS_AT_ONCE // len(nested.stratum))
    fits: list[_Fit] = []
    for first in range(0, figures, step):
        some = slice(first, first + step)
        n, k = (nested.totals(answers[:, some]) for answers in (valid, satisfied))
        fits += _fits(n, k, nested, steps, pairs, one[some])
    same, decay, base, *most = (np.array(column) for column in zip(*fits, strict=True))
    degrees = float(max(int(nested.degrees[0]), 0))
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
