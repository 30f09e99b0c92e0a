"""Chains over ratings, withdrawals by two persons, nonces of gateways, one link for each answered complaint.

Ratings that there are get their chain when the server seals its first day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rating_chains",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_rating_chains_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_chains")),
        sa.UniqueConstraint(
            "province_id",
            "received_day",
            "source",
            "channel",
            name=op.f("uq_rating_chains_province_id_received_day_source_channel"),
        ),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("rating_id", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_withdrawals_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "rating_id"],
            ["ratings.province_id", "ratings.id"],
            name=op.f("fk_withdrawals_province_id_rating_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "asked_by"],
            ["users.province_id", "users.id"],
            name=op.f("fk_withdrawals_province_id_asked_by"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
        sa.UniqueConstraint("province_id", "rating_id", name=op.f("uq_withdrawals_province_id_rating_id")),
    )
    op.create_table(
        "gateway_nonces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("gateway_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_gateway_nonces_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "gateway_id"],
            ["gateways.province_id", "gateways.id"],
            name=op.f("fk_gateway_nonces_province_id_gateway_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_nonces")),
        sa.UniqueConstraint("gateway_id", "nonce", name=op.f("uq_gateway_nonces_gateway_id_nonce")),
    )
    op.add_column("feedback", sa.Column("asked_day", sa.Integer(), nullable=True))
    # who has been answered before may have been asked: not a second time
    op.execute("UPDATE feedback SET asked_day = answered_day WHERE answered_day IS NOT NULL")


def downgrade() -> None:
    with op.batch_alter_table("feedback") as batch:
        batch.drop_column("asked_day")
    for name in ("gateway_nonces", "withdrawals", "rating_chains"):
        op.drop_table(name)
