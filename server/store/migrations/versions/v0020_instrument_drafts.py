"""Drafts of instruments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instrument_drafts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(31), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wire_code", sa.Integer(), nullable=False),
        sa.Column("base_wire_code", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("changed_day", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("signature", sa.String(128), nullable=False, server_default=""),
        sa.Column("first_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'signed')", name=op.f("ck_instrument_drafts_state")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_instrument_drafts_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "changed_by"],
            ["users.province_id", "users.id"],
            name=op.f("fk_instrument_drafts_province_id_changed_by"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument_drafts")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_instrument_drafts_province_id_id")),
        sa.UniqueConstraint("wire_code", name=op.f("uq_instrument_drafts_wire_code")),
    )


def downgrade() -> None:
    op.drop_table("instrument_drafts")
