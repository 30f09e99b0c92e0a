"""Feedback (phản ánh, kiến nghị): what was received, when it was due, when it was answered."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, SmallInteger, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

OPEN_STATES = ("received", "forwarded", "supplement")
"""States in which an answer is waited for; the others are closed."""

feedback = Table(
    "feedback",
    metadata,
    key(),
    province_column(),
    Column("code_hash", String(64), nullable=False),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("channel", String(20), nullable=False),
    Column("category", String(20), nullable=False),
    Column("status", String(12), nullable=False, default="received"),
    Column("received_day", Integer, nullable=False),
    Column("due_day", Integer, nullable=False),
    Column("answered_day", Integer),
    Column("asked_day", Integer),
    Column("text", Text, nullable=False, default=""),
    Column("responsible_id", Integer),
    Column("role", String(20), nullable=False, server_default="data_entry"),
    Column("answer", Text, nullable=False, server_default=""),
    Column("changed", Text, nullable=False, server_default=""),
    Column("published_day", Integer),
    Column("liked", Boolean),
    Column("reopened", SmallInteger, nullable=False, server_default="0"),
    Column("reminded_day", Integer),
    Column("escalated_day", Integer),
    province_key(),
    same_province("agency_id", "agencies"),
    same_province("responsible_id", "agencies"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("code_hash"),
    CheckConstraint("category IN ('procedure', 'attitude', 'delay', 'cost', 'facility', 'other')", name="category"),
    CheckConstraint("status IN ('received', 'forwarded', 'supplement', 'answered', 'rejected')", name="status"),
    Index(None, "province_id", "received_day"),
)
"""`code_hash`: SHA-256 of a random code that is told to the citizen, who can ask for the state with it and judge the
answer: nobody who is judged may have it. `text` stays on this server and is wiped
with the contact. `asked_day`: when the one link about factor E was issued. `responsible_id`: the agency that has to
answer, where it is another; `role`: of the staff that does. `answered_day`: of the answer or the refusal, whose words
are `answer`; `published_day`: for everybody, with what was `changed`; else for the holder of the code alone, and wiped
after `contact_days`. `liked`: what the writer thinks of it. `reopened`: how often."""

feedback_contacts = Table(
    "feedback_contacts",
    metadata,
    key(),
    province_column(),
    Column("feedback_id", Integer, nullable=False),
    Column("contact", String(120), nullable=False),
    Column("expires_day", Integer, nullable=False),
    province_key(),
    same_province("feedback_id", "feedback"),
    UniqueConstraint("province_id", "feedback_id"),
    Index(None, "province_id", "expires_day"),
)
"""How to answer somebody who asked for it: deleted after `expires_day`."""
