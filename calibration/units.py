"""Units of an agency's month: what one set of evidence tables can speak of, with weights and design effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr, chndtrinc

from calibration.days import DayCorrelation, by_day, day_correlation, day_numbers, expected_effects, place_effect
from calibration.design import Design, Nested
from calibration.design_effect import DesignEffect
from calibration.efficiency import explicit_variance
from calibration.months import AgencyMonth, Stratum
from calibration.ratings import TABLET, totals
from calibration.reasons import Reason, Why
from calibration.tables import EvidenceTable, NoisyCells, noisy_cells, pool
from pipeline.calendar import DayRange

FloatArray = NDArray[np.float64]
MAX_RESPONSE_SPREAD: Final = 0.2
"""Service groups that share tables are not fused where their response rates surely (lower end of the interval) lie
further apart than this coefficient of variation: with groups whose levels differ by .3 standard deviations of a curve
of 15 points it moves the fused figure by .9 points."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Strata that one set of tables speaks of. `k`: n times the weighted share satisfied; `weight`: of transactions.

    `all_apart`: whether all its tables that there are count those who did not agree apart, where one does.
    `spread`: of response rates (`response_spread`).
    `clusters`: effect of days beyond that of unequal weights; `daily` [1, days, 1]: weight of each day's ratings."""

    strata: tuple[Stratum, ...]
    cells: NoisyCells | None
    all_apart: bool
    n: int
    k: float
    tablet_n: int
    visits: float
    weight: float
    clusters: DesignEffect
    daily: FloatArray
    strata_effect: float
    spread: tuple[float, float, float] | None
    reasons: tuple[Reason, ...]

    @property
    def separable(self) -> bool:
        """Whether its strata answer so much alike that one table can speak of them."""
        return self.spread is not None and self.spread[1] <= MAX_RESPONSE_SPREAD

    @property
    def effect(self) -> DesignEffect:
        """Of clusters and of unequal weights together."""
        return self.clusters.times(self.strata_effect)


def days_of_months(months: Iterable[AgencyMonth]) -> DayCorrelation:
    """How ratings hang together by day, from all agencies and periods at hand."""
    rows = [
        (stratum, int(number), count.rated, count.satisfied)
        for stratum, month in enumerate(months)
        if month.ratings
        for number, count in zip(
            day_numbers([c.day for c in month.ratings], month.period.start), month.ratings, strict=True
        )
    ]
    if not rows:
        return DayCorrelation.unknown()
    stratum, number, rated, satisfied = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    design = Design(number, stratum)
    return day_correlation(satisfied[:, None].astype(np.float64), rated[:, None].astype(np.float64), design)


def stratum_weights(strata: Sequence[Stratum]) -> tuple[FloatArray, list[Reason]]:
    """Weights of strata [s] that sum to 1, from transactions where all are known, else from ratings."""
    if all(stratum.transactions is not None for stratum in strata):
        known = np.array([float(stratum.transactions or 0) for stratum in strata])
        if known.sum() > 0:
            return known / known.sum(), []
    rated = np.array([float(totals(stratum.ratings)[0]) for stratum in strata])
    total = rated.sum()
    equal = np.full(len(strata), 1.0 / len(strata))
    return (rated / total if total > 0 else equal), [Reason(Why.UNKNOWN_TRANSACTIONS)]


def stratified_mean(strata: Sequence[Stratum]) -> tuple[int, float, float, list[Reason]]:
    """(n, n times the weighted share, variance over that of a simple mean, reasons)."""
    weights, reasons = stratum_weights(strata)
    n_h, k_h = np.array([totals(stratum.ratings) for stratum in strata], dtype=np.float64).T
    n = int(n_h.sum())
    if n == 0:
        return 0, 0.0, 1.0, reasons
    silent = (n_h == 0) & (weights > 0)
    if silent.any():
        names = ", ".join(s.service_group for s, none in zip(strata, silent, strict=True) if none)
        reasons = [*reasons, Reason.of(Why.SILENT_GROUPS, groups=names)]
        weights = np.where(silent, 0.0, weights)
    weights = weights / weights.sum() if weights.sum() > 0 else n_h / n
    share_h = np.divide(k_h, n_h, out=np.zeros_like(k_h), where=n_h > 0)
    share = min(1.0, float((weights * share_h).sum()))  # weights sum to one but for rounding
    _, variance_h = explicit_variance(np.maximum(n_h, 1), k_h, np.maximum(n_h, 1))
    variance = float((weights**2 * variance_h)[n_h > 0].sum())
    pooled, _ = explicit_variance(n, share * n, n)
    ratio = variance / (float(pooled) / n) if n > 1 else 1.0
    return n, share * n, max(ratio, 0.5) if len(strata) > 1 else 1.0, reasons


