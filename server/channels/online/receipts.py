"""One dossier, one rating: the right to rate a dossier once, asked for by the one-stop software for its receipt.

The token in the link is an HMAC over the dossier's code, under a key of this server that lies beside the store, never
in it. So the software may ask as often as it likes and gets the same link, a dossier is rated once, and the store holds
the token's hash alone: codes can be guessed (`H15.50.05.13-261008-0975`: unit, day, serial), and whoever holds a copy
of the store cannot find out with them whose dossier was rated. Kept are unit, day, procedure and field.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import segno
from sqlalchemy import Column, Connection, Table, func

from pipeline.calendar import Period, day_index, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.language import Message
from server.catalogue.succession import existing_successor
from server.channels.online.invitations import ALPHABET, TOKEN_LENGTH, digest
from server.core.disclosure import hidden_places
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.ratings.source import Source, SourceKind
from server.rounds.rounds import all_rounds
from server.store.channels import RECEIPT
from server.store.engine import insert_if_absent
from server.store.tables.agencies import agencies
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations
from server.store.tables.services import services

VALID_DAYS = 60
LINKS_A_DAY = 500
"""Planning figure: the most dossiers of one unit that get a link in a day. Whoever holds the gateway's key can invent
codes."""
_CODE = re.compile(r"([A-Z]\d{1,3}(?:\.\d{1,3}){0,5})-(\d{6})-(\d{4,7})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DossierCode:
    """A dossier's code in its parts. `unit`: the receiving unit's official code; `day`: its day of receipt, an index.

    `text` is in upper case, its numbers without zeros that mean nothing: the same dossier, however its code is written.
    """

    text: str
    unit: str
    day: int

    @classmethod
    def read(cls, given: str) -> DossierCode:
        """`H15.50.05.13-261008-0975`. Raises `InvalidError` for another form, no such day, or one to come."""
        text = given.strip().upper()
        match = _CODE.fullmatch(text)
        refused = InvalidError(
            Message("This is no code of a dossier."), Message("Such as H15.50.05.13-261008-0975: unit, day, serial.")
        )
        if match is None:
            raise refused
        try:
            year, month, day = (int(match[2][at : at + 2]) for at in (0, 2, 4))
            index = day_index(date(2000 + year, month, day))
        except ValueError:
            raise refused from None
        if not 0 <= index <= today():
            raise refused
        letter, *numbers = re.findall(r"[A-Z]|\d+", match[1])
        unit = letter + ".".join(f"{int(number):02d}" for number in numbers)
        return cls(f"{unit}-{match[2]}-{int(match[3]):04d}", match[1], index)


def token_of(key: bytes, province_id: int, code: DossierCode) -> str:
    """The dossier's token: 22 letters of an alphabet of 31 (109 bits) of HMAC-SHA-256 under `key` [32 bytes]."""
    number = int.from_bytes(hmac.new(key, f"receipt|{province_id}|{code.text}".encode(), hashlib.sha256).digest())
    letters = []
    for _ in range(TOKEN_LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)


@dataclass(frozen=True, slots=True)
class Bodies:
    """A dossier's bodies by their official or own codes. `receiving`: empty, the one in the dossier's code; `handling`,
    `deciding`: empty, the receiving one."""

    receiving: str = ""
    handling: str = ""
    deciding: str = ""


