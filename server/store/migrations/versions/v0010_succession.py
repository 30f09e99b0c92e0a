"""Official codes and validity of agencies, and who took over from whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("agencies") as batch:
        batch.add_column(sa.Column("official_code", sa.String(length=40), nullable=False, server_default=""))
        batch.add_column(sa.Column("area_code", sa.String(length=10), nullable=False, server_default=""))
        batch.add_column(sa.Column("first_day", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("last_day", sa.Integer(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_agencies_days"), "first_day IS NULL OR last_day IS NULL OR last_day >= first_day"
        )
    op.create_index(
        "uq_agencies_official_code",
        "agencies",
        ["province_id", "official_code"],
        unique=True,
        sqlite_where=sa.text("official_code <> ''"),
        postgresql_where=sa.text("official_code <> ''"),
    )
    op.create_table(
        "agency_successors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("successor_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.CheckConstraint("agency_id <> successor_id", name=op.f("ck_agency_successors_another")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_agency_successors_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_agency_successors_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "successor_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_agency_successors_province_id_successor_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agency_successors")),
        sa.UniqueConstraint(
            "province_id",
            "agency_id",
            "successor_id",
            name=op.f("uq_agency_successors_province_id_agency_id_successor_id"),
        ),
    )


def downgrade() -> None:
    op.drop_table("agency_successors")
    op.drop_index("uq_agencies_official_code", table_name="agencies")
    with op.batch_alter_table("agencies") as batch:
        batch.drop_constraint(op.f("ck_agencies_days"), type_="check")
        for name in ("last_day", "first_day", "area_code", "official_code"):
            batch.drop_column(name)
