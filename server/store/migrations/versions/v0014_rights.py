"""The rights desk: requests of data subjects, incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rights_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("reference", sa.String(60), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.Column("answer_due_day", sa.Integer(), nullable=False),
        sa.Column("due_day", sa.Integer(), nullable=False),
        sa.Column("answered_day", sa.Integer(), nullable=True),
        sa.Column("closed_day", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.CheckConstraint(
            "kind IN ('view', 'correct', 'withdraw', 'erase', 'complaint')", name=op.f("ck_rights_requests_kind")
        ),
        sa.CheckConstraint("(closed_day IS NULL) = (outcome IS NULL)", name=op.f("ck_rights_requests_outcome")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_rights_requests_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_requests")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_rights_requests_province_id_id")),
    )
    op.create_index(
        op.f("ix_rights_requests_province_id_received_day"), "rights_requests", ["province_id", "received_day"]
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("reference", sa.String(60), nullable=False),
        sa.Column("noticed_day", sa.Integer(), nullable=False),
        sa.Column("noticed_hour", sa.SmallInteger(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("notified_day", sa.Integer(), nullable=True),
        sa.Column("notified_hour", sa.SmallInteger(), nullable=True),
        sa.Column("closed_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('data', 'ai')", name=op.f("ck_incidents_kind")),
        sa.CheckConstraint("noticed_hour BETWEEN 0 AND 23", name=op.f("ck_incidents_noticed_hour")),
        sa.CheckConstraint("notified_hour BETWEEN 0 AND 23", name=op.f("ck_incidents_notified_hour")),
        sa.CheckConstraint("(notified_day IS NULL) = (notified_hour IS NULL)", name=op.f("ck_incidents_notified")),
        sa.CheckConstraint("people >= 0", name=op.f("ck_incidents_people")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_incidents_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_incidents_province_id_id")),
    )
    op.create_index(op.f("ix_incidents_province_id_noticed_day"), "incidents", ["province_id", "noticed_day"])


def downgrade() -> None:
    op.drop_table("incidents")
    op.drop_table("rights_requests")
