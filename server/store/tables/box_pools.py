"""The pools of a hall's box: which agency each number is, from which month on."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, SmallInteger, Table, UniqueConstraint

from server.store.metadata import key, metadata, province_column, province_key, same_province

box_pools = Table(
    "box_pools",
    metadata,
    key(),
    province_column(),
    Column("box_id", Integer, nullable=False),
    Column("pool", SmallInteger, nullable=False),
    Column("first_month", Integer, nullable=False),
    Column("agency_id", Integer),
    Column("clerks", Integer, nullable=False),
    CheckConstraint("pool BETWEEN 1 AND 64", name="pool"),
    CheckConstraint("clerks >= 2", name="clerks"),
    province_key(),
    same_province("box_id", "boxes"),
    same_province("agency_id", "agencies"),
    UniqueConstraint("province_id", "box_id", "pool", "first_month"),
)
"""`first_month`: month index (`pipeline.calendar`) from which the statement holds, 0 from the beginning; a later one
takes its place. `agency_id` unset: the box has sent something of this pool, and nobody has said whose it is. `clerks`:
who serve at its counters, as stated. A pool 1 without a row is the box's own agency (`boxes.agency_id`)."""
