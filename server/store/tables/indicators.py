"""Counts of the satisfaction group of Decision 766 as a file of the national portal tells them: a unit and a period a
row."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, Index, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province

indicator_counts = Table(
    "indicator_counts",
    metadata,
    key(),
    province_column(),
    Column("unit", Integer, nullable=False),
    Column("agency_id", Integer),
    Column("first_month", SmallInteger, nullable=False),
    Column("last_month", SmallInteger, nullable=False),
    Column("dossiers", Integer, nullable=False),
    Column("dossiers_good", Integer, nullable=False),
    Column("petitions", Integer, nullable=False),
    Column("petitions_in_time", Integer, nullable=False),
    Column("petitions_good", Integer, nullable=False),
    Column("petitions_procedure", Integer),
    Column("petitions_staff", Integer),
    Column("total_score", Float),
    Column("known_day", Integer),
    province_key(),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "unit", "first_month", "last_month"),
    CheckConstraint("unit = coalesce(agency_id, 0)", name="unit"),
    CheckConstraint("dossiers_good BETWEEN 0 AND dossiers", name="dossiers"),
    CheckConstraint(
        "petitions_in_time BETWEEN 0 AND petitions AND petitions_good BETWEEN 0 AND petitions", name="petitions"
    ),
    Index(None, "province_id", "first_month"),
)
"""`unit`: the agency, 0 the whole province (a key may not be empty). `total_score`: as published, to be compared.
`known_day`: the day that the counts are of, where the period was not over; None: of the whole period.
`petitions_procedure`, `petitions_staff`: of those received, how many were about procedures, about staff."""

sheet61_scores = Table(
    "sheet61_scores",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("first_month", SmallInteger, nullable=False),
    Column("indicator", SmallInteger, nullable=False),
    Column("self_score", SmallInteger, nullable=False),
    Column("verified_score", SmallInteger),
    province_key(),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "agency_id", "first_month", "indicator"),
    CheckConstraint("self_score >= 0 AND coalesce(verified_score, 0) >= 0", name="points"),
)
"""Points of the quarterly sheet 61 (`server.indicators.sheet61`): one indicator of an agency and quarter a row.
`verified_score`: None until somebody else has verified it."""
