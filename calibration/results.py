"""Small result objects, in the manner of statsmodels: numbers as fields, `summary()` in words, `plot()` as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.verdicts import Estimand, Method, Verdict

if TYPE_CHECKING:
    import altair

WORDS: dict[Verdict, tuple[str, str]] = {
    Verdict.EXPLICIT: ("Chỉ từ phiếu đánh giá.", "From ratings alone."),
    Verdict.NOT_CALIBRATED: (
        "Tín hiệu ngầm chưa được hiệu chuẩn: chưa hợp nhất.",
        "The implicit signal is not calibrated yet: nothing was fused.",
    ),
    Verdict.HELPED: ("Tín hiệu ngầm đã thu hẹp khoảng tin cậy.", "The implicit signal narrowed the interval."),
    Verdict.NO_GAIN: (
        "Tín hiệu ngầm không bổ sung thông tin ở đây: giữ kết quả từ phiếu.",
        "The implicit signal adds nothing here: the explicit result stands.",
    ),
    Verdict.MISLEADS: (
        "Tín hiệu ngầm trái với phiếu đánh giá ở đây: giữ kết quả từ phiếu.",
        "The implicit signal contradicts the ratings here: the explicit result stands.",
    ),
    Verdict.NOT_AT_RANDOM: (
        "Người trả lời có mức ngầm khác mọi lượt giao dịch: giữ kết quả từ phiếu, xem kết quả hiệu chỉnh.",
        "Those who rated differ in level from all visits: the explicit result stands, read the corrected one.",
    ),
    Verdict.CORRECTED: (
        "Đã hiệu chỉnh theo mức ngầm của mọi lượt giao dịch.",
        "Re-weighted to the implicit levels of all visits.",
    ),
    Verdict.TOO_FEW: ("Quá ít phiếu: khoảng tin cậy rất rộng.", "Too few ratings: the interval is very wide."),
    Verdict.NO_EVIDENCE: ("Không có bảng tín hiệu ngầm dùng được.", "No usable evidence table."),
    Verdict.NOT_SEPARABLE: (
        "Nhiều nhóm thủ tục chung một bảng mà tỷ lệ trả lời khác nhau: không hợp nhất.",
        "Service groups share a table but respond at different rates: not fused.",
    ),
    Verdict.SUPPRESSED: ("Không công bố: số liệu chưa đủ.", "Not shown: too little to publish."),
}
"""Verdict -> (Vietnamese, English)."""

METHOD_NAMES: dict[Method, tuple[str, str]] = {
    Method.EXPLICIT: ("Chỉ từ phiếu", "Ratings alone"),
    Method.EFFICIENCY: ("Hợp nhất", "Fused"),
    Method.CORRECTION: ("Hiệu chỉnh", "Corrected"),
    Method.SMALL_AREA: ("Vay mượn thông tin", "Borrowing strength"),
}
"""Method -> (Vietnamese, English), in charts."""


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


@dataclass(frozen=True, slots=True)
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
    rho: float
    """Correlation of rating and calibrated signal among rated visits, shrunken towards the group's; 0 if not used."""
    lam: float
    """Weight of the signal; 0: explicit only."""
    labels_saved: float
    """n_eff minus the explicit estimate's n_eff: ratings that need not be collected; 0 if not used."""
    verdict: Verdict
    estimand: Estimand
    design_effect: float = 1.0
    reasons: tuple[str, ...] = ()
    """Why it is wide or was not fused, in plain English."""

    @property
    def index(self) -> float | None:
        """The index, 0..100."""
        return None if self.estimate is None else 100.0 * self.estimate

    def summary(self, language: str = "vi") -> str:
        """A few lines in Vietnamese ("vi") or English ("en")."""
        vi = language == "vi"
        words = WORDS[self.verdict][0 if vi else 1]
        value = ("chưa có" if vi else "none") if self.estimate is None else f"{100 * self.estimate:.1f}"
        level = f"{100 * self.interval.level:.0f}%"
        span = f"{100 * self.interval.low:.1f} - {100 * self.interval.high:.1f}"
        lines = [
            f"{'Chỉ số' if vi else 'Index'}: {value}   [{level}: {span}]   ({self.method})",
            f"n = {self.n}   n_eff = {self.n_eff:.0f}   N = {self.visits:.0f}   rho = {self.rho:.2f}   "
            f"lambda = {self.lam:.2f}   deff = {self.design_effect:.2f}",
            words,
        ]
        if self.labels_saved > 0:
            saved = f"{self.labels_saved:.0f}"
            lines.append(f"Tương đương {saved} phiếu thêm." if vi else f"Worth {saved} more ratings.")
        lines += [f"- {reason}" for reason in self.reasons]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or a row of a data frame."""
        row = asdict(self)
        low, high = self.interval.low, self.interval.high
        row.pop("interval")
        row.update(low=low, high=high, level=self.interval.level, index=self.index, reasons=list(self.reasons))
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
    assumed about unrated visits without a level. `sensitivity`: response depends on satisfaction itself.
    `worst_case`: nothing is assumed about any unrated visit."""

    estimate: Estimate
    naive_shift: float
    """Corrected minus explicit estimate, in shares."""
    response_z: float
    """How many standard errors respondents' levels differ from all visits' (0: response at random is tenable)."""
    abstained_bounds: Interval
    sensitivity: tuple[SensitivityBound, ...]
    worst_case: Interval

    def summary(self, language: str = "vi") -> str:
        """The estimate's lines, then the bounds."""
        vi = language == "vi"
        lines = [self.estimate.summary(language)]
        shift = 100 * self.naive_shift
        lines.append(f"{'Chênh so với phiếu' if vi else 'Shift from ratings alone'}: {shift:+.1f}")
        low, high = 100 * self.abstained_bounds.low, 100 * self.abstained_bounds.high
        lines.append(
            f"{'Biên do lượt không nhận diện' if vi else 'Bounds for abstained visits'}: {low:.1f} - {high:.1f}"
        )
        for bound in self.sensitivity:
            name = "Nếu người hài lòng trả lời gấp" if vi else "If satisfied visitors respond at odds times"
            lines.append(f"{name} {bound.odds_ratio:g}: {100 * bound.low:.1f} - {100 * bound.high:.1f}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.estimate.to_dict(),
            "naive_shift": self.naive_shift,
            "response_z": self.response_z,
            "abstained_low": self.abstained_bounds.low,
            "abstained_high": self.abstained_bounds.high,
            "worst_low": self.worst_case.low,
            "worst_high": self.worst_case.high,
            "sensitivity": [asdict(bound) for bound in self.sensitivity],
        }

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
            "label": label or METHOD_NAMES[estimate.method][0 if language == "vi" else 1],
            "method": METHOD_NAMES[estimate.method][0 if language == "vi" else 1],
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
    words = "Chỉ số hài lòng (0-100), khoảng tin cậy" if language == "vi" else "Satisfaction index (0-100), interval"
    x = alt.X("low:Q", title=words, scale=alt.Scale(domain=[floor, 100]))
    bars = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    points = base.mark_point(filled=True, size=60).encode(
        x="index:Q", tooltip=["label:N", "method:N", "index:Q", "low:Q", "high:Q", "n:Q", "verdict:N"]
    )
    return alt.layer(bars, points)
