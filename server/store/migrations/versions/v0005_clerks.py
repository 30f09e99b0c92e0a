"""A box says how many clerks it serves, and its pool: a lone clerk's figures are left out.

Boxes that there are: one clerk, which leaves their evidence out until the operator states more (`hailong server enroll
--box ID --clerks N`); two for demo boxes and those of simulated provinces, where nobody serves.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # as text: SQLite takes a check with a new column only within the column's own definition
    op.execute(
        "ALTER TABLE boxes ADD COLUMN clerks INTEGER DEFAULT 1 NOT NULL CONSTRAINT ck_boxes_clerks CHECK (clerks >= 1)"
    )
    op.add_column("boxes", sa.Column("pool", sa.String(length=40), server_default="", nullable=False))
    op.execute("UPDATE boxes SET clerks = 2 WHERE demo OR province_id IN (SELECT id FROM provinces WHERE simulated)")


def downgrade() -> None:
    with op.batch_alter_table("boxes") as batch:
        batch.drop_constraint(op.f("ck_boxes_clerks"), type_="check")
        batch.drop_column("pool")
        batch.drop_column("clerks")
