"""Transactions of an agency, service group and month: the sampling frame, and the weights of every score."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province

transactions = Table(
    "transactions",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False, default=0),
    Column("month", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("late", Integer),
    Column("complained", Integer),
    province_key(),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "agency_id", "service_group", "month"),
    CheckConstraint("count >= 0", name="count"),
    CheckConstraint("late IS NULL OR late BETWEEN 0 AND count", name="late"),
    CheckConstraint("complained IS NULL OR complained BETWEEN 0 AND count", name="complained"),
    Index(None, "province_id", "month"),
)
"""`month`: months since January 2020. `service_group` 0: not split by service. `late`: of them, given back after the
day that was promised; `complained`: of them, with a petition or a dislike; None: not told."""
