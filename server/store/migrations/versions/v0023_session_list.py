"""What a user is told of the own sessions. Those that are open end: nothing is known of where they run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM sessions")
    with op.batch_alter_table("sessions") as batch:
        batch.add_column(sa.Column("begun_day", sa.Integer(), nullable=False))
        batch.add_column(sa.Column("place", sa.String(length=10), nullable=False))
        batch.add_column(sa.Column("browser", sa.String(length=24), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("sessions") as batch:
        batch.drop_column("browser")
        batch.drop_column("place")
        batch.drop_column("begun_day")
