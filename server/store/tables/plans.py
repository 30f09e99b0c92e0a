"""Sampling plans: sizes by stratum and what the seeded draw chose."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, SmallInteger, Table, Text, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

plans = Table(
    "plans",
    metadata,
    key(),
    province_column(),
    Column("round_id", Integer, nullable=False),
    Column("code", String(40), nullable=False),
    Column("seed", Integer, nullable=False),
    Column("settings", Text, nullable=False),
    Column("made_day", Integer, nullable=False),
    province_key(),
    same_province("round_id", "rounds"),
    UniqueConstraint("province_id", "id"),
    UniqueConstraint("province_id", "code"),
)
"""`settings`: JSON of what the plan was made with (`server.sampling.plan.PlanSettings`): it can be drawn again."""

plan_strata = Table(
    "plan_strata",
    metadata,
    key(),
    province_column(),
    Column("plan_id", Integer, nullable=False),
    Column("agency_id", Integer, nullable=False),
    Column("service_group", SmallInteger, nullable=False),
    Column("transactions", Integer, nullable=False),
    Column("drawn", Boolean, nullable=False),
    Column("forms", Integer, nullable=False),
    Column("probability", Float, nullable=False),
    Column("picks", Text, nullable=False, default=""),
    province_key(),
    same_province("plan_id", "plans"),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "plan_id", "agency_id", "service_group"),
)
"""One stratum: `forms` to bring back, `probability` that one of its transactions is asked, `picks` the ordinal numbers
(1 = first of the period, in the agency's own register) of the transactions drawn, separated by spaces."""
