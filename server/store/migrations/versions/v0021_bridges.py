"""A second instrument of a bridging round."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rounds", sa.Column("second_instrument", sa.String(40), nullable=True))
    op.add_column("rounds", sa.Column("second_version", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("rounds", "second_version")
    op.drop_column("rounds", "second_instrument")
