"""Messages to those on a round's list of numbers. A number is deleted with its sending; what goes to Zalo beside it is
the unit's name and the hash of a token that nobody keeps.

Who cannot be reached by Zalo stays on the list as `failed`; so does one whom it refuses for a reason that is not known
here, where it takes the next ones: no single number holds a list up. What it refuses of several in a row (quota,
template, keys) ends the run, and whoever was not sent anything is to be asked as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy import Connection, Engine, Row, func

from pipeline.calendar import today
from pipeline.errors import ConflictError
from pipeline.language import Message, in_language
from server.catalogue.reading import read_catalogue
from server.channels.online.invitations import digest, issue
from server.channels.zalo.client import Zalo, ZaloError
from server.core.scope import Scope
from server.rounds.rounds import find_round
from server.store.channels import ZALO
from server.store.engine import insert_if_absent, read, write
from server.store.tables.channels import channels
from server.store.tables.contacts import phone_contacts
from server.store.tables.rounds import invitations

FIRST, LAST = time(7, 0), time(21, 0)
"""Zalo itself takes nothing from 22 to 6."""
VALID_DAYS = 30
MAX_UNSURE = 3
MAX_REFUSED = 3
"""So many refusals in a row, of reasons that are not one person's, are of everybody."""
TRACKING_LENGTH = 48
"""Of the token's hash, hex: 192 bits; Zalo takes no longer ones."""
UNREACHABLE = frozenset({-108, -110, -114, -118, -119, -139})
"""Of one person: number not valid, Zalo too old, inactive or refusing, no account, cannot receive, wants none."""


@dataclass(slots=True)
class Sent:
    """What a run did. `unsure`: nobody knows whether it was sent, so it is not sent again. `stopped`: Zalo's error of
    those that were put back, 0 where there was none."""

    sent: int = 0
    unreachable: int = 0
    unsure: int = 0
    put_back: int = 0
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class _Letter:
    contact: int
    phone: str
    unit: str
    token: str


def may_send(now: datetime) -> bool:
    """Whether a message may be sent at a local time."""
    return FIRST <= now.time() < LAST


def tracking_of(token: str) -> str:
    """What Zalo gets of a token."""
    return digest(token)[:TRACKING_LENGTH]


def send_round(
    engine: Engine,
    zalo: Zalo,
    scope: Scope,
    round_id: int,
    *,
    template: str,
    parameter: str,
    most: int,
    now: datetime,
    user_id: int | None = None,
) -> Sent:
    """Send to at most `most` of a round's numbers today. `parameter`: the template's name for the unit. Raises
    `ConflictError` outside the hours, or while the round is not open."""
    if not may_send(now):
        raise ConflictError(
            Message("No messages are sent before 7 and after 21."), Message("Try again in those hours.")
        )
    with write(engine) as connection:
        letters = _take(connection, scope, round_id, most, user_id)
    done = Sent()
    refused: list[_Letter] = []
    for number, letter in enumerate(letters):
        try:
            left = zalo.send(letter.phone, template, {parameter: letter.unit}, tracking_of(letter.token))
        except ZaloError as error:
            if not error.sure:
                done.unsure += 1
                if done.unsure < MAX_UNSURE:
                    continue
                return _put_back(engine, scope, [*refused, *letters[number + 1 :]], done)
            if error.number in UNREACHABLE:
                _not_reached(engine, scope, [letter], done)
                continue
            done.stopped = error.number or 1
            refused.append(letter)
            if len(refused) == MAX_REFUSED:
                return _put_back(engine, scope, [*refused, *letters[number + 1 :]], done)
            continue
        done.sent += 1
        with write(engine) as connection:
            connection.execute(scope.delete(phone_contacts).where(phone_contacts.c.id == letter.contact))
        _not_reached(engine, scope, refused, done)  # the one behind them was taken: it was about them
        refused, done.stopped = [], 0
        if left == 0:
            return _put_back(engine, scope, letters[number + 1 :], done)
    return _put_back(engine, scope, refused, done)


def sent_today(engine: Engine, scope: Scope) -> int:
    """Messages of today, by the rights that went with them."""
    mine = (invitations.c.channel == ZALO.code, invitations.c.issued_day == today())
    with read(engine) as connection:
        return int(connection.execute(scope.select(invitations, func.count()).where(*mine)).scalar_one())


def _take(connection: Connection, scope: Scope, round_id: int, most: int, user_id: int | None) -> list[_Letter]:
    opened = find_round(connection, scope.province_id, round_id=round_id)
    if not opened.open_now:
        raise ConflictError(Message("No round of the survey is open."), Message("Open one."))
    insert_if_absent(connection, channels, {"code": ZALO.code}, ("code",))
    contacts = phone_contacts.c
    query = scope.select(phone_contacts).where(contacts.round_id == round_id, contacts.state == "to_ask")
    query = query.order_by(contacts.id).limit(most).with_for_update(skip_locked=True)
    of_place: dict[tuple[int, int], list[Row[tuple[object, ...]]]] = {}
    for row in connection.execute(query):
        of_place.setdefault((row.agency_id, row.service_group), []).append(row)
    catalogue = read_catalogue(connection, scope.province_id)
    letters = []
    for (agency, group), rows in of_place.items():
        how = {"service_group": group, "channel": ZALO.code, "count": len(rows), "days": VALID_DAYS}
        tokens = issue(connection, scope.province_id, round_id, agency, user_id=user_id, **how)  # type: ignore[arg-type]
        unit = in_language(catalogue.agencies[agency].name, "vi")
        letters += [_Letter(row.id, row.phone, unit, token) for row, token in zip(rows, tokens, strict=True)]
    for letter in letters:
        values = {"state": "asked", "waves": 1, "asked_day": today()}
        connection.execute(scope.update(phone_contacts).where(contacts.id == letter.contact).values(**values))
    return letters


def _put_back(engine: Engine, scope: Scope, letters: list[_Letter], done: Sent) -> Sent:
    _forget(engine, scope, letters, "to_ask")
    done.put_back += len(letters)
    return done


def _not_reached(engine: Engine, scope: Scope, letters: list[_Letter], done: Sent) -> None:
    _forget(engine, scope, letters, "failed")
    done.unreachable += len(letters)


def _forget(engine: Engine, scope: Scope, letters: list[_Letter], state: str) -> None:
    """Nothing was sent: the rights go, the numbers have another state."""
    values = {"state": state, "waves": 0, "asked_day": None}
    with write(engine) as connection:
        for letter in letters:
            connection.execute(scope.delete(invitations).where(invitations.c.token_hash == digest(letter.token)))
            contact = scope.update(phone_contacts).where(phone_contacts.c.id == letter.contact)
            connection.execute(contact.values(**values))
