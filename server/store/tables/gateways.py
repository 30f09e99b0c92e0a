"""Gateways of SMS and of the 1022 call centre that may call this server."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

gateways = Table(
    "gateways",
    metadata,
    key(),
    province_column(),
    Column("code", String(40), nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    Column("secret", String(100), nullable=False),
    Column("round_id", Integer, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    province_key(),
    same_province("round_id", "rounds"),
    UniqueConstraint("province_id", "id"),
    CheckConstraint("kind IN ('sms', 'call', 'portal', 'one_stop')", name="kind"),
)
"""`secret`: the key under which the gateway signs (HMAC-SHA-256), sealed (`server.core.sealed`) under a key that is not
in the store.
`round_id`: the round it asks for."""

gateway_events = Table(
    "gateway_events",
    metadata,
    key(),
    province_column(),
    Column("gateway_id", Integer, nullable=False),
    Column("event", String(64), nullable=False),
    Column("day", Integer, nullable=False),
    Column("reply", Text, nullable=False),
    province_key(),
    same_province("gateway_id", "gateways"),
    UniqueConstraint("gateway_id", "event"),
    Index(None, "province_id", "day"),
)
"""Events taken, by SHA-256 of their id, with the reply that was given: a gateway that repeats one gets the same reply.
Deleted with the conversations."""

gateway_nonces = Table(
    "gateway_nonces",
    metadata,
    key(),
    province_column(),
    Column("gateway_id", Integer, nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("span", Integer, nullable=False),
    province_key(),
    same_province("gateway_id", "gateways"),
    UniqueConstraint("gateway_id", "nonce"),
)
"""Nonces of calls that were signed in the last minutes, so that none is taken twice. `span`: the ten minutes that the
call's time lies in, counted from 1970; older ones are deleted with the next call."""
