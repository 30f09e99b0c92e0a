"""Answers of long instruments in a table of their own; paper entries keep them too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sheet_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("rating_id", sa.Integer(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.CheckConstraint("slot BETWEEN 1 AND 255 AND value >= -2", name=op.f("ck_sheet_answers_bounds")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_sheet_answers_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "rating_id"],
            ["ratings.province_id", "ratings.id"],
            name=op.f("fk_sheet_answers_province_id_rating_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet_answers")),
        sa.UniqueConstraint(
            "province_id", "rating_id", "slot", name=op.f("uq_sheet_answers_province_id_rating_id_slot")
        ),
    )
    op.create_index(op.f("ix_sheet_answers_province_id_slot"), "sheet_answers", ["province_id", "slot"])
    op.add_column("paper_entries", sa.Column("more", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("paper_entries", "more")
    op.drop_index(op.f("ix_sheet_answers_province_id_slot"), "sheet_answers")
    op.drop_table("sheet_answers")
