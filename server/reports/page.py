"""Reports that pages offer for download: of a year or a quarter, with word of how far one is."""

from __future__ import annotations

import io
import time
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from pipeline.calendar import Period, parse_period
from pipeline.instruments import load_instrument
from pipeline.language import Message
from server.auth.roles import User
from server.indicators.sheet61 import sheet61_workbook
from server.reports.making import REPORTS
from server.reports.workbook import index_sheets
from server.scores.asked import asked_period
from server.scores.fused import rated_quarters
from server.scores.index_page import Code, PeriodText, index_for
from server.scores.standings import main_instrument
from server.store.engine import read
from server.web.context import RowId, ScoreReader, download, engine_of, language, render

router = APIRouter()
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = {"pdf": "application/pdf", "docx": DOCX, "xlsx": XLSX}
Ending = Literal["pdf", "docx", "xlsx"]
AGAIN_S = 2
"""How soon the page of a report that is being made asks again; it needs no script for that."""


def _whole_province(user: User) -> None:
    if user.agency_id is not None:
        raise HTTPException(404, Message("Reports are of the whole province; print the agency's page instead."))


@router.get("/reports", include_in_schema=False)
def reports_page(request: Request, user: ScoreReader, period: Annotated[str, Query(max_length=30)] = "") -> Response:
    """What can be downloaded: the report of every year and quarter with ratings, tables, the quarterly sheet 61."""
    with read(engine_of(request)) as connection:
        periods = rated_quarters(connection, user.province_id)
    quarters = [one.period for one in periods if one.ratings and user.agency_id is None]
    years = [parse_period(str(year)) for year in dict.fromkeys(one.year for one in quarters)]
    return render(
        request,
        "reports.html",
        years=years,
        quarters=quarters,
        period=asked_period(request, user, period),
        running={one.period for one in periods if one.period.runs},
    )


@router.get("/reports/{name}.{ending}", include_in_schema=False)
def report_file(
    request: Request,
    user: ScoreReader,
    name: str,
    ending: Ending,
    number: RowId | None = None,
) -> Response:
    """A report as a file; while it is being made, a page that says how far it is and asks again by itself, for the
    same one (`number`)."""
    _whole_province(user)
    chosen = _year_or_quarter(name)
    engine, lang = engine_of(request), language(request)
    with read(engine) as connection:
        instrument = main_instrument(connection, user.province_id, chosen)
    making = REPORTS.ask(engine, user.province_id, instrument, chosen, lang, number or 0)
    if making.error is not None:
        raise making.error
    if making.files:
        found = next(one for one in making.files if one.endswith(f".{ending}"))
        return download(making.files[found], found, KINDS[ending])
    again = f"?{request.url.include_query_params(number=making.number).query}"
    minutes, seconds = divmod(int(time.monotonic() - making.begun_s), 60)
    page = render(
        request, "report_wait.html", period=chosen, making=making, again=again, minutes=minutes, seconds=seconds
    )
    page.headers["Refresh"] = f"{AGAIN_S}; url={again}"
    return page


def _year_or_quarter(name: str) -> Period:
    """The period of a report. Raises `HTTPException` for one that is neither a year nor a quarter."""
    period = parse_period(name)
    whole_quarter = len(period.months) == 3 and period.first_month % 3 == 0
    if not whole_quarter and not (len(period.months) == 12 and period.first_month % 12 == 0):
        raise HTTPException(422, Message("A report is of a year or of a quarter."))
    return period


@router.get("/reports/sheet61/{name}.xlsx", include_in_schema=False)
def sheet61_file(request: Request, user: ScoreReader, name: str) -> Response:
    """The quarterly sheet 61, filled as far as its points are known."""
    _whole_province(user)
    quarter = _year_or_quarter(name)
    if len(quarter.months) != 3:
        raise HTTPException(422, Message("the sheet is quarterly: '{text}' is no quarter", text=name))
    out = io.BytesIO()
    with read(engine_of(request)) as connection:
        sheet61_workbook(connection, user.scope, quarter, language(request)).save(out)
    return download(out.getvalue(), f"phieu-61-{quarter.name}.xlsx", XLSX)


@router.get("/survey/index.xlsx", include_in_schema=False)
def index_workbook(request: Request, user: ScoreReader, period: PeriodText = "", instrument: Code = "2640") -> Response:
    """The whole index as a workbook, a sheet for each dimension."""
    questionnaire = load_instrument(instrument)
    with read(engine_of(request)) as connection:
        result = index_for(connection, user, period, questionnaire)
    out = io.BytesIO()
    index_sheets(result, questionnaire, language(request)).save(out)
    return download(out.getvalue(), f"chi-so-{result.period}.xlsx", XLSX)
