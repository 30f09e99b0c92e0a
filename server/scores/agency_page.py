"""One agency: both indices in words, the trend, the newest pulses, the channels."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.calendar import month_words
from pipeline.release_kind import PULSE
from server.auth.roles import User
from server.catalogue.agencies import Agency
from server.scores.asked import asked_period, own_agency
from server.scores.clerks import PULSES_LEFT_OUT, left_out
from server.scores.fused import AgencyScore, agency_scores, rated_quarters
from server.scores.plots import pulse_plot, trend_plot
from server.scores.trends import channel_counts, pulses, trend
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, refresh_s, render

router = APIRouter(include_in_schema=False)


@router.get("/agencies/{code}")
def agency_page(request: Request, user: ScoreReader, code: str, period: str = "") -> Response:
    """The page of one agency."""
    return agency_view(request, user, own_agency(request, user, code), period)


def agency_view(request: Request, user: User, agency: Agency, period: str) -> Response:
    """The page of an agency that the user may see."""
    chosen = asked_period(request, user, period)
    engine = engine_of(request)
    scores: list[AgencyScore] = agency_scores(engine, user.province_id, chosen, agency.agency_id)
    with read(engine) as connection:
        points = trend(connection, user.province_id, agency.agency_id, chosen)
        windows = pulses(connection, user.province_id, agency.agency_id)
        hidden = left_out(connection, user.province_id, PULSE, agency.agency_id)
        channels = channel_counts(connection, user.province_id, agency.agency_id, chosen)
        periods = rated_quarters(connection, user.province_id)
    lang = language(request)
    return render(
        request,
        "agency.html",
        agency=agency,
        period=chosen,
        periods=periods,
        score=scores[0] if scores else None,
        points=points,
        month_words=month_words,
        trend_plot=trend_plot(points, lang),
        windows=windows,
        pulse_plot=pulse_plot(windows, lang),
        pulses_left_out=PULSES_LEFT_OUT if hidden else "",
        channels=channels,
        channel_names=CHANNELS.names,
        refresh_s=refresh_s(request),
    )
