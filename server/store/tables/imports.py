"""Files that were imported: for repeats, and for the record."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

imports = Table(
    "imports",
    metadata,
    key(),
    province_column(),
    Column("kind", String(20), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("batch", String(60), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    Column("user_id", Integer),
    province_key(),
    UniqueConstraint("province_id", "kind", "digest", "batch"),
)
"""`digest`: SHA-256 of the file. `rows` it held, `added` that were new; -1 while it is being written or was cut off."""
