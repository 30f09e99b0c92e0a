"""One-time invitations: a random token in a link or QR code gives the right to answer once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from pipeline.calendar import today
from pipeline.errors import InvalidError
from pipeline.language import Message
from server.core.changes import detail_text, record_change
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.ratings.source import Source, SourceKind
from server.rounds.rounds import Round
from server.store.channels import RECEIPT
from server.store.engine import insert_row
from server.store.tables.changes import changes
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations

MAX_AT_ONCE = 10_000
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
TOKEN_LENGTH = 22
"""Letters of an alphabet of 31: 109 bits."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A right to answer once. `scope`: the whole form, or factor E alone after a complaint was answered."""

    id: int
    province_id: int
    round_id: int
    agency_id: int
    service_group: int
    channel: str
    scope: str
    used: bool
    expired: bool
    service_id: int | None = None
    handling_id: int | None = None
    deciding_id: int | None = None

    @property
    def of_dossier(self) -> bool:
        """Whether it belongs to a dossier, and so to no round: whichever is open asks."""
        return self.channel == RECEIPT.code


def digest(token: str) -> str:
    """What of a token is stored: SHA-256, hex."""
    return hashlib.sha256(token.strip().lower().encode()).hexdigest()


def issue(
    connection: Connection,
    province_id: int,
    round_id: int,
    agency_id: int,
    *,
    service_group: int = 0,
    channel: str = "online",
    scope: str = "form",
    count: int = 1,
    days: int = 30,
    user_id: int | None = None,
) -> list[str]:
    """Issue invitations and return their tokens, which are nowhere stored. Raises `InvalidError`."""
    if not 1 <= count <= MAX_AT_ONCE or not 1 <= days <= 366:
        raise InvalidError(Message("At most {max_at_once} links at once, for 1 to 366 days.", max_at_once=MAX_AT_ONCE))
    tokens = ["".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH)) for _ in range(count)]
    fixed = {
        "province_id": province_id,
        "round_id": round_id,
        "agency_id": agency_id,
        "service_group": service_group,
        "channel": channel,
        "scope": scope,
        "issued_day": today(),
        "expires_day": today() + days,
        "used": False,
    }
    if count == 1:
        insert_row(connection, invitations, {**fixed, "token_hash": digest(tokens[0])})
    else:
        connection.execute(insert(invitations), [{**fixed, "token_hash": digest(token)} for token in tokens])
    record_change(connection, province_id, user_id, "invitations_issued", _issued(round_id, agency_id, count, channel))
    return tokens


def _issued(round_id: int, agency_id: int, count: int, channel: str) -> dict[str, int | str]:
    """What the log of changes says of links."""
    return {"round": round_id, "agency": agency_id, "count": count, "channel": channel}


def links_of_portal(connection: Connection, scope: Scope, round_id: int, agency_id: int) -> int:
    """One-time links that the province's portal has asked for today, for an agency: by the log of changes, where no
    user stands beside them."""
    query = scope.select(changes, func.count()).where(
        changes.c.day == today(),
        changes.c.action == "invitations_issued",
        changes.c.user_id.is_(None),
        changes.c.detail == detail_text(_issued(round_id, agency_id, 1, "online")),
    )
    return int(connection.execute(query).scalar_one())


def find(connection: Connection, token: str) -> Invitation | None:
    """The invitation of a token, used or not; None for an unknown one."""
    row = connection.execute(select(invitations).where(invitations.c.token_hash == digest(token))).first()
    return None if row is None else _of_row(row)


def find_hash(connection: Connection, scope: Scope, start: str, channel: str) -> Invitation | None:
    """The invitation of a channel whose token's hash begins with so many hexadecimal digits."""
    hashes = invitations.c.token_hash
    query = scope.select(invitations).where(hashes >= start, hashes < f"{start}g", invitations.c.channel == channel)
    row = connection.execute(query).first()
    return None if row is None else _of_row(row)


def _of_row(row: Row[Any]) -> Invitation:
    return Invitation(
        row.id,
        row.province_id,
        row.round_id,
        row.agency_id,
        row.service_group,
        row.channel,
        row.scope,
        bool(row.used),
        row.expires_day < today(),
        row.service_id,
        row.handling_id,
        row.deciding_id,
    )


def use(connection: Connection, invitation: Invitation) -> bool:
    """Mark it used; False where somebody was quicker. The same transaction stores the rating."""
    is_unused = (invitations.c.id == invitation.id, invitations.c.used.is_(False))
    return connection.execute(update(invitations).where(*is_unused).values(used=True)).rowcount == 1


@dataclass(frozen=True, slots=True)
class LinkReturns:
    """Links of a round for an agency and field. `answered`: sheets that came by links, None where they are too few."""

    issued: int
    answered: int | None


def returns(connection: Connection, scope: Scope, survey_round: Round) -> dict[tuple[int, int], LinkReturns]:
    """(agency, service group) -> links of a round and what came by them.

    Not how many links are used: that would tell at once, and to whoever made a single link, that somebody answers. It
    is sheets of days that are over, from `min_answers` links and sheets on."""
    links = (
        scope.select(invitations, invitations.c.agency_id, invitations.c.service_group, func.count())
        .where(invitations.c.round_id == survey_round.id)
        .group_by(invitations.c.agency_id, invitations.c.service_group)
    )
    sheets = (
        scope.select(ratings, ratings.c.agency_id, ratings.c.service_group, func.count())
        .where(
            ratings.c.source == str(Source(SourceKind.LINK)),
            ratings.c.instrument.in_([one for one in (survey_round.instrument, survey_round.second_instrument) if one]),
            ratings.c.day.between(survey_round.first_day, min(survey_round.last_day, today() - 1)),
            ratings.c.received_day < today(),
        )
        .group_by(ratings.c.agency_id, ratings.c.service_group)
    )
    came = {(agency, group): int(count) for agency, group, count in connection.execute(sheets)}
    below = int(read_setting(connection, scope.province_id, "min_answers"))
    found = {}
    for agency, group, issued in connection.execute(links):
        answered = min(issued, came.get((agency, group), 0))
        found[agency, group] = LinkReturns(issued, answered if answered >= below else None)
    return found
