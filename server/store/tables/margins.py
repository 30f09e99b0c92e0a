"""Known margins of the population: how many people each answer of a question about oneself stands for."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key
from server.store.types import String

margins = Table(
    "margins",
    metadata,
    key(),
    province_column(),
    Column("instrument", String(40), nullable=False),
    Column("item", String(10), nullable=False),
    Column("choice", SmallInteger, nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column("people", Integer, nullable=False),
    province_key(),
    UniqueConstraint("province_id", "instrument", "item", "choice", "year"),
    CheckConstraint("people >= 0", name="people"),
)
"""One choice of a question of an instrument's demographic block a row. `year`: of the census or register; 0 where the
file does not tell. Only proportions matter."""
