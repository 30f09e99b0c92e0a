"""Ranks with honest uncertainty: for every agency the set of ranks that the figures cannot exclude.

All pairwise differences are compared at once: agency j is surely above i where the lower end of the simultaneous
interval for theta_j - theta_i lies above zero. i's rank set is [1 + #surely above, p - #surely below], and all sets
hold at once with probability at least 1 - alpha. The critical value is the quantile of the largest standardised
difference, from draws of the estimates' errors; stepping down drops pairs already decided and repeats.

Source: Mogstad, Romano, Shaikh, Wilhelm 2024 (Inference for ranks), simultaneous form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
DRAWS: Final = 2000
DRAWS_AT_ONCE: Final = 250
"""In memory at one time: bounds it by the number of agencies."""
NUMBERS_AT_ONCE: Final = 30_000
GROUPS_OF_ERRORS: Final = 48
PAIRS_AT_ONCE: Final = 500_000
ROUNDING: Final = 1e-9
PAIRS_OF_DRAWS_AT_ONCE: Final = 1_000_000
FIRST_LOOK: Final = 8
"""Agencies furthest out on either side that a draw's largest difference is looked for in first."""
COLOUR: Final = "#0b4f6c"


@dataclass(frozen=True, slots=True)
class RankSet:
    """Ranks `best`..`worst` (1 is the highest index) that the figures allow. There is no single rank to show."""

    name: str
    best: int
    worst: int
    of: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"

    @property
    def informative(self) -> bool:
        """Whether anything at all is known of the rank."""
        return (self.best, self.worst) != (1, self.of)


