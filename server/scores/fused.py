"""Overall satisfaction of an agency: from ratings alone, and beside it fused, each with its interval and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, func

from calibration.analysis import Analysis, analyze
from calibration.fuse import Fused, Settings
from calibration.verdicts import Verdict
from pipeline.calendar import Period, month_of_day, quarter_of_month, today
from pipeline.language import Joined, Message, Text
from server.catalogue.agencies import Agency, read_agencies
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.scores.clerks import LEFT_OUT
from server.scores.evidence import agency_months, day_range, left_out_agencies
from server.scores.held import Held, version_of
from server.scores.shown import shown_of
from server.scores.words import VERDICTS
from server.store.engine import raw_rows, read
from server.store.tables.ratings import RatingState, ratings


@dataclass(frozen=True, slots=True)
class AgencyScore:
    """One agency in one period. Indices and bounds in 0..100; None where there is nothing honest to say.

    `ci_low`, `ci_high`: of the fused index where there is one, else of the explicit one."""

    id: str
    """The agency's code."""
    name: Text
    level: str
    index_explicit: float | None
    explicit_low: float
    explicit_high: float
    index_fused: float | None
    """None while not calibrated, or where nothing could be fused."""
    fused_low: float | None
    fused_high: float | None
    index_corrected: float | None
    """Re-weighted to the levels of all visits: the one to read where the verdict is `not_at_random`."""
    corrected_low: float | None
    corrected_high: float | None
    verdict: str
    verdict_words: Joined
    ci_low: float
    ci_high: float
    n_explicit: int
    n_implicit: int
    """Visits in the noisy tables (their noisy total, at least 0)."""
    transactions: int | None
    response_rate: float | None
    labels_saved: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        row = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("name", "verdict_words")}
        verdict = Text.said(self.verdict_words).columns("verdict_")
        return {"id": row.pop("id"), **self.name.columns(), **row, **verdict}


NO_RATINGS = Message("No rating counts in this period yet.")

_FUSED = frozenset({Verdict.HELPED, Verdict.NO_GAIN, Verdict.MISLEADS})
"""Verdicts of a run with a calibrated curve: the fused procedure gives a figure, which may equal the explicit one."""


def _score(
    agency: Agency,
    fused: Fused,
    visits: float,
    known: int | None,
    response: float | None,
    left_out: bool,
    few: bool,
) -> AgencyScore:
    """`few`: what ratings alone or with the tables would say is hidden."""
    if few:
        return _hidden_score(agency, visits, known)
    explicit, efficiency = fused.explicit, fused.efficiency
    has_fused = efficiency.verdict in _FUSED and efficiency.estimate is not None
    shown = efficiency if has_fused else explicit
    corrected = fused.correction.estimate if fused.correction is not None else None
    if corrected is not None and corrected.estimate is None:
        corrected = None
    words = [VERDICTS[efficiency.verdict] if explicit.n else NO_RATINGS, *([LEFT_OUT] if left_out else [])]
    return AgencyScore(
        id=agency.code,
        name=agency.name,
        level=agency.level,
        index_explicit=explicit.index,
        explicit_low=100 * explicit.interval.low,
        explicit_high=100 * explicit.interval.high,
        index_fused=efficiency.index if has_fused else None,
        fused_low=100 * efficiency.interval.low if has_fused else None,
        fused_high=100 * efficiency.interval.high if has_fused else None,
        index_corrected=corrected.index if corrected else None,
        corrected_low=100 * corrected.interval.low if corrected else None,
        corrected_high=100 * corrected.interval.high if corrected else None,
        verdict=str(efficiency.verdict),
        verdict_words=Joined(words, " "),
        ci_low=100 * shown.interval.low,
        ci_high=100 * shown.interval.high,
        n_explicit=explicit.n,
        n_implicit=max(0, round(visits)),
        transactions=known,
        response_rate=response,
        labels_saved=efficiency.labels_saved,
    )


def _hidden_score(agency: Agency, visits: float, known: int | None) -> AgencyScore:
    """An agency of which too few sheets may be seen: no figure, and no count of them either."""
    return AgencyScore(
        id=agency.code,
        name=agency.name,
        level=agency.level,
        index_explicit=None,
        explicit_low=0.0,
        explicit_high=100.0,
        index_fused=None,
        fused_low=None,
        fused_high=None,
        index_corrected=None,
        corrected_low=None,
        corrected_high=None,
        verdict=str(Verdict.SUPPRESSED),
        verdict_words=Joined([VERDICTS[Verdict.SUPPRESSED]], " "),
        ci_low=0.0,
        ci_high=100.0,
        n_explicit=0,
        n_implicit=max(0, round(visits)),
        transactions=known,
        response_rate=None,
        labels_saved=0.0,
    )


