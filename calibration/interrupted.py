"""An interrupted series: one agency, or a province, before and after an improvement, where nobody is left as a control.

Segmented regression of the shares of months on a level, a straight course over time and a step where the improvement
came (Wagner et al. 2002). Months hang together: a share is its expectation, plus a disturbance of the agency that
passes slowly (autoregressive, of correlation phi to the power of the months between), plus a season (half of its
variance a wave of a year, half months of the year that are as they are), plus the chance of who answered, whose
variance is known. Ordinary regression takes slow disturbances for steps: in 36 months of which nothing happened
its 95 % interval holds nought in .78 to .87 of series where phi is .7 to .9 (this one's in .92 to .95).

Series of a province are short, so phi and the sizes of disturbance and season are hardly known; plugging in their
estimates promises too much (McKnight et al. 2000). So nothing is plugged in: the step's distribution is averaged over a
grid of all three, by the restricted likelihood of the data (Harville 1974), before the data alike for all cells of the
grid. The interval is that of the average.

*Placebo*: the same with the months before the improvement alone, as if it had come in their middle.

What the series cannot do: it takes whatever else came in the same month (a new form) for the improvement; and in less
than two years nothing tells a season from a step, so that its interval is too short there (how often:
docs/statistics.md).
Where there are other agencies, `calibration.before_after` is the better comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from calibration.before_after import COLOURS, Effect
from calibration.intervals import LEVEL, mixture_quantile
from pipeline.errors import StatisticsError
from pipeline.language import Message, in_language

if TYPE_CHECKING:
    import altair

FloatArray = NDArray[np.float64]
FEWEST_BEFORE: Final = 6
FEWEST_AFTER: Final = 3
MONTHS_FOR_A_SEASON: Final = 24
"""Months from the first to the last answer below which a season may pass for a step, whatever the interval says."""
_PHI: Final = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
_SIZE: Final = np.linspace(0.0, 6.0, 13)
"""Standard deviation of the disturbance, in units of `_unit`."""
_SEASON: Final = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
"""The same of the season, closer where it is small."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """`effect`: the step, a share (-1..1); `placebo`: of the months before alone (None where they are too few).

    `shares` [months]: what was seen (nan: nobody answered); `course`, `without` [months]: as fitted, and as it would
    have gone on without the step, both without the season; `correlation`: mean of phi, `disturbance` and `season`:
    mean standard deviations, all after the data; `first`: the first month after."""

    effect: Effect
    placebo: Effect | None
    shares: FloatArray
    course: FloatArray
    without: FloatArray
    correlation: float
    disturbance: float
    season: float
    first: int

    @property
    def knows_season(self) -> bool:
        """Whether every month of the year is seen twice: before that nothing may be concluded."""
        seen = np.flatnonzero(np.isfinite(self.shares))
        return int(seen[-1] - seen[0]) + 1 >= MONTHS_FOR_A_SEASON

    def rows(self, months: Sequence[str]) -> list[dict[str, Any]]:
        """One row per month, in points; `months`: their names. `share` None where nobody answered."""
        return [
            {
                "month": name,
                "share": 100 * float(share) if np.isfinite(share) else None,
                "course": 100 * float(course),
                "without": 100 * float(without),
            }
            for name, share, course, without in zip(months, self.shares, self.course, self.without, strict=True)
        ]

    def plot(self, months: Sequence[str], language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """What was seen as points, as fitted as a line, dashed as it would have gone on; the rule stands where the
        improvement came."""
        import altair as alt

        rows = self.rows(months)
        x = alt.X("month:O", title=None, sort=list(months), axis=alt.Axis(labelAngle=-45))
        y = alt.Y(
            "share:Q",
            title=in_language(Message("Overall satisfaction, percent"), language),
            scale=alt.Scale(zero=False),
        )
        base = alt.Chart(alt.InlineData(values=rows), width=640, height=240).encode(x=x)
        after = alt.Chart(alt.InlineData(values=rows[self.first :])).encode(x=x)
        return alt.layer(
            base.mark_line(color=COLOURS[0]).encode(y=alt.Y("course:Q", scale=alt.Scale(zero=False))),
            after.mark_line(color=COLOURS[1], strokeDash=[6, 4]).encode(y="without:Q"),
            base.mark_point(color=COLOURS[1], filled=True, size=50).encode(y=y),
            alt.Chart(alt.InlineData(values=rows[self.first : self.first + 1]))
            .mark_rule(strokeDash=[3, 3])
            .encode(x=x),
        )


@dataclass(frozen=True, slots=True)
class _Fit:
    effect: Effect
    beta: FloatArray
    correlation: float
    disturbance: float
    season: float


def interrupted(
    satisfied: ArrayLike,
    rated: ArrayLike,
    first: int,
    *,
    design_effect: ArrayLike = 1.0,
    level: float = LEVEL,
) -> Interrupted:
    """From `satisfied` of `rated` [months], `first` month after the improvement (from 0).

    Months without answers are skipped, not taken for neighbours. Raises `StatisticsError` for counts that cannot be,
    and for fewer than six months with answers before or three after."""
    n, k = np.asarray(rated, dtype=np.float64), np.asarray(satisfied, dtype=np.float64)
    if n.ndim != 1 or k.shape != n.shape or not np.isfinite(n + k).all() or np.any((k < 0) | (k > n)):
        raise StatisticsError(Message("An interrupted series: counts by month, none more satisfied than rated."))
    if (n[: max(first, 0)] > 0).sum() < FEWEST_BEFORE or (n[max(first, 0) :] > 0).sum() < FEWEST_AFTER:
        raise StatisticsError(
            Message(
                "An interrupted series needs answers of at least {before} months before and {after} after.",
                before=FEWEST_BEFORE,
                after=FEWEST_AFTER,
            )
        )
    deff = np.maximum(np.broadcast_to(np.asarray(design_effect, dtype=np.float64), n.shape), 1.0)
    found = _fit(k, n, deff, first, level)
    placebo, middle = None, _middle(n[:first])
    if middle is not None:
        placebo = _fit(k[:first], n[:first], deff[:first], middle, level).effect
    course = _design(len(n), first) @ found.beta
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = k / n
    without = course - np.where(np.arange(len(n)) >= first, found.effect.estimate, 0.0)
    return Interrupted(
        found.effect, placebo, shares, course, without, found.correlation, found.disturbance, found.season, first
    )


def _middle(n: FloatArray) -> int | None:
    """The month that halves the answers' months of a series, where both halves are long enough."""
    answered = np.flatnonzero(n > 0)
    if len(answered) < 2 * FEWEST_BEFORE:
        return None
    return int(answered[len(answered) // 2])


def _design(months: int, first: int) -> FloatArray:
    """[months, 3]: level, course over time (from -.5 to .5), step."""
    time = np.arange(months, dtype=np.float64)
    return np.column_stack([np.ones(months), (time - time.mean()) / max(months - 1, 1), time >= first])


def _fit(k: FloatArray, n: FloatArray, deff: FloatArray, first: int, level: float) -> _Fit:
    seen = np.flatnonzero(n > 0)
    x, y = _design(len(n), first)[seen], k[seen] / n[seen]
    # the pooled share: a month's own would give months that chanced to be good more weight
    pooled = (k.sum() + 1.0) / (n.sum() + 2.0)
    psi = pooled * (1.0 - pooled) * deff[seen] / n[seen]
    unit = _unit(x, y, psi)
    apart = np.abs(seen[:, None] - seen[None, :])
    year = 0.5 * np.cos(2.0 * np.pi * apart / 12.0) + 0.5 * (apart % 12 == 0)
    sizes, phis, seasons = (each.ravel() for each in np.meshgrid(_SIZE, _PHI, _SEASON, indexing="ij"))
    # [cells of the grid, months, months]
    covariance = phis[:, None, None] ** apart * np.square(unit * sizes)[:, None, None]
    covariance += year * np.square(unit * seasons)[:, None, None] + np.diag(psi)
    beta, inverse, likelihood = _least_squares(x, y, covariance)
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    mean, spread = beta[:, 2], np.sqrt(inverse[:, 2, 2])
    estimate = float(weight @ mean)
    low, high = (mixture_quantile(weight, mean, spread, share) for share in (0.5 - level / 2, 0.5 + level / 2))
    below = float(weight @ ndtr(-mean / spread))
    return _Fit(
        Effect(estimate, low, high, min(1.0, 2.0 * min(below, 1.0 - below))),
        weight @ beta,
        float(weight @ phis),
        float(weight @ sizes) * unit,
        float(weight @ seasons) * unit,
    )


def _unit(x: FloatArray, y: FloatArray, psi: FloatArray) -> float:
    """Scale of the grid: the standard deviation of the months' sampling; half of what ordinary regression leaves, where
    that is more: of a province's answers next to nothing is sampling."""
    rest = y - x @ np.linalg.lstsq(x, y)[0]
    left = float(rest @ rest) / max(len(y) - x.shape[1], 1)
    return float(np.sqrt(max(float(psi.mean()), left / 4.0)))


def _least_squares(x: FloatArray, y: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Generalised least squares under each covariance [cells, months, months]: coefficients [cells, columns of x],
    their covariances [cells, columns, columns], and the logarithm of the restricted likelihood [cells]."""
    columns = x.shape[1]
    lower = np.linalg.cholesky(covariance)
    white = np.linalg.solve(lower, np.broadcast_to(np.column_stack([x, y]), (len(lower), len(y), columns + 1)))
    design, seen = white[:, :, :columns], white[:, :, columns]
    information = np.einsum("gti,gtj->gij", design, design)
    score = np.einsum("gti,gt->gi", design, seen)
    inverse = np.linalg.inv(information)
    beta = np.einsum("gij,gj->gi", inverse, score)
    rest = np.einsum("gt,gt->g", seen, seen) - np.einsum("gi,gi->g", score, beta)
    determinants = 2.0 * np.log(np.einsum("gtt->gt", lower)).sum(axis=1) + np.linalg.slogdet(information)[1]
    return beta, inverse, -0.5 * (determinants + rest)
