"""Every table behind the analyst's pages, made once from one analysis: a page, a download and the command show the
same.

A table is a list of plain rows (name -> number, text or None), ready for CSV, Parquet and the plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from calibration.agreement import Figure, implicit_index, index_agreement, table_agreement
from calibration.analysis import AgencyResult, Analysis
from calibration.areas_over_time import FEWEST, areas_over_time
from calibration.changes import level_of_each
from calibration.curves import group_curves
from calibration.drift import DriftKind, DriftReport, detect_drift
from calibration.months import AgencyMonth
from calibration.ranks import rank_shares
from calibration.ratings import TABLET, totals
from calibration.reasons import Reason, Why
from calibration.results import Estimate, Interval
from calibration.sequences import at_every_look
from calibration.small_areas import pooled_variances, small_area_estimates
from calibration.tables import EvidenceTable, pool
from pipeline.calendar import Period, month_name, month_of_date
from pipeline.language import Message
from server.catalogue.agencies import Agency, read_agencies
from server.core.disclosure import hidden_places
from server.core.looks import Holds
from server.scores.evidence import HISTORY_MONTHS, agency_months, day_range, left_out_agencies
from server.scores.fused import analysis_of
from server.scores.shown import shown_of
from server.scores.words import DRIFTS
from server.store.engine import read

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Material:
    """What all tables are made from."""

    period: Period
    agencies: Mapping[str, Agency]
    analysis: Analysis
    months: tuple[AgencyMonth, ...]
    """The period and the months before it."""
    level: float
    latest: Period
    """The period's last month: drift is watched month by month."""
    monthly: tuple[AgencyMonth, ...]
    """That month and those before it."""
    left_out: frozenset[str] = frozenset()
    """Agencies of which evidence is not used, as it would be one clerk's."""
    below: int = 0
    """Sheets without which no figure is shown (`server.core.disclosure`)."""
    few: frozenset[str] = frozenset()
    """Agencies of which no figure that rests on sheets is shown."""
    parts: bool = True
    """Whether the parts of an agency (its service groups) are shown."""
    running: bool = False
    """Whether the period is not over: what is said of it then holds however often it is looked at."""

    current: Mapping[str, AgencyMonth] = field(default_factory=dict)
    """The period's figures by agency."""
    made: dict[str, DriftReport] = field(default_factory=dict)
    """What several tables are made from."""


def material(engine: Engine, province_id: int, period: Period) -> Material:
    """Read and analyse a province's period."""
    with read(engine) as connection:
        agencies = {str(agency.agency_id): agency for agency in read_agencies(connection, province_id)}
        months = agency_months(connection, province_id, period)
        analysis, _ = analysis_of(connection, province_id, period, str(engine.url))
        latest = Period(month_name(period.last_month), period.last_month, period.last_month)
        monthly = agency_months(connection, province_id, latest)
        left_out = frozenset(str(found) for found in left_out_agencies(connection, province_id, period))
        shown = shown_of(connection, province_id, period)
    level = analysis.agencies[0].fused.explicit.interval.level if analysis.agencies else 0.95
    return Material(
        period,
        agencies,
        analysis,
        tuple(months),
        level,
        latest,
        tuple(monthly),
        left_out,
        shown.below,
        frozenset(str(found) for found in shown.hidden_agencies()),
        shown.shows("service_group"),
        period.runs,
        {month.agency: month for month in months if month.period == analysis.period},
    )


def _names(agency: Agency) -> Row:
    return {"agency": agency.code, **agency.name.columns(), "agency_level": agency.level}


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def estimate_rows(m: Material) -> list[Row]:
    """One row for each agency, service group and estimator."""
    rows = []
    for result in m.analysis.agencies:
        if result.agency in m.few:
            continue
        found = list(result.rows())
        parts = {
            row["service_group"]: row["n"] for row in found if row["method"] == "explicit" and row["service_group"]
        }
        hidden = hidden_places(parts, m.below) if m.parts else frozenset(parts)
        for row in found:
            if row["service_group"] in hidden or (not row["service_group"] and 0 < row["n"] < m.below):
                continue
            agency = m.agencies[row.pop("agency")]
            row.pop("group")
            sensitivity = row.pop("sensitivity", [])
            ends = ("abstained_low", "abstained_high", "consent_low", "consent_high", "worst_low", "worst_high")
            shares = ("low", "high", *ends, "naive_shift")
            scaled = {name: _percent(row.pop(name)) for name in shares if name in row}
            row.pop("estimate")
            row["reasons"] = ", ".join([*row["reasons"], *(["lone_clerk"] if result.agency in m.left_out else [])])
            bounds = {f"odds_{b['odds_ratio']:g}_{end}": 100 * b[end] for b in sensitivity for end in ("low", "high")}
            rows.append({"period": m.period.name, **_names(agency), **row, **scaled, **bounds})
    return rows


