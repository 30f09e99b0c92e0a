"""Expectations and suggestions in people's own words, apart from the sheet they came with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from sqlalchemy import Connection, select

from pipeline.calendar import month_of_day, today
from server.core.scope import Scope
from server.ratings.rating import Place
from server.store.tables.comments import comments

MAX_COMMENT = 2_000


def store_comments(connection: Connection, place: Place, texts: Mapping[str, str]) -> None:
    """Keep texts (`kind` -> text) by place and month; empty ones are left out."""
    month = month_of_day(today())
    for kind, text in texts.items():
        if text.strip():
            Scope(place.province_id).insert(
                connection,
                comments,
                {
                    "id": _free_number(connection),
                    "agency_id": place.agency_id,
                    "service_group": place.service_group,
                    "month": month,
                    "kind": kind,
                    "text": text.strip()[:MAX_COMMENT],
                },
            )


def _free_number(connection: Connection) -> int:
    """A random number that no comment has: rows in the order in which they came would tell which sheet each one came
    with, since a sheet and its texts are stored together."""
    while True:
        number = 1 + secrets.randbelow(2**31 - 1)
        if connection.execute(select(comments.c.id).where(comments.c.id == number)).first() is None:
            return number
