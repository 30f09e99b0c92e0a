"""The stars that people gave in Zalo, as answers to the overall question: the first of each message counts.

Looked for are the days in which a right is valid, every time: what was taken before is known by its used right. Notes
and ticked remarks are left where they are; an answer is a number and a day.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine

from pipeline.calendar import day_at, today
from pipeline.instruments import Instrument
from pipeline.wire import ANSWER_SLOTS
from server.channels.online.invitations import Invitation, find_hash, use
from server.channels.zalo.client import Zalo
from server.channels.zalo.sending import TRACKING_LENGTH, VALID_DAYS
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.rating import Place, Rating
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.rounds.rounds import find_round
from server.store.channels import ZALO
from server.store.engine import write

PAGE = 1_000
MAX_PAGES = 100
DAY_S = 86_400
_TRACKING = re.compile(rf"[0-9a-f]{{{TRACKING_LENGTH}}}")


class Left(StrEnum):
    """Why a rating of Zalo's list is none of ours, or not counted."""

    NOT_OURS = "not_ours"
    """Its tracking number is of no message of this province."""
    BEFORE = "before"
    """The message has been rated: taken before, or rated twice."""
    EXPIRED = "expired"
    UNFIT = "unfit"
    """No number of stars from 1 to 5, or no time of its own."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What a run took, and what it left with the reason."""

    taken: int
    left: Counter[Left]


def poll(engine: Engine, zalo: Zalo, scope: Scope, *, template: str, now_s: float) -> Polled:
    """Take the ratings of a template. Raises `ZaloError`; what was taken by then stays."""
    from_ms, to_ms = round((now_s - (VALID_DAYS + 1) * DAY_S) * 1_000), round(now_s * 1_000)
    taken, left = 0, Counter[Left]()
    for page in range(MAX_PAGES):
        rows = zalo.ratings(template, from_ms, to_ms, page * PAGE, PAGE)
        with write(engine) as connection:
            gate = Gate(connection, scope, Source(SourceKind.LINK))
            instruments: dict[int, Instrument] = {}
            for row in rows:
                reason = _take(connection, scope, gate, row, instruments)
                if reason is None:
                    taken += 1
                else:
                    left[reason] += 1
        if len(rows) < PAGE:
            break
    return Polled(taken, left)


def _take(
    connection: Connection, scope: Scope, gate: Gate, row: Any, instruments: dict[int, Instrument]
) -> Left | None:
    tracking = row.get("trackingId") if isinstance(row, dict) else None
    if not isinstance(tracking, str) or not _TRACKING.fullmatch(tracking):
        return Left.NOT_OURS
    right = find_hash(connection, scope, tracking, ZALO.code)
    if right is None:
        return Left.NOT_OURS
    stars, day = row.get("rate"), _day_of(row.get("submitDate"))
    if type(stars) is not int or not 1 <= stars <= 5 or day is None:
        return Left.UNFIT
    if right.used:
        return Left.BEFORE
    if right.expired:
        return Left.EXPIRED
    if not use(connection, right):
        return Left.BEFORE
    add(connection, [gate.admit(_rating(connection, right, instruments, stars, day))])
    return None


def _day_of(submitted: Any) -> int | None:
    """The local day of a time in Unix milliseconds, a number or its text; None for none, or one to come."""
    try:
        day = day_at(int(submitted) / 1_000)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return day if 0 <= day <= today() else None


def _rating(
    connection: Connection, right: Invitation, instruments: dict[int, Instrument], stars: int, day: int
) -> Rating:
    if right.round_id not in instruments:
        opened = find_round(connection, right.province_id, round_id=right.round_id)
        instruments[right.round_id] = opened.load_instrument()
    place = Place(right.province_id, right.agency_id, service_group=right.service_group)
    answers = (stars, *(0 for _ in range(ANSWER_SLOTS - 1)))
    return Rating.checked(
        instruments[right.round_id], answers, place=place, channel=ZALO, day=day, today=today(), part=True
    )
