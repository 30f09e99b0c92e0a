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
    Column("begun_day", Integer, nullable=False),
    Column("place", String(10), nullable=False),
    Column("browser", String(24), nullable=False),
    Column("provider_session", String(64), nullable=False, default=""),
    Column("factor_shown", Boolean, nullable=False, default=False),
    province_key(),
    same_province("user_id", "users"),
)
"""Open sessions. `token_hash`: SHA-256 of the random token in the signed cookie. `place`, `browser`: what
the owner is told of it (`server.auth.devices`): no address. `provider_session`: SHA-256 of what the provider of log-ins
calls the session that this one began with; empty: it began with a password. `factor_shown`: the provider says that a
second factor was shown to it."""

provider_accounts = Table(
    "provider_accounts",
    metadata,
    key(),
    province_column(),
    Column("user_id", Integer, nullable=False, unique=True),
    Column("subject_hash", String(64), nullable=False, unique=True),
    Column("linked_day", Integer, nullable=False),
    province_key(),
    same_province("user_id", "users"),
)
"""Users whom a provider of log-ins knows. `subject_hash`: SHA-256 of the issuer and of its name for the person."""

second_factors = Table(
    "second_factors",
    metadata,
    key(),
    province_column(),
    Column("user_id", Integer, nullable=False, unique=True),
    Column("secret", String(100), nullable=False),
    Column("confirmed", Boolean, nullable=False, default=False),
    Column("last_step", BigInteger, nullable=False, default=0),
    Column("guesses", SmallInteger, nullable=False, server_default="0"),
    Column("guess_day", Integer, nullable=False, server_default="0"),
    province_key(),
    same_province("user_id", "users"),
)
"""What a user's telephone makes codes of (RFC 6238). `secret`: sealed (`server.core.sealed`) under a key that is not
in the store. `confirmed`: a code was shown once; before that it asks for nothing. `last_step`: the newest half minute
since 1970 whose code was taken, so that none is taken twice. `guesses`: codes that did not fit on `guess_day`."""

recovery_codes = Table(
    "recovery_codes",
    metadata,
    key(),
    province_column(),
    Column("user_id", Integer, nullable=False),
    Column("code_hash", String(64), nullable=False),
    province_key(),
    same_province("user_id", "users"),
    UniqueConstraint("user_id", "code_hash"),
)
"""Recovery codes that are still good: a used one is deleted. `code_hash`: SHA-256 of a random code of 79 bits."""

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
