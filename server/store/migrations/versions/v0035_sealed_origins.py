"""Room for sealed origins of imported sheets. They are sealed at the server's next start, which has the key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ratings") as batch:
        batch.alter_column("origin", existing_type=sa.String(64), type_=sa.String(400), existing_nullable=True)


def downgrade() -> None:
    op.execute("UPDATE ratings SET origin = NULL WHERE length(origin) > 64")  # the older program cannot open them
    with op.batch_alter_table("ratings") as batch:
        batch.alter_column("origin", existing_type=sa.String(400), type_=sa.String(64), existing_nullable=True)
