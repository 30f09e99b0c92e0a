"""A box's previous key stays valid until its new one is used, so that rotation never locks a box out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("boxes", sa.Column("previous_key", sa.String(length=40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("boxes") as batch:
        batch.drop_column("previous_key")
