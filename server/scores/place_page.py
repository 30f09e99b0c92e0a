"""A field, a service group or a procedure as a drill-down: index, what changed, criteria, factors, reasons, parts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from pipeline.calendar import Period
from pipeline.errors import NotFoundError
from pipeline.instruments import Instrument
from pipeline.language import Message
from server.auth.roles import User
from server.catalogue.reading import Catalogue, read_catalogue
from server.core.labels import DIMENSION_NAMES
from server.scores.asked import asked_period
from server.scores.comparing import difference
from server.scores.figures import Place
from server.scores.fused import rated_quarters
from server.scores.index import WHOLE
from server.scores.lines import lines_of, lowest_plot, place_of
from server.scores.reasons import Part, reasons_of
from server.scores.reasons_page import reasons_plot
from server.scores.standings import Against, held_index, main_instrument
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render

router = APIRouter(include_in_schema=False)
BELOW = {"field": "service_group", "service_group": "service", "service": ""}
"""What each kind of place is made of."""


@router.get("/places/{dimension}/{code}")
def place_page(
    request: Request, user: ScoreReader, dimension: str, code: str, period: Annotated[str, Query(max_length=30)] = ""
) -> Response:
    """The page of a field, a service group or a procedure of the province."""
    if dimension not in BELOW:
        raise NotFoundError(Message("There is no such page."))
    _whole_province_only(user)
    chosen = asked_period(request, user, period)
    lang = language(request)
    with read(engine_of(request)) as connection:
        catalogue = read_catalogue(connection, user.province_id)
        named = {"field": catalogue.fields, "service_group": catalogue.groups, "service": catalogue.services}[dimension]
        known = next((one for one in named.values() if one.code == code), None)
        if known is None:
            raise HTTPException(404, Message("There is no such field, group or procedure."))
        instrument = main_instrument(connection, user.province_id, chosen)
        now, last, year = (
            _of(connection, user.province_id, instrument, one, dimension, code)
            for one in (chosen, chosen.before(), chosen.year_before())
        )
        lines = lines_of(instrument, now, last, year)
        below = BELOW[dimension]
        parts = held_index(connection, user.province_id, instrument, chosen, below).of(below) if below else ()
        members = _members(catalogue, dimension, known.id)
        others = tuple(_members(catalogue, dimension, one) for one in named if one != known.id)
        part = Part("service_id" if dimension == "service" else "service_group", members, others)
        reasons = reasons_of(connection, user.province_id, instrument, chosen, part=part)
        periods = rated_quarters(connection, user.province_id)
    return render(
        request,
        "place.html",
        dimension=dimension,
        dimension_name=DIMENSION_NAMES[dimension],
        place=known,
        period=chosen,
        periods=periods,
        sheets=None if now is None else now.sheets,
        figure=None if now is None else now.figure(WHOLE),
        last=_against(chosen.before(), now, last),
        year=_against(chosen.year_before(), now, year),
        lines=lines,
        lowest_plot=lowest_plot(lines.lowest, lang),
        reasons=reasons[0] if reasons else None,
        reasons_plot=reasons_plot(reasons[0], lang) if reasons else "",
        below=below,
        below_name=DIMENSION_NAMES.get(below, ""),
        parts=_within(parts, catalogue, below, members),
    )


def _whole_province_only(user: User) -> None:
    """A field is the work of many agencies: the reader of one does not read the others' figures in it."""
    if user.agency_id is not None:
        raise HTTPException(404, Message("There is no such page."))


def _of(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, dimension: str, code: str
) -> Place | None:
    return place_of(held_index(connection, province_id, instrument, period, dimension).of(dimension), code)


def _against(period: Period, now: Place | None, then: Place | None) -> Against:
    figure = None if then is None else then.figure(WHOLE)
    change = None if now is None or figure is None else difference(now.figure(WHOLE), figure)
    return Against(period, figure, change)


def _members(catalogue: Catalogue, dimension: str, number: int) -> frozenset[int]:
    """The service groups of a field; a group or a procedure itself."""
    if dimension == "field":
        return frozenset(group.id for group in catalogue.groups.values() if group.parent == number)
    return frozenset({number})


def _within(places: Sequence[Place], catalogue: Catalogue, below: str, members: Collection[int]) -> list[Place]:
    """Those of the places below that belong to the page's place, the lowest index first."""
    parents: dict[str, Any] = {
        "service_group": {one.code for one in catalogue.groups.values() if one.id in members},
        "service": {one.code for one in catalogue.services.values() if one.parent in members},
    }
    found = [place for place in places if place.key in parents.get(below, ())]
    return sorted(found, key=lambda place: (place.figure(WHOLE).index is None, place.figure(WHOLE).index or 0.0))
