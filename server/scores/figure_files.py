"""The figures of the index as files: of the whole province by a dimension, and of one agency with its trend."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.calendar import month_name
from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from pipeline.language import Message, in_language
from server.catalogue.succession import line_of
from server.scores.asked import asked_period, own_agency
from server.scores.figure_rows import figure_rows
from server.scores.index import DIMENSIONS
from server.scores.index_page import Code, PeriodText, index_for
from server.scores.standings import held_index, index_within, main_instrument
from server.scores.trends import trend
from server.store.engine import read
from server.web.context import ScoreReader, engine_of
from server.web.table_files import table_file

router = APIRouter(include_in_schema=False)


@router.get("/survey/index.csv")
def index_file(
    request: Request, user: ScoreReader, period: PeriodText = "", instrument: Code = "2640", by: Code = "agency"
) -> Response:
    """The table of the index page as a file, with every figure of every place."""
    if by not in DIMENSIONS:
        raise InvalidError(Message("There is no dimension '{by}'.", by=by))
    with read(engine_of(request)) as connection:
        result = index_for(connection, user, period, load_instrument(instrument), by)
    return table_file(request, figure_rows(result.period, list(result.places)), f"chi-so-{by}-{result.period}.csv")


@router.get("/agencies/{code}/figures.csv")
def agency_file(
    request: Request, user: ScoreReader, code: str, period: Annotated[str, Query(max_length=30)] = ""
) -> Response:
    """The tables and plots of an agency's page as a file: factors, criteria, parts, months."""
    agency = own_agency(request, user, code)
    chosen = asked_period(request, user, period)
    with read(engine_of(request)) as connection:
        instrument = main_instrument(connection, user.province_id, chosen)
        own = [
            place
            for place in held_index(connection, user.province_id, instrument, chosen).of("agency")
            if place.key == agency.code
        ]
        parts = index_within(
            connection, user.province_id, instrument, chosen, ("service_group", "counter"), agency.agency_id
        )
        months = trend(connection, user.province_id, line_of(connection, user.scope.province, agency.agency_id), chosen)
    rows = figure_rows(chosen.name, [*own, *parts.places])
    rows += [
        {
            "period": month_name(point.month),
            "dimension": "month",
            "code": month_name(point.month),
            "name_vi": in_language(agency.name, "vi"),
            "figure": "overall",
            "figure_kind": "overall",
            "valid": point.rated,
            "index": point.index,
            "low": point.low,
            "high": point.high,
        }
        for point in months
        if point.index is not None
    ]
    return table_file(request, rows, f"co-quan-{agency.code}-{chosen.name}.csv")
