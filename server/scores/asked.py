"""What a page of figures is asked for: the period and the agency, within what the user may see."""

from __future__ import annotations

from fastapi import HTTPException, Request

from pipeline.calendar import Period, parse_period
from pipeline.language import Message
from server.auth.roles import User
from server.catalogue.agencies import Agency, read_agencies
from server.scores.fused import newest_period
from server.store.engine import read
from server.web.context import engine_of


def asked_period(request: Request, user: User, text: str) -> Period:
    """The period of `?period=`, or the newest quarter with enough ratings."""
    if text:
        return parse_period(text)
    with read(engine_of(request)) as connection:
        return newest_period(connection, user.province_id)


def own_agency(request: Request, user: User, code: str | None = None) -> Agency:
    """The agency of a code in the user's province (and, for an agency reader, the user's own; without a code that
    one); otherwise 404."""
    with read(engine_of(request)) as connection:
        for agency in read_agencies(connection, user.province_id, user.agency_id):
            if code in (None, agency.code):
                return agency
    raise HTTPException(404, Message("There is no such agency."))
