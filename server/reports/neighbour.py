"""The published figures of a closed period, handed to one neighbour (a province's platform of shared data): signed as
the webhook of alerts is, tried again by the same outbox, with a receipt in the log of changes.

What goes out is what the pages show, under the same rule of suppression, of the province and its agencies. A period
goes when it is closed, since then its figures do not change; once, by itself the newest quarter. A newer version of the
figures (another way of computing them) goes only where somebody asks for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, Row, update

from pipeline.calendar import Period, now_s, quarter_of_month
from pipeline.errors import ConflictError, InvalidError
from pipeline.language import Message
from server.core.changes import record_change
from server.core.provinces import Province, all_provinces, province_by_id, read_setting
from server.core.scope import Scope
from server.outbox.delivery import PROBLEMS, Problem
from server.outbox.outbox import Letter, State, Way, post
from server.ratings.closing import closed_through
from server.scores.figure_rows import figure_rows
from server.scores.standings import held_index, main_instrument
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.letters import letters

SETTING = "neighbour_url"
SECRET_OF = "figures"  # noqa: S105  (what the secret is for)
"""The letter's subject, which a call does not show: the neighbour's secret is another than that of alerts."""
PUSHED, RECEIVED = "figures_pushed", "figures_received"


@dataclass(frozen=True, slots=True)
class Figures:
    """What is handed on of a period. `version`: of the figures and nothing else (16 hex digits); `count`: how many
    figures there are, none where all are suppressed."""

    period: Period
    version: str
    body: str
    count: int


@dataclass(frozen=True, slots=True)
class Push:
    """One that was handed to the outbox. `day`, `received_day`: indices; None: without a receipt. `problem`: why the
    newest try failed, with the other side's own number."""

    period: str
    version: str
    letter: str
    day: int
    received_day: int | None = None
    problem: Message | None = None
    their_status: int = 0
    given_up: bool = False
    """Nobody tries any more."""


