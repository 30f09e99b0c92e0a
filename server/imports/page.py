"""Importing files by page: a preview first, then the same file again to import it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response

from pipeline.calendar import parse_period
from pipeline.errors import ForbiddenError, ImportRowError, InvalidError, RequestError
from pipeline.instruments import load_instrument, shipped_instruments
from pipeline.language import Message
from server.auth.roles import Permission, User
from server.core.labels import IMPORT_FIGURES, IMPORT_KINDS
from server.core.temporary import TemporaryFolder
from server.imports.balance_text import COLUMNS, counts, notes
from server.imports.kinds import KINDS, OF_CATALOGUE, find_kind
from server.imports.templates import columns_of, template_csv, template_xlsx
from server.ratings.batches import unfinished
from server.rounds.rounds import all_rounds
from server.store.channels import CHANNELS
from server.store.engine import read
from server.tabular.balance import Balance
from server.tabular.scales import NAMES, find_scale
from server.tabular.spec import ImportSpec, Options, import_file
from server.tabular.times import find_zone
from server.tabular.values import read_missing
from server.web.context import SurveyManager, download, engine_of, error_text, language, render, row_errors_text, web

router = APIRouter(prefix="/survey", include_in_schema=False)
MAX_BYTES = 64 << 20
"""Of an upload; larger files are read by the command, which has no other program's patience to think of."""
_SUFFIXES = (".csv", ".xlsx", ".xlsm", ".xls", ".txt", ".tsv", ".json")
_SHOWN = 200
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def kinds_for(user: User) -> dict[str, ImportSpec]:
    """The kinds that a user may import: who manages the survey but not the catalogue leaves the catalogue alone."""
    may = user.may(Permission.MANAGE_CATALOGUE)
    return {kind: spec for kind, spec in KINDS.items() if may or kind not in OF_CATALOGUE}


def _page(request: Request, user: User, status: int = 200, **values: Any) -> Response:
    with read(engine_of(request)) as connection:
        rounds = all_rounds(connection, user.province_id)
        missing = unfinished(connection, user.province_id)
    common: dict[str, Any] = {
        "kinds": kinds_for(user),
        "options": {kind: spec.options for kind, spec in KINDS.items()},
        "kind_names": IMPORT_KINDS,
        "channels": {channel.code: channel.name for channel in CHANNELS if channel.in_files},
        "instruments": shipped_instruments(),
        "rounds": rounds,
        "scales": NAMES,
        "shown": _SHOWN,
        "unfinished": missing,
        "figures": IMPORT_FIGURES,
        "balance_columns": COLUMNS,
        "balance_counts": counts,
        "balance_notes": notes,
    }
    given = {**_GIVEN, **{name: request.query_params.get(name, _GIVEN[name]) for name in ("kind", "instrument")}}
    given |= values.pop("given", {})
    spec = KINDS.get(given["kind"]) or next(iter(kinds_for(user).values()))
    instrument = next((one for one in common["instruments"] if one.code == given["instrument"]), None)
    common |= {"given": given, "spec": spec, "columns": columns_of(spec, instrument, language(request))}
    empty: dict[str, Any] = {"result": None, "balance": None, "rows": [], "problem": "", "preview": True, "name": ""}
    return render(request, "import.html", status, **{**common, **empty, **values})


_GIVEN = {
    "kind": "",
    "instrument": "2640",
    "channel": "",
    "round_code": "",
    "period": "",
    "not_answered": "",
    "scale": "",
    "zone": "",
    "ignored": "",
}
"""What the form's choices are until somebody makes them; the page that answers an upload keeps those made."""


@router.get("/import/template/{kind}.{ending}")
def import_template(
    request: Request,
    user: SurveyManager,
    kind: str,
    ending: Literal["csv", "xlsx"],
    instrument: Annotated[str, Query(max_length=40)] = "2640",
) -> Response:
    """The head of a file of a kind, to be filled in."""
    spec = find_kind(kind)
    if kind not in kinds_for(user):
        raise ForbiddenError(Message("You lack this permission."))
    asked = load_instrument(instrument) if "instrument" in spec.options else None
    columns = columns_of(spec, asked, language(request))
    if ending == "csv":
        return download(template_csv(columns), f"mau-{kind}.csv", "text/csv; charset=utf-8")
    return download(template_xlsx(columns, language(request)), f"mau-{kind}.xlsx", XLSX)


@router.get("/import")
def import_page(request: Request, user: SurveyManager) -> Response:
    """The form."""
    return _page(request, user)


@router.post("/import", max_body_size=MAX_BYTES + (1 << 20))
def import_upload(
    request: Request,
    user: SurveyManager,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=20)],
    what: Annotated[str, Form(pattern="^(preview|import)$")],
    instrument: Annotated[str, Form(max_length=40)] = "2640",
    channel: Annotated[str, Form(max_length=20)] = "",
    round_code: Annotated[str, Form(max_length=40)] = "",
    period: Annotated[str, Form(max_length=30)] = "",
    not_answered: Annotated[str, Form(max_length=200)] = "",
    scale: Annotated[str, Form(max_length=20)] = "",
    zone: Annotated[str, Form(max_length=40)] = "",
    ignored: Annotated[str, Form(max_length=4_000)] = "",
) -> Response:
    """Check a file, or import it: all or nothing. The upload is deleted when the answer is given."""
    spec = find_kind(kind)
    if kind not in kinds_for(user):
        raise ForbiddenError(Message("You lack this permission."))
    given = {"kind": kind, "instrument": instrument, "channel": channel, "round_code": round_code, "period": period}
    given |= {"not_answered": not_answered, "scale": scale, "zone": zone, "ignored": ignored}
    name = Path(file.filename or "").name[:100]
    suffix = Path(name).suffix.lower()
    preview = what == "preview"
    options = Options(
        instrument=load_instrument(instrument) if "instrument" in spec.options else None,
        channel=channel,
        round_code=round_code,
        period=parse_period(period) if "period" in spec.options and period.strip() else None,
        not_answered=read_missing(not_answered),
        scale=find_scale(scale),
        zone=find_zone(zone),
        ignored=tuple(line.strip() for line in ignored.splitlines() if line.strip()),
        sheet_key=web(request).sheet_key,
        name=name,
        preview=preview,
    )
    with TemporaryFolder("import") as folder:
        path = folder / f"upload{suffix if suffix in _SUFFIXES else '.csv'}"
        _keep(file, path)
        try:
            with web(request).long_work.begin() as progress:
                result = import_file(
                    engine_of(request), user.scope, spec, path, options, user_id=user.user_id, progress=progress
                )
        except ImportRowError as error:
            bad = row_errors_text(request, error, _SHOWN)
            told: dict[str, Any] = {"problem": error_text(request, error), "rows": bad, "balance": error.balance}
            return _page(request, user, **told, name=name, given=given)
        except RequestError as error:
            return _page(request, user, error.status, problem=error_text(request, error), name=name, given=given)
    figures = {one.name: getattr(result, one.name) for one in dataclasses.fields(result) if one.name != "balance"}
    balance: Balance = result.balance
    return _page(request, user, result=figures, balance=balance, preview=preview, name=name, given=given)


def _keep(file: UploadFile, path: Path) -> None:
    size = 0
    with path.open("wb") as out:
        while chunk := file.file.read(1 << 20):
            size += len(chunk)
            if size > MAX_BYTES:
                raise InvalidError(
                    Message("The file is too large."),
                    Message("Use `hailong server import`."),
                )
            out.write(chunk)
