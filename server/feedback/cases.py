"""A piece of feedback as a case: who is to answer, by when, what was answered, what whoever wrote thinks of the answer.

Open (received, forwarded, more asked for) until it is answered or refused, each with words. It is reopened by staff, or
by whoever holds its code. An answer is for the holder of the code alone, or published; with it may stand what was
changed, which the public page shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from pipeline.calendar import month_of_day, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.language import Message, Text
from server.catalogue.reading import read_catalogue
from server.core.changes import record_change
from server.core.labels import FEEDBACK_STATES
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.feedback.deadlines import Deadlines, due_day
from server.feedback.feedback import code_digest
from server.store.tables.agencies import agencies
from server.store.tables.changes import changes
from server.store.tables.feedback import OPEN_STATES, feedback
from server.store.tables.users import Role

MAX_TEXT = 4_000
MAX_CHANGED = 500
SHOWN_CHANGES = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said at a case's end. `text`: the answer, or why it is refused; `public`: for everybody, not only for the
    holder of the code; `changed`: what was changed because of it."""

    text: str = ""
    public: bool = False
    changed: str = ""


def _case(connection: Connection, scope: Scope, feedback_id: int) -> Row[Any]:
    row = connection.execute(scope.select(feedback).where(feedback.c.id == feedback_id)).first()
    if row is None:
        raise NotFoundError(Message("There is no such feedback."))
    return row


def set_status(
    connection: Connection,
    province_id: int,
    feedback_id: int,
    status: str,
    user_id: int | None,
    *,
    answer: Answer | None = None,
    responsible_id: int | None = None,
) -> None:
    """Take a case a step further: `forwarded` (to `responsible_id`, an agency), `supplement` (more is asked for),
    `answered` or `rejected` with words, `received` (more has come, or the case is reopened).

    Raises `InvalidError` for an unknown step or an answer without words, `NotFoundError`, `ConflictError` where the
    case is closed already."""
    if status not in FEEDBACK_STATES:
        raise InvalidError(Message("There is no status '{status}'.", status=status))
    scope = Scope(province_id)
    row = _case(connection, scope, feedback_id)
    closes = status not in OPEN_STATES
    if row.status not in OPEN_STATES:
        if status != "received":
            raise ConflictError(Message("This case is closed."), Message("Reopen it first."))
        reopen(connection, row, user_id)
        return
    values: dict[str, Any] = {"status": status}
    if closes:
        values |= _closing(answer or Answer())
    if status == "forwarded" and responsible_id is not None:
        read_catalogue(connection, province_id).existing_one(responsible_id, today())
        values["responsible_id"] = responsible_id
    if row.status == "supplement" and status == "received":  # what was asked for has come: the days begin anew
        limit = Deadlines.of(connection, province_id).answer
        values |= {"due_day": due_day(today(), limit), "reminded_day": None, "escalated_day": None}
    _write(connection, scope, row, values, user_id)


def _closing(answer: Answer) -> dict[str, Any]:
    text, changed = answer.text.strip(), answer.changed.strip()
    if not text:
        raise InvalidError(
            Message("An answer has words."), Message("Write what is answered, or why it is not within competence.")
        )
    if len(text) > MAX_TEXT or len(changed) > MAX_CHANGED:
        raise InvalidError(
            Message(
                "An answer has at most {text} characters, what was changed {changed}.",
                text=MAX_TEXT,
                changed=MAX_CHANGED,
            )
        )
    if changed and not answer.public:
        raise InvalidError(Message("What was changed is published with its answer: mark the answer as public."))
    published = today() if answer.public else None
    shown = {"answer": text, "changed": changed, "published_day": published}
    return {**shown, "answered_day": today(), "liked": None}


def _write(connection: Connection, scope: Scope, row: Row[Any], values: dict[str, Any], user_id: int | None) -> None:
    connection.execute(scope.update(feedback).where(feedback.c.id == row.id).values(**values))
    moved = {"feedback": row.id, "status": [row.status, values["status"]]}
    if "responsible_id" in values:
        moved["responsible"] = [row.responsible_id, values["responsible_id"]]
    record_change(connection, row.province_id, user_id, "feedback_status", moved)


def reopen(connection: Connection, row: Row[Any], user_id: int | None, more: str = "") -> None:
    """Open a closed case again, with new days to answer in. It counts as repeated from then on."""
    limit = Deadlines.of(connection, row.province_id).answer
    text = f"{row.text}\n\n{more.strip()}".strip()[: 2 * MAX_TEXT] if more.strip() else row.text
    values = {
        "status": "received",
        "text": text,
        "reopened": row.reopened + 1,
        "answered_day": None,
        "published_day": None,
        "liked": None,
        "due_day": due_day(today(), limit),
        "reminded_day": None,
        "escalated_day": None,
    }
    _write(connection, Scope(row.province_id), row, values, user_id)


