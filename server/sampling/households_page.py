"""A sample of households by page: files and the draw's settings in, the list and where it stands out.

Nothing is kept: the draw follows from the frame and the seed, so that the same ones with the file of contacts tell
where it stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response

from calibration.households import CALLS, DrawnVillage, HouseholdSettings, VillageState, draw_households
from pipeline.errors import HailongError, InvalidError, StatisticsError
from pipeline.language import Message
from server.core.temporary import TemporaryFolder
from server.sampling.households import Answers, read_contacts, read_frame, response_of, share_of
from server.web.context import SurveyManager, error_text, render

router = APIRouter(prefix="/survey/plan", include_in_schema=False)
MAX_BYTES = 8 << 20
_COUNT = Form(ge=0, le=10_000)
_GIVEN = {"communes": 12, "villages": 3, "households": 12, "replacements": 6, "seed": 2026}


@router.get("/households")
def households_page(request: Request, user: SurveyManager) -> Response:
    """The form."""
    return _page(request)


@router.post("/households", max_body_size=2 * MAX_BYTES + (1 << 20))
def households_drawn(
    request: Request,
    user: SurveyManager,
    frame: Annotated[UploadFile, File()],
    communes: Annotated[int, _COUNT],
    villages: Annotated[int, _COUNT],
    households: Annotated[int, _COUNT],
    seed: Annotated[int, Form(ge=0, le=2**31 - 1)],
    replacements: Annotated[int, _COUNT] = 0,
    contacts: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """The draw; with contacts what is left to do in each village, and the figure."""
    given = {"communes": communes, "villages": villages, "households": households, "replacements": replacements}
    settings = HouseholdSettings(communes, villages, households, replacements, seed)
    given["seed"] = seed
    try:
        drawn, states, answers = _read(settings, frame, contacts)
    except HailongError as error:
        return _page(request, 422, given=given, problem=error_text(request, error))
    rows = states if states is not None else drawn
    values: dict[str, Any] = {"given": given, "drawn": drawn, "states": states, "rows": rows}
    if states is not None:
        values["response"] = response_of(states)
        values["goes_on"] = any(state.goes_on for state in states)
        try:
            values["share"] = share_of(states, answers)
        except StatisticsError as error:
            values["no_share"] = error.message
    return _page(request, **values)


def _page(request: Request, status: int = 200, **values: Any) -> Response:
    empty: dict[str, Any] = {
        "given": _GIVEN,
        "problem": "",
        "drawn": [],
        "states": None,
        "share": None,
        "no_share": "",
        "goes_on": False,
    }
    return render(request, "survey_households.html", status, calls=CALLS, **{**empty, "response": 0.0, **values})


def _read(
    settings: HouseholdSettings, frame: UploadFile, contacts: UploadFile | None
) -> tuple[list[DrawnVillage], list[VillageState] | None, Answers]:
    with TemporaryFolder("list") as folder:
        drawn = draw_households(read_frame(_kept(frame, folder, "frame")), settings)
        if contacts is None or not contacts.filename:
            return drawn, None, {}
        return drawn, *read_contacts(_kept(contacts, folder, "contacts"), drawn)


def _kept(file: UploadFile, folder: Path, name: str) -> Path:
    ending = Path(file.filename or "").suffix.lower()
    if ending not in (".csv", ".xlsx", ".txt", ".tsv"):
        raise InvalidError(Message("A list is a CSV or XLSX file."))
    path = folder / f"{name}{ending}"
    content = file.file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InvalidError(Message("The file is too large."), Message("Use `hailong server households`."))
    path.write_bytes(content)
    return path
