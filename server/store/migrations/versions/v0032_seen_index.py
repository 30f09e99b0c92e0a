"""What decides which ratings are seen is read from an index alone, not from rows of sixty columns."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

SEEN = (
    "province_id", "month", "agency_id", "instrument", "instrument_version", "day", "received_day", "state", "a00",
    "channel", "counter_id",
)  # fmt: skip


def upgrade() -> None:
    op.create_index("ix_ratings_seen", "ratings", list(SEEN))
    op.drop_index(op.f("ix_ratings_province_id_month_agency_id"), "ratings")


def downgrade() -> None:
    op.create_index(op.f("ix_ratings_province_id_month_agency_id"), "ratings", ["province_id", "month", "agency_id"])
    op.drop_index("ix_ratings_seen", "ratings")
