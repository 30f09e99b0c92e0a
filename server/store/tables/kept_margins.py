"""The margins that a period's sheets are weighted to: one record, for good."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

kept_margins = Table(
    "kept_margins",
    metadata,
    key(),
    province_column(),
    Column("instrument", String(40), nullable=False),
    Column("first_month", Integer, nullable=False),
    Column("last_month", Integer, nullable=False),
    Column("known", Text, nullable=False),
    Column("kept_day", Integer, nullable=False),
    province_key(),
    UniqueConstraint("province_id", "instrument", "first_month"),
)
"""`known`: JSON, by margin (`level`, `field`, or a question's code) its categories (code, or the choice's number) with
how many they stand for. Months of two records of an instrument do not overlap."""
