"""Agencies, the levels of the administration they stand on, and who took over from whom. Levels are data: two or three,
as the province has them."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, UniqueConstraint, text

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import Name, String

levels = Table(
    "levels",
    metadata,
    key(),
    province_column(),
    Column("code", String(40), nullable=False),
    Column("name", Name(200), nullable=False),
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
    Column("name", Name(200), nullable=False),
    Column("level_id", Integer, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("official_code", String(40), nullable=False, server_default=""),
    Column("area_code", String(10), nullable=False, server_default=""),
    Column("first_day", Integer),
    Column("last_day", Integer),
    province_key(),
    same_province("level_id", "levels"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
    CheckConstraint("first_day IS NULL OR last_day IS NULL OR last_day >= first_day", name="days"),
    Index(
        "uq_agencies_official_code",
        "province_id",
        "official_code",
        unique=True,
        sqlite_where=text("official_code <> ''"),
        postgresql_where=text("official_code <> ''"),
    ),
)
"""`official_code`: the unit in dossier codes and on the national portal (`H15.50.05.13`); `area_code`: of the commune
or province in the official list of administrative units. `first_day`, `last_day`: from when to when it exists, both
included; None: open."""

agency_successors = Table(
    "agency_successors",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("successor_id", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    province_key(),
    same_province("agency_id", "agencies"),
    same_province("successor_id", "agencies"),
    UniqueConstraint("province_id", "agency_id", "successor_id"),
    CheckConstraint("agency_id <> successor_id", name="another"),
)
"""`successor_id` took over from `agency_id` on `day`, its own first day. Several agencies with one successor: a merger;
one with several: a split."""
