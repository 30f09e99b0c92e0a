"""The catalogue in the page: agencies, counters, services; one by one or from a CSV file with a preview."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import ColumnElement, Connection, Row, Table, select, update

from pipeline.errors import ConfigError, ImportRowError
from pipeline.words import Words
from server.catalogue.writing import COLUMNS, import_catalogue
from server.core.changes import record_change
from server.core.labels import IMPORT_KINDS
from server.store.engine import read, write
from server.store.tables.agencies import agencies, levels
from server.store.tables.counters import counters
from server.store.tables.services import fields, service_groups, services
from server.web.context import CatalogueManager, engine_of, error_text, render, row_errors_text

router = APIRouter(include_in_schema=False)
Kind = Literal["levels", "fields", "agencies", "counters", "service_groups", "services"]
MAX_FILE_BYTES = 5_000_000


def _listing(connection: Connection, province_id: int) -> dict[str, list[Row[Any]]]:
    def rows_of(table: Table, *order: ColumnElement[Any]) -> list[Row[Any]]:
        return list(connection.execute(select(table).where(table.c.province_id == province_id).order_by(*order)))

    return {
        "levels": rows_of(levels, levels.c.rank),
        "agencies": rows_of(agencies, agencies.c.code),
        "counters": rows_of(counters, counters.c.agency_id, counters.c.code),
        "fields": rows_of(fields, fields.c.code),
        "service_groups": rows_of(service_groups, service_groups.c.number),
        "services": rows_of(services, services.c.code),
    }


def _page(request: Request, user: CatalogueManager, status: int = 200, **values: object) -> Response:
    with read(engine_of(request)) as connection:
        lists = _listing(connection, user.province_id)
    empty: dict[str, object] = {"kind_names": IMPORT_KINDS, "problem": "", "row_errors": [], "preview": None}
    return render(request, "catalogue.html", status, lists=lists, columns=COLUMNS, **{**empty, **values})


@router.get("/catalogue")
def catalogue_page(request: Request, user: CatalogueManager) -> Response:
    """Everything that the province's ratings can refer to."""
    return _page(request, user)


@router.post("/catalogue/agencies")
def add_agency(
    request: Request,
    user: CatalogueManager,
    code: Annotated[str, Form(max_length=100)],
    name_vi: Annotated[str, Form(max_length=400)],
    level: Annotated[str, Form(max_length=100)],
    name_en: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Add an agency, or change the names of one."""
    return _add(request, user, "agencies", {"code": code, "name_vi": name_vi, "name_en": name_en, "level": level})


@router.post("/catalogue/counters")
def add_counter(
    request: Request,
    user: CatalogueManager,
    agency: Annotated[str, Form(max_length=100)],
    code: Annotated[str, Form(max_length=100)],
    name_vi: Annotated[str, Form(max_length=400)],
    name_en: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Add a counter, or change the names of one."""
    return _add(request, user, "counters", {"agency": agency, "code": code, "name_vi": name_vi, "name_en": name_en})


@router.post("/catalogue/services")
def add_service(
    request: Request,
    user: CatalogueManager,
    code: Annotated[str, Form(max_length=100)],
    name_vi: Annotated[str, Form(max_length=400)],
    group: Annotated[str, Form(max_length=10)] = "0",
    name_en: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Add a service, or change the names of one."""
    return _add(request, user, "services", {"code": code, "name_vi": name_vi, "name_en": name_en, "group": group})


def _add(request: Request, user: CatalogueManager, kind: str, row: dict[str, str]) -> Response:
    try:
        with write(engine_of(request)) as connection:
            done = import_catalogue(connection, user.province_id, kind, [(1, row)])
            counts = {"kind": kind, "added": done.added, "changed": done.changed}
            record_change(connection, user.province_id, user.user_id, "catalogue", counts)
    except ImportRowError as error:
        return _page(request, user, 400, problem=row_errors_text(request, error, 1)[0][1])
    return RedirectResponse("/catalogue", 303)


@router.post("/catalogue/agencies/{agency_id}/active")
def switch_agency(
    request: Request, user: CatalogueManager, agency_id: int, active: Annotated[bool, Form()]
) -> Response:
    """Take an agency out of the scores, or in again; its ratings stay."""
    with write(engine_of(request)) as connection:
        rows_of = (agencies.c.id == agency_id, agencies.c.province_id == user.province_id)
        if connection.execute(update(agencies).where(*rows_of).values(active=active)).rowcount != 1:
            raise ConfigError(Words("There is no such agency.", "Không có cơ quan này."))
        detail = {"agency": agency_id, "active": active}
        record_change(connection, user.province_id, user.user_id, "agency_active", detail)
    return RedirectResponse("/catalogue", 303)


@router.post("/catalogue/import")
def import_file(
    request: Request,
    user: CatalogueManager,
    kind: Annotated[Kind, Form()],
    file: Annotated[UploadFile, File()],
    apply: Annotated[str, Form()] = "",
) -> Response:
    """A CSV file: a preview first, or applied at once; all or nothing, bad rows by number and reason."""
    try:
        rows = read_csv(file.file.read(MAX_FILE_BYTES + 1))
        with write(engine_of(request)) as connection:
            done = import_catalogue(connection, user.province_id, kind, rows, preview=not apply)
            if apply:
                counts = {"kind": kind, "added": done.added, "changed": done.changed}
                record_change(connection, user.province_id, user.user_id, "catalogue", counts)
    except ImportRowError as error:
        return _page(
            request, user, 400, problem=error_text(request, error), row_errors=row_errors_text(request, error, 200)
        )
    except ConfigError as error:
        return _page(request, user, 400, problem=error_text(request, error))
    return _page(request, user, preview=(kind, done, bool(apply)))


def read_csv(data: bytes) -> list[tuple[int, dict[str, str]]]:
    """(row number as in a spreadsheet, row) of a small UTF-8 CSV file; semicolons are understood.

    Raises `ConfigError`. Larger files and other encodings: `hailong server import`."""
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(
            Words("The file is larger than 5 MB.", "Tệp lớn hơn 5 MB."),
            Words("Use hailong server import.", "Hãy dùng lệnh hailong server import."),
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(
            Words("The file is not UTF-8.", "Tệp không phải UTF-8."),
            Words("Save it as CSV UTF-8, or use hailong server import.", "Hãy lưu lại dạng CSV UTF-8."),
        ) from None
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [
        (number, {str(name).strip().lower(): value or "" for name, value in row.items() if name is not None})
        for number, row in enumerate(reader, start=2)
    ]
