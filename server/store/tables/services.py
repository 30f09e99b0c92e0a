"""Fields (lĩnh vực), service groups (the number that a box sends) and single services (thủ tục)."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import Name, String

fields = Table(
    "fields",
    metadata,
    key(),
    province_column(),
    Column("code", String(40), nullable=False),
    Column("name", Name(200), nullable=False),
    province_key(),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
)

service_groups = Table(
    "service_groups",
    metadata,
    key(),
    province_column(),
    Column("number", SmallInteger, nullable=False),
    Column("name", Name(200), nullable=False),
    Column("field_id", Integer),
    province_key(),
    same_province("field_id", "fields"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "number"),
    CheckConstraint("number BETWEEN 0 AND 255", name="number"),
)
"""`number` is the group on the wire; 0 means not told."""

services = Table(
    "services",
    metadata,
    key(),
    province_column(),
    Column("code", String(60), nullable=False),
    Column("name", Name(300), nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("active", Boolean, nullable=False, default=True),
    province_key(),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
)
