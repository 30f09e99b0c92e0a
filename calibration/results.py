"""Small result objects, in the manner of statsmodels: numbers as fields, `summary()`, `plot()` as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.reasons import Reason
from calibration.sequences import share_sequence
from calibration.verdicts import Estimand, Method, Verdict
from pipeline.language import Message, in_language

if TYPE_CHECKING:
    import altair

METHOD_NAMES: dict[Method, Message] = {
    Method.EXPLICIT: Message("Ratings alone"),
    Method.EFFICIENCY: Message("Fused"),
    Method.CORRECTION: Message("Corrected"),
    Method.SMALL_AREA: Message("Borrowing strength"),
}
"""What charts call a method."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval within [0, 1] at `level`."""

    low: float
    high: float
    level: float = 0.95

    @property
    def width(self) -> float:
        """High minus low."""
        return self.high - self.low

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A share satisfied (0..1; the index is 100 times it), with what is known about its certainty.

    `estimate` is None where there is nothing to estimate from; it is never NaN."""

    method: Method
    estimate: float | None
    interval: Interval
    n: int
    """Ratings used."""
    visits: float
    """Visits (known transactions, or the tables' noisy total)."""
    n_eff: float
    """Ratings that a simple random sample would need for the same interval."""
    verdict: Verdict
    estimand: Estimand
    rho: float = 0.0
    """Correlation of rating and calibrated signal among rated visits, shrunken towards the group's; 0 where none was
    computed."""
    lam: float = 0.0
    """Weight of the signal; 0: explicit only."""
    labels_saved: float = 0.0
    """n_eff minus the explicit estimate's n_eff: ratings that need not be collected; 0 if not used."""
    design_effect: float = 1.0
    reasons: tuple[Reason, ...] = ()
    """Why it is wide or was not fused."""

    @classmethod
    def nothing(cls, level: float, estimand: Estimand, visits: float = 0.0, reasons: Sequence[Reason] = ()) -> Estimate:
        """No ratings: nothing is known."""
        return cls(
            method=Method.EXPLICIT,
            estimate=None,
            interval=Interval(0.0, 1.0, level),
            n=0,
            visits=visits,
            n_eff=0.0,
            verdict=Verdict.TOO_FEW,
            estimand=estimand,
            reasons=tuple(reasons),
        )

    @classmethod
    def from_ratings(
        cls,
        share: float,
        interval: Interval,
        *,
        n: int,
        visits: float,
        n_eff: float,
        estimand: Estimand,
        design_effect: float,
        reasons: Sequence[Reason] = (),
    ) -> Estimate:
        """Overall satisfaction from ratings alone."""
        return cls(
            method=Method.EXPLICIT,
            estimate=share,
            interval=interval,
            n=n,
            visits=visits,
            n_eff=n_eff,
            verdict=Verdict.TOO_FEW if n < 2 else Verdict.EXPLICIT,
            estimand=estimand,
            design_effect=design_effect,
            reasons=tuple(reasons),
        )

    @classmethod
    def borrowed(cls, share: float, interval: Interval, *, n: int, n_eff: float, reason: Reason) -> Estimate:
        """A small area's share."""
        return cls(
            method=Method.SMALL_AREA,
            estimate=share,
            interval=interval,
            n=n,
            visits=float(n),
            n_eff=n_eff,
            verdict=Verdict.EXPLICIT,
            estimand=Estimand.SUPERPOPULATION,
            reasons=(reason,),
        )

    def not_fused(self, verdict: Verdict, reason: Reason) -> Estimate:
        """What the efficiency estimator says where it falls back on this one, which is from ratings alone."""
        return replace(self, method=Method.EFFICIENCY, verdict=verdict, reasons=(*self.reasons, reason))

    def fused(self, share: float, interval: Interval, *, n_eff: float, rho: float, lam: float) -> Estimate:
        """What the efficiency estimator says where the signal helped this one, which is from ratings alone."""
        return replace(
            self,
            method=Method.EFFICIENCY,
            estimate=share,
            interval=interval,
            n_eff=n_eff,
            rho=rho,
            lam=lam,
            labels_saved=max(0.0, n_eff - self.n_eff),
            verdict=Verdict.HELPED,
        )

    def corrected(
        self, share: float, interval: Interval, *, n_eff: float, rho: float, reasons: Sequence[Reason]
    ) -> Estimate:
        """What the correction estimator makes of this one, which is from ratings alone."""
        return replace(
            self,
            method=Method.CORRECTION,
            estimate=share,
            interval=interval,
            n_eff=n_eff,
            rho=rho,
            lam=1.0,
            verdict=Verdict.CORRECTED,
            reasons=tuple(reasons),
        )

    def watched(self) -> Estimate:
        """The same with an interval that holds however often it is looked at (`calibration.sequences`), never narrower
        than for one look: of few days `n_eff` is not known for sure."""
        if self.estimate is None:
            return self
        low, high = share_sequence(self.estimate, self.n_eff, self.interval.level)
        once = self.interval
        return replace(self, interval=Interval(min(float(low), once.low), max(float(high), once.high), once.level))

    @property
    def index(self) -> float | None:
        """The index, 0..100."""
        return None if self.estimate is None else 100.0 * self.estimate

    def summary(self) -> str:
        """Figures and codes, a few lines; words are for whoever shows them to people."""
        value = "none" if self.estimate is None else f"{100 * self.estimate:.1f}"
        span = f"{100 * self.interval.low:.1f} - {100 * self.interval.high:.1f}"
        lines = [
            f"{value} [{100 * self.interval.level:.0f}%: {span}] {self.method} {self.verdict}",
            f"n = {self.n}   n_eff = {self.n_eff:.0f}   N = {self.visits:.0f}   rho = {self.rho:.2f}   "
            f"lambda = {self.lam:.2f}   deff = {self.design_effect:.2f}   labels_saved = {self.labels_saved:.0f}",
        ]
        return "\n".join([*lines, *(str(reason) for reason in self.reasons)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or a row of a data frame."""
        row = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "interval"}
        low, high = self.interval.low, self.interval.high
        row.update(
            low=low,
            high=high,
            level=self.interval.level,
            index=self.index,
            reasons=[str(reason) for reason in self.reasons],
        )
        return {
            key: (str(value) if isinstance(value, Verdict | Estimand | Method) else value) for key, value in row.items()
        }

    def plot(self, language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """The estimate and its interval on the 0..100 scale."""
        return plot_estimates([("", self)], language=language)


@dataclass(frozen=True, slots=True)
class SensitivityBound:
    """Where the share satisfied would lie if satisfied visitors respond at `odds_ratio` times the odds of others."""

    odds_ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CorrectedEstimate:
    """The correction estimator's result and how far it can be wrong where its assumption fails.

    `estimate` assumes that, within a level, those who answer are like those who do not. `abstained_bounds`: nothing is
    assumed about unrated visits without a level; `consent_bounds`: about those who did not agree, where they are
    counted apart (where not in all tables, about those without a level too). `sensitivity`: response depends on
    satisfaction itself. These hold the share with the estimate's level. `worst_case`: nothing is assumed about any
    unrated visit; without an allowance for chance, which is small beside it."""

    estimate: Estimate
    naive_shift: float
    """Corrected minus explicit estimate, in shares."""
    response_z: float
    """How many standard errors respondents' levels differ from all visits' (0: response at random is tenable)."""
    abstained_bounds: Interval
    sensitivity: tuple[SensitivityBound, ...]
    worst_case: Interval
    consent_bounds: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.estimate.to_dict(),
            "naive_shift": self.naive_shift,
            "response_z": self.response_z,
            "abstained_low": self.abstained_bounds.low,
            "abstained_high": self.abstained_bounds.high,
            **self._consent(),
            "worst_low": self.worst_case.low,
            "worst_high": self.worst_case.high,
            "sensitivity": [asdict(bound) for bound in self.sensitivity],
        }

    def _consent(self) -> dict[str, float]:
        """Nothing where nobody is asked for consent, or nobody counts who gave none."""
        found = self.consent_bounds
        return {} if found is None else {"consent_low": found.low, "consent_high": found.high}

    def plot(self, language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """The estimate and its interval."""
        return self.estimate.plot(language)


@dataclass(frozen=True, slots=True)
class LabelledEstimates:
    """Several estimates under labels, for one table or chart."""

    rows: tuple[tuple[str, Estimate], ...]
    title: str = field(default="")

    def plot(self, language: str = "vi") -> altair.LayerChart | altair.FacetChart:
        """One line each, interval and point."""
        return plot_estimates(self.rows, self.title, language)


def chart_rows(rows: Sequence[tuple[str, Estimate]], language: str = "vi") -> list[dict[str, Any]]:
    """The chart's data, as downloadable rows."""
    return [
        {
            "label": label or in_language(METHOD_NAMES[estimate.method], language),
            "method": in_language(METHOD_NAMES[estimate.method], language),
            "index": estimate.index,
            "low": 100 * estimate.interval.low,
            "high": 100 * estimate.interval.high,
            "n": estimate.n,
            "verdict": str(estimate.verdict),
        }
        for label, estimate in rows
    ]


def plot_estimates(
    rows: Sequence[tuple[str, Estimate]], title: str = "", language: str = "vi"
) -> altair.LayerChart | altair.FacetChart:
    """Points with intervals, one line per label, 0..100 cut to where the intervals lie."""
    import altair as alt

    lows = [100 * estimate.interval.low for _, estimate in rows]
    floor = float(np.floor(min(lows, default=0.0) / 10) * 10)
    base = alt.Chart(alt.InlineData(values=chart_rows(rows, language)), title=title, width=420).encode(
        y=alt.Y("label:N", title=None, sort=None),
        yOffset=alt.YOffset("method:N"),
        color=alt.Color("method:N", title=None, legend=alt.Legend(orient="top")),
    )
    words = in_language(Message("Satisfaction index (0–100), interval"), language)
    x = alt.X("low:Q", title=words, scale=alt.Scale(domain=[floor, 100]))
    bars = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    points = base.mark_point(filled=True, size=60).encode(
        x="index:Q", tooltip=["label:N", "method:N", "index:Q", "low:Q", "high:Q", "n:Q", "verdict:N"]
    )
    return alt.layer(bars, points)