def curve_rows(m: Material) -> list[Row]:
    """The response curve of each group of agencies: share satisfied given the level."""
    rows = []
    for curve in m.analysis.curves.values():
        for row in curve.rows():
            level = row.pop("level")
            rows.append({"period": m.period.name, "calibrated": curve.calibrated, "implicit_level": level, **row})
    return rows


def support_rows(m: Material) -> list[Row]:
    """What each agency's curve rests on: boxes, and how far the corrected index moves without any one.

    `held`: boxes of the group whose pairs lie too far from the others' to count in full."""
    rows = []
    for result in m.analysis.agencies:
        support, curve = result.support, m.analysis.curves[result.group]
        row = {"period": m.period.name, **_names(m.agencies[result.agency]), "boxes": support.boxes}
        shift = None if result.agency in m.few else _percent(support.shift)
        moved_by = support.box if shift is not None else None
        rows.append(
            {**row, "own_curve": support.own, "moves": shift, "moved_by": moved_by, "held": ", ".join(curve.held)}
        )
    return rows


def _figure_row(figure: Figure, name: str) -> Row:
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _table_row(table: EvidenceTable, month: AgencyMonth, level: float) -> Row:
    covered = month.strata if month.shared_tables else tuple(s for s in month.strata if s.tables)
    pairs = [totals(stratum.ratings, TABLET) for stratum in covered]
    rated, satisfied = sum(n for n, _ in pairs), sum(k for _, k in pairs)
    found = table_agreement(table, rated=rated, satisfied=satisfied, level=level)
    row: Row = {"pairs": found.pairs}
    for name in ("pearson", "spearman", "kappa", "alpha", "abstained"):
        row |= _figure_row(getattr(found, name), name)
    figures = (getattr(found, name) for name in ("pearson", "spearman", "kappa", "alpha", "abstained"))
    return row | {"reasons": ", ".join(sorted({str(figure.reason) for figure in figures if figure.reason}))}


def _looks(m: Material) -> Row:
    """Of intervals that are for one look while the period runs."""
    return {"looks": str(Holds.ONE_LOOK if m.running else Holds.EVERY_LOOK)}


def within_rows(m: Material) -> list[Row]:
    """Agreement of level and rating within each agency, and within the boxes of a single service group."""
    rows = []
    for key, month in m.current.items():
        names = {"period": m.period.name, **_names(m.agencies[key])}
        if month.tables and key not in m.few:
            rows.append({**names, "service_group": "", **_table_row(pool(month.tables), month, m.level), **_looks(m)})
    return rows


def _pairs(m: Material) -> list[tuple[AgencyResult, EvidenceTable, np.ndarray[Any, np.dtype[np.float64]]]]:
    found = []
    for result in m.analysis.agencies:
        month, curve = m.current[result.agency], m.analysis.curves.get(result.group)
        if result.agency in m.few or result.fused.explicit.n < m.below:
            continue
        if month.tables and curve is not None and curve.calibrated and result.fused.explicit.estimate is not None:
            found.append((result, pool(month.tables), np.asarray(curve.share, dtype=np.float64)))
    return found


