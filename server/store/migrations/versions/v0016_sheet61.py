"""Points of the quarterly sheet 61."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sheet61_scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("first_month", sa.SmallInteger(), nullable=False),
        sa.Column("indicator", sa.SmallInteger(), nullable=False),
        sa.Column("self_score", sa.SmallInteger(), nullable=False),
        sa.Column("verified_score", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint(
            "self_score >= 0 AND coalesce(verified_score, 0) >= 0", name=op.f("ck_sheet61_scores_points")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_sheet61_scores_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_sheet61_scores_province_id_agency_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet61_scores")),
        sa.UniqueConstraint(
            "province_id",
            "agency_id",
            "first_month",
            "indicator",
            name=op.f("uq_sheet61_scores_province_id_agency_id_first_month_indicator"),
        ),
    )


def downgrade() -> None:
    op.drop_table("sheet61_scores")
