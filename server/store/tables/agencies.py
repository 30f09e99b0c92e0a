"""Agencies and the levels of the administration they stand on. Levels are data: two or three, as the province has
them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, String, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province

levels = Table(
    "levels",
    metadata,
    key(),
    province_column(),
    Column("code", String(40), nullable=False),
    Column("name_vi", String(200), nullable=False),
    Column("name_en", String(200), nullable=False),
    Column("rank", Integer, nullable=False),
    province_key(),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
)
"""`rank` 1 is the highest (the province)."""

agencies = Table(
    "agencies",
    metadata,
    key(),
    province_column(),
    Column("code", String(40), nullable=False),
    Column("name_vi", String(200), nullable=False),
    Column("name_en", String(200), nullable=False),
    Column("level_id", Integer, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    province_key(),
    same_province("level_id", "levels"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
)