def undo(connection: Connection, province_id: int, feedback_id: int, user_id: int | None) -> None:
    """Take back the step that this user took last with a case today: an answer, a refusal, a forwarding, a request
    for more. Its words stay in the form, to be corrected.

    Raises `NotFoundError`, `ConflictError` where the last step was another's, or whoever wrote has judged it."""
    scope = Scope(province_id)
    row = _case(connection, scope, feedback_id)
    logged = (
        scope.select(changes)
        .where(changes.c.action == "feedback_status", changes.c.day == today())
        .order_by(changes.c.position.desc())
    )
    for entry in connection.execute(logged):
        detail = json.loads(entry.detail)
        if detail["feedback"] == feedback_id:
            before, after = detail["status"]
            if entry.user_id == user_id and after == row.status != "received" and row.liked is None:
                values: dict[str, Any] = {"status": before, "answered_day": None, "published_day": None}
                if "responsible" in detail:
                    values["responsible_id"] = detail["responsible"][0]
                _write(connection, scope, row, values, user_id)
                return
            break
    raise ConflictError(
        Message("This step cannot be taken back: it was not yours of today, or it has been judged."),
        Message("Reopen the case instead."),
    )


# what the holder of a code sees and does ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CaseState:
    """What the holder of a code is told. `may_reopen`: closed, and its days for that are not over."""

    status: str
    due_day: int
    answered_day: int | None
    answer: str
    liked: bool | None
    may_reopen: bool


def _by_code(connection: Connection, code: str) -> Row[Any] | None:
    return connection.execute(select(feedback).where(feedback.c.code_hash == code_digest(code))).first()


def case_state(connection: Connection, code: str) -> CaseState | None:
    """What stands under a code that a citizen holds; None for an unknown one."""
    row = _by_code(connection, code)
    if row is None:
        return None
    closed = row.status not in OPEN_STATES
    days = int(read_setting(connection, row.province_id, "case_reopen_days"))
    may = closed and row.answered_day is not None and today() <= due_day(row.answered_day, days)
    return CaseState(row.status, row.due_day, row.answered_day, row.answer if closed else "", row.liked, may)


def judge(connection: Connection, code: str, liked: bool) -> bool:
    """Whether the holder of a code likes the answer; False where there is none. It may be changed while it stands."""
    row = _by_code(connection, code)
    if row is None or row.status in OPEN_STATES:
        return False
    of_province = Scope(row.province_id)
    connection.execute(of_province.update(feedback).where(feedback.c.id == row.id).values(liked=liked))
    return True


def reopen_by_code(connection: Connection, code: str, more: str) -> bool:
    """Reopen a case by its code, with more words; False where it cannot be."""
    found, row = case_state(connection, code), _by_code(connection, code)
    if found is None or row is None or not found.may_reopen or len(more) > MAX_TEXT:
        return False
    reopen(connection, row, None, more)
    return True


@dataclass(frozen=True, slots=True)
class Changed:
    """A published answer: whose, about what, in which month, what was answered and what was changed."""

    agency: Text
    category: str
    month: int
    answer: str
    changed: str


def published_answers(connection: Connection, province_id: int, agency_id: int | None = None) -> list[Changed]:
    """The newest published answers (of one agency), those with a change first within a month. Never the citizen's own
    words."""
    of_agency = () if agency_id is None else (feedback.c.agency_id == agency_id,)
    query = (
        Scope(province_id)
        .select(feedback, feedback, agencies.c.name)
        .join(agencies, agencies.c.id == feedback.c.agency_id)
        .where(feedback.c.published_day.is_not(None), feedback.c.status == "answered", *of_agency)
        .order_by(feedback.c.published_day.desc(), feedback.c.id.desc())
        .limit(SHOWN_CHANGES)
    )
    found = [
        Changed(row.name, row.category, month_of_day(row.published_day), row.answer, row.changed)
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda one: (-one.month, not one.changed))


# reminders and escalation ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reminded:
    """What a round of reminders did."""

    reminded: int
    escalated: int


def remind(connection: Connection, province_id: int) -> Reminded:
    """Mark open cases whose day is near, once; hand those past it to the administrators, once. Run by the server."""
    scope, now = Scope(province_id), today()
    near = due_day(now, int(read_setting(connection, province_id, "case_reminder_days")))
    is_open = feedback.c.status.in_(OPEN_STATES)
    late = (is_open, feedback.c.due_day < now, feedback.c.escalated_day.is_(None))
    soon = (is_open, feedback.c.due_day.between(now, near), feedback.c.reminded_day.is_(None))

    def mark(conditions: tuple[ColumnElement[bool], ...], values: dict[str, int | str]) -> list[int]:
        ids = list(connection.execute(scope.select(feedback, feedback.c.id).where(*conditions)).scalars())
        if ids:
            connection.execute(scope.update(feedback).where(feedback.c.id.in_(ids)).values(**values))
        return ids

    if escalated := mark(late, {"escalated_day": now, "role": Role.ADMINISTRATOR.value}):
        record_change(connection, province_id, None, "feedback_escalated", {"feedback": escalated})
    if reminded := mark(soon, {"reminded_day": now}):
        record_change(connection, province_id, None, "feedback_reminded", {"feedback": reminded})
    return Reminded(len(reminded), len(escalated))