def between_rows(m: Material) -> list[Row]:
    """Agreement of the agencies' implicit and explicit indices; one row a measure."""
    pairs = _pairs(m)
    implicit = [implicit_index(table, share) for _, table, share in pairs]
    explicit = [result.fused.explicit for result, _, _ in pairs]
    counts = [(round((e.estimate or 0.0) * e.n), e.n) for e in explicit]
    _, variances = pooled_variances(*zip(*counts, strict=True)) if counts else ((), np.zeros(0))
    found = index_agreement(
        [m.agencies[result.agency].code for result, _, _ in pairs],
        [e.estimate or 0.0 for e in explicit],
        [share for share, _ in implicit],
        variances,
        [variance for _, variance in implicit],
        level=m.level,
    )
    rows = []
    for name in ("pearson", "spearman", "ccc", "mean_difference", "limits"):
        figure: Figure = getattr(found, name)
        scale = 100.0 if name in ("mean_difference", "limits") else 1.0
        value, low, high = (None if v is None else scale * v for v in (figure.value, figure.low, figure.high))
        row = {"period": m.period.name, "agencies": found.agencies, "measure": name}
        rows.append({**row, "value": value, "low": low, "high": high, "reasons": str(figure.reason or ""), **_looks(m)})
    return rows


def difference_rows(m: Material) -> list[Row]:
    """Implicit and explicit index of each agency: the data of Bland and Altman's plot."""
    rows = []
    for result, table, share in _pairs(m):
        implicit, _ = implicit_index(table, share)
        explicit = result.fused.explicit.estimate or 0.0
        row = {"period": m.period.name, **_names(m.agencies[result.agency])}
        both = {"explicit": 100 * explicit, "implicit": 100 * implicit}
        rows.append({**row, **both, "mean": 50 * (explicit + implicit), "difference": 100 * (implicit - explicit)})
    return rows


def _rated(m: Material) -> tuple[list[AgencyResult], list[int], list[int], list[float]]:
    results = [
        r
        for r in m.analysis.agencies
        if r.fused.explicit.estimate is not None and r.fused.explicit.n >= max(1, m.below) and r.agency not in m.few
    ]
    rated = [r.fused.explicit.n for r in results]
    satisfied = [round((r.fused.explicit.estimate or 0.0) * r.fused.explicit.n) for r in results]
    return results, satisfied, rated, [r.fused.explicit.design_effect for r in results]


def rank_rows_of(m: Material) -> list[Row]:
    """Rank sets of the agencies of each level with simultaneous coverage, on overall satisfaction from ratings."""
    rows: list[Row] = []
    results, _, _, _ = _rated(m)
    for level in sorted({m.agencies[r.agency].level for r in results}):
        chosen = [i for i, r in enumerate(results) if m.agencies[r.agency].level == level]
        estimates = [results[i].fused.explicit.estimate or 0.0 for i in chosen]
        effective = np.array([results[i].fused.explicit.n_eff for i in chosen])
        if m.running:
            effective = at_every_look(estimates, effective, level_of_each(m.level, len(chosen)))
        sets = rank_shares(estimates, effective, [results[i].agency for i in chosen], m.level)
        for found, estimate in zip(sets, estimates, strict=True):
            row = {"period": m.period.name, **_names(m.agencies[found.name]), "index": 100 * estimate}
            rows.append({**row, "best": found.best, "worst": found.worst, "of": found.of})
    return sorted(rows, key=lambda row: (row["agency_level"], row["best"] + row["worst"], row["agency"]))


