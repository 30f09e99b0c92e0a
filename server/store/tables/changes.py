"""The server's own tamper-evident log: every change that can move a score."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

changes = Table(
    "changes",
    metadata,
    key(),
    province_column(),
    Column("position", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    Column("user_id", Integer),
    Column("action", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("chain", String(64), nullable=False),
    province_key(),
    UniqueConstraint("province_id", "position"),
)
"""Append-only, gapless by province. `chain` = SHA-256 of the row before it and this row: see `server.core.changes`.
`user_id` NULL: a command."""
