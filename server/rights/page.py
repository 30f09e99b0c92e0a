"""The rights desk: requests of data subjects with their deadlines, incidents with their clock, the year's figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from pipeline.calendar import DAY_ZERO, day_date, today
from pipeline.errors import InvalidError
from pipeline.language import Message, reason_of
from pipeline.law import provision
from server.core.provinces import province_by_id
from server.feedback.deadlines import holidays_known
from server.rights import incidents, requests
from server.store.engine import read, write
from server.tabular.values import read_day
from server.web.confirm import FOR_GOOD, AskFirst, Sure
from server.web.context import RightsOfficer, RowId, back, engine_of, render

router = APIRouter(prefix="/privacy/rights", include_in_schema=False)
PATH = "/privacy/rights"
Year = Annotated[int, Query(ge=DAY_ZERO.year, le=2100)]
Day = Annotated[str, Form(max_length=12)]
Reference = Annotated[str, Form(min_length=1, max_length=60)]


def _day(text: str) -> int:
    """The day that a form names, today where it names none."""
    try:
        return read_day(text) if text.strip() else today()
    except ValueError as error:
        raise InvalidError(Message("The day cannot be read: {reason}", reason=reason_of(error))) from None


@router.get("")
def rights_page(request: Request, user: RightsOfficer, year: Year = 0) -> Response:
    """Requests, incidents and the figures of a year."""
    year = year or day_date(today()).year
    with read(engine_of(request)) as connection:
        found = requests.all_requests(connection, user.scope, year)
        return render(
            request,
            "rights.html",
            year=year,
            kinds=requests.KINDS,
            outcomes=requests.OUTCOMES,
            found=found,
            known=all(holidays_known(one.due_day) for one in found if one.closed_day is None),
            counts=requests.year_counts(connection, user.scope, year),
            incident_kinds=incidents.KINDS,
            forms=incidents.FORMS,
            incidents=incidents.all_incidents(connection, user.scope),
            incident_counts=incidents.year_counts(connection, user.scope, year),
            code=province_by_id(connection, user.province_id).code,
            law=[provision(key) for key in ("d356-5", "pdpl-23", "d142-19")],
            this_hour=incidents.this_hour(),
        )


@router.post("")
def take_in(
    request: Request,
    user: RightsOfficer,
    kind: Annotated[str, Form(max_length=12)],
    reference: Reference,
    received: Day = "",
) -> Response:
    """Enter a request."""
    with write(engine_of(request)) as connection:
        requests.take_in(connection, user.scope, kind, reference, _day(received), user.user_id or 0)
    return back(PATH)


@router.post("/{number}/answer")
def answer(request: Request, user: RightsOfficer, number: RowId, sure: Sure = False) -> Response:
    """The first answer went out."""
    with write(engine_of(request)) as connection:
        named = requests.find(connection, user.scope, number).reference
        requests.answer(connection, user.scope, number, user.user_id or 0)
        if not sure:
            raise AskFirst(
                Message("Was the letter {reference} answered today?", reference=named),
                then=FOR_GOOD,
                yes=Message("Answered today"),
                back=PATH,
            )
    return back(PATH)


@router.post("/{number}/close")
def close(
    request: Request,
    user: RightsOfficer,
    number: RowId,
    outcome: Annotated[str, Form(max_length=20)],
    sure: Sure = False,
) -> Response:
    """The request is done."""
    with write(engine_of(request)) as connection:
        named = requests.find(connection, user.scope, number).reference
        requests.close(connection, user.scope, number, outcome, user.user_id or 0)
        if not sure:
            raise AskFirst(
                Message(
                    "Close the request {reference}: {outcome}?", reference=named, outcome=requests.OUTCOMES[outcome]
                ),
                then=FOR_GOOD,
                yes=Message("Close the request"),
                fields={"outcome": outcome},
                back=PATH,
            )
    return back(PATH)


@router.post("/erase")
def erase(
    request: Request,
    user: RightsOfficer,
    code: Annotated[str, Form(min_length=1, max_length=20)],
    sure: Sure = False,
) -> Response:
    """Erase text and contact of a feedback by its code."""
    with write(engine_of(request)) as connection:
        requests.erase_feedback(connection, user.scope, code, user.user_id or 0)
        if not sure:
            raise AskFirst(
                Message("Erase the words and the contact of the feedback {code}?", code=code),
                then=FOR_GOOD,
                yes=Message("Erase for good"),
                fields={"code": code},
                back=PATH,
            )
    return back(PATH)


@router.post("/incidents")
def report(
    request: Request,
    user: RightsOfficer,
    kind: Annotated[str, Form(max_length=8)],
    reference: Reference,
    hour: Annotated[int, Form(ge=0, le=23)],
    noticed: Day = "",
    people: Annotated[str, Form(max_length=9, pattern="^[0-9]*$")] = "",
) -> Response:
    """Enter an incident."""
    with write(engine_of(request)) as connection:
        incidents.report(
            connection,
            user.scope,
            kind=kind,
            reference=reference,
            noticed_day=_day(noticed),
            noticed_hour=hour,
            people=int(people) if people else None,
            user_id=user.user_id or 0,
        )
    return back(PATH)


@router.post("/incidents/{number}/notify")
def notify(request: Request, user: RightsOfficer, number: RowId, sure: Sure = False) -> Response:
    """The notification went out."""
    with write(engine_of(request)) as connection:
        named = incidents.find(connection, user.scope, number).reference
        incidents.notify(connection, user.scope, number, user.user_id or 0)
        if not sure:
            raise AskFirst(
                Message("Was the incident {reference} notified just now?", reference=named),
                then=FOR_GOOD,
                yes=Message("Notified now"),
                back=PATH,
            )
    return back(PATH)


@router.post("/incidents/{number}/close")
def close_incident(request: Request, user: RightsOfficer, number: RowId, sure: Sure = False) -> Response:
    """The incident is over."""
    with write(engine_of(request)) as connection:
        named = incidents.find(connection, user.scope, number).reference
        incidents.close(connection, user.scope, number, user.user_id or 0)
        if not sure:
            raise AskFirst(
                Message("Close the incident {reference}?", reference=named),
                then=FOR_GOOD,
                yes=Message("Close the incident"),
                back=PATH,
            )
    return back(PATH)