def make_figures(connection: Connection, province_id: int, period: Period) -> Figures:
    """The figures of a closed period as they go out. Raises `ConflictError` for one that is not closed."""
    closed = closed_through(connection, Scope(province_id))
    if closed is None or closed.last_month < period.last_month:
        raise ConflictError(
            Message("The period {period} is not closed: its figures may still change.", period=period.name),
            Message("Close it on the page of the rounds, then try again."),
        )
    province = province_by_id(connection, province_id)
    instrument = main_instrument(connection, province_id, period)
    places = held_index(connection, province_id, instrument, period).places
    rows = figure_rows(period.name, [place for place in places if place.dimension in ("province", "agency")])
    figures = {
        "province": province.code,
        "period": period.name,
        "instrument": f"{instrument.code} v{instrument.version}",
        "simulated": province.simulated,
        "figures": rows,
    }
    version = sha256(json.dumps(figures, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]
    at = datetime.fromtimestamp(now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"type": "figures.published", "timestamp": at, "data": {"version": version, **figures}}
    return Figures(period, version, json.dumps(body, ensure_ascii=False), len(rows))


def push(connection: Connection, province_id: int, figures: Figures, now: int | None = None) -> bool:
    """Hand figures to the outbox; False where this version has gone before. One that was not taken, and whose letter
    is past its days, may go again under its old identifier. Raises `InvalidError` where no neighbour is set."""
    url = neighbour(connection, province_id)
    if not url:
        raise InvalidError(
            Message("No neighbour is set that gets figures."), Message("Set its address on the page Settings.")
        )
    name, version = figures.period.name, figures.version
    mine = [one for one in pushes(connection, province_id) if (one.period, one.version) == (name, version)]
    if any(one.received_day is not None for one in mine):
        return False
    letter = Letter(Way.WEBHOOK, url, figures.body, SECRET_OF)
    message_id = post(connection, province_id, letter, now, once=f"figures {name} {version}")
    if message_id is None:
        return False
    record_change(
        connection, province_id, None, "figures_pushed", {"period": name, "version": version, "letter": message_id}
    )
    return True


def neighbour(connection: Connection, province_id: int) -> str:
    """Where a province's figures go; empty: nowhere."""
    return str(read_setting(connection, province_id, SETTING)).strip()


def pushes(connection: Connection, province_id: int) -> list[Push]:
    """All that were handed on, the oldest first, with what became of them."""
    scope = Scope(province_id)
    query = scope.select(changes, changes.c.action, changes.c.detail, changes.c.day)
    rows = connection.execute(query.where(changes.c.action.in_((PUSHED, RECEIVED))).order_by(changes.c.position)).all()
    received = {json.loads(row.detail)["letter"]: row.day for row in rows if row.action == RECEIVED}
    now = scope.select(letters, letters.c.message_id, letters.c.state, letters.c.problem, letters.c.their_status)
    left = {row.message_id: row for row in connection.execute(now.where(letters.c.subject == SECRET_OF))}
    found: dict[str, Push] = {}
    for row in rows:
        if row.action == PUSHED:
            told = json.loads(row.detail)
            found[told["letter"]] = _pushed(told, row.day, received.get(told["letter"]), left.get(told["letter"]))
    return list(found.values())


def _pushed(told: dict[str, str], day: int, received_day: int | None, letter: Row[Any] | None) -> Push:
    """One push; `letter`: None where it is past its days."""
    of = (told["period"], told["version"], told["letter"], day, received_day)
    if received_day is not None:
        return Push(*of)
    if letter is None:
        return Push(*of, given_up=True)
    problem = PROBLEMS[Problem(letter.problem)] if letter.problem else None
    return Push(*of, problem, letter.their_status, letter.state == State.GIVEN_UP.value)


def note_receipts(connection: Connection, province_id: int) -> int:
    """Write what the neighbour has taken into the log of changes, which outlives the letters; how many."""
    waiting = [one for one in pushes(connection, province_id) if one.received_day is None]
    query = Scope(province_id).select(letters, letters.c.message_id).where(letters.c.state == State.SENT.value)
    sent = set(connection.execute(query.where(letters.c.subject == SECRET_OF)).scalars()) if waiting else set()
    taken = [one for one in waiting if one.letter in sent]
    for one in taken:
        detail = {"period": one.period, "version": one.version, "letter": one.letter}
        record_change(connection, province_id, None, "figures_received", detail)
    return len(taken)


def try_again(connection: Connection, province_id: int, now: int | None = None) -> int:
    """Let what was given up be tried once more, under its old identifier; how many."""
    waiting = [one.letter for one in pushes(connection, province_id) if one.given_up and one.received_day is None]
    values: dict[str, Any] = {"state": State.WAITING.value, "tries": 0, "due_s": now_s() if now is None else now}
    mine = Scope(province_id).select(letters, letters.c.id).where(letters.c.message_id.in_(waiting))
    connection.execute(update(letters).where(letters.c.id.in_(mine)).values(**values))
    return len(waiting)


def push_closed(engine: Engine, now: int) -> int:
    """Of every province with a neighbour: note receipts, and hand on the newest closed quarter if it has figures and
    has not gone yet; how many. What another month has not closed yet waits."""
    with read(engine) as connection:
        provinces = all_provinces(connection)
    return sum(push_closed_of(engine, province, now) for province in provinces)


def push_closed_of(engine: Engine, province: Province, now: int) -> bool:
    """The same of one province; whether something was handed on."""
    with read(engine) as connection:
        if not neighbour(connection, province.province_id):
            return False
        quarter = newest_closed_quarter(connection, province.province_id)
        gone = {one.period for one in pushes(connection, province.province_id)}
        new = quarter is not None and quarter.name not in gone
        figures = make_figures(connection, province.province_id, quarter) if quarter is not None and new else None
    with write(engine) as connection:
        note_receipts(connection, province.province_id)
        if figures is None or not figures.count:
            return False
        try:
            return push(connection, province.province_id, figures, now)
        except InvalidError:  # a setting that somebody wrote by hand
            return False


def newest_closed_quarter(connection: Connection, province_id: int) -> Period | None:
    """The last quarter of which every month is closed; None where there is none."""
    closed = closed_through(connection, Scope(province_id))
    if closed is None:
        return None
    quarter = quarter_of_month(closed.last_month)
    return quarter if quarter.last_month <= closed.last_month else quarter.before()
