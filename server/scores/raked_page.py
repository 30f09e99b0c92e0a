"""The index weighted to known margins as a page: both figures beside each other, the margins, what the weights cost;
and the choice of a period's margins, once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from pipeline.calendar import parse_period
from pipeline.errors import NotFoundError
from pipeline.instruments import load_instrument, shipped_instruments
from pipeline.language import Joined, Message
from server.scores.asked import asked_period
from server.scores.fused import rated_quarters
from server.scores.kept_margins import keep_margins
from server.scores.raked import NOT_KEPT, raked_index
from server.scores.standings import main_instrument
from server.store.engine import read, write
from server.web.confirm import FOR_GOOD, AskFirst, Sure
from server.web.context import ScoreReader, SurveyManager, back, engine_of, language, render

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=80)]
_ONCE = Message(
    "A period's sheets are weighted once; later imports of margins or transactions count for later periods."
)


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
        to_choose=found.problem is NOT_KEPT,
        instrument=asked,
        instruments=shipped_instruments(),
        period=chosen,
        periods=periods,
    )


@router.post("/survey/raked")
def keep(
    request: Request,
    user: SurveyManager,
    period: Annotated[str, Form(max_length=80)],
    instrument: Annotated[str, Form(max_length=80)],
    sure: Sure = False,
) -> Response:
    """Weight a period's sheets to the margins that are known now."""
    chosen, asked = parse_period(period), load_instrument(instrument)
    with write(engine_of(request)) as connection:
        keep_margins(connection, user.province_id, asked, chosen, user.user_id)
        if not sure:
            raise AskFirst(
                Message("Weight {period} to these margins?", period=chosen.words(language(request))),
                then=Joined((_ONCE, FOR_GOOD), " "),
                yes=Message("Weight to these margins"),
                fields={"period": chosen.name, "instrument": asked.code},
                back=f"/survey/raked?period={chosen.name}&instrument={asked.code}",
            )
    return back(f"/survey/raked?period={chosen.name}&instrument={asked.code}")
