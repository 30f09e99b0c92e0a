"""Users, their sessions, and the log of who read or changed what."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
)

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String


class Role(StrEnum):
    """What a user may do; see `server.auth.roles`."""

    ADMINISTRATOR = "administrator"
    DATA_ENTRY = "data_entry"
    ANALYST = "analyst"
    PRIVACY_OFFICER = "privacy_officer"
    AGENCY_READER = "agency_reader"


users = Table(
    "users",
    metadata,
    key(),
    province_column(),
    Column("name", String(60), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("agency_id", Integer),
    Column("active", Boolean, nullable=False, default=True),
    Column("must_change_password", Boolean, nullable=False, default=True),
    Column("created_day", Integer, nullable=False),
    province_key(),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "id"),
    CheckConstraint(
        "role IN ('administrator', 'data_entry', 'analyst', 'privacy_officer', 'agency_reader')", name="role"
    ),
    CheckConstraint("role <> 'agency_reader' OR agency_id IS NOT NULL", name="reader_has_agency"),
)
"""A user belongs to one province; an agency reader to one agency. `password_hash`: Argon2id."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    province_column(),
    Column("user_id", Integer, nullable=False),
    Column("expires_s", BigInteger, nullable=False),
    province_key(),
    same_province("user_id", "users"),
)
"""Open sessions. `token_hash`: SHA-256 of the random token in the signed cookie."""

access_log = Table(
    "access_log",
    metadata,
    key(),
    province_column(),
    Column("user_id", Integer),
    Column("at_s", BigInteger, nullable=False),
    Column("method", String(10), nullable=False),
    Column("route", String(200), nullable=False),
    Column("status", SmallInteger, nullable=False),
    province_key(),
    Index(None, "province_id", "at_s"),
)
"""Requests of users who are logged in, and failed log-ins; never those of citizens. `route` is the template, without
values."""
