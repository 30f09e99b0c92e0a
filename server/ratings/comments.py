"""Expectations and suggestions in people's own words, apart from the sheet they came with.

This is the only door to them, both ways: what tells who somebody is is masked before a text is stored, and again when
one is read (`server.core.masking`)."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from pipeline.calendar import Period, month_of_day, today
from pipeline.errors import InvalidError, NotFoundError
from pipeline.language import Message, Text
from server.core.changes import record_change
from server.core.disclosure import published
from server.core.labels import COMMENT_CODES
from server.core.masking import mask
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.ratings.rating import Place
from server.store.tables.agencies import agencies
from server.store.tables.comments import comments

MAX_COMMENT = 2_000
MIN_TEXTS = 5
"""Topics with fewer texts are not told apart."""


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
                    "text": mask(text.strip()[:MAX_COMMENT]),
                },
            )


def _free_number(connection: Connection) -> int:
    """A random number that no comment has: rows in the order in which they came would tell which sheet each one came
    with, since a sheet and its texts are stored together."""
    while True:
        number = 1 + secrets.randbelow(2**31 - 1)
        if connection.execute(select(comments.c.id).where(comments.c.id == number)).first() is None:
            return number


def uncoded(connection: Connection, scope: Scope, limit: int) -> list[Mapping[str, Any]]:
    """Texts of months that are over that nobody has coded yet (masked), with their agencies' names."""
    query = (
        scope.select(comments, comments, agencies.c.name)
        .join(agencies, agencies.c.id == comments.c.agency_id)
        .where(comments.c.code.is_(None), comments.c.month < month_of_day(today()))
        .order_by(comments.c.id)
        .limit(limit)
    )
    return [_Masked(row) for row in connection.execute(query)]


class _Masked(dict[str, Any]):
    """A row whose text is masked."""

    def __init__(self, row: Row[Any]) -> None:
        super().__init__(row._mapping)
        self["text"] = mask(self["text"])


@dataclass(frozen=True, slots=True)
class Said:
    """One text as those responsible read it. `month`: its finest time; `code`: its topic, None until it was sorted."""

    agency_code: str
    agency: Text
    month: int
    kind: str
    text: str
    code: str | None


def said(connection: Connection, scope: Scope, period: Period) -> list[Said]:
    """The texts of a period that may be read, in no order of arrival.

    Of months that are over, so that nobody sees one come; and of agencies that have figures in the period
    (`server.core.disclosure`), so that none is one of a handful."""
    shown = published(connection, scope.province_id, period)
    sheets = shown.months_by_agency()
    known = {agency for agency, months in sheets.items() if sum(months.values()) >= max(1, shown.below)}
    readable = sorted(known - shown.hidden_agencies())
    last = min(period.last_month, month_of_day(today()) - 1)
    query = (
        scope.select(comments, comments, agencies.c.code.label("agency"), agencies.c.name)
        .join(agencies, agencies.c.id == comments.c.agency_id)
        .where(comments.c.month.between(period.first_month, last), comments.c.agency_id.in_(readable))
        .order_by(comments.c.id)
    )
    return [
        Said(row.agency, row.name, row.month, row.kind, mask(row.text), row.code) for row in connection.execute(query)
    ]


def coded_counts(connection: Connection, scope: Scope, period: Period) -> list[tuple[str, str, int]]:
    """(kind, code, texts) of a period, the most frequent first; counts of fewer than five texts are left out.

    Only of months that are over, and of a kind of which the place has as many texts as a figure needs sheets: whoever
    looks daily would else see what one citizen wrote about."""
    is_coded = (comments.c.month.between(period.first_month, period.last_month), comments.c.code.is_not(None))
    query = (
        scope.select(comments, comments.c.kind, comments.c.code, func.count())
        .where(*is_coded, comments.c.month < month_of_day(today()))
        .group_by(comments.c.kind, comments.c.code)
        .order_by(comments.c.kind, func.count().desc(), comments.c.code)
    )
    found = [(kind, code, int(count)) for kind, code, count in connection.execute(query)]
    below = int(read_setting(connection, scope.province_id, "min_answers"))
    of_kind: Counter[str] = Counter()
    for kind, _, count in found:
        of_kind[kind] += count
    return [one for one in found if one[2] >= MIN_TEXTS and of_kind[one[0]] >= below]


def give_code(connection: Connection, scope: Scope, number: int, code: str, by: int | None) -> None:
    """Give a text its code. Raises `InvalidError`, `NotFoundError`."""
    if code not in COMMENT_CODES:
        raise InvalidError(Message("There is no code '{code}'.", code=code), Message("Choose one from the list."))
    changed = scope.update(comments).where(comments.c.id == number).values(code=code, coded_by=by)
    if connection.execute(changed).rowcount != 1:
        raise NotFoundError(Message("There is no such comment."))
    record_change(connection, scope.province_id, by, "comment_coded", {"comment": number, "code": code})
