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
from dataclasses import dataclass
from typing import Any, Final

from calibration.counter_prior import CounterPrior, counter_prior
from calibration.factors import OVERALL, require_informed
from calibration.fuse import Fused, Settings, fuse_month, response_rate
from calibration.months import AgencyMonth, require_disjoint_months
from calibration.ratings import TABLET, totals
from calibration.response_curve import MINIMUM_PAIRS, ResponseCurve, learn_curve
from calibration.results import Estimate, LabelledEstimates
from calibration.staleness import Slope, added, contradicted, periods_that_hold
from calibration.tables import EvidenceTable, pool
from calibration.units import days_of_months
from calibration.verdicts import Verdict
from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError
from pipeline.language import Message

HISTORY_MONTHS: Final = 12
"""Earlier periods of an agency that a curve is learnt from: older ones may have drifted away."""


@dataclass(frozen=True, slots=True)
class AgencyResult:
    """One agency in the period. `service_groups`: the same three estimates by service group."""

    agency: str
    group: str
    fused: Fused
    service_groups: dict[str, Fused]
    response_rate: float | None

    @property
    def verdict(self) -> Verdict:
        """Whether the implicit signal helped here."""
        return self.fused.efficiency.verdict

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


def _covered(month: AgencyMonth) -> tuple[int, int]:
    """(rated, satisfied) of tablet ratings whose visits are in the month's tables."""
    strata = month.strata if month.shared_tables else tuple(s for s in month.strata if s.tables)
    pairs = [totals(stratum.ratings, TABLET) for stratum in strata]
    return sum(n for n, _ in pairs), sum(k for _, k in pairs)


def _history(months: Iterable[AgencyMonth], before: DayRange, history: int) -> dict[str, list[AgencyMonth]]:
    """The earlier periods that each group's curve rests on."""
    by_agency: dict[tuple[str, str], list[AgencyMonth]] = defaultdict(list)
    groups: set[str] = set()
    for month in months:
        groups.add(month.group)
        if month.period.end <= before.start and month.tables:
            by_agency[(month.group, month.agency)].append(month)
    used: dict[str, list[AgencyMonth]] = {group: [] for group in groups}
    for (group, _), of_agency in by_agency.items():
        used[group] += sorted(of_agency, key=lambda month: month.period)[-history:]
    for group, chosen in used.items():
        periods = sorted({month.period for month in chosen})
        slopes = [_slope(month for month in chosen if month.period == period) for period in periods]
        held = set(periods[-periods_that_hold(slopes) :]) if periods else set()
        used[group] = [month for month in chosen if month.period in held]
    return used


def _slope(months: Iterable[AgencyMonth]) -> Slope:
    return added([Slope.of(pool(month.tables)) for month in months if month.tables])


def stale_groups(months: Sequence[AgencyMonth], period: DayRange, *, history: int = HISTORY_MONTHS) -> frozenset[str]:
    """Groups whose pairs of this period contradict the earlier ones that their curve rests on."""
    return frozenset(
        group
        for group, earlier in _history(months, period, history).items()
        if contradicted(_slope(m for m in months if m.group == group and m.period == period), _slope(earlier))
    )


def group_curves(
    months: Iterable[AgencyMonth],
    before: DayRange,
    *,
    history: int = HISTORY_MONTHS,
    minimum_pairs: int = MINIMUM_PAIRS,
) -> dict[str, ResponseCurve]:
    """The curve of every agency group from periods that ended before `before` starts: the latest `history` of each
    agency, less those that no longer hold (`calibration.staleness`)."""
    used = _history(months, before, history)
    curves = {}
    for group, chosen in sorted(used.items()):
        covered = [_covered(month) for month in chosen]
        curves[group] = learn_curve(
            [table for month in chosen for table in month.tables],
            group,
            rated=sum(n for n, _ in covered),
            satisfied=sum(k for _, k in covered),
            minimum_pairs=minimum_pairs,
        )
    return curves


def group_priors(months: Iterable[AgencyMonth]) -> dict[str, CounterPrior]:
    """The counter's prior of every agency group that has releases, from all its months."""
    tables: dict[str, list[EvidenceTable]] = defaultdict(list)
    for month in months:
        tables[month.group] += month.tables
    return {group: counter_prior(pool(found)) for group, found in sorted(tables.items()) if found}


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
    curves = group_curves(months, period, history=history, minimum_pairs=minimum_pairs)
    stale = stale_groups(months, period, history=history)
    days = days_of_months([month for month in months if month.period.end <= period.end])
    agencies = []
    for month in sorted(current, key=lambda m: m.agency):
        fused, by_group = fuse_month(month, curves.get(month.group), settings, days, month.group in stale)
        agencies.append(AgencyResult(month.agency, month.group, fused, by_group, response_rate(month)))
    return Analysis(period, factor, tuple(agencies), curves, group_priors(months))
