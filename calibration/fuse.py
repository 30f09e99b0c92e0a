"""One agency's month: explicit, efficiency and correction estimates, stratified by service group.

A *unit* is what one set of tables can speak of: a service group with tables of its own, or all service groups that
share boxes. Units are fused one by one and combined with known transaction counts as weights W_u:
theta = sum W_u theta_u, V = sum W_u^2 V_u, interval Wilson's at n_eff = theta (1 - theta) / V.
Service groups that share tables are fused only if their response rates agree: the table cannot tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.correction import (
    CorrectionArrays,
    correction_arrays,
    silent_bounds,
    tilted_bounds,
    worst_case,
)
from calibration.days import DayCorrelation
from calibration.efficiency import FUSED_DEGREES, EfficiencyArrays, efficiency_arrays, explicit_variance
from calibration.intervals import LEVEL, normal_quantile, t_quantile, wilson
from calibration.months import AgencyMonth
from calibration.ratings import totals
from calibration.reasons import Reason, Why
from calibration.response_curve import ResponseCurve
from calibration.results import CorrectedEstimate, Estimate, Interval, SensitivityBound
from calibration.tables import NOT_AGREED, SEEN_LEVELS
from calibration.units import Unit, days_of_months, units_of
from calibration.verdicts import Estimand, Method, Verdict
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Settings:
    """What an analysis may be asked: `odds_ratios` of the sensitivity bounds, at least 1 each. `watched`: the period is
    not over, and intervals and bounds hold however often they are looked at."""

    level: float = LEVEL
    estimand: Estimand = Estimand.SUPERPOPULATION
    odds_ratios: tuple[float, ...] = (1.5, 2.0)
    watched: bool = False

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1.0:
            raise StatisticsError(
                Message("A level of confidence lies between .5 and 1, got {level}.", level=self.level)
            )
        if any(not ratio >= 1.0 for ratio in self.odds_ratios):
            raise StatisticsError(
                Message(
                    "Odds ratios of the sensitivity bounds are at least 1, got {odds_ratios}.",
                    odds_ratios=self.odds_ratios,
                )
            )


@dataclass(frozen=True, slots=True)
class Fused:
    """The three estimates of one unit or agency."""

    explicit: Estimate
    efficiency: Estimate
    correction: CorrectedEstimate | None
    """None where there is no calibrated curve or no table: `efficiency.verdict` says which."""

    def watched(self) -> Fused:
        """The same with intervals that hold however often they are looked at; bounds are made so from the beginning
        (`Settings.watched`)."""
        corrected = self.correction
        if corrected is not None:
            corrected = replace(corrected, estimate=corrected.estimate.watched())
        return Fused(self.explicit.watched(), self.efficiency.watched(), corrected)


def _explicit(unit: Unit, settings: Settings) -> tuple[Estimate, float]:
    """The explicit estimate of a unit, and its variance."""
    n, k = unit.n, unit.k
    reasons = list(unit.reasons)
    if n == 0:
        reasons.append(Reason(Why.NO_RATINGS))
        return Estimate.nothing(settings.level, settings.estimand, unit.visits, reasons), 0.25
    effect = float(unit.effect.value)
    spread, variance = explicit_variance(n, k, unit.visits, settings.estimand)
    total = float(variance) * unit.strata_effect + (effect - unit.strata_effect) * float(spread) / n
    n_eff = float(spread) / max(total, 1e-12)
    clustered = float(unit.clusters.value) > 1.0
    quantile = float(t_quantile(unit.effect.degrees, settings.level)) if clustered else normal_quantile(settings.level)
    low, high = wilson(k / n, n_eff, quantile)
    if n == 1:
        reasons.append(Reason(Why.ONE_RATING))
    elif k in (0, n):
        reasons.append(Reason(Why.ALL_EQUAL))
    if clustered:
        reasons.append(Reason.of(Why.CLUSTERED, times=f"{effect:.2f}"))
    estimate = Estimate.from_ratings(
        k / n,
        Interval(float(low), float(high), settings.level),
        n=n,
        visits=unit.visits,
        n_eff=n_eff,
        estimand=settings.estimand,
        design_effect=effect,
        reasons=reasons,
    )
    return estimate, total


def _unit_efficiency(
    unit: Unit, curve: ResponseCurve | None, stale: bool, explicit: Estimate, settings: Settings
) -> tuple[Estimate, EfficiencyArrays | None]:
    if unit.n < 2:
        return explicit.not_fused(Verdict.TOO_FEW, Reason(Why.FEWER_THAN_TWO)), None
    if unit.cells is None:
        return explicit.not_fused(Verdict.NO_EVIDENCE, Reason(Why.NO_TABLE)), None
    if curve is None or not curve.calibrated:
        pairs = 0 if curve is None else curve.pairs
        return explicit.not_fused(Verdict.NOT_CALIBRATED, Reason.of(Why.FEW_PAIRS_BEFORE, pairs=pairs)), None
    if stale:
        return explicit.not_fused(Verdict.MISLEADS, Reason(Why.GROUP_CONTRADICTED)), None
    if not unit.separable:
        if unit.spread is None:
            return explicit.not_fused(Verdict.NOT_SEPARABLE, Reason(Why.RESPONSE_UNKNOWN)), None
        spread, low, high = (f"{100 * end:.0f}" for end in unit.spread)
        reason = Reason.of(Why.DIFFERENT_RESPONSE, spread=spread, low=low, high=high)
        return explicit.not_fused(Verdict.NOT_SEPARABLE, reason), None
    if unit.tablet_n < 2:
        return explicit.not_fused(Verdict.NO_GAIN, Reason(Why.FEW_PAIRS_NOW)), None
    arrays = efficiency_arrays(
        unit.cells,
        curve.arrays(),
        unit.n,
        unit.k,
        tablet_rated=unit.tablet_n,
        effect=unit.effect,
        estimand=settings.estimand,
        level=settings.level,
    )
    verdict = Verdict.of(int(arrays.verdict))
    if verdict is Verdict.HELPED:
        interval = Interval(float(arrays.low), float(arrays.high), settings.level)
        share, n_eff = float(arrays.estimate), float(arrays.n_eff)
        fused = explicit.fused(share, interval, n_eff=n_eff, rho=float(arrays.rho), lam=float(arrays.lam))
        unseen = Reason.of(Why.SELECTION_UNSEEN, points=f"{100 * float(arrays.detectable):.1f}")
        return replace(fused, reasons=(*fused.reasons, unseen)), arrays
    if verdict is Verdict.MISLEADS:
        reason = Reason(Why.CONTRADICTED)
    elif verdict is Verdict.NOT_AT_RANDOM:
        reason = Reason.of(Why.SELECTED, z=f"{float(arrays.response_z):+.1f}")
    else:
        reason = Reason.of(Why.WEAK_SIGNAL, rho=f"{float(arrays.rho):.2f}", ratings=unit.n)
    return replace(explicit.not_fused(verdict, reason), rho=float(arrays.rho)), arrays


def _unit_correction(
    unit: Unit, curve: ResponseCurve | None, explicit: Estimate, arrays: EfficiencyArrays | None, settings: Settings
) -> tuple[CorrectedEstimate, CorrectionArrays] | None:
    if unit.cells is None or curve is None or not curve.calibrated or arrays is None or explicit.estimate is None:
        return None
    of_curve, cells = curve.arrays().for_cells(unit.cells)
    corrected = correction_arrays(
        cells,
        of_curve,
        unit.n,
        unit.k,
        effect=unit.effect,
        estimand=settings.estimand,
        level=settings.level,
    )
    if not bool(corrected.usable) or int(arrays.verdict) == Verdict.MISLEADS.number:
        return None
    estimate = explicit.corrected(
        float(corrected.estimate),
        Interval(float(corrected.low), float(corrected.high), settings.level),
        n_eff=float(corrected.n_eff),
        rho=float(arrays.rho),
        reasons=unit.reasons,
    )
    bounds = []
    for ratio in settings.odds_ratios:
        low, high = tilted_bounds(corrected.linear, ratio, settings.level, watched=settings.watched)
        bounds.append(SensitivityBound(ratio, float(low), float(high)))
    low, high = silent_bounds(corrected.linear, level=settings.level, watched=settings.watched)
    consent = None
    if cells.rows > NOT_AGREED:
        # of months without the count they are among those without a level
        rows = (NOT_AGREED,) if unit.all_apart else (SEEN_LEVELS, NOT_AGREED)
        found = silent_bounds(corrected.linear, rows, settings.level, watched=settings.watched)
        ends = [float(end) for end in found]
        consent = Interval(ends[0], ends[1], settings.level)
    worst_low, worst_high = worst_case(unit.k, unit.n, unit.visits)
    return (
        CorrectedEstimate(
            estimate=estimate,
            naive_shift=float(corrected.estimate) - explicit.estimate,
            response_z=float(arrays.response_z),
            abstained_bounds=Interval(float(low), float(high), settings.level),
            sensitivity=tuple(bounds),
            worst_case=Interval(float(worst_low), float(worst_high), settings.level),
            consent_bounds=consent,
        ),
        corrected,
    )


def _shared_days(units: Sequence[Unit], days: DayCorrelation) -> float:
    """Variance that the units' common days add to the weighted mean of their shares: twice the covariances."""
    rated = [unit for unit in units if unit.n > 0 and unit.weight > 0]
    total = sum(unit.weight for unit in rated)
    added = 0.0
    for place, one in enumerate(rated):
        for other in rated[place + 1 :]:
            spread = math.sqrt(math.prod(float(explicit_variance(u.n, u.k, u.visits)[0]) for u in (one, other)))
            together = float(days.between(one.daily, other.daily)[0])
            added += 2.0 * one.weight * other.weight / total**2 * spread * together
    return added


