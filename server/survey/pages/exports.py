"""Download of answer sheets for analysts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from pipeline.instruments import load_instrument
from server.changes import record_change
from server.days import parse_period
from server.store.engine import read, write
from server.survey.export import export_ratings, write_dictionary
from server.web import Exporter, engine_of

router = APIRouter(prefix="/api/v1", tags=["export"])


@router.get("/ratings", response_class=FileResponse)
def ratings_file(
    request: Request,
    user: Exporter,
    period: Annotated[str, Query(max_length=30)],
    instrument: Annotated[str, Query(max_length=40)] = "2640",
    format: Annotated[str, Query(pattern="^(csv|parquet)$")] = "csv",  # noqa: A002 - the parameter's name on the wire
) -> FileResponse:
    """Every sheet of a period; who took it out is in the log of changes."""
    asked, chosen = load_instrument(instrument), parse_period(period)
    folder = tempfile.TemporaryDirectory(prefix="hailong-export-")
    name = f"ratings-{chosen.name}-{asked.code}.{format}"
    path = Path(folder.name) / name
    with read(engine_of(request)) as connection:
        count = export_ratings(connection, user.province_id, asked, chosen, path, form=format, agency_id=user.agency_id)
    with write(engine_of(request)) as connection:
        detail = {"period": chosen.name, "instrument": asked.wire_code, "sheets": count}
        record_change(connection, user.province_id, user.user_id, "ratings_exported", detail)
    return FileResponse(path, filename=name, background=BackgroundTask(folder.cleanup))


@router.get("/dictionary", response_class=FileResponse)
def dictionary_file(user: Exporter, instrument: Annotated[str, Query(max_length=40)] = "2640") -> FileResponse:
    """The data dictionary of an instrument's export."""
    asked = load_instrument(instrument)
    folder = tempfile.TemporaryDirectory(prefix="hailong-export-")
    path = Path(folder.name) / f"dictionary-{asked.code}.csv"
    write_dictionary(asked, path)
    return FileResponse(path, filename=path.name, background=BackgroundTask(folder.cleanup))
