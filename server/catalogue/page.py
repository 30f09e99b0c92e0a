"""The catalogue in the page: agencies, counters, services; one by one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import ImportRowError
from pipeline.language import Joined, Message
from server.catalogue import writing
from server.catalogue.reading import listing as catalogue_listing
from server.catalogue.reading import read_catalogue
from server.catalogue.writing import import_catalogue
from server.core.changes import record_change
from server.store.engine import read, write
from server.web.confirm import UNDONE_LATER, AskFirst, Sure
from server.web.context import CatalogueManager, RowId, engine_of, render, row_errors_text
from server.web.listing import PageNumber, Sought, holds, listing
from server.web.names import GivenNames, name_fields

router = APIRouter(include_in_schema=False)


def _page(
    request: Request, user: CatalogueManager, status: int = 200, q: str = "", page: int = 1, **values: object
) -> Response:
    with read(engine_of(request)) as connection:
        lists: dict[str, Any] = dict(catalogue_listing(connection, user.scope))
    fitting = [one for one in lists["agencies"] if holds(q, *one.name.texts, one.code, one.official_code)]
    table = listing("/catalogue", {"q": q}, fitting, {}, sort="", page=page)
    here = {one.id for one in table.rows}
    # of thousands of agencies the counters are as many again: those of the agencies that the page shows
    lists["counters"] = [one for one in lists["counters"] if one.agency_id in here]
    empty: dict[str, object] = {"problem": "", "row_errors": []}
    shown = {"lists": lists, "table": table, "q": q, "name_fields": name_fields()}
    return render(request, "catalogue.html", status, **{**shown, **empty, **values})


@router.get("/catalogue")
def catalogue_page(request: Request, user: CatalogueManager, q: Sought = "", page: PageNumber = 1) -> Response:
    """Everything that the province's ratings can refer to."""
    return _page(request, user, q=q, page=page)


@router.post("/catalogue/agencies")
def add_agency(
    request: Request,
    user: CatalogueManager,
    code: Annotated[str, Form(max_length=100)],
    names: GivenNames,
    level: Annotated[str, Form(max_length=100)],
) -> Response:
    """Add an agency, or change the names of one."""
    return _add(request, user, "agencies", {"code": code, **names, "level": level})


@router.post("/catalogue/counters")
def add_counter(
    request: Request,
    user: CatalogueManager,
    agency: Annotated[str, Form(max_length=100)],
    code: Annotated[str, Form(max_length=100)],
    names: GivenNames,
) -> Response:
    """Add a counter, or change the names of one."""
    return _add(request, user, "counters", {"agency": agency, "code": code, **names})


@router.post("/catalogue/services")
def add_service(
    request: Request,
    user: CatalogueManager,
    code: Annotated[str, Form(max_length=100)],
    names: GivenNames,
    group: Annotated[str, Form(max_length=10)] = "0",
) -> Response:
    """Add a service, or change the names of one."""
    return _add(request, user, "services", {"code": code, **names, "service_group": group})


def _add(request: Request, user: CatalogueManager, kind: str, row: dict[str, str]) -> Response:
    try:
        with write(engine_of(request)) as connection:
            done = import_catalogue(connection, user.province_id, kind, [(1, row)], user_id=user.user_id)
            counts = {"kind": kind, "added": done.added, "changed": done.changed}
            record_change(connection, user.province_id, user.user_id, "catalogue", counts)
    except ImportRowError as error:
        return _page(request, user, error.status, problem=row_errors_text(request, error, 1)[0][1])
    return RedirectResponse("/catalogue", 303)


@router.post("/catalogue/agencies/{agency_id}/active")
def switch_agency(
    request: Request, user: CatalogueManager, agency_id: RowId, active: Annotated[bool, Form()], sure: Sure = False
) -> Response:
    """Take an agency out of the scores, or in again; its ratings stay."""
    with write(engine_of(request)) as connection:
        writing.switch_agency(connection, user.scope, agency_id, active, user.user_id)
        if not active and not sure:
            named = next(
                one for one in read_catalogue(connection, user.province_id).agencies.values() if one.id == agency_id
            )
            raise AskFirst(
                Message("Stop scoring “{agency}”?", agency=named.name),
                then=Joined((Message("It stands on no page of figures any more; its sheets stay."), UNDONE_LATER), " "),
                yes=Message("Take out"),
                fields={"active": "false"},
                back="/catalogue",
            )
    return RedirectResponse("/catalogue", 303)
