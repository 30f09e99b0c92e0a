"""Provinces: the tenants of a server, and their settings."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import Name, String

provinces = Table(
    "provinces",
    metadata,
    key(),
    Column("code", String(40), nullable=False, unique=True),
    Column("name", Name(200), nullable=False),
    Column("simulated", Boolean, nullable=False, default=False),
    Column("created_day", Integer, nullable=False),
)
"""`simulated`: made by `sample-province` or the demo; every page and file then says so."""

settings = Table(
    "settings",
    metadata,
    key(),
    province_column(),
    Column("name", String(60), nullable=False),
    Column("value", Text, nullable=False),
    province_key(),
    UniqueConstraint("province_id", "name"),
)
"""Settings of a province as JSON values; names and defaults in `server.settings`."""
