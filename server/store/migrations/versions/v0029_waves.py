"""How often a telephone number was asked, and when last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("phone_contacts", sa.Column("waves", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("phone_contacts", sa.Column("asked_day", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("phone_contacts") as batch:
        batch.drop_column("asked_day")
        batch.drop_column("waves")
