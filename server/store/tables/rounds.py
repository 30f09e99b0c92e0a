"""Rounds of the survey (đợt khảo sát), and the one-time invitations of a round."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import Name, String

rounds = Table(
    "rounds",
    metadata,
    key(),
    province_column(),
    Column("code", String(40), nullable=False),
    Column("name", Name(200), nullable=False),
    Column("instrument", String(40), nullable=False),
    Column("instrument_version", Integer, nullable=False),
    Column("second_instrument", String(40)),
    Column("second_version", Integer),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    province_key(),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
    CheckConstraint("last_day >= first_day", name="days"),
)
"""A round asks with one version of one instrument; answers are taken from `first_day` to `last_day`. In a bridging
round half of the links ask with `second_instrument`."""

invitations = Table(
    "invitations",
    metadata,
    key(),
    province_column(),
    Column("round_id", Integer, nullable=False),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("channel", String(20), nullable=False),
    Column("scope", String(20), nullable=False, default="form"),
    Column("token_hash", String(64), nullable=False),
    Column("service_id", Integer),
    Column("dossier_day", Integer),
    Column("handling_id", Integer),
    Column("deciding_id", Integer),
    Column("issued_day", Integer, nullable=False),
    Column("expires_day", Integer, nullable=False),
    Column("used", Boolean, nullable=False, default=False),
    province_key(),
    same_province("round_id", "rounds"),
    same_province("agency_id", "agencies"),
    same_province("service_id", "services"),
    same_province("handling_id", "agencies"),
    same_province("deciding_id", "agencies"),
    UniqueConstraint("token_hash"),
    CheckConstraint("scope IN ('form', 'feedback')", name="scope"),
    Index(None, "province_id", "round_id", "agency_id"),
    Index(None, "province_id", "agency_id", "issued_day"),
)
"""A right to answer once. `token_hash`: SHA-256 of the token in the link or QR code. Nothing joins an invitation to
the rating it was used for: `used` is set in the same transaction, and neither row names the other.

`service_id`, `dossier_day`, `handling_id`, `deciding_id`: of a right that belongs to a dossier
(`server.channels.online.receipts`); the dossier's code is nowhere.

`scope` feedback: only factor E is asked, of somebody whose complaint has been answered."""
