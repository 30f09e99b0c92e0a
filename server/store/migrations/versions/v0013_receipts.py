"""Rights to answer that belong to a dossier: procedure and day; gateways of one-stop software."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("invitations") as batch:
        batch.add_column(sa.Column("service_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("dossier_day", sa.Integer(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_invitations_province_id_service_id"),
            "services",
            ["province_id", "service_id"],
            ["province_id", "id"],
        )
    with op.batch_alter_table("gateways") as batch:
        batch.drop_constraint(op.f("ck_gateways_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_gateways_kind"), "kind IN ('sms', 'call', 'portal', 'one_stop')")


def downgrade() -> None:
    op.execute("UPDATE gateways SET active = false, kind = 'portal' WHERE kind = 'one_stop'")
    with op.batch_alter_table("gateways") as batch:
        batch.drop_constraint(op.f("ck_gateways_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_gateways_kind"), "kind IN ('sms', 'call', 'portal')")
    with op.batch_alter_table("invitations") as batch:
        batch.drop_constraint(op.f("fk_invitations_province_id_service_id"), type_="foreignkey")
        batch.drop_column("dossier_day")
        batch.drop_column("service_id")
