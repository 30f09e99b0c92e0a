"""The sampling plan: making one, returns, who still has to be asked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from calibration.sampling import METHODS, SCOPES, PlanSettings
from pipeline.errors import NotFoundError
from pipeline.language import Message
from server.auth.roles import User
from server.core.labels import PLAN_WORDS
from server.core.provinces import province_by_id
from server.documents.docx import DOCX, report_docx
from server.documents.office import read_office
from server.rounds.rounds import all_rounds
from server.sampling.document import plan_document
from server.sampling.plan import make_plan, plan_codes, plan_state
from server.scores.fused import rated_quarters
from server.store.engine import read, write
from server.web.context import SurveyManager, back, download, engine_of, language, render
from server.web.listing import holds, listing
from server.web.table_files import table_file

router = APIRouter(prefix="/survey", include_in_schema=False)


@router.get("/plan")
def plan_page(
    request: Request,
    user: SurveyManager,
    code: str = "",
    q: Annotated[str, Query(max_length=80)] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """A plan with its returns, some rows at a time, and a form for a new one."""
    with read(engine_of(request)) as connection:
        codes = plan_codes(connection, user.province_id)
        chosen = code or (codes[0] if codes else "")
        state = plan_state(connection, user.province_id, chosen) if chosen else None
        rounds = all_rounds(connection, user.province_id)
        periods = rated_quarters(connection, user.province_id)
    rows = () if state is None else state.with_forms
    fitting = [row for row in rows if holds(q, *row.agency_name.texts, *row.group_name.texts)]
    return render(
        request,
        "survey_plan.html",
        codes=codes,
        state=state,
        q=q,
        table=listing("/survey/plan", {"code": code, "q": q}, fitting, {}, sort="", page=page),
        rounds=rounds,
        periods=periods,
        methods=METHODS,
        scopes=SCOPES,
        words=PLAN_WORDS,
    )


@router.post("/plan")
def new_plan(
    request: Request,
    user: SurveyManager,
    round_code: Annotated[str, Form(max_length=40)],
    code: Annotated[str, Form(max_length=40)],
    frame: Annotated[str, Form(max_length=30)],
    seed: Annotated[int, Form(ge=0, le=2**31 - 1)],
    error_percent: Annotated[float, Form(ge=0.5, le=50)] = 5,
    scope: Annotated[str, Form(max_length=10)] = "level",
    method: Annotated[str, Form(max_length=20)] = "proportional",
    agencies_percent: Annotated[float, Form(gt=0, le=100)] = 100,
    groups: Annotated[int, Form(ge=0, le=255)] = 0,
    forms: Annotated[int, Form(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Make and draw a plan."""
    settings = PlanSettings(
        frame=frame,
        seed=seed,
        error=error_percent / 100,
        scope=scope,
        method=method,
        agencies=agencies_percent / 100,
        groups=groups,
        forms=forms,
    )
    with write(engine_of(request)) as connection:
        make_plan(connection, user.province_id, round_code, code.strip(), settings, user.user_id)
    return back(f"/survey/plan?code={code.strip()}")


def _newest(connection: Connection, user: User) -> str:
    codes = plan_codes(connection, user.province_id)
    if not codes:
        raise NotFoundError(Message("There is no sampling plan yet."))
    return codes[0]


@router.get("/plan.docx")
def plan_docx(request: Request, user: SurveyManager, code: str = "") -> Response:
    """The plan as a document to be signed; without a code the newest."""
    with read(engine_of(request)) as connection:
        state = plan_state(connection, user.province_id, code or _newest(connection, user))
        office, province = read_office(connection, user.province_id), province_by_id(connection, user.province_id)
    content = report_docx(plan_document(state, province, office, language(request)))
    return download(content, f"plan-{state.code}.docx", DOCX)


@router.get("/plan.csv")
def draw_list(request: Request, user: SurveyManager, code: str = "") -> Response:
    """Every transaction drawn: the list with which the agencies look up whom to ask; without a code the newest
    plan's."""
    with read(engine_of(request)) as connection:
        state = plan_state(connection, user.province_id, code or _newest(connection, user))
    rows = [
        {
            "agency": row.agency,
            "service_group": row.service_group,
            "transaction_number": pick,
            "of": row.transactions,
        }
        for row in state.rows
        for pick in row.picks
    ]
    columns = ("agency", "service_group", "transaction_number", "of")
    return table_file(request, rows, f"plan-{state.code}.csv", columns)
