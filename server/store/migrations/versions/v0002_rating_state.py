"""Ratings that were flagged are set aside by a state of their own, so that a person can count them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ratings", sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False))
    op.execute("UPDATE ratings SET state = 1 WHERE flag <> 0")  # 1: RatingState.SET_ASIDE


def downgrade() -> None:
    with op.batch_alter_table("ratings") as batch:
        batch.drop_column("state")