def issue_receipt(
    connection: Connection,
    key: bytes,
    scope: Scope,
    code: DossierCode,
    bodies: Bodies | None = None,
    *,
    service: str = "",
) -> str:
    """The token of a dossier: the same whenever it is asked for; its bodies are those that were named first.
    `service`: the procedure's code.

    Raises `NotFoundError` for an unknown unit or procedure, `ConflictError` while no round is open, or beyond
    `LINKS_A_DAY`."""
    opened = next((one for one in all_rounds(connection, scope.province_id) if one.open_now), None)
    if opened is None:
        raise ConflictError(Message("No round of the survey is open."), Message("Open one."))
    service_id, group = _service(connection, scope, service)
    bodies = bodies or Bodies()
    agency_id = _agency(connection, scope, bodies.receiving or code.unit)
    handling_id, deciding_id = (
        _agency(connection, scope, unit) if unit else None for unit in (bodies.handling, bodies.deciding)
    )
    token = token_of(key, scope.province_id, code)
    row = {
        "province_id": scope.province_id,
        "round_id": opened.id,
        "agency_id": agency_id,
        "service_group": group,
        "service_id": service_id,
        "handling_id": None if handling_id == agency_id else handling_id,
        "deciding_id": None if deciding_id == agency_id else deciding_id,
        "channel": RECEIPT.code,
        "scope": "form",
        "token_hash": digest(token),
        "dossier_day": code.day,
        "issued_day": today(),
        "expires_day": today() + VALID_DAYS,
        "used": False,
    }
    if insert_if_absent(connection, invitations, row, ("token_hash",)):
        of_unit = (invitations.c.agency_id == agency_id, invitations.c.issued_day == today())
        query = scope.select(invitations, func.count()).where(*of_unit, invitations.c.channel == RECEIPT.code)
        if connection.execute(query).scalar_one() > LINKS_A_DAY:
            raise ConflictError(
                Message("This unit has had {most} new links today.", most=LINKS_A_DAY),
                Message("Links that exist are still told. If that many dossiers came in, tell the administrator."),
            )
    return token


def _agency(connection: Connection, scope: Scope, unit: str) -> int:
    query = scope.select(agencies, agencies.c.id)
    for column in (agencies.c.official_code, agencies.c.code):
        found = connection.execute(query.where(func.upper(column) == unit.upper())).scalars().first()
        if found is not None:
            return existing_successor(connection, scope, int(found), today())
    raise NotFoundError(Message("No agency has the official code {unit}.", unit=unit))


def _service(connection: Connection, scope: Scope, code: str) -> tuple[int | None, int]:
    if not code:
        return None, 0
    query = scope.select(services, services.c.id, services.c.service_group).where(services.c.code == code)
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError(Message("There is no procedure {code}.", code=code))
    return row.id, row.service_group


def qr_svg(url: str) -> str:
    """The link as a QR code: an SVG of its own, for the receipt."""
    buffer = io.BytesIO()
    segno.make(url, error="m").save(buffer, kind="svg", border=2, scale=3)
    return buffer.getvalue().decode("utf-8")


@dataclass(frozen=True, slots=True)
class ResponseRate:
    """How many were asked and how many answered, of one procedure (`service_id`, None: not told) or of one channel."""

    service_id: int | None
    channel: str
    asked: int
    answered: int


def response_rates(
    connection: Connection, scope: Scope, period: Period, *, by_service: bool = True
) -> list[ResponseRate]:
    """Links issued in a period, and sheets of the period that came by links, by procedure and channel, or by channel
    alone; the most asked first.

    Both of days that are over: how many links are used would tell at once that somebody answers. Places of fewer than
    `min_answers` links are, as everywhere, hidden with so many others that the rest does not tell them."""
    last = min(period.last_day, today() - 1)
    links = scope.select(invitations, *_place(invitations, by_service), func.count()).where(
        invitations.c.issued_day.between(period.first_day, last), invitations.c.scope == "form"
    )
    sheets = scope.select(ratings, *_place(ratings, by_service), func.count()).where(
        ratings.c.source == str(Source(SourceKind.LINK)),
        ratings.c.day.between(period.first_day, last),
        ratings.c.received_day < today(),
    )
    came = {tuple(place): count for *place, count in connection.execute(sheets.group_by(*_place(ratings, by_service)))}
    found = {}
    for *place, asked in connection.execute(links.group_by(*_place(invitations, by_service))):
        service, channel = place if by_service else (None, *place)
        found[service, channel] = ResponseRate(service, channel, asked, min(asked, came.get(tuple(place), 0)))
    below = int(read_setting(connection, scope.province_id, "min_answers"))
    hidden = hidden_places({key: one.asked for key, one in found.items()}, below)
    shown = [one for key, one in found.items() if key not in hidden]
    return sorted(shown, key=lambda one: (-one.asked, one.service_id or 0, one.channel))


def _place(table: Table, by_service: bool) -> tuple[Column[Any], ...]:
    """Columns of what a response rate is of."""
    return (table.c.service_id, table.c.channel) if by_service else (table.c.channel,)
