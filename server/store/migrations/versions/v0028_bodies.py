"""The bodies that worked on a dossier and decided it, beside the one that received it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_TABLES = ("ratings", "invitations")
_NAMES = ("handling_id", "deciding_id")


def upgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch:
            for name in _NAMES:
                batch.add_column(sa.Column(name, sa.Integer(), nullable=True))
                batch.create_foreign_key(
                    op.f(f"fk_{table}_province_id_{name}"), "agencies", ["province_id", name], ["province_id", "id"]
                )


def downgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch:
            for name in _NAMES:
                batch.drop_constraint(op.f(f"fk_{table}_province_id_{name}"), type_="foreignkey")
                batch.drop_column(name)