def _combined(
    parts: Sequence[tuple[float, Estimate, float]],
    settings: Settings,
    shared: float,
    explicit: Estimate | None = None,
) -> Estimate:
    """Weighted sum of units' estimates (weight, estimate, variance); units without ratings give their weight away.

    `shared`: variance that common days add. `explicit`: the same agency's explicit estimate, which an efficiency
    estimate is never wider than."""
    usable = [(w, e, v) for w, e, v in parts if e.estimate is not None and w > 0]
    if not usable:
        return parts[0][1]
    total = sum(w for w, _, _ in usable)
    theta = sum(w * (e.estimate or 0.0) for w, e, _ in usable) / total
    variance = sum((w / total) ** 2 * v for w, _, v in usable) + shared
    n = sum(e.n for _, e, _ in usable)
    smooth = (theta * n + 1.0) / (n + 2.0)
    n_eff = smooth * (1 - smooth) / max(variance, 1e-12)
    fused = any(e.verdict in (Verdict.HELPED, Verdict.CORRECTED) for _, e, _ in usable)
    clustered = any(e.design_effect > 1.0 for _, e, _ in usable)
    quantile = float(t_quantile(max(n - len(usable), 1), settings.level)) if clustered or fused else 0.0
    quantile = max(quantile, normal_quantile(settings.level))
    if explicit is not None and fused:
        quantile = max(quantile, float(t_quantile(FUSED_DEGREES, settings.level)))
        plain = quantile if clustered else normal_quantile(settings.level)
        quantile = min(quantile, plain * math.sqrt(n_eff / max(explicit.n_eff, 1e-9)))
    low, high = wilson(theta, n_eff, quantile)
    verdicts = [e.verdict for _, e, _ in usable]
    verdict = Verdict.HELPED if Verdict.HELPED in verdicts else max(set(verdicts), key=verdicts.count)
    saved = n_eff - explicit.n_eff if explicit is not None and fused else 0.0
    reasons = tuple(dict.fromkeys(reason for _, e, _ in parts for reason in e.reasons))
    return Estimate(
        method=usable[0][1].method,
        estimate=theta,
        interval=Interval(float(low), float(high), settings.level),
        n=n,
        visits=sum(e.visits for _, e, _ in usable),
        n_eff=n_eff,
        rho=sum(w * e.rho for w, e, _ in usable) / total,
        lam=sum(w * e.lam for w, e, _ in usable) / total,
        labels_saved=max(0.0, saved),
        verdict=verdict,
        estimand=settings.estimand,
        design_effect=max(e.design_effect for _, e, _ in usable),
        reasons=reasons,
    )


