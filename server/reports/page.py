"""Reports that a page offers for download."""

from __future__ import annotations

import io

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.instruments import load_instrument
from server.reports.workbook import index_sheets
from server.scores.index_page import Code, PeriodText, index_for
from server.store.engine import read
from server.web.context import ScoreReader, download, engine_of, language

router = APIRouter()


@router.get("/survey/index.xlsx", include_in_schema=False)
def index_workbook(request: Request, user: ScoreReader, period: PeriodText = "", instrument: Code = "2640") -> Response:
    """The whole index as a workbook, a sheet for each dimension."""
    questionnaire = load_instrument(instrument)
    with read(engine_of(request)) as connection:
        result = index_for(connection, user, period, questionnaire)
    out = io.BytesIO()
    index_sheets(result, questionnaire, language(request)).save(out)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return download(out.getvalue(), f"chi-so-{result.period}.xlsx", kind)
