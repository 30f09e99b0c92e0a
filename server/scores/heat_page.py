"""Agency by criterion: where which agencies are low; a table with numbers, so that it prints and can be read aloud."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.instruments import Instrument
from pipeline.language import Text, in_language
from server.auth.roles import User
from server.catalogue.agencies import read_agencies
from server.scores.asked import asked_period
from server.scores.figures import Figure, Place
from server.scores.fused import rated_quarters
from server.scores.index import WHOLE
from server.scores.standings import held_index, main_instrument
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render
from server.web.listing import holds, listing
from server.web.table_files import table_file

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=80)]
STEPS = (60.0, 70.0, 80.0, 90.0)
"""Below which a cell is dark, less dark ...; above the last it is plain."""
PAGE_ROWS = 30


def shade(figure: Figure) -> str:
    """The class of a cell: `h0` (lowest) to `h4`; empty without a figure."""
    if figure.index is None:
        return ""
    return f"h{sum(figure.index >= step for step in STEPS)}"


def _columns(instrument: Instrument, by: str) -> list[tuple[str, Text]]:
    if by == "factor":
        return [(one.code, one.named) for one in instrument.factors]
    return [(one.code, one.named) for one in instrument.criteria]


def _places(request: Request, user: User, period: str) -> tuple[list[Place], Instrument, str]:
    chosen = asked_period(request, user, period)
    with read(engine_of(request)) as connection:
        instrument = main_instrument(connection, user.province_id, chosen)
        result = held_index(connection, user.province_id, instrument, chosen)
        mine = {one.code for one in read_agencies(connection, user.province_id, user.agency_id)}
    return [place for place in result.of("agency") if place.key in mine], instrument, chosen.name


@router.get("/heatmap")
def heat_page(
    request: Request,
    user: ScoreReader,
    period: Words = "",
    by: Words = "criterion",
    q: Words = "",
    level: Words = "",
    sort: Words = "index",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The table, sorted by any column, found by name and level."""
    by = by if by in ("criterion", "factor") else "criterion"
    places, instrument, _ = _places(request, user, period)
    chosen = asked_period(request, user, period)
    lang = language(request)
    with read(engine_of(request)) as connection:
        periods = rated_quarters(connection, user.province_id)
        levels = {one.code: one for one in read_agencies(connection, user.province_id, user.agency_id)}
    columns = _columns(instrument, by)
    rows = [
        place
        for place in places
        if holds(q, *place.name.texts, place.key) and (not level or levels[place.key].level == level)
    ]
    keys = {code: (lambda place, code=code: place.figure(code).index) for code, _ in [(WHOLE, None), *columns]}
    asked = {"period": period, "by": "" if by == "criterion" else by, "q": q, "level": level}
    asked["sort"] = "" if sort == WHOLE else sort
    return render(
        request,
        "heatmap.html",
        period=chosen,
        periods=periods,
        instrument=instrument,
        by=by,
        q=q,
        level=level,
        levels={one.level: one.level_name for one in levels.values()},
        columns=columns,
        table=listing(
            "/heatmap",
            asked,
            rows,
            {**keys, "name": lambda place: in_language(place.name, lang).casefold()},
            sort=sort,
            page=page,
            page_rows=PAGE_ROWS,
        ),
        shade=shade,
        steps=STEPS,
    )


@router.get("/heatmap.csv")
def heat_file(request: Request, user: ScoreReader, period: Words = "", by: Words = "criterion") -> Response:
    """The same as a file, a row an agency and figure."""
    places, instrument, name = _places(request, user, period)
    columns = _columns(instrument, by)
    rows = [
        {
            "period": name,
            "agency": place.key,
            "name_vi": in_language(place.name, "vi"),
            "figure": code,
            "figure_vi": in_language(words, "vi"),
            "index": figure.index,
            "low": figure.low,
            "high": figure.high,
        }
        for place in places
        for code, words in columns
        if (figure := place.figure(code)).index is not None
    ]
    return table_file(request, rows, f"ban-do-nhiet-{name}.csv")
