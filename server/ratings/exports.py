"""Download of answer sheets for analysts."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from server.core.changes import record_change
from server.core.config import keys_if_any
from server.core.disclosure import published
from server.core.log_heads import box_heads, changes_head
from server.core.temporary import TemporaryFolder
from server.ratings.export import described_sheets, export_ratings, write_dictionary
from server.store.engine import read, write
from server.tabular.metadata import CSVW_TYPE, csvw
from server.web.context import Exporter, download, engine_of, web

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
    questionnaire, chosen = load_instrument(instrument), parse_period(period)
    folder = TemporaryFolder("export")
    name = f"ratings-{chosen.name}-{questionnaire.code}.{format}"
    path = folder.path / name
    with read(engine_of(request)) as connection:
        count = export_ratings(
            connection,
            user.province_id,
            questionnaire,
            chosen,
            path,
            form=format,
            agency_id=user.agency_id,
            shown=published(connection, user.province_id, chosen),
        )
    with write(engine_of(request)) as connection:
        detail = {"period": chosen.name, "instrument": questionnaire.wire_code, "sheets": count}
        record_change(connection, user.province_id, user.user_id, "ratings_exported", detail)
    beside = {"Link": f'<ratings-metadata?instrument={questionnaire.code}>; rel="describedby"; type="{CSVW_TYPE}"'}
    headers = beside if format == "csv" else {}
    return FileResponse(path, filename=name, headers=headers, background=BackgroundTask(folder.cleanup))


@router.get("/ratings-metadata")
def ratings_metadata(user: Exporter, instrument: Annotated[str, Query(max_length=40)] = "2640") -> Response:
    """What the columns of `ratings` as CSV are (CSV on the Web); the download's `Link` header leads here."""
    questionnaire = load_instrument(instrument)
    found = csvw([described_sheets(questionnaire, f"ratings?instrument={questionnaire.code}")])
    return Response(json.dumps(found, ensure_ascii=False), media_type=CSVW_TYPE)


@router.get("/heads.jsonl", response_class=Response)
def heads_file(request: Request, user: Exporter) -> Response:
    """The newest signed head of every box's log, one a line: keep it to check later that no log was rewritten."""
    with read(engine_of(request)) as connection:
        lines = [json.dumps(head, ensure_ascii=False) for head in box_heads(connection, user.province_id)]
    return download("".join(f"{line}\n" for line in lines), "heads.jsonl", "application/jsonl")


@router.get("/changes-head")
def changes_head_json(request: Request, user: Exporter) -> dict[str, Any]:
    """Where the log of changes stands, with the server's signature: `hailong audit ratings --head` checks it later."""
    with read(engine_of(request)) as connection:
        return changes_head(connection, user.province_id, keys_if_any(web(request).config)).to_dict()


@router.get("/dictionary", response_class=FileResponse)
def dictionary_file(user: Exporter, instrument: Annotated[str, Query(max_length=40)] = "2640") -> FileResponse:
    """The data dictionary of an instrument's export."""
    questionnaire = load_instrument(instrument)
    folder = TemporaryFolder("export")
    path = folder.path / f"dictionary-{questionnaire.code}.csv"
    write_dictionary(questionnaire, path)
    return FileResponse(path, filename=path.name, background=BackgroundTask(folder.cleanup))
