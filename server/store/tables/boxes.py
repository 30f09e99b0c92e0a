"""Boxes at the counters: whose they are, their keys, their epoch, and their last heartbeat."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

boxes = Table(
    "boxes",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("counter_id", Integer),
    Column("label", String(100), nullable=False),
    Column("public_key", String(40), unique=True),
    Column("previous_key", String(40)),
    Column("log_key", String(64)),
    Column("epoch", Integer, nullable=False, default=0),
    Column("epoch_nonce", String(32)),
    Column("enrol_code_hash", String(64), unique=True),
    Column("enrol_code_expires_s", BigInteger),
    Column("enrolled_day", Integer),
    Column("revoked_day", Integer),
    Column("demo", Boolean, nullable=False, default=False),
    Column("clerks", Integer, nullable=False, default=1, server_default="1"),
    Column("pool", String(40), nullable=False, default="", server_default=""),
    Column("pulse_epsilon_milli", Integer),
    Column("evidence_epsilon_milli", Integer),
    Column("pulse_period", SmallInteger),
    Column("epoch_day", Integer),
    CheckConstraint("clerks >= 1", name="clerks"),
    province_key(),
    same_province("agency_id", "agencies"),
    same_province("counter_id", "counters"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "label"),
)
"""`public_key`: CURVE, Z85, unset until the box has enrolled. `previous_key`: accepted until the new one is used
(rotation). `log_key`: Ed25519 public key of its transparency log, hex.

`epoch`: the only epoch accepted, 0 before the first message; `epoch_nonce`: 128 random bits of its identity, hex.
`counter_id` is unset where one box pools several
counters. `demo`: demo periods are taken from this box, and everything of it is labelled simulated.

`clerks`: how many clerks it serves, as the operator stated; `pool`: label of the pool in which alone a one-clerk box is
shown, or empty (`server/scores/clerks.py`).

`pulse_epsilon_milli` (0: no pulse), `evidence_epsilon_milli`, `pulse_period` (`wire.PeriodKind`): the terms on which it
releases, as stated at enrolment; unset until stated or first seen. `epoch_day`: the day on which its epoch began; no
release is about an earlier window. All judged in `server/boxes/release_gate.py`."""

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("box_id", Integer, primary_key=True, autoincrement=False),
    province_column(),
    Column("state", SmallInteger, nullable=False),
    Column("software", String(40), nullable=False),
    Column("provider", SmallInteger, nullable=False),
    Column("received_s", BigInteger, nullable=False),
    province_key(),
    same_province("box_id", "boxes"),
)
"""The latest heartbeat of a box only; a heartbeat carries nothing that visits move."""
