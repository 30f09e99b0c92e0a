"""The facade: rows of agencies' months in, both fused estimates, agreement and verdicts out.

    analysis = analyze(months, period=Period.month(2026, 11))
    for agency in analysis.agencies:
        print(agency.agency, agency.fused.efficiency.summary())

`months` holds the period itself and as many earlier ones as are at hand: the response curve of a group is learnt from
the earlier ones only. A first month is therefore never fused ("not calibrated").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calibration.counter_prior import CounterPrior, counter_prior
from calibration.curves import HISTORY_MONTHS, histories, named_tables
from calibration.factors import OVERALL, require_informed
from calibration.fuse import Fused, Settings, fuse_month, response_rate
from calibration.influence import Support, support_of, with_support
from calibration.months import AgencyMonth, require_disjoint_months
from calibration.response_curve import MINIMUM_PAIRS, ResponseCurve, bounded_table
from calibration.results import Estimate, LabelledEstimates
from calibration.tables import EvidenceTable
from calibration.units import days_of_months
from calibration.verdicts import Verdict
from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError
from pipeline.language import Message


@dataclass(frozen=True, slots=True)
class AgencyResult:
    """One agency in the period. `service_groups`: the same three estimates by service group."""

    agency: str
    group: str
    fused: Fused
    service_groups: dict[str, Fused]
    response_rate: float | None
    support: Support
    """The boxes that its curve rests on."""

    @property
    def verdict(self) -> Verdict:
        """Whether the implicit signal helped here."""
        return self.fused.efficiency.verdict

    def watched(self) -> AgencyResult:
        """The same with intervals that hold however often they are looked at."""
        groups = {name: fused.watched() for name, fused in self.service_groups.items()}
        return replace(self, fused=self.fused.watched(), service_groups=groups)

    def rows(self) -> list[dict[str, Any]]:
        """One row per estimate (agency first, then service groups), for JSON, CSV or Parquet."""
        rows = []
        for name, fused in [("", self.fused), *self.service_groups.items()]:
            estimates: list[Estimate] = [fused.explicit, fused.efficiency]
            bounds: dict[str, Any] = {}
            if fused.correction is not None:
                estimates.append(fused.correction.estimate)
                bounds = fused.correction.to_dict()
            for estimate in estimates:
                is_correction = fused.correction is not None and estimate is fused.correction.estimate
                row = bounds if is_correction else estimate.to_dict()
                rows.append({"agency": self.agency, "group": self.group, "service_group": name, **row})
        return rows


@dataclass(frozen=True, slots=True)
class Analysis:
    """All agencies of one period, and the curves that they were fused with."""

    period: DayRange
    factor: str
    agencies: tuple[AgencyResult, ...]
    curves: dict[str, ResponseCurve]
    counter_priors: dict[str, CounterPrior]
    """Of each agency group with releases: what its boxes' fusion should take for likely beforehand."""

    def rows(self) -> list[dict[str, Any]]:
        """One row per agency, service group and estimator."""
        return [{"period": str(self.period), "factor": self.factor, **row} for a in self.agencies for row in a.rows()]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "period": str(self.period),
            "factor": self.factor,
            "rows": self.rows(),
            "curves": {name: curve.rows() for name, curve in self.curves.items()},
            "counter_priors": {name: prior.to_dict() for name, prior in self.counter_priors.items()},
        }

    def estimates(self) -> LabelledEstimates:
        """Explicit and efficiency estimates of all agencies, for one chart."""
        rows = []
        for agency in self.agencies:
            rows += [(agency.agency, agency.fused.explicit), (agency.agency, agency.fused.efficiency)]
        return LabelledEstimates(tuple(rows), str(self.period))

    def summary(self) -> str:
        """A paragraph per agency."""
        return "\n\n".join(f"{a.agency}\n{a.fused.efficiency.summary()}" for a in self.agencies)


def group_priors(months: Iterable[AgencyMonth]) -> dict[str, CounterPrior]:
    """The counter's prior of every agency group that has releases, from all its months."""
    tables: dict[str, list[EvidenceTable]] = defaultdict(list)
    for month in months:
        tables[month.group] += named_tables(month)
    return {group: counter_prior(bounded_table(found)) for group, found in sorted(tables.items()) if found}


def analyze(
    months: Sequence[AgencyMonth],
    *,
    period: DayRange,
    factor: str = OVERALL,
    settings: Settings | None = None,
    history: int = HISTORY_MONTHS,
    minimum_pairs: int = MINIMUM_PAIRS,
) -> Analysis:
    """Fuse every agency of `period`; earlier `months` teach the curves.

    Raises `StatisticsError` for overlapping periods, for a factor that emotion must not inform, and where no agency
    has the period."""
    require_informed(factor)
    require_disjoint_months(months)
    current = [month for month in months if month.period == period]
    if not current:
        raise StatisticsError(
            Message("No agency has figures for {period}.", period=period),
            Message("Check the period and the imported ratings."),
        )
    found = histories(months, period, history=history, minimum_pairs=minimum_pairs)
    days = days_of_months([month for month in months if month.period.end <= period.end])
    settings = settings or Settings()
    agencies = []
    for month in sorted(current, key=lambda m: m.agency):
        of_group = found[month.group]
        fused, by_group = fuse_month(month, of_group.curve_of(month.agency), settings, days, of_group.stale)
        support = support_of(month, of_group, fused, days, settings)
        fused = with_support(fused, support)
        agencies.append(AgencyResult(month.agency, month.group, fused, by_group, response_rate(month), support))
    curves = {group: of_group.whole for group, of_group in found.items()}
    if settings.watched:
        agencies = [one.watched() for one in agencies]
    return Analysis(period, factor, tuple(agencies), curves, group_priors(months))
