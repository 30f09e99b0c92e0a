"""Feedback (phản ánh, kiến nghị): taken in, listed, counted; beside factor E of the index. Its steps: `cases`."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, func, insert

from pipeline.calendar import Period, today
from pipeline.errors import InvalidError
from pipeline.language import Message, Text
from server.core.labels import FEEDBACK_CATEGORIES
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.feedback.deadlines import Deadlines, due_day
from server.store.engine import insert_row
from server.store.tables.agencies import agencies
from server.store.tables.feedback import OPEN_STATES, feedback, feedback_contacts

MAX_TEXT = 4_000
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """One piece of feedback as the staff sees it."""

    id: int
    agency_id: int
    agency: Text
    service_group: int
    category: str
    status: str
    received_day: int
    due_day: int
    answered_day: int | None
    text: str
    contact: str
    responsible_id: int
    role: str
    answer: str
    changed: str
    published_day: int | None
    liked: bool | None
    reopened: int
    reminded_day: int | None
    escalated_day: int | None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.status in OPEN_STATES

    @property
    def late(self) -> bool:
        """Whether it was answered after its day, or is unanswered past it."""
        return (self.answered_day or today()) > self.due_day and self.status != "rejected"


@dataclass(frozen=True, slots=True)
class FeedbackCount:
    """Feedback of one agency in a period. `in_time`: answered by the day it was due. `disliked`, `repeated`: whose
    writer does not like the answer; reopened."""

    agency_id: int
    received: int
    answered: int
    in_time: int
    disliked: int
    repeated: int


def code_digest(code: str) -> str:
    """What of a case's code is stored: SHA-256, hex. Small letters and blanks around it do not matter."""
    return hashlib.sha256(code.strip().upper().encode()).hexdigest()


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
        "code_hash": code_digest(code),
        "agency_id": agency_id,
        "service_group": service_group,
        "channel": channel,
        "category": category,
        "status": "received",
        "received_day": today(),
        "due_day": due_day(today(), Deadlines.of(connection, province_id).answer),
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


def ask_once(connection: Connection, scope: Scope, feedback_id: int) -> bool:
    """Whether whoever sent a piece of feedback may be asked about its handling now: once in its life."""
    is_unasked = (feedback.c.id == feedback_id, feedback.c.asked_day.is_(None))
    return connection.execute(scope.update(feedback).where(*is_unasked).values(asked_day=today())).rowcount == 1


def overdue(connection: Connection, scope: Scope) -> int:
    """How many pieces of feedback are unanswered past their day."""
    is_open = feedback.c.status.in_(OPEN_STATES)
    query = scope.select(feedback, func.count()).where(is_open, feedback.c.due_day < today())
    return int(connection.execute(query).scalar_one())


def items(
    connection: Connection,
    province_id: int,
    *,
    open_only: bool = False,
    feedback_id: int | None = None,
    where: Sequence[ColumnElement[bool]] = (),
    limit: int = 200,
    offset: int = 0,
) -> list[FeedbackItem]:
    """Feedback of a province: what is open first, the longest overdue before all; then what is closed, the newest
    first. `where`: further conditions; `limit` leaves out the least urgent, `offset` the most."""
    is_open = feedback.c.status.in_(OPEN_STATES)
    query = (
        Scope(province_id)
        .select(feedback, feedback, agencies.c.name, feedback_contacts.c.contact)
        .join(agencies, agencies.c.id == feedback.c.agency_id)
        .outerjoin(feedback_contacts, feedback_contacts.c.feedback_id == feedback.c.id)
        .order_by(
            case((is_open, 0), else_=1), case((is_open, feedback.c.due_day), else_=-feedback.c.due_day), feedback.c.id
        )
        .where(*where)
        .limit(limit)
        .offset(offset)
    )
    if open_only:
        query = query.where(is_open)
    if feedback_id is not None:
        query = query.where(feedback.c.id == feedback_id)
    return [
        FeedbackItem(
            row.id,
            row.agency_id,
            row.name,
            row.service_group,
            row.category,
            row.status,
            row.received_day,
            row.due_day,
            row.answered_day,
            row.text,
            row.contact or "",
            row.responsible_id or row.agency_id,
            row.role,
            row.answer,
            row.changed,
            row.published_day,
            row.liked,
            row.reopened,
            row.reminded_day,
            row.escalated_day,
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
            func.count().filter(feedback.c.liked.is_(False)),
            func.count().filter(feedback.c.reopened > 0),
        )
        .where(
            feedback.c.received_day.between(period.first_day, period.last_day),
            feedback.c.status != "rejected",
        )
        .group_by(feedback.c.agency_id)
        .order_by(feedback.c.agency_id)
    )
    return [FeedbackCount(*row) for row in connection.execute(query)]
