"""Cases: who answers, what was answered and published, what its writer thinks of it, reminders; feedback that asks for
more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OLD = "status IN ('received', 'forwarded', 'answered', 'rejected')"
_NEW = "status IN ('received', 'forwarded', 'supplement', 'answered', 'rejected')"


def upgrade() -> None:
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(sa.Column("responsible_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("role", sa.String(length=20), nullable=False, server_default="data_entry"))
        batch.add_column(sa.Column("answer", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("changed", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("published_day", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("liked", sa.Boolean(), nullable=True))
        batch.add_column(sa.Column("reopened", sa.SmallInteger(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("reminded_day", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("escalated_day", sa.Integer(), nullable=True))
        batch.drop_constraint(op.f("ck_feedback_status"), type_="check")
        batch.create_check_constraint(op.f("ck_feedback_status"), _NEW)
        batch.create_foreign_key(
            op.f("fk_feedback_province_id_responsible_id"),
            "agencies",
            ["province_id", "responsible_id"],
            ["province_id", "id"],
        )


def downgrade() -> None:
    op.execute("UPDATE feedback SET status = 'forwarded' WHERE status = 'supplement'")
    with op.batch_alter_table("feedback") as batch:
        batch.drop_constraint(op.f("fk_feedback_province_id_responsible_id"), type_="foreignkey")
        batch.drop_constraint(op.f("ck_feedback_status"), type_="check")
        batch.create_check_constraint(op.f("ck_feedback_status"), _OLD)
        for name in (
            "escalated_day",
            "reminded_day",
            "reopened",
            "liked",
            "published_day",
            "changed",
            "answer",
            "role",
            "responsible_id",
        ):
            batch.drop_column(name)
