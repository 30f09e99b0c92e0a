"""Ranks with honest uncertainty: for every agency the set of ranks that the figures cannot exclude.

All pairwise differences are compared at once: agency j is surely above i where the lower end of the simultaneous
interval for theta_j - theta_i lies above zero. i's rank set is [1 + #surely above, p - #surely below], and all sets
hold at once with probability at least 1 - alpha. The critical value is the quantile of the largest standardised
difference, from draws of the estimates' errors; stepping down drops pairs already decided and repeats.

Source: Mogstad, Romano, Shaikh, Wilhelm 2024 (Inference for ranks), simultaneous form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
DRAWS: Final = 2000
DRAWS_AT_ONCE: Final = 250
"""In memory at one time: bounds it by the number of agencies."""
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
    statistic = np.stack([ahead, -ahead])
    rng = np.random.default_rng(seed)
    decided, critical = np.zeros(statistic.shape, dtype=bool), np.inf
    while p > 1:
        of_draws = [
            _largest_with(rng.standard_normal((min(DRAWS_AT_ONCE, draws - first), p)), error, which, scale, decided)
            for first in range(0, draws, DRAWS_AT_ONCE)
        ]
        critical = float(np.quantile(np.concatenate(of_draws), level))
        before, decided = decided, statistic > critical
        if decided.sum() == before.sum():
            break
        rng = np.random.default_rng(seed)
    above, below = (int(n) for n in decided.sum(axis=1))
    return RankSet(names[which], 1 + above, p - below, p)


def _largest_with(
    z: FloatArray, error: FloatArray, which: int, scale: FloatArray, decided: NDArray[np.bool_]
) -> FloatArray:
    """Largest standardised difference of errors [draws] over the open pairs of one agency; `decided` bool [2, p - 1]:
    the others above it, below it."""
    noise = z * error
    ahead = (np.delete(noise, which, axis=1) - noise[:, [which]]) / scale
    found: FloatArray = np.where(decided, -np.inf, np.stack([ahead, -ahead], axis=1)).max(axis=(1, 2))
    return found


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


class _Draws:
    """Largest standardised difference of errors of every draw over the ordered pairs that are not decided yet."""

    def __init__(self, theta: FloatArray, error: FloatArray, draws: int, seed: int) -> None:
        self._theta, self._error, self._seed = theta, error, seed
        self._largest = np.full(draws, -np.inf)
        self._high, self._low = np.zeros(draws, dtype=np.int64), np.zeros(draws, dtype=np.int64)

    def largest(self, critical: float) -> FloatArray:
        """[draws], where pairs with a statistic above `critical` are decided.

        (s_i z_i - s_j z_j) / sqrt(s_i^2 + s_j^2) is at most sqrt(z_i^2 + z_j^2) (Cauchy, Schwarz), so that the pair
        sought is among the agencies whose z lie furthest out on either side; how many have to be looked at is told by
        the largest value found. Exact: the bound leaves out nothing that could be larger. A draw whose pair is still
        open keeps it, since pairs are only ever taken away."""
        theta, error = self._theta, self._error
        difference = theta[self._high] - theta[self._low]
        scale = np.sqrt(error[self._high] ** 2 + error[self._low] ** 2)
        stale = ~np.isfinite(self._largest) | (difference / scale > critical)
        rng = np.random.default_rng(self._seed)
        for first in range(0, len(stale), DRAWS_AT_ONCE):
            rows = slice(first, min(first + DRAWS_AT_ONCE, len(stale)))
            z = rng.standard_normal((rows.stop - rows.start, len(theta)))
            again = np.flatnonzero(stale[rows])
            if len(again):
                found = _largest_of(z[again], theta, error, critical)
                self._largest[first + again], self._high[first + again], self._low[first + again] = found
        return self._largest


def _largest_of(
    z: FloatArray, theta: FloatArray, error: FloatArray, critical: float
) -> tuple[FloatArray, IntArray, IntArray]:
    """(Largest difference, its two agencies) [draws] of some draws z [draws, p]."""
    p = len(theta)
    largest = np.full(len(z), -np.inf)
    high, low = np.zeros(len(z), dtype=np.int64), np.zeros(len(z), dtype=np.int64)
    left, count = np.arange(len(z)), min(FIRST_LOOK, p)
    while len(left):
        bound = np.empty(len(left))
        step = max(1, PAIRS_OF_DRAWS_AT_ONCE // count**2)
        for first in range(0, len(left), step):
            chosen = left[first : first + step]
            found = _furthest(z[chosen], theta, error, critical, count)
            largest[chosen], high[chosen], low[chosen], bound[first : first + step] = found
        left, count = left[largest[left] < bound], min(3 * count, p)
    return largest, high, low


def _furthest(
    z: FloatArray, theta: FloatArray, error: FloatArray, critical: float, count: int
) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """(Largest difference [draws] over pairs of the `count` agencies with the highest and the lowest z [draws, p]; the
    two; what any pair left out could reach at most)."""
    p, rows = z.shape[1], np.arange(len(z))
    if count < p:
        order = np.argpartition(z, (count - 1, p - count), axis=1)
        low, high = order[:, :count], order[:, p - count :]
    else:
        order = low = high = np.broadcast_to(np.arange(p), z.shape)
    noise = z * error
    scale = np.sqrt(error[high][:, :, None] ** 2 + error[low][:, None, :] ** 2)
    far, near = np.take_along_axis(noise, high, axis=1), np.take_along_axis(noise, low, axis=1)
    differences = (far[:, :, None] - near[:, None, :]) / scale
    decided = (theta[high][:, :, None] - theta[low][:, None, :]) / scale > critical
    differences[decided | (high[:, :, None] == low[:, None, :])] = -np.inf
    pair = differences.reshape(len(z), -1).argmax(axis=1)
    found: FloatArray = differences.reshape(len(z), -1)[rows, pair]
    first, second = high[rows, pair // count], low[rows, pair % count]
    if count == p:
        return found, first, second, found
    top, bottom = np.maximum(z.max(axis=1), 0.0), np.minimum(z.min(axis=1), 0.0)
    next_high, next_low = np.maximum(z[rows, order[:, p - count]], 0.0), np.minimum(z[rows, order[:, count - 1]], 0.0)
    return found, first, second, np.maximum(np.hypot(next_high, bottom), np.hypot(top, next_low))


def rank_rows(sets: Sequence[RankSet]) -> list[dict[str, Any]]:
    """Rows for a table: always both ends."""
    return [{"name": s.name, "best": s.best, "worst": s.worst, "of": s.of, "ranks": str(s)} for s in sets]


def plot_ranks(sets: Sequence[RankSet], title: str, names: Mapping[str, str], width_px: int = 420) -> Any:
    """A bar from the best to the worst rank that the figures allow, half a rank added on either side so that one rank
    has a length. `title` of the axis; `names` shown in place of the sets' own."""
    import altair as alt

    ordered = sorted(sets, key=lambda s: (s.best + s.worst, s.name))
    rows = [
        {**row, "name": names[row["name"]], "left": row["best"] - 0.4, "right": row["worst"] + 0.4}
        for row in rank_rows(ordered)
    ]
    size = max(2, len(rows))
    return (
        alt.Chart(alt.InlineData(values=rows), width=width_px, height=19 * max(3, len(rows)))
        .mark_bar(height=9, color=COLOUR)
        .encode(
            y=alt.Y("name:N", sort=[str(row["name"]) for row in rows], title=None),
            x=alt.X(
                "left:Q",
                title=title,
                axis=alt.Axis(tickMinStep=1, values=list(range(1, size + 1, max(1, size // 13)))),
                scale=alt.Scale(domain=[0.5, size + 0.5], nice=False),
            ),
            x2="right:Q",
        )
    )
