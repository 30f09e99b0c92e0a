"""Expectations and suggested solutions in people's own words, coded by a person."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, SmallInteger, Table, Text

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

comments = Table(
    "comments",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("month", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("text", Text, nullable=False),
    Column("code", String(30)),
    Column("coded_by", Integer),
    province_key(),
    same_province("agency_id", "agencies"),
    CheckConstraint("kind IN ('expectation', 'suggestion')", name="kind"),
    Index(None, "province_id", "month"),
)
"""Not joined to the rating it came with; the month is its finest time. `code`: one of
`server.core.labels.COMMENT_CODES`, unset until a person has read it. Never sent to a box."""
