"""The other questions of a long instrument as a page: choices, numbers, needs, who answered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.instruments import load_instrument, shipped_instruments
from server.catalogue.agencies import read_agencies
from server.scores.asked import asked_period, own_agency
from server.scores.fused import rated_quarters
from server.scores.questions import question_figures
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, render

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=80)]


@router.get("/survey/questions")
def questions_page(
    request: Request, user: ScoreReader, period: Words = "", instrument: Words = "", agency: Words = ""
) -> Response:
    """Every question outside the index, for the province or one agency."""
    long = [one for one in shipped_instruments() if one.further]
    chosen = load_instrument(instrument) if instrument else max(long, key=lambda one: one.wire_code)
    wanted = asked_period(request, user, period)
    own = own_agency(request, user, agency or None) if agency or user.agency_id is not None else None
    with read(engine_of(request)) as connection:
        figures = question_figures(connection, user.province_id, chosen, wanted, None if own is None else own.agency_id)
        periods = rated_quarters(connection, user.province_id)
        agencies = read_agencies(connection, user.province_id, user.agency_id)
    return render(
        request,
        "survey_questions.html",
        figures=figures,
        instrument=chosen,
        instruments=long,
        period=wanted,
        periods=periods,
        own=own,
        agency="" if own is None else own.code,
        agencies=agencies,
    )
