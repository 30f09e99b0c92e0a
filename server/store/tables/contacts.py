"""People whom the survey has to reach or employ: phone numbers and enumerators, apart from all answers, each with a
day after which the row is deleted (`server.retention.survey`)."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

phone_contacts = Table(
    "phone_contacts",
    metadata,
    key(),
    province_column(),
    Column("round_id", Integer, nullable=False),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("phone", String(20), nullable=False),
    Column("state", String(12), nullable=False, default="to_ask"),
    Column("waves", SmallInteger, nullable=False, default=0, server_default="0"),
    Column("asked_day", Integer),
    Column("expires_day", Integer, nullable=False),
    province_key(),
    same_province("round_id", "rounds"),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "round_id", "phone"),
    CheckConstraint("state IN ('to_ask', 'asked', 'answered', 'declined', 'failed')", name="state"),
    Index(None, "province_id", "expires_day"),
)
"""Somebody to ask by SMS or call. `phone`: digits, national form. `state` says that the person answered, never what.
`waves`: how often we asked (at most twice), last on `asked_day` (`server.channels.gateway.waves`)."""

phone_sessions = Table(
    "phone_sessions",
    metadata,
    key(),
    province_column(),
    Column("round_id", Integer, nullable=False),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("channel", String(20), nullable=False),
    Column("phone_digest", String(64), nullable=False),
    Column("step", SmallInteger, nullable=False, default=0),
    Column("retries", SmallInteger, nullable=False, default=0),
    Column("answers", String(64), nullable=False, default=""),
    Column("day", Integer, nullable=False),
    province_key(),
    same_province("round_id", "rounds"),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "round_id", "channel", "phone_digest"),
    Index(None, "province_id", "day"),
)
"""A conversation under way; deleted in the transaction that stores its rating, or at the latest two days after `day`.
`phone_digest`, `answers`: under a key in the server's
memory alone (`server.channels.gateway.gateway`), so that no file that keeps an old page tells them."""

enumerators = Table(
    "enumerators",
    metadata,
    key(),
    province_column(),
    Column("code", String(20), nullable=False),
    Column("name", String(120), nullable=False),
    Column("organisation", String(200), nullable=False, default=""),
    Column("phone", String(20), nullable=False, default=""),
    Column("active", Boolean, nullable=False, default=True),
    Column("expires_day", Integer, nullable=False),
    province_key(),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
    Index(None, "province_id", "expires_day"),
)
"""Somebody who carries paper forms (for example of the Post Office). After `expires_day` name and phone are wiped; the
code stays, because forms name it."""
