"""The rights desk: requests of data subjects, and incidents. No person's name stands in either."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

rights_requests = Table(
    "rights_requests",
    metadata,
    key(),
    province_column(),
    Column("kind", String(12), nullable=False),
    Column("reference", String(60), nullable=False),
    Column("received_day", Integer, nullable=False),
    Column("answer_due_day", Integer, nullable=False),
    Column("due_day", Integer, nullable=False),
    Column("answered_day", Integer),
    Column("closed_day", Integer),
    Column("outcome", String(20)),
    province_key(),
    UniqueConstraint("province_id", "id"),
    CheckConstraint("kind IN ('view', 'correct', 'withdraw', 'erase', 'complaint')", name="kind"),
    CheckConstraint("(closed_day IS NULL) = (outcome IS NULL)", name="outcome"),
    Index(None, "province_id", "received_day"),
)
"""`reference`: the letter's number in the office's own register of incoming documents, where the name stands."""

incidents = Table(
    "incidents",
    metadata,
    key(),
    province_column(),
    Column("kind", String(8), nullable=False),
    Column("reference", String(60), nullable=False),
    Column("noticed_day", Integer, nullable=False),
    Column("noticed_hour", SmallInteger, nullable=False),
    Column("people", Integer),
    Column("notified_day", Integer),
    Column("notified_hour", SmallInteger),
    Column("closed_day", Integer),
    province_key(),
    UniqueConstraint("province_id", "id"),
    CheckConstraint("kind IN ('data', 'ai')", name="kind"),
    CheckConstraint("noticed_hour BETWEEN 0 AND 23", name="noticed_hour"),
    CheckConstraint("notified_hour BETWEEN 0 AND 23", name="notified_hour"),
    CheckConstraint("(notified_day IS NULL) = (notified_hour IS NULL)", name="notified"),
    CheckConstraint("people >= 0", name="people"),
    Index(None, "province_id", "noticed_day"),
)
"""`noticed_*`: day and hour at which the staff noticed it, from which the clock of 72 hours runs. `people`: whom it
touched, as far as known."""
