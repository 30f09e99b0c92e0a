"""How many codes of a second factor did not fit today: what a restart forgets is kept here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("second_factors", sa.Column("guesses", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("second_factors", sa.Column("guess_day", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("second_factors") as batch:
        batch.drop_column("guess_day")
        batch.drop_column("guesses")
