"""Accounts that a provider of log-ins knows, and the sessions that it began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("subject_hash", sa.String(length=64), nullable=False),
        sa.Column("linked_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_provider_accounts_province_id")),
        sa.ForeignKeyConstraint(
            ["province_id", "user_id"],
            ["users.province_id", "users.id"],
            name=op.f("fk_provider_accounts_province_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_accounts")),
        sa.UniqueConstraint("subject_hash", name=op.f("uq_provider_accounts_subject_hash")),
        sa.UniqueConstraint("user_id", name=op.f("uq_provider_accounts_user_id")),
    )
    with op.batch_alter_table("sessions") as batch:
        batch.add_column(sa.Column("provider_session", sa.String(length=64), nullable=False, server_default=""))
        batch.add_column(sa.Column("factor_shown", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("sessions") as batch:
        batch.alter_column("provider_session", existing_type=sa.String(length=64), server_default=None)
        batch.alter_column("factor_shown", existing_type=sa.Boolean(), server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM sessions WHERE provider_session <> ''")
    with op.batch_alter_table("sessions") as batch:
        batch.drop_column("factor_shown")
        batch.drop_column("provider_session")
    op.drop_table("provider_accounts")
