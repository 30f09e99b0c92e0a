"""The survey: rounds, invitations, contacts, gateways, paper, feedback, imports, sampling plans, comments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "enumerators",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("organisation", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_enumerators_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enumerators")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_enumerators_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_enumerators_province_id_id")),
    )
    with op.batch_alter_table("enumerators", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_enumerators_province_id_expires_day"), ["province_id", "expires_day"], unique=False
        )

    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.String(length=60), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_imports_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint(
            "province_id", "kind", "digest", "batch", name=op.f("uq_imports_province_id_kind_digest_batch")
        ),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_vi", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("instrument_version", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_rounds_days")),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_rounds_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_rounds_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_rounds_province_id_id")),
    )
    op.create_table(
        "gateways",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('sms', 'call', 'portal')", name=op.f("ck_gateways_kind")),
        sa.ForeignKeyConstraint(
            ["province_id", "round_id"],
            ["rounds.province_id", "rounds.id"],
            name=op.f("fk_gateways_province_id_round_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_gateways_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateways")),
        sa.UniqueConstraint("code", name=op.f("uq_gateways_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_gateways_province_id_id")),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("made_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "round_id"], ["rounds.province_id", "rounds.id"], name=op.f("fk_plans_province_id_round_id")
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_plans_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_plans_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_plans_province_id_id")),
    )
    op.create_table(
        "comments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=30), nullable=True),
        sa.Column("coded_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('expectation', 'suggestion')", name=op.f("ck_comments_kind")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_comments_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_comments_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_comments_province_id_month"), ["province_id", "month"], unique=False)

    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("received_day", sa.Integer(), nullable=False),
        sa.Column("due_day", sa.Integer(), nullable=False),
        sa.Column("answered_day", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "category IN ('procedure', 'attitude', 'delay', 'cost', 'facility', 'other')",
            name=op.f("ck_feedback_category"),
        ),
        sa.CheckConstraint(
            "status IN ('received', 'forwarded', 'answered', 'rejected')", name=op.f("ck_feedback_status")
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_feedback_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_feedback_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("code", name=op.f("uq_feedback_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_feedback_province_id_id")),
    )
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_feedback_province_id_received_day"), ["province_id", "received_day"], unique=False
        )

    op.create_table(
        "gateway_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("gateway_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "gateway_id"],
            ["gateways.province_id", "gateways.id"],
            name=op.f("fk_gateway_events_province_id_gateway_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_gateway_events_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_events")),
        sa.UniqueConstraint("gateway_id", "event", name=op.f("uq_gateway_events_gateway_id_event")),
    )
    with op.batch_alter_table("gateway_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gateway_events_province_id_day"), ["province_id", "day"], unique=False)

    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("issued_day", sa.Integer(), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.CheckConstraint("scope IN ('form', 'feedback')", name=op.f("ck_invitations_scope")),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_invitations_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "round_id"],
            ["rounds.province_id", "rounds.id"],
            name=op.f("fk_invitations_province_id_round_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_invitations_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_invitations_province_id_round_id_agency_id"),
            ["province_id", "round_id", "agency_id"],
            unique=False,
        )

    op.create_table(
        "paper_forms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("enumerator_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("double_entry", sa.Boolean(), nullable=False),
        sa.Column("recheck", sa.Boolean(), nullable=False),
        sa.Column("printed_day", sa.Integer(), nullable=False),
        sa.Column("answered_day", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('printed', 'half', 'differs', 'entered', 'void')", name=op.f("ck_paper_forms_state")
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_paper_forms_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "enumerator_id"],
            ["enumerators.province_id", "enumerators.id"],
            name=op.f("fk_paper_forms_province_id_enumerator_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "round_id"],
            ["rounds.province_id", "rounds.id"],
            name=op.f("fk_paper_forms_province_id_round_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_paper_forms_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_forms")),
        sa.UniqueConstraint("province_id", "code", name=op.f("uq_paper_forms_province_id_code")),
        sa.UniqueConstraint("province_id", "id", name=op.f("uq_paper_forms_province_id_id")),
    )
    with op.batch_alter_table("paper_forms", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_paper_forms_province_id_round_id_state"), ["province_id", "round_id", "state"], unique=False
        )

    op.create_table(
        "phone_contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('to_ask', 'asked', 'answered', 'declined', 'failed')", name=op.f("ck_phone_contacts_state")
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_phone_contacts_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "round_id"],
            ["rounds.province_id", "rounds.id"],
            name=op.f("fk_phone_contacts_province_id_round_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_phone_contacts_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_contacts")),
        sa.UniqueConstraint(
            "province_id", "round_id", "phone", name=op.f("uq_phone_contacts_province_id_round_id_phone")
        ),
    )
    with op.batch_alter_table("phone_contacts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_phone_contacts_province_id_expires_day"), ["province_id", "expires_day"], unique=False
        )

    op.create_table(
        "phone_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("phone_digest", sa.String(length=64), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("retries", sa.SmallInteger(), nullable=False),
        sa.Column("answers", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_phone_sessions_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "round_id"],
            ["rounds.province_id", "rounds.id"],
            name=op.f("fk_phone_sessions_province_id_round_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_phone_sessions_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_sessions")),
        sa.UniqueConstraint(
            "province_id",
            "round_id",
            "channel",
            "phone_digest",
            name=op.f("uq_phone_sessions_province_id_round_id_channel_phone_digest"),
        ),
    )
    with op.batch_alter_table("phone_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_phone_sessions_province_id_day"), ["province_id", "day"], unique=False)

    op.create_table(
        "plan_strata",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("service_group", sa.SmallInteger(), nullable=False),
        sa.Column("transactions", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Boolean(), nullable=False),
        sa.Column("forms", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("picks", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "agency_id"],
            ["agencies.province_id", "agencies.id"],
            name=op.f("fk_plan_strata_province_id_agency_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "plan_id"],
            ["plans.province_id", "plans.id"],
            name=op.f("fk_plan_strata_province_id_plan_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_plan_strata_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_strata")),
        sa.UniqueConstraint(
            "province_id",
            "plan_id",
            "agency_id",
            "service_group",
            name=op.f("uq_plan_strata_province_id_plan_id_agency_id_service_group"),
        ),
    )
    op.create_table(
        "feedback_contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("feedback_id", sa.Integer(), nullable=False),
        sa.Column("contact", sa.String(length=120), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["province_id", "feedback_id"],
            ["feedback.province_id", "feedback.id"],
            name=op.f("fk_feedback_contacts_province_id_feedback_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_feedback_contacts_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_contacts")),
        sa.UniqueConstraint("province_id", "feedback_id", name=op.f("uq_feedback_contacts_province_id_feedback_id")),
    )
    with op.batch_alter_table("feedback_contacts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_feedback_contacts_province_id_expires_day"), ["province_id", "expires_day"], unique=False
        )

    op.create_table(
        "paper_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("form_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=8), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("answers", sa.String(length=32), nullable=False),
        sa.Column("reasons", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(length=12), nullable=False),
        sa.CheckConstraint("result IN ('', 'same', 'differs', 'unreached')", name=op.f("ck_paper_entries_result")),
        sa.CheckConstraint("step IN ('first', 'second', 'decided', 'recheck')", name=op.f("ck_paper_entries_step")),
        sa.ForeignKeyConstraint(
            ["province_id", "form_id"],
            ["paper_forms.province_id", "paper_forms.id"],
            name=op.f("fk_paper_entries_province_id_form_id"),
        ),
        sa.ForeignKeyConstraint(
            ["province_id", "user_id"],
            ["users.province_id", "users.id"],
            name=op.f("fk_paper_entries_province_id_user_id"),
        ),
        sa.ForeignKeyConstraint(["province_id"], ["provinces.id"], name=op.f("fk_paper_entries_province_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_entries")),
        sa.UniqueConstraint("province_id", "form_id", "step", name=op.f("uq_paper_entries_province_id_form_id_step")),
    )


def downgrade() -> None:
    op.drop_table("paper_entries")
    with op.batch_alter_table("feedback_contacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feedback_contacts_province_id_expires_day"))

    op.drop_table("feedback_contacts")
    op.drop_table("plan_strata")
    with op.batch_alter_table("phone_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_phone_sessions_province_id_day"))

    op.drop_table("phone_sessions")
    with op.batch_alter_table("phone_contacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_phone_contacts_province_id_expires_day"))

    op.drop_table("phone_contacts")
    with op.batch_alter_table("paper_forms", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_paper_forms_province_id_round_id_state"))

    op.drop_table("paper_forms")
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invitations_province_id_round_id_agency_id"))

    op.drop_table("invitations")
    with op.batch_alter_table("gateway_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gateway_events_province_id_day"))

    op.drop_table("gateway_events")
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feedback_province_id_received_day"))

    op.drop_table("feedback")
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_comments_province_id_month"))

    op.drop_table("comments")
    op.drop_table("plans")
    op.drop_table("gateways")
    op.drop_table("rounds")
    op.drop_table("imports")
    with op.batch_alter_table("enumerators", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enumerators_province_id_expires_day"))

    op.drop_table("enumerators")