def _earlier(m: Material, agencies: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(satisfied, rated) [agencies, periods] of spans as long as the period before it, oldest first; spans in which
    fewer than half of the agencies have answers are left out."""
    first, length = m.period.first_month, len(m.period.months)
    place = {agency: number for number, agency in enumerate(agencies)}
    spans = -(-HISTORY_MONTHS // length)
    counts = np.zeros((2, len(agencies), spans))
    for month in m.months:
        back = (first - 1 - month_of_date(month.period.start)) // length
        if month.agency in place and month.period != m.analysis.period and 0 <= back < spans:
            rated, satisfied = totals(month.ratings)
            counts[:, place[month.agency], spans - 1 - back] += satisfied, rated
    kept = (counts[1] > 0).sum(axis=0) * 2 >= len(agencies)
    return counts[0][:, kept], counts[1][:, kept]


def _over_time(
    m: Material, chosen: Sequence[AgencyResult], satisfied: Sequence[int], effects: Sequence[float]
) -> list[Estimate]:
    """Estimates that borrow from earlier periods, too; empty where there are none, or too few agencies."""
    good, rated = _earlier(m, [result.agency for result in chosen])
    periods = good.shape[1]
    if not periods or len(chosen) < FEWEST:
        return []
    now = np.array([[result.fused.explicit.n for result in chosen]], dtype=np.float64).T
    newest = np.array([satisfied], dtype=np.float64).T
    found = areas_over_time(
        np.concatenate([good, newest], axis=1), np.concatenate([rated, now], axis=1), np.array([effects]).T, m.level
    )
    borrows, stands = Reason.of(Why.BORROWS_OVER_TIME, periods=periods), Reason(Why.CHANGED_ABRUPTLY)
    return [
        Estimate.borrowed(
            float(found.estimate[i]),
            Interval(float(found.low[i]), float(found.high[i]), m.level),
            n=result.fused.explicit.n,
            n_eff=float(max(found.estimate[i] * (1 - found.estimate[i]), 1e-9) / found.mse[i]),
            reason=stands if found.changed[i] else borrows,
        )
        for i, result in enumerate(chosen)
    ]


def small_area_rows(m: Material) -> list[Row]:
    """Explicit indices that borrow strength within a level, from earlier periods where there are, with the error of
    doing so (ADR 0170, 0177)."""
    rows = []
    results, satisfied, rated, effects = _rated(m)
    for level in sorted({m.agencies[r.agency].level for r in results}):
        chosen = [i for i, r in enumerate(results) if m.agencies[r.agency].level == level]
        of_level, good, effect = (
            [results[i] for i in chosen],
            [satisfied[i] for i in chosen],
            [effects[i] for i in chosen],
        )
        found = _over_time(m, of_level, good, effect) or small_area_estimates(
            good, [rated[i] for i in chosen], [r.agency for r in of_level], effect, level=m.level
        )
        if m.running:
            found = [estimate.watched() for estimate in found]
        for result, estimate in zip(of_level, found, strict=True):
            own = result.fused.explicit
            row = {
                "period": m.period.name,
                **_names(m.agencies[result.agency]),
                "n": own.n,
                "index_explicit": own.index,
            }
            bounds = {"low": 100 * estimate.interval.low, "high": 100 * estimate.interval.high}
            rows.append({**row, "index": estimate.index, **bounds, "reasons": ", ".join(map(str, estimate.reasons))})
    return rows


def _drift(m: Material) -> DriftReport:
    """Made once for both of its tables."""
    if "drift" not in m.made:
        month = day_range(m.latest)
        curves = group_curves(m.monthly, month)
        m.made["drift"] = detect_drift([one for one in m.monthly if one.agency not in m.few], month, curves)
    return m.made["drift"]


def drift_rows(m: Material) -> list[Row]:
    """What was tested for drift in the period's last month, and what rang; false alarms are controlled."""
    found = _drift(m)
    rows = [
        {"period": m.latest.name, **_names(m.agencies[row["agency"]])}
        | {name: value for name, value in row.items() if name != "agency"}
        for row in found.rows
    ]
    slow = [alarm for alarm in found.alarms if alarm.p_value is None]
    rows += [
        {"period": m.latest.name, **_names(m.agencies[alarm.agency]), "kind": str(alarm.kind)}
        | {"statistic": alarm.statistic, "degrees": None, "p_value": None, "alarm": True}
        for alarm in slow
    ]
    return rows


def evidence_rows(m: Material) -> list[Row]:
    """How strongly all months together say that the whole province's signal has been changing, month by month."""
    found = _drift(m)
    rows = []
    for span, evidence in found.course:
        rings = evidence >= found.months_between_false_alarms
        row = {"period": month_name(month_of_date(span.start)), "evidence": evidence}
        rows.append({**row, "rings_at": found.months_between_false_alarms, "alarm": rings})
    return rows


def drift_words(kind: str) -> Message:
    """What a kind of drift means."""
    return DRIFTS[DriftKind(kind)]


TABLES: dict[str, Callable[[Material], list[Row]]] = {
    "estimates": estimate_rows,
    "curves": curve_rows,
    "support": support_rows,
    "agreement": within_rows,
    "agencies": between_rows,
    "differences": difference_rows,
    "ranks": rank_rows_of,
    "small-areas": small_area_rows,
    "drift": drift_rows,
    "drift-evidence": evidence_rows,
}
"""Name in addresses and files -> how the table is made."""
