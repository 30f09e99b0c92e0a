"""Channels are rows of a table instead of a list in a check; a rating names its source, author and day of receipt.

Sheets that do not fit their instrument get a table of their own. Rows that there are: no source, no author, day 0.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHANNELS = ("counter_tablet", "online", "sms", "call_1022", "hotline", "paper")


def upgrade() -> None:
    channels = op.create_table(
        "channels",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_channels")),
    )
    op.bulk_insert(channels, [{"code": code} for code in CHANNELS])
    with op.batch_alter_table("ratings") as batch:  # SQLite writes the table anew, with the checks that are left
        batch.drop_constraint(op.f("ck_ratings_channel"), type_="check")
        batch.add_column(sa.Column("source", sa.String(length=40), server_default="", nullable=False))
        batch.add_column(sa.Column("author_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("received_day", sa.Integer(), server_default="0", nullable=False))
        batch.create_foreign_key(op.f("fk_ratings_channel"), "channels", ["channel"], ["code"])
        batch.create_foreign_key(
            op.f("fk_ratings_province_id_author_id"), "users", ["province_id", "author_id"], ["province_id", "id"]
        )
    op.create_table(
        "unfit_sheets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("instrument_version", sa.Integer(), nullable=False),
        sa.Column("answers", sa.String(length=32), nullable=False),
        sa.Column("reasons", sa.Integer(), nullable=False),
        sa.Column("flag", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_unfit_sheets_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_unfit_sheets_province_id_agency_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unfit_sheets")),
    )
    op.create_index(op.f("ix_unfit_sheets_province_id_source"), "unfit_sheets", ["province_id", "source"])


def downgrade() -> None:
    op.drop_table("unfit_sheets")
    with op.batch_alter_table("ratings") as batch:
        batch.drop_constraint(op.f("fk_ratings_channel"), type_="foreignkey")
        batch.drop_constraint(op.f("fk_ratings_province_id_author_id"), type_="foreignkey")
        for name in ("source", "author_id", "received_day"):
            batch.drop_column(name)
        batch.create_check_constraint(
            op.f("ck_ratings_channel"),
            "channel IN ('counter_tablet', 'online', 'sms', 'call_1022', 'hotline', 'paper')",
        )
    op.drop_table("channels")
