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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.design import Design, Nested, sum_rows
from calibration.design_effect import DesignEffect

FloatArray = NDArray[np.float64]
LAGS: Final = 5
DECAYS: Final = (0.0, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9)
EVIDENCE: Final = 2.7
"""Fall of the chi-squared loss that shows runs of days: one in ten where there are none."""
PRIOR_DEGREES: Final = 30.0
"""Degrees of freedom that the other agencies' days are worth beside a place's own."""


@dataclass(frozen=True, slots=True)
class DayCorrelation:
    """float64 [k] each: `same_day` in [0, 1), `decay` in [0, 1), `base` > 0. `degrees`: clusters less strata behind."""

    same_day: FloatArray
    decay: FloatArray
    base: FloatArray
    degrees: float

    @classmethod
    def unknown(cls, figures: int = 1) -> DayCorrelation:
        """Of answers of which nothing hangs together, with nothing behind it."""
        return cls(np.zeros(figures), np.zeros(figures), np.ones(figures), 0.0)

    def without_runs(self) -> DayCorrelation:
        """The same with days apart from each other."""
        return replace(self, decay=np.zeros_like(self.decay))

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


def _diagonals(matrix_rows: FloatArray, matrix_columns: FloatArray) -> FloatArray:
    """[lags + 1] sums over strata and s of rows[s] columns[s + lag], each [strata, days]."""
    days = matrix_rows.shape[1]
    return np.array(
        [float((matrix_rows[:, : days - lag] * matrix_columns[:, lag:]).sum()) if lag < days else 0.0
         for lag in range(LAGS + 1)]
    )  # fmt: skip


def _fit(n: FloatArray, k: FloatArray, one_answer: bool) -> tuple[float, float, float]:
    """(same_day, decay, base) from valid `n` and satisfied `k` [strata, days]."""
    total = n.sum(axis=1)
    share = k.sum(axis=1) / np.maximum(total, 1.0)
    spread = share * (1 - share) * total / np.maximum(total - 1.0, 1.0)
    keep = (spread > 0) & ((n > 0).sum(axis=1) > 1)
    if not keep.any():
        return 0.0, 0.0, 1.0
    n, k, total, share, spread = n[keep], k[keep], total[keep, None], share[keep, None], spread[keep, None]
    residual = (k - share * n) / np.sqrt(spread)
    within = np.where(n > 0, residual**2 / np.maximum(n, 1.0), 0.0).sum()
    observed = np.append(_diagonals(residual, residual), within)
    squares = np.append(_diagonals(n, n), 2.0 * float((n > 0).sum()))
    squares[0] *= 2.0
    weight = 1.0 / np.maximum(squares, 1.0)
    # expectations of the products under each part of the model, the agency's mean taken off
    ones = -_diagonals(n / total, n)
    ones[0] += float(n.sum())
    apart = np.append(ones, float(((n > 0) * (1.0 - n / total)).sum()))
    lag = np.abs(np.subtract.outer(np.arange(n.shape[1]), np.arange(n.shape[1])))
    best: tuple[float, float, float, float] | None = None
    for decay in DECAYS:
        reach = n @ decay**lag
        whole = (n * reach).sum(axis=1, keepdims=True) / total**2
        scaled = n / total
        together = _diagonals(n, n) * decay ** np.arange(LAGS + 1)
        together = together - _diagonals(scaled, n * reach) - _diagonals(scaled * reach, n) + _diagonals(n * whole, n)
        day = np.where(n > 0, n - 2.0 * reach * n / total + n * whole, 0.0).sum()
        shared = np.append(together, float(day))
        if one_answer:
            columns, target = (shared - apart)[:, None], observed - apart
        else:
            columns, target = np.stack([shared, apart], axis=1), observed
        root = np.sqrt(weight)
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
    assert best is not None
    return best[1:]


def day_correlation(
    satisfied: FloatArray, valid: FloatArray, design: Design, one_answer: NDArray[np.bool_] | None = None
) -> DayCorrelation:
    """Learn it from `satisfied` of `valid` answers [rows, k]; the design's clusters are numbers of days from 0.

    `one_answer` [k]: whether a sheet holds at most one answer of the figure (default: it does)."""
    figures = valid.shape[1]
    if not len(valid):
        return DayCorrelation.unknown(figures)
    one = np.ones(figures, dtype=bool) if one_answer is None else one_answer
    fits = [
        _fit(by_day(valid[:, [j]], design)[..., 0], by_day(satisfied[:, [j]], design)[..., 0], bool(one[j]))
        for j in range(figures)
    ]
    _, degrees = design.variance(valid)
    same, decay, base = (np.array(column) for column in zip(*fits, strict=True))
    return DayCorrelation(same, decay, base, float(max(degrees, 0)))


def expected_effect(valid: FloatArray, scale: FloatArray, design: Design, days: DayCorrelation) -> FloatArray:
    """[k] design effect that the model lets expect of sums of answers, each weighing `scale` [rows, k] (summing to 1
    over the `valid` [rows, k]): unequal weights and days together."""
    return expected_effects(valid, scale, Nested.of(design, np.zeros(len(valid), dtype=np.int64), 1), days).reshape(-1)


def expected_effects(valid: FloatArray, scale: FloatArray, nested: Nested, days: DayCorrelation) -> FloatArray:
    """[places, k] of the same by place."""
    place = nested.place[nested.stratum]
    weighted = nested.totals(scale * valid)
    near = np.square(weighted)
    if days.decay.any():
        near += 2.0 * weighted * nested.earlier(weighted, days.decay)
    sums = np.concatenate([valid, scale**2 * valid], axis=1)
    by_place = sum_rows(sums, place[nested.row_cluster], nested.places)
    answers, apart = by_place[:, : valid.shape[1]], by_place[:, valid.shape[1] :]
    return np.asarray(answers * (days.base * apart + days.same_day * sum_rows(near, place, nested.places)))


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
