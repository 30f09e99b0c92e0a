"""Letters in the store: written in the writer's own transaction, delivered by `sender`, tried again until they are.

At least once: a server that is killed between the other side's word and ours sends again, with the same identifier.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from pipeline.calendar import now_s
from server.core.scope import Scope
from server.outbox.delivery import UndeliveredError
from server.outbox.mail import addresses
from server.outbox.webhook import check_url
from server.store.engine import insert_if_absent
from server.store.tables.letters import letters

RETRY_S = (60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Pauses after the first failed try, the second, ...: three days in all, then it is given up."""
KEPT_S = 30 * 86_400
AT_ONCE = 50
"""Letters that one look takes up."""


class Way(StrEnum):
    """By which way a letter goes."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class State(StrEnum):
    """What has become of a letter."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent. Mail: `receiver` holds addresses with commas between, `text` the plain words, `html` the same once
    more or nothing. Webhook: `receiver` is its URL, `text` the body (JSON), `subject` what its secret is for, empty for
    alerts. `not_before_s`: Unix seconds."""

    way: Way
    receiver: str
    text: str
    subject: str = ""
    html: str = ""
    not_before_s: int = 0


def post(
    connection: Connection, province_id: int, letter: Letter, now: int | None = None, *, once: str = ""
) -> str | None:
    """Put a letter into the store, to be sent as soon as it may; its identifier. Waits for nobody. `once`: what the
    letter is about, of which a province has one in `KEPT_S`; None where it has it already.

    Raises `InvalidError` for an address that is none."""
    addresses(letter.receiver) if letter.way is Way.MAIL else check_url(letter.receiver)
    message_id = _identifier(province_id, once) if once else f"msg_{secrets.token_hex(16)}"
    at = now_s() if now is None else now
    row: dict[str, Any] = {
        "way": letter.way.value,
        "receiver": letter.receiver,
        "subject": letter.subject[:200],
        "text": letter.text,
    }
    row |= {"html": letter.html, "message_id": message_id}
    row |= {"province_id": province_id, "made_s": at, "due_s": max(at, letter.not_before_s)}
    return message_id if insert_if_absent(connection, letters, row, ("message_id",)) else None


def was_posted(connection: Connection, province_id: int, once: str) -> bool:
    """Whether a province has a letter about something that is told once."""
    mine = letters.c.message_id == _identifier(province_id, once)
    return connection.execute(Scope(province_id).select(letters, letters.c.id).where(mine)).first() is not None


def _identifier(province_id: int, once: str) -> str:
    return f"msg_{sha256(f'{province_id}|{once}'.encode()).hexdigest()[:32]}"


def due(connection: Connection, now: int) -> list[Row[Any]]:
    """Letters of all provinces that are due, the longest waiting first."""
    waiting = (letters.c.state == State.WAITING.value, letters.c.due_s <= now)
    return list(
        connection.execute(select(letters).where(*waiting).order_by(letters.c.due_s, letters.c.id).limit(AT_ONCE))
    )


def next_due_s(connection: Connection) -> int | None:
    """When the next letter is due; None where none waits."""
    query = select(letters.c.due_s).where(letters.c.state == State.WAITING.value).order_by(letters.c.due_s).limit(1)
    return connection.execute(query).scalar_one_or_none()


def mark_sent(connection: Connection, letter_id: int) -> None:
    """The other side has taken it."""
    values = {"state": State.SENT.value, "problem": "", "their_status": 0, "tries": letters.c.tries + 1}
    connection.execute(update(letters).where(letters.c.id == letter_id).values(**values))


def mark_failed(connection: Connection, row: Row[Any], error: UndeliveredError, now: int) -> None:
    """A try has failed: the next one after a pause, for every letter to this receiver alike, or none."""
    tries = row.tries + 1
    over = error.for_good or tries > len(RETRY_S)
    said = {"problem": error.problem.value, "their_status": max(0, min(error.their_status, 9_999))}
    values: dict[str, Any] = {"tries": tries, **said}
    values |= {"state": State.GIVEN_UP.value} if over else {"due_s": now + RETRY_S[tries - 1]}
    connection.execute(update(letters).where(letters.c.id == row.id).values(**values))
    if not over:  # the others to the same receiver wait with it, and cost nobody a try each
        same = (letters.c.way == row.way, letters.c.receiver == row.receiver, letters.c.state == State.WAITING.value)
        later = update(letters).where(*same, letters.c.due_s < now + RETRY_S[tries - 1])
        connection.execute(later.values(due_s=now + RETRY_S[tries - 1]))


def forget_old_letters(connection: Connection, time_s: int) -> int:
    """Delete letters past their days at `time_s`; how many."""
    return connection.execute(letters.delete().where(letters.c.made_s < time_s - KEPT_S)).rowcount


def unsent(connection: Connection, scope: Scope) -> list[Row[Any]]:
    """Letters whose newest try failed: `way`, `state`, `problem`, `their_status`, and how many (`count`)."""
    columns = (letters.c.way, letters.c.state, letters.c.problem, letters.c.their_status)
    failed = scope.select(letters, *columns, func.count().label("count")).where(letters.c.problem != "")
    return list(connection.execute(failed.group_by(*columns).order_by(*columns)))
