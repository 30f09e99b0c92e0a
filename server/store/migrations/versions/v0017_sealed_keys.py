"""Room for the gateways' keys in their sealed form. They are sealed at the server's next start, which has the key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("gateways") as batch:
        batch.alter_column("secret", existing_type=sa.String(64), type_=sa.String(100), existing_nullable=False)


def downgrade() -> None:
    op.execute("UPDATE gateways SET active = false, secret = ''")  # the older program cannot open them
    with op.batch_alter_table("gateways") as batch:
        batch.alter_column("secret", existing_type=sa.String(100), type_=sa.String(64), existing_nullable=False)
