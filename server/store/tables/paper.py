"""Paper forms from print to rating: who carries them, both entries, and the re-check (phúc tra)."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

paper_forms = Table(
    "paper_forms",
    metadata,
    key(),
    province_column(),
    Column("round_id", Integer, nullable=False),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("code", String(16), nullable=False),
    Column("enumerator_id", Integer),
    Column("state", String(12), nullable=False, default="printed"),
    Column("double_entry", Boolean, nullable=False, default=False),
    Column("recheck", Boolean, nullable=False, default=False),
    Column("printed_day", Integer, nullable=False),
    Column("answered_day", Integer),
    province_key(),
    same_province("round_id", "rounds"),
    same_province("agency_id", "agencies"),
    same_province("enumerator_id", "enumerators"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
    CheckConstraint("state IN ('printed', 'half', 'differs', 'entered', 'void')", name="state"),
    Index(None, "province_id", "round_id", "state"),
)
"""`code` is printed with a check character. `double_entry`, `recheck`: drawn at random when the form was printed.

States: printed; half (entered once, waiting for the second person); differs (the entries disagree: somebody decides
with the paper in hand); entered (its rating is stored); void."""

paper_entries = Table(
    "paper_entries",
    metadata,
    key(),
    province_column(),
    Column("form_id", Integer, nullable=False),
    Column("step", String(8), nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    Column("answers", String(32), nullable=False),
    Column("more", Text, nullable=False, default="", server_default=""),
    Column("reasons", Integer, nullable=False, default=0),
    Column("result", String(12), nullable=False, default=""),
    province_key(),
    same_province("form_id", "paper_forms"),
    ForeignKeyConstraint(["province_id", "user_id"], ["users.province_id", "users.id"]),
    UniqueConstraint("province_id", "form_id", "step"),
    CheckConstraint("step IN ('first', 'second', 'decided', 'recheck')", name="step"),
    CheckConstraint("result IN ('', 'same', 'differs', 'unreached')", name="result"),
)
"""`answers`: 32 digits, one a slot; `more`: further answers (`server.ratings.sheet_answers.more_text`). `result` of
a second entry or of a re-check against the first."""
