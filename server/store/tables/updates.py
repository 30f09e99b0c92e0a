"""Releases of the boxes' software that are offered, and how each box stands with them. All of it is planning data:
nothing here is moved by visits."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

offers = Table(
    "offers",
    metadata,
    key(),
    province_column(),
    Column("release", String(8), nullable=False),
    Column("software", String(30), nullable=False),
    Column("machine", SmallInteger, nullable=False),
    Column("python_minor", SmallInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("ring", SmallInteger, nullable=False),
    Column("ring_s", BigInteger, nullable=False),
    Column("since_s", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(200), nullable=False, default="", server_default=""),
    CheckConstraint("ring BETWEEN 1 AND 3", name="ring"),
    CheckConstraint("state IN ('open', 'stopped', 'withdrawn')", name="state"),
    province_key(),
    UniqueConstraint("province_id", "release"),
)
"""`release`: the first 32 bits of its digest, hex, as its folder on a box is named by; `software`: its version, such as
"1.4". Its bundle lies in the data folder. `ring`: offered to boxes of this ring and of those before, since `ring_s`.
`since_s`: what boxes told before is not held against it: when it was offered, or let go on by an operator."""

box_standings = Table(
    "box_standings",
    metadata,
    Column("box_id", Integer, primary_key=True, autoincrement=False),
    province_column(),
    Column("ring", SmallInteger),
    Column("release", String(8), nullable=False, default="", server_default=""),
    Column("software", String(30), nullable=False, default="", server_default=""),
    Column("machine", SmallInteger),
    Column("python_minor", SmallInteger),
    Column("state", SmallInteger),
    Column("about", String(8), nullable=False, default="", server_default=""),
    Column("told_s", BigInteger),
    Column("taken_s", BigInteger),
    CheckConstraint("ring BETWEEN 1 AND 3", name="ring"),
    province_key(),
    same_province("box_id", "boxes"),
)
"""`ring`: as an operator said; unset: by its number. `release`, `software`: what it is at work with, as it told last at
`told_s`; since when (`taken_s`). `state` (`wire.UpdateState`): how it stands with the release `about`."""
