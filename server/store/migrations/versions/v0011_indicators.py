"""Counts of Decision 766 from the portal; of finished dossiers, how many were late, and how many met a petition."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "indicator_counts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=True),
        sa.Column("first_month", sa.SmallInteger(), nullable=False),
        sa.Column("last_month", sa.SmallInteger(), nullable=False),
        sa.Column("dossiers", sa.Integer(), nullable=False),
        sa.Column("dossiers_good", sa.Integer(), nullable=False),
        sa.Column("petitions", sa.Integer(), nullable=False),
        sa.Column("petitions_in_time", sa.Integer(), nullable=False),
        sa.Column("petitions_good", sa.Integer(), nullable=False),
        sa.Column("petitions_procedure", sa.Integer(), nullable=True),
        sa.Column("petitions_staff", sa.Integer(), nullable=True),
        sa.Column("total_score", sa.Float(), nullable=True),
        sa.Column("known_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("unit = coalesce(agency_id, 0)", name=op.f("ck_indicator_counts_unit")),
        sa.CheckConstraint("dossiers_good BETWEEN 0 AND dossiers", name=op.f("ck_indicator_counts_dossiers")),
        sa.CheckConstraint(
            "petitions_in_time BETWEEN 0 AND petitions AND petitions_good BETWEEN 0 AND petitions",
            name=op.f("ck_indicator_counts_petitions"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_indicator_counts_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_indicator_counts_province_id_agency_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicator_counts")),
        sa.UniqueConstraint(
            "province_id",
            "unit",
            "first_month",
            "last_month",
            name=op.f("uq_indicator_counts_province_id_unit_first_month_last_month"),
        ),
    )
    op.create_index(
        op.f("ix_indicator_counts_province_id_first_month"), "indicator_counts", ["province_id", "first_month"]
    )
    with op.batch_alter_table("transactions") as batch:
        batch.add_column(sa.Column("late", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("complained", sa.Integer(), nullable=True))
        batch.create_check_constraint(op.f("ck_transactions_late"), "late IS NULL OR late BETWEEN 0 AND count")
        batch.create_check_constraint(
            op.f("ck_transactions_complained"), "complained IS NULL OR complained BETWEEN 0 AND count"
        )


def downgrade() -> None:
    with op.batch_alter_table("transactions") as batch:
        batch.drop_constraint(op.f("ck_transactions_late"), type_="check")
        batch.drop_constraint(op.f("ck_transactions_complained"), type_="check")
        batch.drop_column("late")
        batch.drop_column("complained")
    op.drop_table("indicator_counts")
