"""One agency as a drill-down: its index, what changed, factors, lowest criteria, reasons, trend, cases, signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from calibration.drivers import Drivers
from pipeline.calendar import month_words
from pipeline.language import Text, in_language, translator
from pipeline.release_kind import PULSE
from server.auth.roles import User
from server.catalogue.agencies import Agency
from server.feedback.feedback import counts
from server.scores.asked import asked_period, own_agency
from server.scores.clerks import PULSES_LEFT_OUT, left_out
from server.scores.comparing import Change, difference
from server.scores.drivers import drivers_of
from server.scores.figures import Figure, Place
from server.scores.fused import rated_quarters
from server.scores.interval_svg import Interval, interval_plot
from server.scores.plots import pulse_plot
from server.scores.reasons import reasons_of
from server.scores.reasons_page import reasons_plot
from server.scores.signals import signals
from server.scores.standings import held_index, standings, worst
from server.scores.trends import TrendPoint, channel_counts, pulses, trend
from server.scores.words import reason_words
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, refresh_s, render

router = APIRouter(include_in_schema=False)
WORST = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One factor or criterion of an agency, with its change against the last period and a year ago; the changes of all
    lines of one kind hold at once."""

    code: str
    name: Text
    figure: Figure
    last: Change | None
    year: Change | None

    @property
    def changed(self) -> bool:
        """Whether something surely changed."""
        return any(one is not None and (one.low > 0 or one.high < 0) for one in (self.last, self.year))


@router.get("/agencies/{code}")
def agency_page(
    request: Request, user: ScoreReader, code: str, period: Annotated[str, Query(max_length=30)] = ""
) -> Response:
    """The page of one agency."""
    return agency_view(request, user, own_agency(request, user, code), period)


def agency_view(request: Request, user: User, agency: Agency, period: str) -> Response:
    """The page of an agency that the user may see."""
    chosen = asked_period(request, user, period)
    engine, lang, province = engine_of(request), language(request), user.province_id
    with read(engine) as connection:
        found = standings(connection, province, chosen)
        instrument = found.instrument
        now, last, year = (
            _place_of(held_index(connection, province, instrument, one).of("agency"), agency.code)
            for one in (chosen, chosen.before(), chosen.year_before())
        )
        points = trend(connection, province, agency.agency_id, chosen)
        windows = pulses(connection, province, agency.agency_id)
        hidden = left_out(connection, province, PULSE, agency.agency_id)
        channels = channel_counts(connection, province, agency.agency_id, chosen)
        reasons = reasons_of(connection, province, instrument, chosen, "province", agency.agency_id)
        cases = [one for one in counts(connection, province, chosen) if one.agency_id == agency.agency_id]
        periods = rated_quarters(connection, province)
        drivers = drivers_of(connection, province, instrument, chosen)
    own = drivers.agencies.get(agency.agency_id)
    factor_names = {f.code: Text.named(vi=f.vi, en=f.en) for f in instrument.factors}
    signal = signals(engine, province, chosen)
    criteria = _lines([(i.code, Text.named(vi=i.vi, en=i.en)) for i in instrument.criteria], now, last, year)
    lowest = [] if now is None else worst(now, [line.code for line in criteria], WORST)
    by_code = {line.code: line for line in criteria}
    return render(
        request,
        "agency.html",
        agency=agency,
        period=chosen,
        periods=periods,
        instrument=instrument,
        standing=next((one for one in found.agencies if one.code == agency.code), None),
        factors=_lines(list(factor_names.items()), now, last, year),
        drivers=own,
        drivers_left_out=drivers.left_out,
        drivers_plot=_drivers_plot(own, factor_names, lang) if own else "",
        factor_names=factor_names,
        reason_words=reason_words,
        criteria=criteria,
        lowest=[by_code[figure.item] for figure in lowest],
        lowest_plot=_criteria_plot([by_code[figure.item] for figure in lowest], lang),
        changed=[line for line in criteria if line.changed],
        reasons=reasons[0] if reasons else None,
        reasons_plot=reasons_plot(reasons[0], lang) if reasons else "",
        cases=cases[0] if cases else None,
        signal_waits=signal is None,
        score=(signal or {}).get(agency.code),
        points=points[::-1],
        month_words=month_words,
        trend_plot=_trend_plot(points[::-1], lang),
        windows=windows,
        pulse_plot=pulse_plot(windows, lang),
        pulses_left_out=PULSES_LEFT_OUT if hidden else "",
        channels=channels,
        channel_names=CHANNELS.names,
        refresh_s=refresh_s(request),
    )


def _place_of(places: Sequence[Place], code: str) -> Place | None:
    return next((place for place in places if place.key == code), None)


def _lines(named: list[tuple[str, Text]], now: Place | None, last: Place | None, year: Place | None) -> list[Line]:
    if now is None:
        return []
    lines = max(1, len(named))

    def against(code: str, then: Place | None) -> Change | None:
        return None if then is None else difference(now.figure(code), then.figure(code), lines)

    return [Line(code, name, now.figure(code), against(code, last), against(code, year)) for code, name in named]


def _criteria_plot(lines: Sequence[Line], lang: str) -> Markup:
    _ = translator(lang)
    rows = [
        Interval(f"{line.code}. {in_language(line.name, lang)}", f.index, f.low or 0.0, f.high or 100.0)
        for line in lines
        if (f := line.figure).index is not None
    ]
    return interval_plot(rows, _("The lowest criteria"), lang, key="criteria-plot")


def _drivers_plot(found: Drivers, names: Mapping[str, Text], lang: str) -> Markup:
    _ = translator(lang)
    rows = [
        Interval(f"{one.name}. {in_language(names[one.name], lang)}", 100 * one.share, 100 * one.low, 100 * one.high)
        for one in found.drivers
    ]
    return interval_plot(rows, _("What goes with the overall answer"), lang, key="drivers-plot")


def _trend_plot(points: Sequence[TrendPoint], lang: str) -> Markup:
    """The newest month first: on a phone it is seen without pushing."""
    _ = translator(lang)
    rows = [
        Interval(month_words(point.month, lang), point.index, point.low or 0.0, point.high or 100.0)
        for point in points
        if point.index is not None
    ]
    return interval_plot(rows, _("Overall satisfaction by month"), lang, key="trend-plot")