def response_spread(strata: Sequence[Stratum]) -> tuple[float, float, float] | None:
    """How far tablet response rates of strata lie apart: coefficient of variation over visits, (estimate, low, high)
    with a 95 % interval; None where transactions are not known: they cannot be compared.

    From the noncentrality of Pearson's statistic, (X - degrees) (1 - r) / (answers): it does not grow with the data."""
    if len(strata) < 2:
        return 0.0, 0.0, 0.0
    if any(stratum.transactions is None for stratum in strata):
        return None
    n_h = np.array([totals(stratum.ratings, TABLET)[0] for stratum in strata], dtype=np.float64)
    visits = np.maximum(np.array([float(stratum.transactions or 0) for stratum in strata]), n_h)
    n_h, visits = n_h[visits > 0], visits[visits > 0]
    rate = n_h.sum() / max(visits.sum(), 1.0)
    degrees = len(n_h) - 1
    if degrees < 1 or not 0 < rate < 1:
        return 0.0, 0.0, 0.0
    statistic = float(((n_h - rate * visits) ** 2 / (visits * rate * (1 - rate))).sum())
    ends = [max(statistic - degrees, 0.0), chndtrinc(statistic, degrees, 0.975), chndtrinc(statistic, degrees, 0.025)]
    # where not even no spread at all reaches the probability, the inverse has no answer: the end is zero
    plain = float(chdtr(degrees, statistic))
    ends[1] = 0.0 if plain <= 0.975 else ends[1]
    ends[2] = 0.0 if plain <= 0.025 else ends[2]
    estimate, low, high = (float(np.sqrt(max(end, 0.0) * (1 - rate) / n_h.sum())) for end in ends)
    return estimate, low, high


def _clusters(strata: Sequence[Stratum], period: DayRange, days: DayCorrelation) -> tuple[DesignEffect, FloatArray]:
    """(Effect of days on the stratified mean, beyond that of unequal weights; weight of each day's ratings)."""
    weights, _ = stratum_weights(strata)
    rows = [(w, count) for w, stratum in zip(weights, strata, strict=True) for count in stratum.ratings if count.rated]
    length = int(day_numbers([period.end], period.start)[0]) + 1
    if not rows:
        return DesignEffect.none(0), np.zeros((1, length, 1))
    rated = np.array([[count.rated] for _, count in rows], dtype=np.float64)
    satisfied = np.array([[count.satisfied] for _, count in rows], dtype=np.float64)
    place = np.array([i for i, stratum in enumerate(strata) for count in stratum.ratings if count.rated])
    cluster = day_numbers([count.day for _, count in rows], period.start)
    design = Design(cluster, np.zeros_like(cluster))
    n_h, k_h = (np.bincount(place, weights=x[:, 0], minlength=len(strata)) for x in (rated, satisfied))
    share_of = np.where(n_h > 0, weights, 0.0)
    share_of = share_of / share_of.sum() if share_of.sum() > 0 else n_h / n_h.sum()
    scale = (share_of / np.maximum(n_h, 1.0))[place][:, None]
    share = min(1.0, float((share_of * k_h / np.maximum(n_h, 1.0)).sum()))  # shares sum to one but for rounding
    simple = share * (1 - share) / n_h.sum()
    kish = float(n_h.sum() * (scale**2 * rated).sum())
    nested = Nested.of(design, np.zeros_like(cluster), 1)
    residuals = scale * (satisfied - (k_h / np.maximum(n_h, 1.0))[place][:, None] * rated)
    variance, degrees = nested.variance(nested.totals(residuals))[0], int(nested.degrees[0])
    expected, apart = (float(one[0, 0]) for one in expected_effects(rated, scale, nested, days))
    own, free = (float(variance[0]) / simple, degrees) if simple > 0 else (expected, 0)
    effect = place_effect(own / kish, expected / kish, apart / kish, free, days.degrees)
    return effect, by_day(scale * rated, design, length)


def units_of(month: AgencyMonth, days: DayCorrelation | None = None) -> list[Unit]:
    """The month's units, each with its tables pooled and projected, its weight and its design effect.

    `days`: how the province's days hang together (default: as this agency's own do)."""
    days = days or days_of_months([month])
    own = [stratum for stratum in month.strata if stratum.tables]
    rest = tuple(stratum for stratum in month.strata if not stratum.tables)
    groups: list[tuple[tuple[Stratum, ...], tuple[EvidenceTable, ...]]] = [
        ((stratum,), stratum.tables) for stratum in own
    ]
    if rest:
        groups.append((rest, month.shared_tables))
    elif month.shared_tables and month.strata:
        groups = [(month.strata, month.tables)]
    weights, weight_reasons = stratum_weights(month.strata) if month.strata else (np.ones(0), [])
    weight_of = dict(zip((s.service_group for s in month.strata), weights, strict=True))
    units = []
    for strata, tables in groups:
        n, k, strata_effect, reasons = stratified_mean(strata)
        tablet_n, tablet_k = (sum(x) for x in zip(*(totals(s.ratings, TABLET) for s in strata), strict=True))
        clusters, daily = _clusters(strata, month.period, days)
        pooled = pool(tables) if tables else None
        cells = None
        if pooled is not None and not pooled.is_empty():
            cells = noisy_cells(pooled.counts, pooled.cell_variance, tablet_n, tablet_k)
        transactions = [s.transactions for s in strata]
        known = all(t is not None for t in transactions)
        visits = float(sum(t or 0 for t in transactions)) if known else float(pooled.total if pooled else n)
        if known and visits < n:
            doubt = Reason.of(Why.MORE_RATINGS_THAN_TRANSACTIONS, ratings=n, transactions=round(visits))
            reasons = [*reasons, doubt]
        units.append(
            Unit(
                strata=tuple(strata),
                cells=cells,
                all_apart=pooled is None or not pooled.without,
                n=n,
                k=k,
                tablet_n=int(tablet_n),
                visits=max(visits, float(n)),
                weight=float(sum(weight_of[s.service_group] for s in strata)),
                clusters=clusters,
                daily=daily,
                strata_effect=strata_effect,
                spread=response_spread(strata),
                reasons=tuple(dict.fromkeys([*reasons, *weight_reasons])),
            )
        )
    return units
