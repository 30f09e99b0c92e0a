"""Of the code that a citizen holds for a case its hash alone; receipts are counted by unit and day."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INDEX = "ix_invitations_province_id_agency_id_issued_day"
_old = sa.table("feedback", sa.column("id", sa.Integer), sa.column("code", sa.String))
_new = sa.table("feedback", sa.column("id", sa.Integer), sa.column("code_hash", sa.String))


def upgrade() -> None:
    op.create_index(op.f(_INDEX), "invitations", ["province_id", "agency_id", "issued_day"])
    codes = op.get_bind().execute(sa.select(_old.c.id, _old.c.code)).all()
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(sa.Column("code_hash", sa.String(length=64), nullable=False, server_default=""))
        batch.drop_constraint(op.f("uq_feedback_code"), type_="unique")
        batch.drop_column("code")
    for number, code in codes:
        digest = hashlib.sha256(code.strip().upper().encode()).hexdigest()
        op.execute(_new.update().where(_new.c.id == number).values(code_hash=digest))
    with op.batch_alter_table("feedback") as batch:
        batch.alter_column("code_hash", existing_type=sa.String(length=64), server_default=None)
        batch.create_unique_constraint(op.f("uq_feedback_code_hash"), ["code_hash"])


def downgrade() -> None:
    numbers = op.get_bind().execute(sa.select(_new.c.id)).scalars().all()
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(sa.Column("code", sa.String(length=20), nullable=False, server_default=""))
        batch.drop_constraint(op.f("uq_feedback_code_hash"), type_="unique")
        batch.drop_column("code_hash")
    for number in numbers:  # the codes are nobody's but the citizens': no case can be found by its code afterwards
        op.execute(_old.update().where(_old.c.id == number).values(code=f"-{number}"))
    with op.batch_alter_table("feedback") as batch:
        batch.alter_column("code", existing_type=sa.String(length=20), server_default=None)
        batch.create_unique_constraint(op.f("uq_feedback_code"), ["code"])
    op.drop_index(op.f(_INDEX), "invitations")
