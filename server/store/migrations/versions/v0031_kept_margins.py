"""The margins that a period's sheets are weighted to: one record, for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_margins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("first_month", sa.Integer(), nullable=False),
        sa.Column("last_month", sa.Integer(), nullable=False),
        sa.Column("known", sa.Text(), nullable=False),
        sa.Column("kept_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_kept_margins_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_margins")),
        sa.UniqueConstraint(
            "province_id",
            "instrument",
            "first_month",
            name=op.f("uq_kept_margins_province_id_instrument_first_month"),
        ),
    )


def downgrade() -> None:
    op.drop_table("kept_margins")
