"""The dashboard: agencies with both indices, one agency over time, the health of the boxes."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from pipeline.calendar import Period, month_words, parse_period
from pipeline.language import Message
from pipeline.release_kind import PULSE
from server.auth.roles import Permission, User
from server.boxes.health import box_states
from server.catalogue.agencies import Agency, read_agencies
from server.ratings.batches import unfinished
from server.scores.clerks import PULSES_LEFT_OUT, left_out
from server.scores.fused import AgencyScore, agency_scores, newest_period, rated_quarters
from server.scores.plots import agency_plot, pulse_plot, trend_plot
from server.scores.trends import channel_counts, pulses, trend
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import HealthReader, ScoreReader, engine_of, language, render, web

router = APIRouter(include_in_schema=False)
DEMO_REFRESH_S = 3
REFRESH_S = 60


def chosen_period(request: Request, user: User, text: str) -> Period:
    """The period of `?period=`, or the newest quarter with enough ratings."""
    if text:
        return parse_period(text)
    with read(engine_of(request)) as connection:
        return newest_period(connection, user.province_id)


def own_agency(request: Request, user: User, code: str) -> Agency:
    """The agency of a code in the user's province (and, for an agency reader, the user's own); otherwise 404."""
    with read(engine_of(request)) as connection:
        for agency in read_agencies(connection, user.province_id, user.agency_id):
            if agency.code == code:
                return agency
    raise HTTPException(404, Message("There is no such agency."))


def refresh_s(request: Request) -> int:
    """How often a page that is left open asks for its newest state."""
    return DEMO_REFRESH_S if web(request).config.demo else REFRESH_S


@router.get("/")
def overview(request: Request, user: ScoreReader, period: str = "") -> Response:
    """All agencies of the province (or the reader's own) in a period."""
    chosen = chosen_period(request, user, period)
    engine = engine_of(request)
    scores = agency_scores(engine, user.province_id, chosen, user.agency_id)
    with read(engine) as connection:
        periods = rated_quarters(connection, user.province_id)
        states = box_states(connection, user.province_id) if user.may(Permission.READ_HEALTH) else []
        channels = channel_counts(connection, user.province_id, user.agency_id, chosen)
        missing = unfinished(connection, user.province_id)
    return render(
        request,
        "overview.html",
        period=chosen,
        periods=periods,
        scores=scores,
        plot=agency_plot(scores, language(request)),
        channels=channels,
        channel_names=CHANNELS.names,
        set_aside=sum(c.set_aside for c in channels),
        unfinished=missing,
        boxes_all=sum(not s.simulated for s in states),
        boxes_simulated=sum(s.simulated for s in states),
        boxes_ok=sum(s.fine for s in states),
        refresh_s=refresh_s(request),
    )


@router.get("/agencies/{code}")
def agency_page(request: Request, user: ScoreReader, code: str, period: str = "") -> Response:
    """One agency: both indices in words, the trend, the newest pulses, the channels."""
    agency = own_agency(request, user, code)
    chosen = chosen_period(request, user, period)
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


@router.get("/health")
def health_page(request: Request, user: HealthReader) -> Response:
    """The boxes: state, when last heard, what they sent, what is missing."""
    with read(engine_of(request)) as connection:
        states = box_states(connection, user.province_id)
    return render(request, "health.html", states=states, refresh_s=refresh_s(request))