def rank_sets(
    estimates: ArrayLike,
    standard_errors: ArrayLike,
    names: Sequence[str],
    level: float = 0.95,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[RankSet]:
    """Simultaneous rank sets of independent `estimates` [p] with `standard_errors` [p] > 0; 1 is the largest.

    One agency: rank set 1-1 of 1. Raises `StatisticsError` for zero or missing standard errors (smooth them first)."""
    theta, error = _checked(estimates, standard_errors, names, level)
    p = len(theta)
    if p == 0:
        return []
    # pairs decided are those whose statistic lies above the last critical value: no table of pairs is kept
    above = np.zeros(p, dtype=np.int64)
    of_draws, critical = _Draws(theta, error, draws, seed), np.inf
    while p > 1:
        critical = float(np.quantile(of_draws.largest(critical), level))
        before, above = above, _surely_above(theta, error, critical)
        if above.sum() == before.sum():
            break
    below = _surely_above(-theta, error, critical) if above.any() else above
    return [RankSet(name, 1 + int(a), p - int(b), p) for name, a, b in zip(names, above, below, strict=True)]


def _checked(
    estimates: ArrayLike, standard_errors: ArrayLike, names: Sequence[str], level: float
) -> tuple[FloatArray, FloatArray]:
    theta, error = np.asarray(estimates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    if theta.ndim != 1 or error.shape != theta.shape or len(names) != len(theta) or not 0.5 < level < 1:
        raise StatisticsError(Message("Ranks: one estimate, one standard error and one name per agency."))
    if not np.all(np.isfinite(theta)) or not np.all(error > 0) or not np.all(np.isfinite(error)):
        raise StatisticsError(
            Message("Ranks need a figure and a positive standard error for every agency."),
            Message("Leave agencies without ratings out; smooth the variances of those where all answers are equal."),
        )
    return theta, error


def marginal_rank_set(
    estimates: ArrayLike,
    standard_errors: ArrayLike,
    names: Sequence[str],
    which: int,
    level: float = 0.95,
    seed: int = 0,
    draws: int = DRAWS,
) -> RankSet:
    """The rank set of one agency alone, `which` of `names`: it holds with `level`, but not at once with the others'.

    Only the pairs that it is in are compared, so the set is at most as wide as the simultaneous one. For whoever asks
    about one agency named beforehand; sets of many agencies side by side are `rank_sets`. Raises as that does."""
    theta, error = _checked(estimates, standard_errors, names, level)
    if not 0 <= which < len(theta):
        raise StatisticsError(Message("Ranks: one estimate, one standard error and one name per agency."))
    p = len(theta)
    others = np.arange(p) != which
    scale = np.sqrt(error[others] ** 2 + error[which] ** 2)
    ahead = (theta[others] - theta[which]) / scale
    of_draws = _DrawsOfOne(error, which, scale, draws, seed)
    # the others above it, then the others below it
    statistic = np.concatenate([ahead, -ahead])
    decided = np.zeros(len(statistic), dtype=bool)
    while not decided.all():
        critical = float(np.quantile(of_draws.largest(decided), level))
        before, decided = decided, statistic > critical
        if decided.sum() == before.sum():
            break
    above, below = (int(n) for n in decided.reshape(2, -1).sum(axis=1))
    return RankSet(names[which], 1 + above, p - below, p)


class _DrawsOfOne:
    """Largest standardised difference of errors of every draw over the open pairs that one agency is in.

    A draw whose pair is still open keeps it; the others are made again. Few draws at a time, so that they stay in the
    processor's cache whatever the number of agencies: time grows with it, and no faster."""

    def __init__(self, error: FloatArray, which: int, scale: FloatArray, draws: int, seed: int) -> None:
        self._which, self._seed, self._draws = which, seed, draws
        self._of_others, self._of_own = np.delete(error, which) / scale, error[which] / scale
        self._largest = np.full(draws, -np.inf)
        self._pair = np.zeros(draws, dtype=np.int64)

    def largest(self, decided: NDArray[np.bool_]) -> FloatArray:
        """[draws]; `decided` bool [2 (p - 1)]: the others above it, below it."""
        stale = np.flatnonzero(~np.isfinite(self._largest) | decided[self._pair])
        closed, count = np.where(decided, -np.inf, 0.0).reshape(2, -1), len(self._of_own)
        rng = np.random.default_rng(self._seed)
        at_once = max(1, NUMBERS_AT_ONCE // (count + 1))
        for first in range(0, self._draws, at_once):
            z = rng.standard_normal((min(at_once, self._draws - first), count + 1))
            again = stale[np.searchsorted(stale, first) : np.searchsorted(stale, first + len(z))]
            if not len(again):
                continue
            z = z[again - first]
            ahead = np.delete(z, self._which, axis=1)
            ahead *= self._of_others
            ahead -= z[:, [self._which]] * self._of_own
            rows, sides = np.arange(len(again)), (ahead + closed[0], closed[1] - ahead)
            best = [side.argmax(axis=1) for side in sides]
            above, below = (side[rows, column] for side, column in zip(sides, best, strict=True))
            self._largest[again] = np.maximum(above, below)
            self._pair[again] = np.where(above >= below, best[0], count + best[1])
        return self._largest


@dataclass(frozen=True, slots=True)
class Top:
    """Names of those that may be, and of those that surely are, among the first `k`, in order of best and worst rank.

    Both lists hold together with the rank sets' probability: nobody else is among them."""

    k: int
    possible: tuple[str, ...]
    sure: tuple[str, ...]


def top(sets: Sequence[RankSet], k: int) -> Top:
    """Who may be among the first `k` >= 1, and who surely is, from simultaneous rank sets (`rank_sets`)."""
    ordered = sorted(sets, key=lambda s: (s.best + s.worst, s.best, s.name))
    return Top(
        k,
        tuple(one.name for one in ordered if one.best <= k),
        tuple(one.name for one in ordered if one.worst <= k),
    )


def smoothed_error(share: ArrayLike, n_eff: ArrayLike) -> FloatArray:
    """Standard error [p] > 0 of `share` [p] at `n_eff` [p] effective answers: two answers of each kind are added, so
    that it is never zero (Agresti, Coull 1998)."""
    n = np.asarray(n_eff, dtype=np.float64)
    p = (np.asarray(share, dtype=np.float64) * n + 2) / (n + 4)
    return np.asarray(np.sqrt(p * (1 - p) / (n + 4)))


def rank_shares(shares: ArrayLike, n_eff: ArrayLike, names: Sequence[str], level: float = 0.95) -> list[RankSet]:
    """Rank sets of shares [p] in 0..1 at `n_eff` [p] effective answers: how every ranking of agencies is made."""
    return rank_sets(shares, smoothed_error(shares, n_eff), names, level)


def _surely_above(theta: FloatArray, error: FloatArray, critical: float) -> IntArray:
    """[p] how many agencies lie above each by a statistic of more than `critical` > 0.

    Agencies are taken in groups of like errors. Within a group, sorted by estimate, those far enough above an agency
    are counted by their place, and so are those too near; only the few between, of which the errors decide, are
    compared one by one. So the work grows with agencies times groups, not with pairs."""
    p = len(theta)
    above = np.zeros(p, dtype=np.int64)
    by_error = np.argsort(error, kind="stable")
    for group in np.array_split(by_error, min(p, GROUPS_OF_ERRORS)):
        group = group[np.argsort(theta[group], kind="stable")]
        sorted_theta = theta[group]
        near = theta + critical * np.sqrt(error**2 + error[group].min() ** 2)
        far = theta + critical * np.sqrt(error**2 + error[group].max() ** 2)
        # wider by more than rounding can be: what lies there is compared by the statistic itself
        slack = ROUNDING * (np.abs(theta) + np.abs(far - theta) + 1e-300)
        first = np.searchsorted(sorted_theta, near - slack, side="left")
        last = np.searchsorted(sorted_theta, far + slack, side="right")
        above += len(group) - last
        width = last - first
        rows = np.flatnonzero(width > 0)
        # at most so many comparisons in memory at one time
        parts = np.cumsum(width[rows]) // PAIRS_AT_ONCE
        for some in np.split(rows, np.flatnonzero(np.diff(parts)) + 1):
            row = np.repeat(some, width[some])
            offset = np.arange(len(row)) - np.repeat(np.cumsum(width[some]) - width[some], width[some])
            other = group[first[row] + offset]
            statistic = (theta[other] - theta[row]) / np.sqrt(error[other] ** 2 + error[row] ** 2)
            above += np.bincount(row[(statistic > critical) & (other != row)], minlength=p)
    return above


@dataclass(frozen=True, slots=True)
class _Extremes:
    """Of every draw: agencies with the lowest and the highest errors in their own standard deviations, `low`, `high`
    int64 [draws, count], those errors `low_z`, `high_z`, and what a pair with any other agency could reach [draws]."""

    low: IntArray
    high: IntArray
    low_z: FloatArray
    high_z: FloatArray
    bound: FloatArray

    @classmethod
    def of(cls, z: FloatArray, count: int) -> _Extremes:
        """The `count` furthest out on either side of draws `z` [draws, p]; all, where there are no more.

        (s_i z_i - s_j z_j) / sqrt(s_i^2 + s_j^2) is at most sqrt(z_i^2 + z_j^2) (Cauchy, Schwarz): that bounds those
        left out."""
        p = z.shape[1]
        if count >= p:
            every = np.broadcast_to(np.arange(p), z.shape)
            return cls(every, every, z, z, np.full(len(z), -np.inf))
        order = np.argpartition(z, (count - 1, p - count), axis=1)
        low, high = order[:, :count].copy(), order[:, p - count :].copy()  # views would keep all of `order`
        low_z, high_z = np.take_along_axis(z, low, axis=1), np.take_along_axis(z, high, axis=1)
        top, bottom = np.maximum(high_z.max(axis=1), 0.0), np.minimum(low_z.min(axis=1), 0.0)
        next_high, next_low = np.maximum(high_z[:, 0], 0.0), np.minimum(low_z[:, -1], 0.0)
        return cls(low, high, low_z, high_z, np.maximum(np.hypot(next_high, bottom), np.hypot(top, next_low)))

    def take(self, rows: IntArray) -> _Extremes:
        """Of some draws."""
        return _Extremes(self.low[rows], self.high[rows], self.low_z[rows], self.high_z[rows], self.bound[rows])

    def largest(self, theta: FloatArray, error: FloatArray, critical: float) -> tuple[FloatArray, IntArray, IntArray]:
        """(Largest standardised difference of errors [draws] over pairs that are not decided at `critical`; its two
        agencies). It is the largest of all pairs where it reaches the bound."""
        scale = np.sqrt(error[self.high][:, :, None] ** 2 + error[self.low][:, None, :] ** 2)
        far, near = self.high_z * error[self.high], self.low_z * error[self.low]
        differences = (far[:, :, None] - near[:, None, :]) / scale
        decided = (theta[self.high][:, :, None] - theta[self.low][:, None, :]) / scale > critical
        differences[decided | (self.high[:, :, None] == self.low[:, None, :])] = -np.inf
        flat, rows, count = differences.reshape(len(far), -1), np.arange(len(far)), self.low.shape[1]
        pair = flat.argmax(axis=1)
        return flat[rows, pair], self.high[rows, pair // count], self.low[rows, pair % count]


class _Draws:
    """Largest standardised difference of errors of every draw over the ordered pairs that are not decided yet.

    A draw whose pair is still open keeps it, since pairs are only ever taken away; else it is looked for among those
    furthest out, which are kept of every draw. Where the bound does not tell that it must be there, the draw is made
    again and more agencies are looked at. Nothing is left out that could be larger."""

    def __init__(self, theta: FloatArray, error: FloatArray, draws: int, seed: int) -> None:
        self._theta, self._error, self._draws, self._seed = theta, error, draws, seed
        self._largest = np.full(draws, -np.inf)
        self._high, self._low = np.zeros(draws, dtype=np.int64), np.zeros(draws, dtype=np.int64)
        parts = [_Extremes.of(z, FIRST_LOOK) for _, z in self._made()]
        columns = (np.concatenate(column) for column in zip(*map(astuple, parts), strict=True))
        self._kept = _Extremes(*columns)

    def _made(self) -> Iterator[tuple[int, FloatArray]]:
        """(First draw, z [some draws, p]) of all draws, the same every time."""
        rng = np.random.default_rng(self._seed)
        for first in range(0, self._draws, DRAWS_AT_ONCE):
            yield first, rng.standard_normal((min(DRAWS_AT_ONCE, self._draws - first), len(self._theta)))

    def largest(self, critical: float) -> FloatArray:
        """[draws], where pairs with a statistic above `critical` are decided."""
        theta, error = self._theta, self._error
        difference = theta[self._high] - theta[self._low]
        scale = np.sqrt(error[self._high] ** 2 + error[self._low] ** 2)
        stale = np.flatnonzero(~np.isfinite(self._largest) | (difference / scale > critical))
        if not len(stale):
            return self._largest
        kept = self._kept.take(stale)
        self._largest[stale], self._high[stale], self._low[stale] = kept.largest(theta, error, critical)
        unproved = stale[self._largest[stale] < kept.bound]
        if len(unproved):
            for first, z in self._made():
                again = unproved[(unproved >= first) & (unproved < first + len(z))]
                if len(again):
                    found = _among_more(z[again - first], theta, error, critical)
                    self._largest[again], self._high[again], self._low[again] = found
        return self._largest


def _among_more(
    z: FloatArray, theta: FloatArray, error: FloatArray, critical: float
) -> tuple[FloatArray, IntArray, IntArray]:
    """`_Extremes.largest` of all pairs of some draws z [draws, p], for which the first look did not do."""
    largest = np.full(len(z), -np.inf)
    high, low = np.zeros(len(z), dtype=np.int64), np.zeros(len(z), dtype=np.int64)
    left, count = np.arange(len(z)), FIRST_LOOK
    while len(left):
        count = min(3 * count, z.shape[1])
        step, bound = max(1, PAIRS_OF_DRAWS_AT_ONCE // count**2), np.empty(len(left))
        for first in range(0, len(left), step):
            chosen = left[first : first + step]
            some = _Extremes.of(z[chosen], count)
            largest[chosen], high[chosen], low[chosen] = some.largest(theta, error, critical)
            bound[first : first + step] = some.bound
        left = left[largest[left] < bound]
    return largest, high, low


def by_ranks(one: RankSet) -> tuple[int, str]:
    """The order in which rank sets are drawn: by the middle of the ranks."""
    return one.best + one.worst, one.name
