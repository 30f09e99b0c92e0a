"""An epoch has an identity of its own, and a tree head keeps the key of its log.

Boxes that were enrolled before keep their epoch, without an identity, until they are enrolled again. Heads that were
verified bear the key that their box has now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("boxes", sa.Column("epoch_nonce", sa.String(length=32)))
    op.add_column("tree_heads", sa.Column("log_key", sa.String(length=64)))
    op.execute(
        "UPDATE tree_heads SET log_key = (SELECT boxes.log_key FROM boxes WHERE boxes.id = tree_heads.box_id)"
        " WHERE verified"
    )
    op.create_index("ix_tree_heads_log_key", "tree_heads", ["log_key"])


def downgrade() -> None:
    op.drop_index("ix_tree_heads_log_key", "tree_heads")
    with op.batch_alter_table("tree_heads") as batch:
        batch.drop_column("log_key")
    with op.batch_alter_table("boxes") as batch:
        batch.drop_column("epoch_nonce")
