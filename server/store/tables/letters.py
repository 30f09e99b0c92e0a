"""What goes out: letters by mail and calls of a webhook until they are delivered; alerts; imports that failed."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, SmallInteger, Table, Text, UniqueConstraint
from sqlalchemy import text as sql

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

_MACHINES = {"seconds": "of this server's own doings, not of a citizen's"}

letters = Table(
    "letters",
    metadata,
    key(),
    province_column(),
    Column("way", String(10), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("subject", String(200), nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False, server_default=""),
    Column("message_id", String(60), nullable=False, unique=True),
    Column("made_s", BigInteger, nullable=False, info=_MACHINES),
    Column("due_s", BigInteger, nullable=False, info=_MACHINES),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("state", String(10), nullable=False, server_default="waiting"),
    Column("problem", String(20), nullable=False, server_default=""),
    Column("their_status", SmallInteger, nullable=False, server_default="0"),
    province_key(),
    CheckConstraint("way IN ('mail', 'webhook')", name="way"),
    CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state"),
    Index(None, "state", "due_s"),
)
"""`receiver`: addresses with commas between, or the webhook's URL. `due_s`: when it is tried next. `problem`, with the
other side's own `their_status`: why the newest try failed. Deleted 30 days after `made_s`."""

alerts = Table(
    "alerts",
    metadata,
    key(),
    province_column(),
    Column("kind", String(20), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("detail", Text, nullable=False),
    Column("first_s", BigInteger, nullable=False, info=_MACHINES),
    Column("seen_s", BigInteger, nullable=False, info=_MACHINES),
    Column("opened_s", BigInteger, info=_MACHINES),
    Column("closed_s", BigInteger, info=_MACHINES),
    Column("told_s", BigInteger, info=_MACHINES),
    Column("over_told_s", BigInteger, info=_MACHINES),
    province_key(),
    Index(
        "uq_alerts_live",
        "province_id",
        "kind",
        "subject",
        unique=True,
        sqlite_where=sql("closed_s IS NULL"),
        postgresql_where=sql("closed_s IS NULL"),
    ),
)
"""One thing that needs somebody. `first_s`: seen for the first time, `seen_s`: for the last; `opened_s` once it has
lasted, `closed_s` once it has been away for long enough; `told_s`, `over_told_s`: when letters about that were written.
`detail`: JSON, what its words name (a box, an agency, a day): no figure, nothing of a citizen. Deleted a year after
`closed_s`."""

failed_imports = Table(
    "failed_imports",
    metadata,
    key(),
    province_column(),
    Column("kind", String(20), nullable=False),
    Column("failed_s", BigInteger, nullable=False, info=_MACHINES),
    province_key(),
    UniqueConstraint("province_id", "kind"),
)
"""Kinds whose newest import was refused, since when; gone with the next that succeeds."""
