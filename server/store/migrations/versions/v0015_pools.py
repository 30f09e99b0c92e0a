"""Pools of a hall's box: releases name their pool, and each pool its agency. What there is is of pool 1."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_WINDOW = ["box_id", "epoch", "kind", "period_kind", "period_index"]


def _one_of_a_window(columns: list[str]) -> None:
    op.create_index(
        "uq_releases_one_of_a_window",
        "releases",
        columns,
        unique=True,
        sqlite_where=sa.text("held IS NULL"),
        postgresql_where=sa.text("held IS NULL"),
    )


def upgrade() -> None:
    op.create_table(
        "box_pools",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("box_id", sa.Integer(), nullable=False),
        sa.Column("pool", sa.SmallInteger(), nullable=False),
        sa.Column("first_month", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=True),
        sa.Column("clerks", sa.Integer(), nullable=False),
        sa.CheckConstraint("pool BETWEEN 1 AND 64", name=op.f("ck_box_pools_pool")),
        sa.CheckConstraint("clerks >= 2", name=op.f("ck_box_pools_clerks")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_box_pools_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "box_id"],
            ["boxes.province_id", "boxes.id"],
            name=op.f("fk_box_pools_province_id_box_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_box_pools_province_id_agency_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_box_pools")),
        sa.UniqueConstraint(
            "province_id",
            "box_id",
            "pool",
            "first_month",
            name=op.f("uq_box_pools_province_id_box_id_pool_first_month"),
        ),
    )
    op.add_column("releases", sa.Column("pool", sa.SmallInteger(), nullable=False, server_default="1"))
    op.drop_index("uq_releases_one_of_a_window", "releases")
    _one_of_a_window([*_WINDOW[:2], "pool", *_WINDOW[2:]])


def downgrade() -> None:
    op.drop_index("uq_releases_one_of_a_window", "releases")
    op.execute("UPDATE releases SET held = 'repeated' WHERE pool > 1")
    with op.batch_alter_table("releases") as batch:
        batch.drop_column("pool")
    _one_of_a_window(_WINDOW)
    op.drop_table("box_pools")
