"""Ratings: one voluntary answer sheet a row, wide, the same slots as on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
)

from pipeline.wire import ANSWER_SLOTS
from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

ANSWER_COLUMNS = tuple(f"a{slot:02d}" for slot in range(ANSWER_SLOTS))

SEEN_BY = ("instrument", "instrument_version", "day", "received_day", "state", "a00", "channel", "counter_id")
"""What decides which ratings are seen and counted: it stands in the index of months too, since to read it of rows of
sixty columns takes ten times as long."""


class RatingState(IntEnum):
    """Whether a rating counts. A suspicious one is set aside and shown with its reason, never deleted."""

    COUNTED = 0
    SET_ASIDE = 1
    RESTORED = 2
    """Was set aside; a person with the right to do so counted it again."""


def answer_values(answers: Sequence[int]) -> dict[str, int]:
    """Column values of up to 32 answers (0 none, 1..5 the scale, 6 yes, 7 no); the rest is 0."""
    if len(answers) > ANSWER_SLOTS:
        raise ValueError(f"A rating has at most {ANSWER_SLOTS} answers.")
    return {name: int(answers[slot]) if slot < len(answers) else 0 for slot, name in enumerate(ANSWER_COLUMNS)}


ratings = Table(
    "ratings",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("counter_id", Integer),
    Column("service_id", Integer),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("channel", String(20), nullable=False),
    Column("day", Integer, nullable=False),
    Column("month", Integer, nullable=False),
    Column("instrument", String(40), nullable=False),
    Column("instrument_version", Integer, nullable=False),
    *(Column(name, SmallInteger, nullable=False, default=0, server_default="0") for name in ANSWER_COLUMNS),
    Column("reasons", Integer, nullable=False, default=0),
    Column("flag", SmallInteger, nullable=False, default=0),
    Column("state", SmallInteger, nullable=False, default=0, server_default="0"),
    Column("origin", String(400)),
    Column("source", String(40), nullable=False, default="", server_default=""),
    Column("author_id", Integer),
    Column("received_day", Integer, nullable=False, default=0, server_default="0"),
    Column("handling_id", Integer),
    Column("deciding_id", Integer),
    province_key(),
    same_province("agency_id", "agencies"),
    same_province("counter_id", "counters"),
    same_province("service_id", "services"),
    same_province("author_id", "users"),
    same_province("handling_id", "agencies"),
    same_province("deciding_id", "agencies"),
    ForeignKeyConstraint(["channel"], ["channels.code"]),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "origin"),
    CheckConstraint("a00 BETWEEN 0 AND 5", name="overall"),
    Index(None, "province_id", "day"),
    Index("ix_ratings_seen", "province_id", "month", "agency_id", *SEEN_BY),
)
"""`month`: months since January 2020, of `day`. `origin`: key of the form or import row it came from, so that an
import can be repeated, sealed (`server.ratings.origins`); NULL for the tablet. It never names a person.
`flag`: `pipeline.instruments.RatingFlag`; `state`: `RatingState`. `source`: what brought it
(`server.ratings.source.Source`), '' for rows from before that was recorded. `author_id`: the member of the staff who
entered it. `received_day`: the day on which it was stored.
`agency_id`: where the citizen was served and the dossier received; `handling_id`, `deciding_id`: who worked on it and
who decided, where that is another body (`server.scores.bodies`).

Written by `server.ratings.store` alone."""
