"""Ranks with honest uncertainty: for every agency the set of ranks that the figures cannot exclude.

All pairwise differences are compared at once: agency j is surely above i where the lower end of the simultaneous
interval for theta_j - theta_i lies above zero. i's rank set is [1 + #surely above, p - #surely below], and all sets
hold at once with probability at least 1 - alpha. The critical value is the quantile of the largest standardised
difference, from draws of the estimates' errors; stepping down drops pairs already decided and repeats.

Source: Mogstad, Romano, Shaikh, Wilhelm 2024 (Inference for ranks), simultaneous form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
PAIRS_AT_ONCE: Final = 128
"""Rows of pairs, and draws, in memory at one time: both bound it by the number of agencies, not of pairs."""
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
    theta, error = np.asarray(estimates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    p = len(theta)
    if theta.ndim != 1 or error.shape != theta.shape or len(names) != p:
        raise StatisticsError(Message("Ranks: one estimate, one standard error and one name per agency."))
    if p == 0:
        return []
    if not np.all(np.isfinite(theta)) or not np.all(error > 0) or not np.all(np.isfinite(error)):
        raise StatisticsError(
            Message("Ranks need a figure and a positive standard error for every agency."),
            Message("Leave agencies without ratings out; smooth the variances of those where all answers are equal."),
        )
    # pairs decided are those whose statistic lies above the last critical value: no table of pairs is kept
    critical = np.inf
    while p > 1:
        last, critical = critical, float(np.quantile(_largest(theta, error, critical, draws, seed), level))
        if _none_between(theta, error, critical, last):
            critical = last
            break
    best, worst = _counts(theta, error, critical)
    return [RankSet(name, int(b), int(w), p) for name, b, w in zip(names, best, worst, strict=True)]


def smoothed_error(share: ArrayLike, n_eff: ArrayLike) -> FloatArray:
    """Standard error [p] > 0 of `share` [p] at `n_eff` [p] effective answers: two answers of each kind are added, so
    that it is never zero (Agresti, Coull 1998)."""
    n = np.asarray(n_eff, dtype=np.float64)
    p = (np.asarray(share, dtype=np.float64) * n + 2) / (n + 4)
    return np.asarray(np.sqrt(p * (1 - p) / (n + 4)))


def rank_shares(shares: ArrayLike, n_eff: ArrayLike, names: Sequence[str], level: float = 0.95) -> list[RankSet]:
    """Rank sets of shares [p] in 0..1 at `n_eff` [p] effective answers: how every ranking of agencies is made."""
    return rank_sets(shares, smoothed_error(shares, n_eff), names, level)


def _statistics(theta: FloatArray, error: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Standardised differences, row minus column: (first row, float64 [some rows, p]); the diagonal is -infinity."""
    for first in range(0, len(theta), PAIRS_AT_ONCE):
        rows = slice(first, first + PAIRS_AT_ONCE)
        statistic = theta[rows, None] - theta
        statistic /= np.sqrt(error[rows, None] ** 2 + error**2)
        np.fill_diagonal(statistic[:, first:], -np.inf)
        yield first, statistic


def _none_between(theta: FloatArray, error: FloatArray, critical: float, last: float) -> bool:
    """Whether no pair is decided at `critical` that was not at `last`."""
    return not any(((s > critical) & (s <= last)).any() for _, s in _statistics(theta, error))


def _counts(theta: FloatArray, error: FloatArray, critical: float) -> tuple[IntArray, IntArray]:
    """Best and worst rank [p] where pairs with a statistic above `critical` are decided."""
    p = len(theta)
    best, worst = np.ones(p, dtype=np.int64), np.full(p, p, dtype=np.int64)
    for first, statistic in _statistics(theta, error):
        above = statistic > critical
        best += above.sum(axis=0)
        worst[first : first + len(above)] -= above.sum(axis=1)
    return best, worst


def _largest(theta: FloatArray, error: FloatArray, critical: float, draws: int, seed: int) -> FloatArray:
    """Largest standardised difference of errors [draws] over the ordered pairs not decided at `critical`.

    (s_i z_i - s_j z_j) / sqrt(s_i^2 + s_j^2) is at most sqrt(z_i^2 + z_j^2) (Cauchy, Schwarz), so that the pair sought
    is among the agencies whose z lie furthest out on either side; how many have to be looked at is told by the largest
    value found. Exact: the bound leaves out nothing that could be larger."""
    rng = np.random.default_rng(seed)
    found = [
        _largest_of(rng.standard_normal((min(DRAWS_AT_ONCE, draws - first), len(theta))), theta, error, critical)
        for first in range(0, draws, DRAWS_AT_ONCE)
    ]
    return np.concatenate(found)


def _largest_of(z: FloatArray, theta: FloatArray, error: FloatArray, critical: float) -> FloatArray:
    """`_largest` for some draws z [draws, p]."""
    p = len(theta)
    largest = np.full(len(z), -np.inf)
    left, count = np.arange(len(z)), min(FIRST_LOOK, p)
    while len(left):
        bound = np.empty(len(left))
        step = max(1, PAIRS_OF_DRAWS_AT_ONCE // count**2)
        for first in range(0, len(left), step):
            chosen = left[first : first + step]
            largest[chosen], bound[first : first + step] = _furthest(z[chosen], theta, error, critical, count)
        left, count = left[largest[left] < bound], min(3 * count, p)
    return largest


def _furthest(
    z: FloatArray, theta: FloatArray, error: FloatArray, critical: float, count: int
) -> tuple[FloatArray, FloatArray]:
    """(Largest difference [draws] over pairs of the `count` agencies with the highest and the lowest z [draws, p]; what
    any pair left out could reach at most)."""
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
    found: FloatArray = differences.max(axis=(1, 2))
    if count == p:
        return found, found
    top, bottom = np.maximum(z.max(axis=1), 0.0), np.minimum(z.min(axis=1), 0.0)
    next_high, next_low = np.maximum(z[rows, order[:, p - count]], 0.0), np.minimum(z[rows, order[:, count - 1]], 0.0)
    return found, np.maximum(np.hypot(next_high, bottom), np.hypot(top, next_low))


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
