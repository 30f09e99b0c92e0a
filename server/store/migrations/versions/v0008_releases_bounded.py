"""A release is bounded by what its box was enrolled for: its terms, the day its epoch began, and why one is held back.

Of releases that there are, the first of a window of a box and epoch stays in figures; others of the same window are
held back as repeats. Terms stay unset, and are learnt from the next release of each box.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (
        ("pulse_epsilon_milli", sa.Integer()),
        ("evidence_epsilon_milli", sa.Integer()),
        ("pulse_period", sa.SmallInteger()),
        ("epoch_day", sa.Integer()),
    ):
        op.add_column("boxes", sa.Column(name, kind))
    op.add_column("releases", sa.Column("held", sa.String(length=24)))
    op.execute(
        "UPDATE releases SET held = 'repeated' WHERE id NOT IN (SELECT MIN(id) FROM releases"
        " GROUP BY box_id, epoch, kind, period_kind, period_index)"
    )
    op.create_index(
        "uq_releases_one_of_a_window",
        "releases",
        ["box_id", "epoch", "kind", "period_kind", "period_index"],
        unique=True,
        sqlite_where=sa.text("held IS NULL"),
        postgresql_where=sa.text("held IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_releases_one_of_a_window", "releases")
    with op.batch_alter_table("releases") as batch:
        batch.drop_column("held")
    with op.batch_alter_table("boxes") as batch:
        for name in ("epoch_day", "pulse_period", "evidence_epsilon_milli", "pulse_epsilon_milli"):
            batch.drop_column(name)
