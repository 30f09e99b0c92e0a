"""The index weighted to known margins as a page: both figures beside each other, the margins, what the weights cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.errors import NotFoundError
from pipeline.instruments import load_instrument, shipped_instruments
from pipeline.language import Message
from server.scores.asked import asked_period
from server.scores.fused import rated_quarters
from server.scores.raked import raked_index
from server.scores.standings import main_instrument
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, render

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=80)]


@router.get("/survey/raked")
def raked_page(request: Request, user: ScoreReader, period: Words = "", instrument: Words = "") -> Response:
    """Of the whole province alone."""
    if user.agency_id is not None:
        raise NotFoundError(Message("There is no such page."))
    chosen = asked_period(request, user, period)
    with read(engine_of(request)) as connection:
        asked = load_instrument(instrument) if instrument else main_instrument(connection, user.province_id, chosen)
        found = raked_index(connection, user.province_id, asked, chosen)
        periods = rated_quarters(connection, user.province_id)
    return render(
        request,
        "survey_raked.html",
        found=found,
        instrument=asked,
        instruments=shipped_instruments(),
        period=chosen,
        periods=periods,
    )