Seen = dict[str, tuple[float, int | None]]
"""By agency: noisy visits in the tables, known transactions."""
_analyses: Held[tuple[Analysis, Seen]] = Held(12)


def analysis_of(
    connection: Connection, province_id: int, period: Period, cache_scope: str = ""
) -> tuple[Analysis, Seen]:
    """The analysis of a province's period, and what was seen; of a period that is not over with intervals that hold
    however often they are looked at. `cache_scope` names the store; empty: not held."""
    if not cache_scope:
        return _analyse(connection, province_id, period)
    version = version_of(connection, province_id)
    made = partial(_analyse, connection, province_id, period)
    return _analyses.get((cache_scope, province_id, period), version, made)


def _analyse(connection: Connection, province_id: int, period: Period) -> tuple[Analysis, Seen]:
    months = agency_months(connection, province_id, period)
    level = float(read_setting(connection, province_id, "confidence"))
    analysis = analyze(months, period=day_range(period), settings=Settings(level=level, watched=period.runs))
    seen: Seen = {}
    for month in months:
        if month.period == analysis.period:
            known = [stratum.transactions for stratum in month.strata if stratum.transactions is not None]
            visits = float(sum(table.counts.sum() for table in month.tables))
            seen[month.agency] = (visits, sum(known) if known else None)
    return analysis, seen


def agency_scores(engine: Engine, province_id: int, period: Period, agency_id: int | None = None) -> list[AgencyScore]:
    """The scores of a province's agencies (or of one) in a period, by level and code.

    Computed for the whole province in any case: an agency's curve is learnt from all of its group."""
    with read(engine) as connection:
        shown = read_agencies(connection, province_id, agency_id)
        if not shown:
            return []
        analysis, seen = analysis_of(connection, province_id, period, str(engine.url))
        hidden = left_out_agencies(connection, province_id, period)
        public = shown_of(connection, province_id, period)
    few = public.hidden_agencies()
    results = {result.agency: result for result in analysis.agencies}
    return [
        _score(
            agency,
            result.fused,
            *seen[result.agency],
            result.response_rate,
            agency.agency_id in hidden,
            agency.agency_id in few or 0 < result.fused.explicit.n < public.below,
        )
        for agency in shown
        if (result := results.get(str(agency.agency_id))) is not None
    ]


@dataclass(frozen=True, slots=True)
class RatedQuarter:
    """A quarter that holds ratings. `ratings`: counted ones. `enough`: half as many agencies as in the fullest quarter
    have the ratings that an index needs (`min_answers`)."""

    period: Period
    ratings: int
    enough: bool


_quarters: Held[list[RatedQuarter]] = Held(100)


def rated_quarters(connection: Connection, province_id: int) -> list[RatedQuarter]:
    """Quarters that hold ratings, newest first; the present one where there are none. Held while nothing changes."""
    version = version_of(connection, province_id)
    return _quarters.get(province_id, version, partial(_rated_quarters, connection, province_id))


def _rated_quarters(connection: Connection, province_id: int) -> list[RatedQuarter]:
    counted = func.count().filter(ratings.c.state != RatingState.SET_ASIDE)
    query = Scope(province_id).select(ratings, ratings.c.month, ratings.c.agency_id, counted.label("counted"))
    # `+ 0`: by the index of months, which holds all of this, and not by that of days, row by row
    grouped = query.where(ratings.c.day + 0 < today(), ratings.c.received_day < today())
    grouped = grouped.group_by(ratings.c.month, ratings.c.agency_id)
    by_agency: dict[Period, Counter[int]] = {}
    quarters: dict[int, Period] = {}
    for rows in raw_rows(connection, grouped):
        for month, agency, count in rows:
            quarter = quarters.get(month) or quarters.setdefault(month, quarter_of_month(int(month)))
            by_agency.setdefault(quarter, Counter())[agency] += count
    if not by_agency:
        return [RatedQuarter(quarter_of_month(month_of_day(today())), 0, True)]
    needed = int(read_setting(connection, province_id, "min_answers"))
    full = {period: sum(count >= needed for count in counts.values()) for period, counts in by_agency.items()}
    fullest = max(full.values())
    return [
        RatedQuarter(period, by_agency[period].total(), 2 * full[period] >= fullest)
        for period in sorted(by_agency, key=lambda period: period.first_month, reverse=True)
    ]


def opening_period(quarters: Sequence[RatedQuarter]) -> Period:
    """The period that pages open with: the newest quarter with enough ratings, else the newest."""
    return next((quarter for quarter in quarters if quarter.enough), quarters[0]).period


def newest_period(connection: Connection, province_id: int) -> Period:
    """The newest quarter with enough ratings (`opening_period`)."""
    return opening_period(rated_quarters(connection, province_id))
