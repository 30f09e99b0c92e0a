"""Before and after: what an improvement at some agencies did, with the others as controls.

Every agency has the shares of several periods; its change is that of the mean after the improvement less the mean
before, so that periods that hang together cannot pass for many (Bertrand, Duflo, Mullainathan 2004). The effect is the
mean change of the improved agencies less that of the controls (difference in differences): a season, or a change that
meets all, is gone.

Few agencies are improved, and small ones vary more. So chance is read off the controls: their changes, each over its
own standard deviation (sampling variance and a common variance by moments), are dealt to the improved agencies at their
standard deviations, many times (Conley, Taber 2011; Ferman, Pinto 2019). The interval leaves out what the dealt changes
exceed; the p-value is their share beyond the effect. Eight controls show no rare change: neither is narrower, or
smaller, than by Student's distribution with a degree less than there are controls. Controls that all changed alike
(everybody satisfied everywhere) show no chance at all: then it is that of sampling.

*Placebo*: the same with the last period before the improvement as if it had come one period earlier. An effect there is
none of the improvement: then the agencies were on another way already, or were chosen for a bad quarter that passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from calibration.intervals import LEVEL, t_quantile
from pipeline.errors import StatisticsError
from pipeline.language import Message, in_language

if TYPE_CHECKING:
    import altair

FloatArray = NDArray[np.float64]
DEALS: Final = 4000
FEWEST_CONTROLS: Final = 8
ALIKE: Final = 1e-12
"""Differences of shares that are rounding."""
COLOURS: Final = ("#b45f06", "#0b4f6c")


@dataclass(frozen=True, slots=True)
class Effect:
    """Difference in differences of shares (-1..1) with its interval and p-value."""

    estimate: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """`effect` of the improvement; `placebo`: of the period before it (None where it has no answers, or is the first).

    `improved`, `controls` [periods]: mean shares, for the plot; `first`: the first period after."""

    effect: Effect
    placebo: Effect | None
    improved: FloatArray
    controls: FloatArray
    first: int

    def rows(self, language: str = "vi", periods: Sequence[str] = ()) -> list[dict[str, Any]]:
        """One row per period and kind of agency: the plot's data, in points. `periods`: their names (default: their
        numbers from 0); a group without answers in a period has no row there."""
        kinds = (Message("Improved agencies"), self.improved), (Message("Other agencies"), self.controls)
        return [
            {
                "period": periods[t] if periods else t,
                "agencies": in_language(name, language),
                "index": 100 * float(values[t]),
            }
            for name, values in kinds
            for t in range(len(values))
            if np.isfinite(values[t])
        ]

    def plot(self, language: str = "vi", periods: Sequence[str] = ()) -> altair.LayerChart | altair.FacetChart:
        """Both groups over the periods (their names, or numbers); the rule stands where the improvement came."""
        import altair as alt

        rows = self.rows(language, periods)
        base = alt.Chart(alt.InlineData(values=rows), width=640, height=240)
        x = alt.X(
            "period:O",
            title=in_language(Message("Period"), language),
            sort=list(periods) or None,
            axis=alt.Axis(labelAngle=0),
        )
        names = list(dict.fromkeys(row["agencies"] for row in rows))
        lines = base.mark_line(point=True).encode(
            x=x,
            y=alt.Y("index:Q", title=in_language(Message("Satisfaction index"), language), scale=alt.Scale(zero=False)),
            strokeDash=alt.StrokeDash("agencies:N", sort=names, legend=None),
            color=alt.Color("agencies:N", title=None, sort=names, scale=alt.Scale(domain=names, range=COLOURS)),
        )
        came = periods[self.first] if periods else self.first
        rule = alt.Chart(alt.InlineData(values=[{"period": came}])).mark_rule(strokeDash=[3, 3])
        return alt.layer(lines, rule.encode(x=x))


def before_after(
    satisfied: ArrayLike,
    rated: ArrayLike,
    improved: ArrayLike,
    first: int,
    *,
    design_effect: ArrayLike = 1.0,
    level: float = LEVEL,
    seed: int = 0,
) -> BeforeAfter:
    """From `satisfied` of `rated` [agencies, periods], `improved` bool [agencies], `first` period after (from 0).

    Agencies without answers before or after are left out. Raises `StatisticsError` for fewer than eight controls, none
    improved, or no period on either side."""
    n, k = np.asarray(rated, dtype=np.float64), np.asarray(satisfied, dtype=np.float64)
    treated = np.asarray(improved, dtype=bool)
    if n.ndim != 2 or k.shape != n.shape or treated.shape != (len(n),) or np.any((k < 0) | (k > n)):
        raise StatisticsError(Message("Before and after: counts by agency and period, none more satisfied than rated."))
    if not 0 < first < n.shape[1]:
        raise StatisticsError(Message("Before and after: at least one period on either side."))
    effect = np.maximum(np.broadcast_to(np.asarray(design_effect, dtype=np.float64), n.shape), 1.0)
    placebo = None
    earlier = slice(0, first)
    if first > 1 and _enough(treated, _seen(n[:, earlier], first - 1)):
        placebo = _effect(k[:, earlier], n[:, earlier], effect[:, earlier], treated, first - 1, level, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = [(k[rows].sum(axis=0) / n[rows].sum(axis=0)) for rows in (treated, ~treated)]
    return BeforeAfter(_effect(k, n, effect, treated, first, level, seed), placebo, means[0], means[1], first)


def _seen(n: FloatArray, first: int) -> NDArray[np.bool_]:
    """[agencies] whether there are answers on both sides."""
    return np.asarray((n[:, :first].sum(axis=1) > 0) & (n[:, first:].sum(axis=1) > 0))


def _enough(treated: NDArray[np.bool_], seen: NDArray[np.bool_]) -> bool:
    return bool((treated & seen).any() and (~treated & seen).sum() >= FEWEST_CONTROLS)


def _effect(
    k: FloatArray, n: FloatArray, effect: FloatArray, treated: NDArray[np.bool_], first: int, level: float, seed: int
) -> Effect:
    sides, seen = (slice(0, first), slice(first, None)), _seen(n, first)
    if not _enough(treated, seen):
        raise StatisticsError(
            Message("Before and after: an improved agency, and at least {count} others.", count=FEWEST_CONTROLS)
        )
    k, n, effect, treated = k[seen], n[seen], effect[seen], treated[seen]
    change, per_spread = np.zeros(len(n)), np.zeros(len(n))
    for side, sign in zip(sides, (-1.0, 1.0), strict=True):
        asked = n[:, side].sum(axis=1)
        change += sign * k[:, side].sum(axis=1) / asked
        per_spread += (n[:, side] * effect[:, side]).sum(axis=1) / asked**2
    control = change[~treated]
    are_alike = bool(np.ptp(control) < ALIKE)
    added = 2.0 if are_alike else 1.0
    pooled = (k.sum() + added) / (n.sum() + 2.0 * added)
    psi = pooled * (1 - pooled) * per_spread
    common = max(float(control.var(ddof=1) - psi[~treated].mean()), 0.0)
    spread = np.sqrt(common + psi)
    weight = 1.0 / np.square(spread)
    shares = [np.where(rows, weight, 0.0) / weight[rows].sum() for rows in (treated, ~treated)]
    estimate = float((shares[0] - shares[1]) @ change)
    centre = float(shares[1] @ change)
    # one degree is lost by the centre
    freed = np.sqrt(len(control) / (len(control) - 1.0))
    standard = freed * (control - centre) / spread[~treated]
    rng = np.random.default_rng(seed)
    dealt = standard[rng.integers(0, len(standard), (DEALS, len(n)))] * spread
    chance = dealt @ (shares[0] - shares[1])
    low, high = np.quantile(chance, [0.5 - level / 2, 0.5 + level / 2])
    p_value = (1.0 + float((np.abs(chance) >= abs(estimate)).sum())) / (DEALS + 1.0)
    # what is dealt goes no further than the controls did, of which there are few: never less than Student's
    of_controls = 1.0 if are_alike else float(np.square(standard).mean())
    error = float(np.sqrt(of_controls * np.square(spread * (shares[0] - shares[1])).sum()))
    half = float(t_quantile(len(control) - 1.0, level)) * error
    p_value = max(p_value, 2.0 * float(stdtr(len(control) - 1.0, -abs(estimate) / error)))
    return Effect(estimate, estimate - max(float(high), half), estimate + max(-float(low), half), p_value)
