"""The screen in an agency's hall: thanks, its own published figures, and what was changed after citizens said so.

Nobody is shamed: no other agency, no rank, no colour of alarm. The address is signed, so that a screen needs no log-in
and nobody gets from one agency's screen to another's; it shows what the pages publish (whole days, enough sheets) and
no more (ADR 0218)."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection

from pipeline.calendar import month_of_day, quarter_of_month, today
from server.catalogue.agencies import read_agencies
from server.channels.pages import NOT_FOUND, public_limit
from server.core.labels import FEEDBACK_CATEGORIES
from server.core.provinces import province_by_id
from server.feedback.cases import published_answers
from server.scores.asked import own_agency
from server.scores.standings import Standing, Standings, standings
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, render, web

router = APIRouter(include_in_schema=False)
QUARTERS_BACK = 4
"""So many quarters that are over are looked through for the newest with a figure."""
SHOWN_ANSWERS = 3
RELOAD_S = 900


def _signer(request: Request) -> URLSafeSerializer:
    return URLSafeSerializer(web(request).secret, "screen")


@router.get("/agencies/{code}/screen")
def to_screen(request: Request, user: ScoreReader, code: str) -> Response:
    """To the screen of an agency that the user may see, at its own address."""
    agency = own_agency(request, user, code)
    return RedirectResponse(f"/tv/{_signer(request).dumps([user.province_id, agency.agency_id])}", 303)


@router.get("/tv/{token}")
def screen(request: Request, token: str) -> Response:
    """The screen, for whoever has its address."""
    public_limit(request, "screen", 120, 600.0)
    try:
        province_id, agency_id = _signer(request).loads(token)
    except (BadSignature, TypeError, ValueError):
        raise HTTPException(404, NOT_FOUND) from None
    with read(engine_of(request)) as connection:
        agency = next((one for one in read_agencies(connection, province_id) if one.agency_id == agency_id), None)
        if agency is None:
            raise HTTPException(404, NOT_FOUND)
        found, own = _newest(connection, province_id, agency.code)
        named = province_by_id(connection, province_id)
        answers = published_answers(connection, province_id, agency_id)
    return render(
        request,
        "screen.html",
        agency=agency,
        of_province=named,
        period=found.period if found else None,
        own=own,
        answers=list({one.changed: one for one in answers if one.changed}.values())[:SHOWN_ANSWERS],
        categories=FEEDBACK_CATEGORIES,
        reload_s=RELOAD_S,
    )


def _newest(connection: Connection, province_id: int, code: str) -> tuple[Standings | None, Standing | None]:
    """The newest quarter that is over and has a figure of the agency, if any of the last four."""
    period = quarter_of_month(month_of_day(today()))
    for _ in range(QUARTERS_BACK):
        period = period.before()
        found = standings(connection, province_id, period)
        own = next((one for one in found.agencies if one.code == code), None)
        if own is not None and not own.few:
            return found, own
    return None, None
