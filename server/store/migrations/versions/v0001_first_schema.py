"""First schema: provinces, catalogue, boxes, releases, ratings, users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provinces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("created_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provinces")),
        sa.UniqueConstraint("code", name=op.f("uq_provinces_code")),
    )
    op.create_table(
        "access_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_access_log_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_log")),
    )
    with op.batch_alter_table("access_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_log_province_id_at_s"), ["province_id", "at_s"], unique=False)

    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_changes_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sa.UniqueConstraint("province_id", "position", name=op.f("uq_changes_province_id_position")),
    )
    op.create_table(
        "fields",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_fields_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fields")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_fields_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_fields_province_id_id")),
    )
    op.create_table(
        "levels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_levels_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_levels")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_levels_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_levels_province_id_id")),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("name_vi", sa.String(length=300), nullable=False),
        sa.Column("name_en", sa.String(length=300), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_services_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_services_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_services_province_id_id")),
    )
    op.create_table(
        "settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_settings_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings")),
        sa.UniqueConstraint("province_id", "name", name=op.f("uq_settings_province_id_name")),
    )
    op.create_table(
        "agencies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("level_id", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "level_id"],
            ["levels.province_id", "levels.id"],
            name=op.f("fk_agencies_province_id_level_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_agencies_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agencies")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_agencies_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_agencies_province_id_id")),
    )
    op.create_table(
        "service_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("field_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("number BETWEEN 0 AND 255", name=op.f("ck_service_groups_number")),
        sa.ForeignKeyConstraint(
            ["province_id", "field_id"],
            ["fields.province_id", "fields.id"],
            name=op.f("fk_service_groups_province_id_field_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_service_groups_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_groups")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_service_groups_province_id_id")),
        sa.UniqueConstraint("province_id", "number", name=op.f("uq_service_groups_province_id_number")),
    )
    op.create_table(
        "counters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_counters_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_counters_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counters")),
        sa.UniqueConstraint("province_id", "agency_id", "code", name=op.f("uq_counters_province_id_agency_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_counters_province_id_id")),
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("count >= 0", name=op.f("ck_transactions_count")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_transactions_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_transactions_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint(
            "province_id",
            "agency_id",
            "service_group",
            "month",
            name=op.f("uq_transactions_province_id_agency_id_service_group_month"),
        ),
    )
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transactions_province_id_month"), ["province_id", "month"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("created_day", sa.Integer(), nullable=False),
        sa.CheckConstraint("role <> 'agency_reader' OR agency_id IS NOT NULL", name=op.f("ck_users_reader_has_agency")),
        sa.CheckConstraint(
            "role IN ('administrator', 'data_entry', 'analyst', 'privacy_officer', 'agency_reader')",
            name=op.f("ck_users_role"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_users_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_users_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_users_province_id_id")),
    )
    op.create_table(
        "boxes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("counter_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("public_key", sa.String(length=40), nullable=True),
        sa.Column("log_key", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("enrol_code_hash", sa.String(length=64), nullable=True),
        sa.Column("enrol_code_expires_s", sa.BigInteger(), nullable=True),
        sa.Column("enrolled_day", sa.Integer(), nullable=True),
        sa.Column("revoked_day", sa.Integer(), nullable=True),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_boxes_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "counter_id"],
            ["counters.province_id", "counters.id"],
            name=op.f("fk_boxes_province_id_counter_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_boxes_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boxes")),
        sa.UniqueConstraint("enrol_code_hash", name=op.f("uq_boxes_enrol_code_hash")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_boxes_province_id_id")),
        sa.UniqueConstraint("province_id", "label", name=op.f("uq_boxes_province_id_label")),
        sa.UniqueConstraint("public_key", name=op.f("uq_boxes_public_key")),
    )
    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("counter_id", sa.Integer(), nullable=True),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("instrument_version", sa.Integer(), nullable=False),
        sa.Column("a00", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a01", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a02", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a03", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a04", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a05", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a06", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a07", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a08", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a09", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a10", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a11", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a12", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a13", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a14", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a15", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a16", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a17", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a18", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a19", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a20", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a21", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a22", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a23", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a24", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a25", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a26", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a27", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a28", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a29", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a30", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("a31", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("reasons", sa.Integer(), nullable=False),
        sa.Column("flag", sa.SmallInteger(), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "channel IN ('counter_tablet', 'online', 'sms', 'call_1022', 'hotline', 'paper')",
            name=op.f("ck_ratings_channel"),
        ),
        sa.CheckConstraint("a00 BETWEEN 0 AND 5", name=op.f("ck_ratings_overall")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_ratings_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "counter_id"],
            ["counters.province_id", "counters.id"],
            name=op.f("fk_ratings_province_id_counter_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "service_id"],
            ["services.province_id", "services.id"],
            name=op.f("fk_ratings_province_id_service_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_ratings_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ratings")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_ratings_province_id_id")),
        sa.UniqueConstraint("province_id", "origin", name=op.f("uq_ratings_province_id_origin")),
    )
    with op.batch_alter_table("ratings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ratings_province_id_day"), ["province_id", "day"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_ratings_province_id_month_agency_id"), ["province_id", "month", "agency_id"], unique=False
        )

    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "user_id"], ["users.province_id", "users.id"], name=op.f("fk_sessions_province_id_user_id")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_sessions_province_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("box_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "box_id"], ["boxes.province_id", "boxes.id"], name=op.f("fk_deliveries_province_id_box_id")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_deliveries_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("box_id", "epoch", "sequence", name=op.f("uq_deliveries_box_id_epoch_sequence")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("box_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("software", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.SmallInteger(), nullable=False),
        sa.Column("received_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "box_id"], ["boxes.province_id", "boxes.id"], name=op.f("fk_heartbeats_province_id_box_id")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_heartbeats_province_id")),
        sa.PrimaryKeyConstraint("box_id", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("box_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("period_kind", sa.SmallInteger(), nullable=False),
        sa.Column("period_index", sa.Integer(), nullable=False),
        sa.Column("epsilon_milli", sa.Integer(), nullable=False),
        sa.Column("c00", sa.Integer(), nullable=True),
        sa.Column("c01", sa.Integer(), nullable=True),
        sa.Column("c02", sa.Integer(), nullable=True),
        sa.Column("c03", sa.Integer(), nullable=True),
        sa.Column("c04", sa.Integer(), nullable=True),
        sa.Column("c05", sa.Integer(), nullable=True),
        sa.Column("c06", sa.Integer(), nullable=True),
        sa.Column("c07", sa.Integer(), nullable=True),
        sa.Column("c08", sa.Integer(), nullable=True),
        sa.Column("c09", sa.Integer(), nullable=True),
        sa.Column("c10", sa.Integer(), nullable=True),
        sa.Column("c11", sa.Integer(), nullable=True),
        sa.Column("c12", sa.Integer(), nullable=True),
        sa.Column("c13", sa.Integer(), nullable=True),
        sa.Column("c14", sa.Integer(), nullable=True),
        sa.Column("c15", sa.Integer(), nullable=True),
        sa.Column("c16", sa.Integer(), nullable=True),
        sa.Column("c17", sa.Integer(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_releases_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "box_id"], ["boxes.province_id", "boxes.id"], name=op.f("fk_releases_province_id_box_id")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_releases_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("box_id", "epoch", "sequence", name=op.f("uq_releases_box_id_epoch_sequence")),
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_releases_province_id_kind_period_kind_period_index"),
            ["province_id", "kind", "period_kind", "period_index"],
            unique=False,
        )

    op.create_table(
        "tree_heads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("box_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "box_id"], ["boxes.province_id", "boxes.id"], name=op.f("fk_tree_heads_province_id_box_id")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_tree_heads_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tree_heads")),
        sa.UniqueConstraint("box_id", "epoch", "sequence", name=op.f("uq_tree_heads_box_id_epoch_sequence")),
    )


def downgrade() -> None:
    op.drop_table("tree_heads")
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_releases_province_id_kind_period_kind_period_index"))

    op.drop_table("releases")
    op.drop_table("heartbeats")
    op.drop_table("deliveries")
    op.drop_table("sessions")
    with op.batch_alter_table("ratings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ratings_province_id_month_agency_id"))
        batch_op.drop_index(batch_op.f("ix_ratings_province_id_day"))

    op.drop_table("ratings")
    op.drop_table("boxes")
    op.drop_table("users")
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_transactions_province_id_month"))

    op.drop_table("transactions")
    op.drop_table("counters")
    op.drop_table("service_groups")
    op.drop_table("agencies")
    op.drop_table("settings")
    op.drop_table("services")
    op.drop_table("levels")
    op.drop_table("fields")
    op.drop_table("changes")
    with op.batch_alter_table("access_log", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_log_province_id_at_s"))

    op.drop_table("access_log")
    op.drop_table("provinces")
