"""Counters of an agency."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import Name, String

counters = Table(
    "counters",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("code", String(40), nullable=False),
    Column("name", Name(200), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    province_key(),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "agency_id", "code"),
)
