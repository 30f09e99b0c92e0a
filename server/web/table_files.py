"""Tables of pages as files: for people's spreadsheets a workbook whose columns are headed in words (`as=xlsx`), for
programs CSV with the columns' codes, which leads to what they are (CSV on the Web)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.errors import InvalidError
from pipeline.language import Message, in_language
from server.tabular.metadata import CSVW_TYPE, KINDS, Column, CsvTable, csvw
from server.tabular.row_files import Row, as_csv, as_workbook, columns_of, described, kinds_of
from server.web.context import ScoreReader, download, language

router = APIRouter(include_in_schema=False)
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_COLUMNS, MAX_ADDRESS = 100, 1_000
MAX_LINK = 3_000
"""Longer headers do not pass every proxy."""


def table_file(request: Request, rows: Sequence[Row], name: str, columns: Sequence[str] = ()) -> Response:
    """Rows as a CSV file named `name`; its `Link` header leads to what its columns are. Where the address asks for
    `as=xlsx`: as a workbook in the page's language. `columns`: where there may be no row."""
    if request.query_params.get("as") == "xlsx":
        return download(as_workbook(rows, language(request), columns), f"{name.removesuffix('.csv')}.xlsx", XLSX)
    made = download(as_csv(rows, columns), name, CSV)
    names = list(columns) or columns_of(rows)
    of = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    asked = urlencode([("of", of), *(("column", f"{one}:{kind}") for one, kind in kinds_of(rows, names).items())])
    if len(of) <= MAX_ADDRESS and len(names) <= MAX_COLUMNS and len(asked) <= MAX_LINK:
        made.headers["Link"] = f'</survey/figures-metadata?{asked}>; rel="describedby"; type="{CSVW_TYPE}"'
    return made


@router.get("/survey/figures-metadata")
def figures_metadata(
    user: ScoreReader,
    of: Annotated[str, Query(max_length=MAX_ADDRESS)],
    column: Annotated[list[Annotated[str, Query(max_length=80)]], Query(max_length=MAX_COLUMNS)] = [],  # noqa: B006
) -> Response:
    """What columns are. `of`: the file's address, which is repeated and not looked at; `column`: NAME:KIND, in
    order."""
    found = csvw([CsvTable(of, "", "", tuple(_column(one) for one in column))])
    return Response(json.dumps(found, ensure_ascii=False), media_type=CSVW_TYPE)


def _column(given: str) -> Column:
    name, _, kind = given.rpartition(":")
    try:
        said = described(name)
    except KeyError:
        raise InvalidError(Message("There is no column '{name}'.", name=name)) from None
    if kind not in KINDS:
        raise InvalidError(Message("There is no kind of column '{kind}'.", kind=kind))
    return Column(name, kind, in_language(said, "vi"), in_language(said, "en"))
