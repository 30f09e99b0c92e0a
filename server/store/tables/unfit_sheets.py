"""Sheets that came and do not fit their instrument: kept with the reason, counted and shown, never in a score."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, SmallInteger, Table

from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

unfit_sheets = Table(
    "unfit_sheets",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("source", String(40), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("day", Integer, nullable=False),
    Column("received_day", Integer, nullable=False),
    Column("instrument", String(40), nullable=False),
    Column("instrument_version", Integer, nullable=False),
    Column("answers", String(32), nullable=False),
    Column("reasons", Integer, nullable=False),
    Column("flag", SmallInteger, nullable=False),
    Column("reason", String(20), nullable=False),
    province_key(),
    same_province("agency_id", "agencies"),
    Index(None, "province_id", "source"),
)
"""`answers`: 32 digits as they came. `day`: as it came, possibly no day at all. `reason`: the first of
`server.ratings.rating.Unfit` that applies. `source`: `server.ratings.source.Source`."""
