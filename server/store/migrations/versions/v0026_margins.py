"""Known margins of the population, to weight answers by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "margins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("item", sa.String(length=10), nullable=False),
        sa.Column("choice", sa.SmallInteger(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.CheckConstraint("people >= 0", name=op.f("ck_margins_people")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_margins_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_margins")),
        sa.UniqueConstraint(
            "province_id",
            "instrument",
            "item",
            "choice",
            "year",
            name=op.f("uq_margins_province_id_instrument_item_choice_year"),
        ),
    )


def downgrade() -> None:
    op.drop_table("margins")
