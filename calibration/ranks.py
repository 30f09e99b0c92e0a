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
DRAWS: Final = 2000
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
    scale = np.sqrt(error[:, None] ** 2 + error[None, :] ** 2)
    statistic = (theta[:, None] - theta[None, :]) / scale
    noise = np.random.default_rng(seed).standard_normal((draws, p)) * error
    open_pairs = ~np.eye(p, dtype=bool)
    above = np.zeros((p, p), dtype=bool)
    while open_pairs.any():
        critical = np.quantile(_largest(noise, scale, open_pairs), level)
        decided = open_pairs & (statistic > critical)
        if not decided.any():
            break
        above |= decided
        # only the one-sided hypothesis "i is not above j" is rejected; its mirror stays to be tested
        open_pairs &= ~decided
    best = 1 + above.sum(axis=0)
    worst = p - above.sum(axis=1)
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


def _largest(noise: FloatArray, scale: FloatArray, pairs: NDArray[np.bool_]) -> FloatArray:
    """Largest standardised difference [draws] over ordered `pairs` [p, p], row minus column."""
    largest = np.full(len(noise), -np.inf)
    for i in range(len(scale)):
        others = pairs[i]
        if others.any():
            differences = (noise[:, i, None] - noise[:, others]) / scale[i, others]
            largest = np.maximum(largest, differences.max(axis=1))
    return largest


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
