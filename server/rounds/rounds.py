"""Rounds of the survey: making them, finding the one that is open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from pipeline.calendar import day_date, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.instruments import Instrument, load_instrument
from pipeline.language import Message, Text
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.engine import insert_row
from server.store.tables.rounds import rounds

_CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")


@dataclass(frozen=True, slots=True)
class Round:
    """One round. Days are indices; `open_now`: answers are taken today."""

    id: int
    code: str
    name: Text
    instrument: str
    instrument_version: int
    first_day: int
    last_day: int
    active: bool
    second_instrument: str | None = None
    second_version: int | None = None

    @property
    def open_now(self) -> bool:
        """Whether answers are taken today."""
        return self.active and self.first_day <= today() <= self.last_day

    @property
    def state(self) -> Message:
        """How it stands today, in a word."""
        if not self.active:
            return Message("closed")
        if today() < self.first_day:
            return Message("not begun yet")
        return Message("open") if self.open_now else Message("over")

    def load_instrument(self) -> Instrument:
        """The instrument and version that the round asks with; in a bridging round, the first of the two."""
        return load_instrument(self.instrument, self.instrument_version)

    def asked_by(self, token_hash: str) -> Instrument:
        """What a link asks with: in a bridging round the second instrument for half of them, by lot. The lot is the
        link's own random token, so that nobody chooses and the same link always asks the same."""
        if self.second_instrument is None or sha256(f"bridge {token_hash}".encode()).digest()[0] % 2 == 0:
            return self.load_instrument()
        return load_instrument(self.second_instrument, self.second_version)


def _round(row: Any) -> Round:
    names = ("id", "code", "name", "instrument", "instrument_version", "first_day", "last_day", "active",
             "second_instrument", "second_version")  # fmt: skip
    return Round(*(getattr(row, name) for name in names))


def all_rounds(connection: Connection, province_id: int) -> list[Round]:
    """The province's rounds, newest first."""
    query = Scope(province_id).select(rounds).order_by(rounds.c.first_day.desc(), rounds.c.id)
    return [_round(row) for row in connection.execute(query)]


def find_round(connection: Connection, province_id: int, *, code: str = "", round_id: int = 0) -> Round:
    """A round of the province by code or id. Raises `NotFoundError`."""
    which = rounds.c.id == round_id if round_id else rounds.c.code == code
    row = connection.execute(Scope(province_id).select(rounds).where(which)).first()
    if row is None:
        raise NotFoundError(Message("There is no such round."))
    return _round(row)


def make_round(
    connection: Connection,
    province_id: int,
    *,
    code: str,
    name: Text,
    instrument: str,
    first_day: int,
    last_day: int,
    user_id: int | None,
) -> Round:
    """Make a round with the version of an instrument that is in force on its first day.

    Raises `InvalidError`, `ConflictError`."""
    if not _CODE.match(code):
        raise InvalidError(
            Message("'{code}' is no code.", code=code),
            Message("Use up to 40 of A-Z, a-z, 0-9, dot, dash."),
        )
    if last_day < first_day:
        raise InvalidError(Message("The round ends before it begins."))
    taken = Scope(province_id).select(rounds, rounds.c.id).where(rounds.c.code == code)
    if connection.execute(taken).first():
        raise ConflictError(
            Message("There is a round '{code}'.", code=code),
            Message("Choose another code."),
        )
    questionnaire = load_instrument(instrument, on=day_date(first_day))
    values = {"code": code, "name": name or Text.named(vi=code), "active": True}
    values |= {"instrument": questionnaire.code, "instrument_version": questionnaire.version}
    days = {"first_day": first_day, "last_day": last_day}
    round_id = insert_row(connection, rounds, {"province_id": province_id, **values, **days})
    record_change(
        connection, province_id, user_id, "round_made", {"round": code, "instrument": questionnaire.wire_code, **days}
    )
    return find_round(connection, province_id, round_id=round_id)


def ask_half_with(connection: Connection, province_id: int, made: Round, instrument: str, user_id: int | None) -> None:
    """Make a round a bridge: half of its links ask with another instrument. Raises `InvalidError`."""
    other = load_instrument(instrument, on=day_date(made.first_day))
    if (other.code, other.version) == (made.instrument, made.instrument_version):
        raise InvalidError(Message("A bridge needs two different instruments."))
    values = {"second_instrument": other.code, "second_version": other.version}
    connection.execute(Scope(province_id).update(rounds).where(rounds.c.id == made.id).values(**values))
    detail = {"round": made.code, "second": other.wire_code}
    record_change(connection, province_id, user_id, "round_bridged", detail)


def switch_round(connection: Connection, province_id: int, round_id: int, active: bool, user_id: int | None) -> None:
    """Take no more answers in a round, or take them again within its days. Raises `NotFoundError`."""
    switched = Scope(province_id).update(rounds).where(rounds.c.id == round_id).values(active=active)
    if connection.execute(switched).rowcount != 1:
        raise NotFoundError(Message("There is no such round."))
    record_change(connection, province_id, user_id, "round_opened" if active else "round_closed", {"round": round_id})
