"""Releases offered to the boxes in rings, and how each box stands with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("release", sa.String(length=8), nullable=False),
        sa.Column("software", sa.String(length=30), nullable=False),
        sa.Column("machine", sa.SmallInteger(), nullable=False),
        sa.Column("python_minor", sa.SmallInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("ring", sa.SmallInteger(), nullable=False),
        sa.Column("ring_s", sa.BigInteger(), nullable=False),
        sa.Column("since_s", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False, server_default=""),
        sa.CheckConstraint("ring BETWEEN 1 AND 3", name=op.f("ck_offers_ring")),
        sa.CheckConstraint("state IN ('open', 'stopped', 'withdrawn')", name=op.f("ck_offers_state")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_offers_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("province_id", "release", name=op.f("uq_offers_province_id_release")),
    )
    op.create_table(
        "box_standings",
        sa.Column("box_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("ring", sa.SmallInteger(), nullable=True),
        sa.Column("release", sa.String(length=8), nullable=False, server_default=""),
        sa.Column("software", sa.String(length=30), nullable=False, server_default=""),
        sa.Column("machine", sa.SmallInteger(), nullable=True),
        sa.Column("python_minor", sa.SmallInteger(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=True),
        sa.Column("about", sa.String(length=8), nullable=False, server_default=""),
        sa.Column("told_s", sa.BigInteger(), nullable=True),
        sa.Column("taken_s", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("ring BETWEEN 1 AND 3", name=op.f("ck_box_standings_ring")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_box_standings_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "box_id"],
            ["boxes.province_id", "boxes.id"],
            name=op.f("fk_box_standings_province_id_box_id"),
        ),
        sa.PrimaryKeyConstraint("box_id", name=op.f("pk_box_standings")),
    )


def downgrade() -> None:
    op.drop_table("box_standings")
    op.drop_table("offers")
