"""The catalogue in the page: agencies, counters, services; one by one or from a CSV file with a preview."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import ImportRowError, InvalidError, RequestError
from pipeline.words import Words
from server.catalogue import writing
from server.catalogue.reading import listing
from server.catalogue.writing import COLUMNS, import_catalogue
from server.core.changes import record_change
from server.core.labels import IMPORT_KINDS
from server.store.engine import read, write
from server.web.context import CatalogueManager, engine_of, error_text, render, row_errors_text

router = APIRouter(include_in_schema=False)
Kind = Literal["levels", "fields", "agencies", "counters", "service_groups", "services"]
MAX_FILE_BYTES = 5_000_000


def _page(request: Request, user: CatalogueManager, status: int = 200, **values: object) -> Response:
    with read(engine_of(request)) as connection:
        lists = listing(connection, user.scope)
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
        return _page(request, user, error.status, problem=row_errors_text(request, error, 1)[0][1])
    return RedirectResponse("/catalogue", 303)


@router.post("/catalogue/agencies/{agency_id}/active")
def switch_agency(
    request: Request, user: CatalogueManager, agency_id: int, active: Annotated[bool, Form()]
) -> Response:
    """Take an agency out of the scores, or in again; its ratings stay."""
    with write(engine_of(request)) as connection:
        writing.switch_agency(connection, user.scope, agency_id, active, user.user_id)
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
            request,
            user,
            error.status,
            problem=error_text(request, error),
            row_errors=row_errors_text(request, error, 200),
        )
    except RequestError as error:
        return _page(request, user, error.status, problem=error_text(request, error))
    return _page(request, user, preview=(kind, done, bool(apply)))


def read_csv(data: bytes) -> list[tuple[int, dict[str, str]]]:
    """(row number as in a spreadsheet, row) of a small UTF-8 CSV file; semicolons are understood.

    Raises `InvalidError`. Larger files and other encodings: `hailong server import`."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidError(
            Words("The file is larger than 5 MB.", "Tệp lớn hơn 5 MB."),
            Words("Use hailong server import.", "Hãy dùng lệnh hailong server import."),
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidError(
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
