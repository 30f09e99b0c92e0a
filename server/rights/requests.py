"""Requests of data subjects: taken in, answered, closed, each by its day; what can be done, and the year's figures.

The letter, with the name of whoever wrote it, stays in the office's own register; here stands its number there."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.calendar import day_date, day_index, office_days, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.language import Message
from server.core.changes import record_change
from server.core.scope import Scope
from server.feedback.feedback import code_digest
from server.store.tables.feedback import feedback, feedback_contacts
from server.store.tables.rights import rights_requests

EMPTY: dict[str, object] = {"text": "", "answer": "", "changed": "", "published_day": None}
"""What of a feedback is left of words that may tell of a person."""
ANSWER_WORKING_DAYS = 2
"""Until the first answer, in working days (`pipeline/law.toml`, d356-5)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request. `days`: in which it has to be done, calendar days (d356-5; of a complaint our own choice);
    a last day that is not worked moves to the next worked one. `can`: what can be done where ratings bear no name.
    """

    name: Message
    days: int
    can: Message


KINDS: dict[str, Kind] = {
    "view": Kind(
        Message("View data"),
        10,
        Message(
            "Ratings bear no name and tables have noise: nothing can be found by a person. Say so in the answer, and "
            "what is kept in general. Feedback can be shown to whoever has its code."
        ),
    ),
    "correct": Kind(
        Message("Correct data"),
        10,
        Message(
            "An answer sheet cannot be found by a person, so it cannot be corrected. The contact of a feedback can, "
            "with its code."
        ),
    ),
    "withdraw": Kind(
        Message("Withdraw consent"),
        15,
        Message(
            "Consent ends with every visit and is not kept. For later visits nothing is needed: without a yes, or with "
            "one touch, nobody is analysed. What was counted before cannot be told from others."
        ),
    ),
    "erase": Kind(
        Message("Erase data"),
        20,
        Message(
            "No answer sheet can be found by a person. Text and contact of a feedback are erased here by its code; "
            "they go from backups when these end."
        ),
    ),
    "complaint": Kind(
        Message("Complaint"),
        10,
        Message("Look into notice, region, channel and log of the box; say what was found and what was changed."),
    ),
}
OUTCOMES: dict[str, Message] = {
    "explained": Message("Explained that nothing is kept by name"),
    "shown": Message("Shown"),
    "corrected": Message("Data corrected"),
    "erased": Message("Erased"),
    "noted": Message("Withdrawal noted"),
    "remedied": Message("Found right, remedied"),
    "refused": Message("Not granted, with the reason"),
}


@dataclass(frozen=True, slots=True)
class RightsRequest:
    """One request. Days are indices."""

    id: int
    kind: str
    reference: str
    received_day: int
    answer_due_day: int
    due_day: int
    answered_day: int | None
    closed_day: int | None
    outcome: str | None

    @property
    def answer_late(self) -> bool:
        """Whether the first answer came, or is, past its day."""
        return (today() if self.answered_day is None else self.answered_day) > self.answer_due_day

    @property
    def late(self) -> bool:
        """Whether it was done, or still is not, past its day."""
        return (today() if self.closed_day is None else self.closed_day) > self.due_day

    @property
    def working_days_left(self) -> int:
        """Working days until it has to be done; negative where that day is over."""
        return office_days().between(day_date(today()), day_date(self.due_day))


def deadlines(kind: str, received_day: int) -> tuple[int, int]:
    """(last day of the first answer, last day of doing it), as indices."""
    holidays, received = office_days(), day_date(received_day)
    answer = holidays.after(received, ANSWER_WORKING_DAYS)
    done = holidays.after(day_date(received_day + KINDS[kind].days), 0)
    return day_index(answer), day_index(done)


def take_in(connection: Connection, scope: Scope, kind: str, reference: str, received_day: int, user_id: int) -> int:
    """Enter a request in the register; its number. Raises `InvalidError`."""
    reference = reference.strip()
    if kind not in KINDS or not reference:
        raise InvalidError(Message("A kind and the letter's number are needed."))
    if received_day > today():
        raise InvalidError(Message("A request cannot come on a day to come."))
    answer_due, due = deadlines(kind, received_day)
    values = {"kind": kind, "reference": reference, "received_day": received_day}
    number = scope.insert(connection, rights_requests, {**values, "answer_due_day": answer_due, "due_day": due})
    record_change(connection, scope.province_id, user_id, "rights_request", {"request": number, "kind": kind})
    return number


def answer(connection: Connection, scope: Scope, number: int, user_id: int) -> None:
    """Note that the first answer went out today. Raises `NotFoundError`, `ConflictError`."""
    found = find(connection, scope, number)
    if found.answered_day is not None:
        raise ConflictError(Message("This request is answered already."))
    _set(connection, scope, number, answered_day=today())
    record_change(connection, scope.province_id, user_id, "rights_answered", {"request": number})


def close(connection: Connection, scope: Scope, number: int, outcome: str, user_id: int) -> None:
    """Note what was done; an unanswered request is answered by that. Raises `InvalidError`, `NotFoundError`,
    `ConflictError`."""
    if outcome not in OUTCOMES:
        raise InvalidError(Message("Say what was done."))
    found = find(connection, scope, number)
    if found.closed_day is not None:
        raise ConflictError(Message("This request is closed already."))
    answered = today() if found.answered_day is None else found.answered_day
    _set(connection, scope, number, answered_day=answered, closed_day=today(), outcome=outcome)
    detail = {"request": number, "outcome": outcome}
    record_change(connection, scope.province_id, user_id, "rights_closed", detail)


def _set(connection: Connection, scope: Scope, number: int, **values: object) -> None:
    connection.execute(scope.update(rights_requests).where(rights_requests.c.id == number).values(**values))


def find(connection: Connection, scope: Scope, number: int) -> RightsRequest:
    """One request. Raises `NotFoundError`."""
    row = connection.execute(scope.select(rights_requests).where(rights_requests.c.id == number)).first()
    if row is None:
        raise NotFoundError(Message("There is no such request."))
    return RightsRequest(*row[:1], *row[2:])


def all_requests(connection: Connection, scope: Scope, year: int) -> list[RightsRequest]:
    """Those received in a year and those that are still open, the most urgent first."""
    query = scope.select(rights_requests)
    found = [RightsRequest(*row[:1], *row[2:]) for row in connection.execute(query)]
    wanted = [one for one in found if one.closed_day is None or day_date(one.received_day).year == year]
    return sorted(wanted, key=lambda one: (one.closed_day is not None, one.due_day, one.id))


@dataclass(frozen=True, slots=True)
class YearCount:
    """Requests of one kind that came in a year. `in_time`: closed by their day; `open_late`: neither."""

    kind: str
    received: int
    answered_in_time: int
    in_time: int
    late: int
    open: int


def year_counts(connection: Connection, scope: Scope, year: int) -> list[YearCount]:
    """The year's figures by kind."""
    found = [one for one in all_requests(connection, scope, year) if day_date(one.received_day).year == year]
    return [
        YearCount(
            kind,
            len(of_kind),
            sum(one.answered_day is not None and not one.answer_late for one in of_kind),
            sum(one.closed_day is not None and not one.late for one in of_kind),
            sum(one.late for one in of_kind),
            sum(one.closed_day is None for one in of_kind),
        )
        for kind in KINDS
        for of_kind in [[one for one in found if one.kind == kind]]
    ]


def erase_feedback(connection: Connection, scope: Scope, code: str, user_id: int) -> None:
    """Erase contact, text and answer of the feedback whose code somebody shows. Raises `NotFoundError`."""
    found = scope.select(feedback, feedback.c.id).where(feedback.c.code_hash == code_digest(code))
    number = connection.execute(found).scalar()
    if number is None:
        raise NotFoundError(Message("No feedback has this code."))
    connection.execute(scope.delete(feedback_contacts).where(feedback_contacts.c.feedback_id == number))
    connection.execute(scope.update(feedback).where(feedback.c.id == number).values(**EMPTY))
    record_change(connection, scope.province_id, user_id, "rights_erased", {"feedback": number})
