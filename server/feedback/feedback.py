"""Feedback (phản ánh, kiến nghị): taken in, forwarded, answered in time or not; beside factor E of the index."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select

from pipeline.calendar import Period, today
from pipeline.errors import InvalidError, NotFoundError
from pipeline.language import Message
from server.core.changes import record_change
from server.core.labels import FEEDBACK_CATEGORIES, FEEDBACK_STATES
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.engine import insert_row
from server.store.tables.agencies import agencies
from server.store.tables.feedback import feedback, feedback_contacts

ANSWER_DAYS = 15
"""Days in which an answer is due [R: Decree 20/2008 and its successors name 5 to 20 days by the case]."""
MAX_TEXT = 4_000
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """One piece of feedback as the staff sees it."""

    id: int
    code: str
    agency_id: int
    agency_vi: str
    agency_en: str
    service_group: int
    category: str
    status: str
    received_day: int
    due_day: int
    answered_day: int | None
    text: str
    contact: str

    @property
    def late(self) -> bool:
        """Whether it was answered after its day, or is unanswered past it."""
        return (self.answered_day or today()) > self.due_day and self.status != "rejected"


@dataclass(frozen=True, slots=True)
class FeedbackCount:
    """Feedback of one agency in a period. `in_time`: answered by the day it was due."""

    agency_id: int
    received: int
    answered: int
    in_time: int


def receive(
    connection: Connection,
    province_id: int,
    agency_id: int,
    *,
    category: str,
    text: str,
    contact: str = "",
    channel: str = "online",
    service_group: int = 0,
) -> str:
    """Take feedback in and return the code with which its state can be asked. Raises `InvalidError`."""
    text, contact = text.strip(), contact.strip()
    if category not in FEEDBACK_CATEGORIES or not text or len(text) > MAX_TEXT or len(contact) > 120:
        raise InvalidError(
            Message("A text of at most {max_text} characters and a category are needed.", max_text=MAX_TEXT)
        )
    code = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    values = {
        "province_id": province_id,
        "code": code,
        "agency_id": agency_id,
        "service_group": service_group,
        "channel": channel,
        "category": category,
        "status": "received",
        "received_day": today(),
        "due_day": today() + ANSWER_DAYS,
        "text": text,
    }
    number = insert_row(connection, feedback, values)
    if contact:
        days = int(read_setting(connection, province_id, "contact_days"))
        connection.execute(
            insert(feedback_contacts).values(
                province_id=province_id, feedback_id=number, contact=contact, expires_day=today() + days
            )
        )
    return code


def state_of(connection: Connection, code: str) -> tuple[str, int, int | None] | None:
    """(status, due day, day of the answer) for a code that a citizen holds; None for an unknown one."""
    query = select(feedback).where(feedback.c.code == code.strip().upper())
    row = connection.execute(query).first()
    return None if row is None else (row.status, row.due_day, row.answered_day)


def set_status(connection: Connection, province_id: int, feedback_id: int, status: str, user_id: int | None) -> None:
    """Note where a piece of feedback stands. Raises `InvalidError`, `NotFoundError`."""
    if status not in FEEDBACK_STATES:
        raise InvalidError(Message("There is no status '{status}'.", status=status))
    values: dict[str, Any] = {"status": status, "answered_day": today() if status == "answered" else None}
    scope = Scope(province_id)
    old = connection.execute(scope.select(feedback, feedback.c.status).where(feedback.c.id == feedback_id)).scalar()
    if old is None:
        raise NotFoundError(Message("There is no such feedback."))
    connection.execute(scope.update(feedback).where(feedback.c.id == feedback_id).values(**values))
    detail = {"feedback": feedback_id, "status": [old, status]}
    record_change(connection, province_id, user_id, "feedback_status", detail)


def ask_once(connection: Connection, scope: Scope, feedback_id: int) -> bool:
    """Whether whoever sent a piece of feedback may be asked about its handling now: once in its life."""
    is_unasked = (feedback.c.id == feedback_id, feedback.c.asked_day.is_(None))
    return connection.execute(scope.update(feedback).where(*is_unasked).values(asked_day=today())).rowcount == 1


def overdue(connection: Connection, scope: Scope) -> int:
    """How many pieces of feedback are unanswered past their day."""
    is_open = feedback.c.status.in_(("received", "forwarded"))
    query = scope.select(feedback, func.count()).where(is_open, feedback.c.due_day < today())
    return int(connection.execute(query).scalar_one())


def items(connection: Connection, province_id: int, *, open_only: bool = False, limit: int = 200) -> list[FeedbackItem]:
    """Feedback of a province, the most urgent first."""
    query = (
        Scope(province_id)
        .select(feedback, feedback, agencies.c.name_vi, agencies.c.name_en, feedback_contacts.c.contact)
        .join(agencies, agencies.c.id == feedback.c.agency_id)
        .outerjoin(feedback_contacts, feedback_contacts.c.feedback_id == feedback.c.id)
        .order_by(feedback.c.answered_day.is_not(None), feedback.c.due_day.desc())
        .limit(limit)
    )
    if open_only:
        query = query.where(feedback.c.status.in_(("received", "forwarded")))
    return [
        FeedbackItem(
            row.id,
            row.code,
            row.agency_id,
            row.name_vi,
            row.name_en,
            row.service_group,
            row.category,
            row.status,
            row.received_day,
            row.due_day,
            row.answered_day,
            row.text,
            row.contact or "",
        )
        for row in connection.execute(query)
    ]


def counts(connection: Connection, province_id: int, period: Period) -> list[FeedbackCount]:
    """Feedback received in a period by agency, and what became of it."""
    answered = feedback.c.answered_day.is_not(None)
    query = (
        Scope(province_id)
        .select(
            feedback,
            feedback.c.agency_id,
            func.count(),
            func.count().filter(answered),
            func.count().filter(answered & (feedback.c.answered_day <= feedback.c.due_day)),
        )
        .where(
            feedback.c.received_day.between(period.first_day, period.last_day),
            feedback.c.status != "rejected",
        )
        .group_by(feedback.c.agency_id)
        .order_by(feedback.c.agency_id)
    )
    return [FeedbackCount(*row) for row in connection.execute(query)]
