"""Drift: has the signal changed its meaning or its habit? With a known rate of false alarms.

Three statistics of every agency and month, each against the agency's own earlier months or the group's curve:

- *levels*: shares of the five levels among visits that have one (chi-squared, 4 degrees of freedom);
- *abstention*: share of visits without a level (1 degree);
- *calibration*: satisfied by level against the curve, after the agency's own height is taken off (4 degrees), so that
  an agency that simply serves better raises no alarm.

Covariances hold sampling and privacy noise; months also differ beyond both (season, weather), so each statistic is
divided by its dispersion over the group's earlier months. Sudden changes: Holm's procedure over all agencies and
statistics of a month at alpha = 1 / (months between false alarms). Slow ones: a two-sided CUSUM on the recursive
residual of the mean level, its limit set by Siegmund's formula for the wanted average run length over all agencies.
Many small changes at once: the agencies' p-values as e-values, averaged and added up over the months.

Sources: Holm 1979; Page 1954; Siegmund 1985 (run length); Brown, Durbin, Evans 1975 (recursive residuals).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, fdtrc

from calibration.months import AgencyMonth
from calibration.response_curve import ResponseCurve
from calibration.sequences import e_value, evidence_of_change
from calibration.tables import SEEN_LEVELS, EvidenceTable, pool
from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
MONTHS_BETWEEN_FALSE_ALARMS: Final = 60.0
CUSUM_SLACK: Final = 0.5
"""In standard deviations of the monthly residual: shifts of about one are found fastest."""
MINIMUM_DISPERSION_STATISTICS: Final = 6
"""Earlier statistics needed to estimate dispersion; with fewer, months are taken to differ by sampling alone."""


class DriftKind(StrEnum):
    """What drifted."""

    LEVELS = "levels"
    ABSTENTION = "abstention"
    CALIBRATION = "calibration"
    SLOW = "slow_change"


@dataclass(frozen=True, slots=True)
class DriftAlarm:
    """One alarm. `p_value` after dispersion, before Holm's adjustment; None for the CUSUM."""

    agency: str
    period: DayRange
    kind: DriftKind
    statistic: float
    p_value: float | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Alarms of one period, with what was tested and how often nothing would still ring."""

    period: DayRange
    alarms: tuple[DriftAlarm, ...]
    tests: int
    months_between_false_alarms: float
    """On average, over the whole province, for sudden changes; the same again for slow ones."""
    cusum_limit: float
    rows: tuple[dict[str, Any], ...]
    """Every statistic tested, for a table or a file."""
    course: tuple[tuple[DayRange, float], ...] = ()
    """That the whole province has been changing, month by month, the oldest first (`calibration.sequences`): reaches
    `months_between_false_alarms` at the earliest after so many months, on average, if nothing drifts."""

    @property
    def evidence(self) -> float:
        """Where the course stands; 0 where nothing was tested."""
        return self.course[-1][1] if self.course else 0.0

    @property
    def changing(self) -> bool:
        """Whether the evidence over all months rings."""
        return self.evidence >= self.months_between_false_alarms

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "period": str(self.period),
            "alarms": [
                {**asdict(alarm), "period": str(alarm.period), "kind": str(alarm.kind)} for alarm in self.alarms
            ],
            "tests": self.tests,
            "months_between_false_alarms": self.months_between_false_alarms,
            "cusum_limit": self.cusum_limit,
            "evidence": self.evidence,
            "rows": list(self.rows),
        }


@dataclass(frozen=True, slots=True)
class _Statistic:
    agency: str
    period: DayRange
    kind: DriftKind
    value: float
    degrees: int


def run_length(limit: float, slack: float = CUSUM_SLACK) -> float:
    """In-control average run length of a two-sided CUSUM of standard normal residuals (Siegmund's approximation)."""
    b = limit + 1.166
    return (math.exp(2 * slack * b) - 2 * slack * b - 1) / (2 * slack**2) / 2


def cusum_limit(months: float, streams: int, slack: float = CUSUM_SLACK) -> float:
    """Limit at which `streams` independent CUSUMs together ring once in `months` when nothing drifts."""
    wanted = months * max(streams, 1)
    if not wanted > 1:
        raise StatisticsError(Message("The months between false alarms must be more than one."))
    return float(brentq(lambda h: run_length(h, slack) - wanted, 0.0, 60.0))


def cusum(residuals: FloatArray, limit: float, slack: float = CUSUM_SLACK) -> list[int]:
    """Indices of the alarms of a two-sided CUSUM over `residuals` [t]; after each it starts again from zero."""
    up = down = 0.0
    alarms = []
    for index, z in enumerate(residuals.tolist()):
        up, down = max(0.0, up + z - slack), max(0.0, down - z - slack)
        if max(up, down) > limit:
            alarms.append(index)
            up = down = 0.0
    return alarms


def _shares(table: EvidenceTable) -> tuple[FloatArray, FloatArray, float]:
    """(level shares among seen [5], their covariance [5, 5], seen visits) with noise in the covariance."""
    visits = table.counts.sum(axis=1).astype(np.float64)[:SEEN_LEVELS]
    total = max(float(visits.sum()), 1.0)
    share = visits / total
    clean = np.maximum(share, 0.5 / total)
    clean = clean / clean.sum()
    sampling = (np.diag(clean) - np.outer(clean, clean)) / total
    centring = np.eye(SEEN_LEVELS) - np.outer(clean, np.ones(SEEN_LEVELS))
    noise = 3 * table.cell_variance / total**2 * (centring @ centring.T)
    return share, sampling + noise, total


def _quadratic(difference: FloatArray, covariance: FloatArray) -> float:
    return float(difference @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ difference)


def _abstained(table: EvidenceTable) -> tuple[float, float]:
    """(share of the visits without a level, its variance). Those who did not agree are among them, whether counted
    apart or not: months from before and after that began are compared."""
    visits = table.counts.sum(axis=1).astype(np.float64)
    total = max(float(visits.sum()), 1.0)
    share = min(max(float(visits[SEEN_LEVELS:].sum()) / total, 0.0), 1.0)
    smooth = (share * total + 1) / (total + 2)
    silent = len(visits) - SEEN_LEVELS
    noise = 3 * table.cell_variance * (silent * (1 - smooth) ** 2 + SEEN_LEVELS * smooth**2) / total**2
    return share, smooth * (1 - smooth) / total + noise


def _calibration(table: EvidenceTable, curve: ResponseCurve) -> tuple[float, int] | None:
    """Chi-squared of satisfied by seen level against the curve's shape; None with too few pairs."""
    counts = table.counts[:SEEN_LEVELS].astype(np.float64)
    rated = counts[:, 1:].sum(axis=1)
    expected = curve.fitted[:SEEN_LEVELS]
    clean = np.maximum(rated, 0.0)
    n = clean.sum()
    if n < 20:
        return None
    residual = counts[:, 2] - expected * rated
    shift = residual.sum() / n
    q = np.clip(expected + shift, 0.02, 0.98)
    own = np.diag(clean * q * (1 - q) + table.cell_variance * ((1 - expected) ** 2 + expected**2))
    own += np.diag(clean**2 * curve.fitted_error[:SEEN_LEVELS] ** 2)
    weights = clean / n
    centring = np.eye(SEEN_LEVELS) - np.outer(weights, np.ones(SEEN_LEVELS))
    return _quadratic(centring @ residual, centring @ own @ centring.T), SEEN_LEVELS - 1


def _mean_level(table: EvidenceTable) -> tuple[float, float]:
    share, covariance, _ = _shares(table)
    score = np.arange(SEEN_LEVELS, dtype=np.float64)
    return float(share @ score), float(score @ covariance @ score)


def _statistics(history: Sequence[EvidenceTable], agency: str, period: DayRange, table: EvidenceTable,
                curve: ResponseCurve | None) -> list[_Statistic]:  # fmt: skip
    found = []
    if history:
        before = pool(history)
        share, covariance, _ = _shares(table)
        share_before, covariance_before, _ = _shares(before)
        value = _quadratic(share - share_before, covariance + covariance_before)
        found.append(_Statistic(agency, period, DriftKind.LEVELS, value, SEEN_LEVELS - 1))
        (now, spread), (then, spread_then) = _abstained(table), _abstained(before)
        found.append(_Statistic(agency, period, DriftKind.ABSTENTION, (now - then) ** 2 / (spread + spread_then), 1))
    if curve is not None and curve.calibrated:
        calibration = _calibration(table, curve)
        if calibration is not None:
            found.append(_Statistic(agency, period, DriftKind.CALIBRATION, *calibration))
    return found


class _Dispersion:
    """How far earlier statistics of one group and kind lie above their expectation."""

    def __init__(self) -> None:
        self._count = self._degrees = 0
        self._value = 0.0

    def add(self, statistic: _Statistic) -> None:
        self._count += 1
        self._degrees += statistic.degrees
        self._value += statistic.value

    def p_value(self, statistic: _Statistic) -> float:
        """P-value after dividing by the dispersion (F where it is estimated)."""
        dispersion = self._value / self._degrees if self._degrees else 1.0
        if self._count < MINIMUM_DISPERSION_STATISTICS or dispersion <= 1.0:
            return float(chdtrc(statistic.degrees, max(statistic.value, 0.0)))
        ratio = max(statistic.value, 0.0) / statistic.degrees / dispersion
        return float(fdtrc(statistic.degrees, self._degrees, ratio))


def _holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects at family-wise `alpha`."""
    order = np.argsort(p_values)
    rejected = [False] * len(p_values)
    for step, index in enumerate(order):
        if p_values[index] > alpha / (len(p_values) - step):
            break
        rejected[int(index)] = True
    return rejected


def recursive_residuals(tables: Sequence[EvidenceTable]) -> FloatArray:
    """Standardised difference of each table's mean level from the pooled earlier ones', [len - 1], about N(0, 1)."""
    residuals = []
    for index in range(1, len(tables)):
        now, spread = _mean_level(tables[index])
        then, spread_then = _mean_level(pool(tables[:index]))
        residuals.append((now - then) / math.sqrt(max(spread + spread_then, 1e-18)))
    return np.array(residuals, dtype=np.float64)


def detect_drift(
    months: Sequence[AgencyMonth],
    period: DayRange,
    curves: dict[str, ResponseCurve],
    months_between_false_alarms: float = MONTHS_BETWEEN_FALSE_ALARMS,
) -> DriftReport:
    """Test every agency of `period` against its earlier months. No earlier months: nothing is tested, no alarm.

    Raises `StatisticsError` where `months_between_false_alarms` is not above 1."""
    if not months_between_false_alarms > 1:
        raise StatisticsError(Message("The months between false alarms must be more than one."))
    by_agency: dict[str, list[AgencyMonth]] = defaultdict(list)
    for month in months:
        if month.tables and (month.period == period or month.period.end <= period.start):
            by_agency[month.agency].append(month)
    of_period: dict[DayRange, list[_Statistic]] = defaultdict(list)
    group_of: dict[str, str] = {}
    series: dict[str, list[EvidenceTable]] = {}
    for agency, of_agency in sorted(by_agency.items()):
        ordered = sorted(of_agency, key=lambda month: month.period)
        tables = [pool(month.tables) for month in ordered]
        group_of[agency] = ordered[-1].group
        for index, month in enumerate(ordered):
            of_period[month.period] += _statistics(
                tables[:index], agency, month.period, tables[index], curves.get(month.group)
            )
            if month.period == period:
                series[agency] = tables
    now = of_period.pop(period, [])
    earlier: dict[tuple[str, DriftKind], _Dispersion] = defaultdict(_Dispersion)
    monthly: list[tuple[DayRange, float]] = []

    def p_values_of(month: DayRange, statistics: Sequence[_Statistic]) -> list[float]:
        found = [earlier[group_of[s.agency], s.kind].p_value(s) for s in statistics]
        if found:
            monthly.append((month, float(e_value(found).mean())))
        for statistic in statistics:
            earlier[group_of[statistic.agency], statistic.kind].add(statistic)
        return found

    for before in sorted(of_period):
        p_values_of(before, of_period[before])
    p_values = p_values_of(period, now)
    rejected = _holm(p_values, 1.0 / months_between_false_alarms)
    alarms = [
        DriftAlarm(s.agency, s.period, s.kind, s.value, p)
        for s, p, reject in zip(now, p_values, rejected, strict=True)
        if reject
    ]
    limit = cusum_limit(months_between_false_alarms, len(series))
    for agency, tables in sorted(series.items()):
        residuals = recursive_residuals(tables)
        spread = math.sqrt(max(1.0, float(np.mean(residuals[:-1] ** 2)))) if len(residuals) > 3 else 1.0
        if len(residuals) - 1 in cusum(residuals / spread, limit):
            alarms.append(DriftAlarm(agency, period, DriftKind.SLOW, float(residuals[-1] / spread), None))
    rows = tuple(
        {"agency": s.agency, "kind": str(s.kind), "statistic": s.value, "degrees": s.degrees, "p_value": p, "alarm": r}
        for s, p, r in zip(now, p_values, rejected, strict=True)
    )
    course = zip([month for month, _ in monthly], evidence_of_change(value for _, value in monthly), strict=True)
    return DriftReport(period, tuple(alarms), len(now), months_between_false_alarms, limit, rows, tuple(course))