def _combined_correction(
    parts: Sequence[tuple[float, CorrectedEstimate, float]], explicit: Estimate, settings: Settings, shared: float
) -> CorrectedEstimate:
    estimate = _combined([(w, c.estimate, v) for w, c, v in parts], settings, shared)
    total = sum(w for w, _, _ in parts)

    def mean(values: Sequence[float]) -> float:
        return sum(w * x for (w, _, _), x in zip(parts, values, strict=True)) / total

    def interval(values: Sequence[Interval]) -> Interval:
        return Interval(mean([i.low for i in values]), mean([i.high for i in values]), settings.level)

    return CorrectedEstimate(
        estimate=estimate,
        naive_shift=(estimate.estimate or 0.0) - (explicit.estimate or 0.0),
        response_z=max((c.response_z for _, c, _ in parts), key=abs),
        abstained_bounds=interval([c.abstained_bounds for _, c, _ in parts]),
        sensitivity=tuple(
            SensitivityBound(
                ratio,
                mean([c.sensitivity[i].low for _, c, _ in parts]),
                mean([c.sensitivity[i].high for _, c, _ in parts]),
            )
            for i, ratio in enumerate(settings.odds_ratios)
        ),
        worst_case=interval([c.worst_case for _, c, _ in parts]),
        # a unit without the row has nobody in it: what is not known of the others moves the whole by their weight
        consent_bounds=interval([c.consent_bounds or _at(c.estimate, settings.level) for _, c, _ in parts])
        if any(c.consent_bounds for _, c, _ in parts)
        else None,
    )


