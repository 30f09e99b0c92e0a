"""Answers of a sheet beyond the columns of its row: long instruments, and kinds of question beside scale and yes/no."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province

sheet_answers = Table(
    "sheet_answers",
    metadata,
    key(),
    province_column(),
    Column("rating_id", Integer, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    Column("value", Integer, nullable=False),
    province_key(),
    same_province("rating_id", "ratings"),
    UniqueConstraint("province_id", "rating_id", "slot"),
    CheckConstraint("slot BETWEEN 1 AND 255 AND value >= -2", name="bounds"),
    Index(None, "province_id", "slot"),
)
"""One question of a sheet a row; `value` as in `pipeline.instruments.kinds`. A sheet that was asked a question of
several choices has its row there with 0 where none was ticked. Written by `server.ratings.store` alone."""
