"""Instruments that a province is writing, and those that it has signed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Integer, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

instrument_drafts = Table(
    "instrument_drafts",
    metadata,
    key(),
    province_column(),
    Column("code", String(31), nullable=False),
    Column("version", Integer, nullable=False),
    Column("wire_code", Integer, nullable=False),
    Column("base_wire_code", Integer, nullable=False),
    Column("state", String(8), nullable=False, default="draft"),
    Column("content", Text, nullable=False),
    Column("changed_day", Integer, nullable=False),
    Column("changed_by", Integer),
    Column("digest", String(64), nullable=False, default="", server_default=""),
    Column("signature", String(128), nullable=False, default="", server_default=""),
    Column("first_day", Integer),
    province_key(),
    ForeignKeyConstraint(["province_id", "changed_by"], ["users.province_id", "users.id"]),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("wire_code"),
    CheckConstraint("state IN ('draft', 'signed')", name="state"),
)
"""`content`: the record as JSON (`pipeline.instruments.Instrument`), which need not fit together while it is a draft.
`base_wire_code`: what it was cloned from. Of a signed one: `digest` (SHA-256 of its file), `signature` (Ed25519, hex)
and `first_day`, on which it begins to ask. `wire_code` is unique among all provinces of a server: rows and boxes name
an instrument by it."""