def _at(estimate: Estimate, level: float) -> Interval:
    share = estimate.estimate or 0.0
    return Interval(share, share, level)


def fuse_month(
    month: AgencyMonth,
    curve: ResponseCurve | None,
    settings: Settings | None = None,
    days: DayCorrelation | None = None,
    stale: bool = False,
) -> tuple[Fused, dict[str, Fused]]:
    """The agency's estimates, and those of each service group that can be told apart.

    `curve`: learnt from earlier periods only; `stale`: this period's pairs of the whole group contradict it. `days`:
    how the province's days hang together. Service groups that share boxes get explicit estimates of their own."""
    settings = settings or Settings()
    days = days or days_of_months([month])
    units = units_of(month, days)
    by_group: dict[str, Fused] = {}
    fused: list[tuple[Unit, Estimate, float, Estimate, float, tuple[CorrectedEstimate, CorrectionArrays] | None]] = []
    for unit in units:
        explicit, variance = _explicit(unit, settings)
        efficiency, arrays = _unit_efficiency(unit, curve, stale, explicit, settings)
        correction = _unit_correction(unit, curve, explicit, arrays, settings)
        if arrays is not None and correction is None:
            misleads = efficiency.verdict is Verdict.MISLEADS
            why = Why.CORRECTION_CONTRADICTED if misleads else Why.CORRECTION_NOISE
            efficiency = replace(efficiency, reasons=(*efficiency.reasons, Reason(why)))
        helped = efficiency.verdict is Verdict.HELPED and arrays is not None
        fused_variance = float(arrays.fused_variance) if helped and arrays is not None else variance
        fused.append((unit, explicit, variance, efficiency, fused_variance, correction))
        if len(unit.strata) == 1:
            by_group[unit.strata[0].service_group] = Fused(explicit, efficiency, correction[0] if correction else None)
        else:
            for stratum in unit.strata:
                alone = units_of(AgencyMonth(month.agency, month.group, month.period, (stratum,)), days)[0]
                own, _ = _explicit(alone, settings)
                shared = own.not_fused(Verdict.NO_EVIDENCE, Reason(Why.SHARED_BOXES))
                by_group[stratum.service_group] = Fused(own, shared, None)
    if not fused:
        reason = Reason(Why.NO_SERVICE_GROUPS)
        empty = Estimate.nothing(settings.level, settings.estimand, reasons=(reason,))
        return Fused(empty, replace(empty, method=Method.EFFICIENCY), None), by_group
    if len(fused) == 1:
        _, explicit, _, efficiency, _, correction = fused[0]
        return Fused(explicit, efficiency, correction[0] if correction else None), by_group
    common = _shared_days(units, days)
    explicit = _combined([(u.weight, e, v) for u, e, v, _, _, _ in fused], settings, common)
    efficiency = _combined([(u.weight, f, v) for u, _, _, f, v, _ in fused], settings, common, explicit)
    weighty = [(u.weight, c) for u, _, _, _, _, c in fused if u.weight > 0]
    corrected = [(weight, c[0], float(c[1].variance)) for weight, c in weighty if c is not None]
    # a unit of no weight does not stand in for one without a correction
    complete = all(c is not None for _, c in weighty)
    both = _combined_correction(corrected, explicit, settings, common) if corrected and complete else None
    return Fused(explicit, efficiency, both), by_group


def response_rate(month: AgencyMonth) -> float | None:
    """Ratings per transaction of the month; None where transactions are not known."""
    known = [stratum.transactions for stratum in month.strata]
    total = sum(t for t in known if t is not None)
    if not known or any(t is None for t in known) or total == 0:
        return None
    rate = totals(month.ratings)[0] / total
    return rate if math.isfinite(rate) else None
