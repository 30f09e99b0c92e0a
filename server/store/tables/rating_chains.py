"""Chains over the rows of `ratings`, by source, channel and day of receipt; and withdrawals that wait for a second
person."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Integer, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

rating_chains = Table(
    "rating_chains",
    metadata,
    key(),
    province_column(),
    Column("received_day", Integer, nullable=False),
    Column("source", String(40), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("salt", String(64), nullable=False),
    Column("count", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("sealed", Boolean, nullable=False, default=False),
    province_key(),
    UniqueConstraint("province_id", "received_day", "source", "channel"),
)
"""`count` rows, in the order in which they were stored, make `digest`: see `server.ratings.chain`. `salt`: random, so
that the digest, which goes into the log of changes, tells nothing about the answers. `sealed`: it stands there."""

withdrawals = Table(
    "withdrawals",
    metadata,
    key(),
    province_column(),
    Column("rating_id", Integer, nullable=False),
    Column("asked_by", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    province_key(),
    same_province("rating_id", "ratings"),
    ForeignKeyConstraint(["province_id", "asked_by"], ["users.province_id", "users.id"]),
    UniqueConstraint("province_id", "rating_id"),
)
"""One person has asked to set a rating aside; it happens when another one asks too."""
