"""One agency as a drill-down: its index, what changed, what to do, factors, lowest criteria, reasons, parts, trend,
cases, signal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from calibration.decision766 import Score
from calibration.drivers import Drivers
from calibration.ranks import RankSet
from pipeline.calendar import Period, month_words, today
from pipeline.language import Text, in_language, translator
from pipeline.release_kind import PULSE
from server.auth.roles import User
from server.catalogue.agencies import Agency
from server.catalogue.succession import line_of, predecessors_of, successors_of
from server.core.labels import FEEDBACK_CATEGORIES, FEEDBACK_STATES
from server.core.masking import mask
from server.feedback.feedback import counts
from server.feedback.search import Wanted, found_cases
from server.scores.agency_steps import agency_steps
from server.scores.agreed import agreed_at
from server.scores.asked import asked_period, own_agency
from server.scores.bodies import by_body
from server.scores.clerks import PULSES_LEFT_OUT, left_out
from server.scores.comparing import own_ranks
from server.scores.drivers import drivers_of
from server.scores.fused import rated_quarters
from server.scores.index import WHOLE
from server.scores.interval_svg import Interval, interval_plot
from server.scores.lines import lines_of, lowest_plot
from server.scores.own_place import counts_by_body, own_place
from server.scores.plots import pulse_plot
from server.scores.reasons import reasons_of
from server.scores.reasons_page import reasons_plot
from server.scores.signals import signals
from server.scores.standings import Standing, Standings, index_within, standings
from server.scores.trends import TrendPoint, channel_counts, pulses, trend
from server.scores.words import reason_words
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, refresh_s, render

router = APIRouter(include_in_schema=False)
SHOWN_CASES = 5
PARTS = ("service_group", "counter")
"""What an agency's page breaks it down by."""


@router.get("/agencies/{code}")
def agency_page(
    request: Request, user: ScoreReader, code: str, period: Annotated[str, Query(max_length=30)] = ""
) -> Response:
    """The page of one agency."""
    return agency_view(request, user, own_agency(request, user, code), period)


def agency_view(
    request: Request, user: User, agency: Agency, period: str, monthly: tuple[Period, Score] | None = None
) -> Response:
    """The page of an agency that the user may see. `monthly`: a month and its points of Decision 766, which its own
    reader's first page shows."""
    began_s = time.monotonic()
    chosen = asked_period(request, user, period)
    engine, lang, province = engine_of(request), language(request), user.province_id
    with read(engine) as connection:
        found = standings(connection, province, chosen)
        instrument = found.instrument
        lines = lines_of(
            instrument,
            *(
                own_place(connection, province, instrument, one, agency.agency_id)
                for one in (chosen, chosen.before(), chosen.year_before())
            ),
        )
        told = by_body(instrument) if counts_by_body(connection, province, instrument, chosen) else None
        parts = index_within(connection, province, instrument, chosen, PARTS, agency.agency_id)
        line = line_of(connection, user.scope.province, agency.agency_id)
        points = trend(connection, province, line, chosen)
        after, before = (
            of(connection, user.scope.province, agency.agency_id) for of in (successors_of, predecessors_of)
        )
        windows = pulses(connection, province, agency.agency_id)
        agreed = agreed_at(connection, province, agency.agency_id, chosen)
        hidden = left_out(connection, province, PULSE, agency.agency_id)
        channels = channel_counts(connection, province, agency.agency_id, chosen)
        reasons = reasons_of(connection, province, instrument, chosen, "province", agency.agency_id)
        cases = [one for one in counts(connection, province, chosen) if one.agency_id == agency.agency_id]
        waiting = found_cases(connection, province, Wanted("open", agency.agency_id), 1)
        periods = rated_quarters(connection, province)
        drivers = drivers_of(connection, province, instrument, chosen)
    own = drivers.agencies.get(agency.agency_id)
    factor_names = {f.code: f.named for f in instrument.factors}
    signal = signals(engine, province, chosen, began_s=began_s)
    standing = next((one for one in found.agencies if one.code == agency.code), None)
    return render(
        request,
        "agency.html",
        agency=agency,
        period=chosen,
        periods=periods,
        instrument=instrument,
        below=found.below,
        monthly=monthly,
        standing=standing,
        ranks=_ranks(found, standing),
        lines=lines,
        by_body=told,
        lowest_plot=lowest_plot(lines.lowest, lang),
        steps=agency_steps(
            agency.code,
            chosen,
            found.below,
            standing,
            lines,
            reasons[0] if reasons else None,
            waiting,
            asks=not agency.ended_before(today()),
        ),
        after=after,
        before=before,
        parts=[(dimension, [place for place in parts.of(dimension) if place.sheets]) for dimension in PARTS],
        whole=WHOLE,
        drivers=own,
        drivers_left_out=drivers.left_out,
        drivers_plot=_drivers_plot(own, factor_names, lang) if own else "",
        factor_names=factor_names,
        reason_words=reason_words,
        reasons=reasons[0] if reasons else None,
        reasons_plot=reasons_plot(reasons[0], lang) if reasons else "",
        cases=cases[0] if cases else None,
        waiting=[(one, mask(one.text)) for one in waiting[:SHOWN_CASES]],
        waiting_count=len(waiting),
        categories=FEEDBACK_CATEGORIES,
        states=FEEDBACK_STATES,
        signal_waits=signal is None,
        score=(signal or {}).get(agency.code),
        points=points[::-1],
        breaks=line.break_months,
        split=bool(line.split),
        month_words=month_words,
        trend_plot=_trend_plot(points[::-1], line.break_months, lang),
        windows=windows,
        agreed=agreed,
        pulse_plot=pulse_plot(windows, lang),
        pulses_left_out=PULSES_LEFT_OUT if hidden else "",
        channels=channels,
        channel_names=CHANNELS.names,
        refresh_s=refresh_s(request),
    )


def _ranks(found: Standings, own: Standing | None) -> RankSet | None:
    """The agency's own ranks among those of its level."""
    if own is None:
        return None
    return own_ranks([(one.code, one.figure) for one in found.agencies if one.level == own.level], own.code)


def _drivers_plot(found: Drivers, names: Mapping[str, Text], lang: str) -> Markup:
    rows = [
        Interval(f"{one.name}. {in_language(names[one.name], lang)}", 100 * one.share, 100 * one.low, 100 * one.high)
        for one in found.drivers
    ]
    return interval_plot(rows, lang, key="drivers-plot", digits=0)


def _trend_plot(points: Sequence[TrendPoint], breaks: Sequence[int], lang: str) -> Markup:
    """The newest month first: on a phone it is seen without pushing. A month in which others were merged into the
    agency is named so and marked: before it stand the sheets of all of them together."""
    _ = translator(lang)
    rows = [
        Interval(
            f"{month_words(point.month, lang)}{' – ' + _('merger') if point.month in breaks else ''}",
            point.index,
            point.low or 0.0,
            point.high or 100.0,
            marked=point.month in breaks,
        )
        for point in points
        if point.index is not None
    ]
    return interval_plot(rows, lang, key="trend-plot")
