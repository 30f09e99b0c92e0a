"""Importing files by page: a preview first, then the same file again to import it."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response

from pipeline.errors import ConfigError, ImportRowError
from pipeline.instruments import load_instrument, shipped_instruments
from pipeline.words import Words
from server.catalogue.files import import_catalogue_file
from server.core.labels import CHANNEL_NAMES, IMPORT_FIGURES, IMPORT_KINDS
from server.ratings.batches import unfinished
from server.ratings.frame import import_transactions
from server.ratings.imports import import_ratings
from server.ratings.people import import_enumerators, import_phones
from server.rounds.rounds import all_rounds
from server.store.engine import read
from server.web.context import SurveyManager, engine_of, error_text, render, row_errors_text

router = APIRouter(prefix="/survey", include_in_schema=False)
MAX_BYTES = 512 * 2**20
_SHOWN = 200


def _page(request: Request, user: SurveyManager, **values: Any) -> Response:
    with read(engine_of(request)) as connection:
        rounds = all_rounds(connection, user.province_id)
        missing = unfinished(connection, user.province_id)
    common = {
        "kinds": IMPORT_KINDS,
        "channels": CHANNEL_NAMES,
        "instruments": shipped_instruments(),
        "rounds": rounds,
        "shown": _SHOWN,
        "unfinished": missing,
        "figures": IMPORT_FIGURES,
    }
    empty: dict[str, Any] = {"result": None, "rows": [], "problem": "", "preview": True, "name": ""}
    return render(request, "survey_import.html", **{**common, **empty, **values})


@router.get("/import")
def import_page(request: Request, user: SurveyManager) -> Response:
    """The form."""
    return _page(request, user)


@router.post("/import")
def import_file(
    request: Request,
    user: SurveyManager,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=20)],
    what: Annotated[str, Form(pattern="^(preview|import)$")],
    instrument: Annotated[str, Form(max_length=40)] = "2640",
    channel: Annotated[str, Form(max_length=20)] = "",
    round_code: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Check a file, or import it: all or nothing. The upload is deleted when the answer is given."""
    if kind not in IMPORT_KINDS:
        raise ConfigError(Words(f"There is no kind {kind!r}.", "Không có loại tệp này."))
    suffix = Path(file.filename or "").suffix.lower()
    suffix = suffix if suffix in (".csv", ".xlsx", ".xlsm", ".xls", ".txt", ".tsv") else ".csv"
    preview = what == "preview"
    name = Path(file.filename or "").name[:100]
    with tempfile.TemporaryDirectory(prefix="hailong-import-") as folder:
        path = Path(folder) / f"upload{suffix}"
        size = 0
        with path.open("wb") as out:
            while chunk := file.file.read(1 << 20):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise ConfigError(
                        Words("The file is too large.", "Tệp quá lớn."),
                        Words("Use `hailong server import`.", "Hãy dùng lệnh hailong server import."),
                    )
                out.write(chunk)
        try:
            result = _run(request, user, kind, path, preview, instrument, channel, round_code)
        except ImportRowError as error:
            return _page(
                request,
                user,
                problem=error_text(request, error),
                rows=row_errors_text(request, error, _SHOWN),
                name=name,
            )
        except ConfigError as error:
            return _page(request, user, problem=error_text(request, error), name=name)
    return _page(request, user, result=dataclasses.asdict(result), preview=preview, name=name)


def _run(
    request: Request,
    user: SurveyManager,
    kind: str,
    path: Path,
    preview: bool,
    instrument: str,
    channel: str,
    round_code: str,
) -> Any:
    engine, province = engine_of(request), user.province_id
    common: dict[str, Any] = {"preview": preview, "user_id": user.user_id}
    if kind == "ratings":
        questionnaire = load_instrument(instrument)
        return import_ratings(engine, province, path, questionnaire, channel=channel or None, **common)
    if kind == "phones":
        return import_phones(engine, province, path, round_code, **common)
    simple: dict[str, Callable[..., Any]] = {"transactions": import_transactions, "enumerators": import_enumerators}
    if kind in simple:
        return simple[kind](engine, province, path, **common)
    return import_catalogue_file(engine, province, kind, path, **common)
