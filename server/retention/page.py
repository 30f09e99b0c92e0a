"""The privacy officer's page: who accessed what, what was changed, retention, the boxes' signed tree heads."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import func, select

from pipeline.calendar import INDOCHINA, day_date
from pipeline.errors import LogError
from server.core.changes import ACTIONS, verify_changes
from server.core.provinces import read_setting
from server.retention.policy import findings
from server.store.engine import read
from server.store.tables.boxes import boxes
from server.store.tables.changes import changes
from server.store.tables.releases import tree_heads
from server.store.tables.users import access_log, users
from server.web.context import PrivacyReader, engine_of, error_text, language, render

router = APIRouter(include_in_schema=False)
SHOWN = 200


@router.get("/privacy")
def privacy_page(request: Request, user: PrivacyReader) -> Response:
    """Access, changes, retention, tree heads of the province."""
    province_id = user.province_id
    with read(engine_of(request)) as connection:
        accesses = connection.execute(
            select(access_log, users.c.name)
            .outerjoin(users, users.c.id == access_log.c.user_id)
            .where(access_log.c.province_id == province_id)
            .order_by(access_log.c.id.desc())
            .limit(SHOWN)
        ).all()
        kept = select(func.count()).select_from(access_log).where(access_log.c.province_id == province_id)
        entries = connection.execute(
            select(changes, users.c.name)
            .outerjoin(users, users.c.id == changes.c.user_id)
            .where(changes.c.province_id == province_id)
            .order_by(changes.c.position.desc())
            .limit(SHOWN)
        ).all()
        newest = select(func.max(tree_heads.c.id)).where(tree_heads.c.province_id == province_id)
        heads = connection.execute(
            select(tree_heads, boxes.c.label)
            .join(boxes, boxes.c.id == tree_heads.c.box_id)
            .where(tree_heads.c.id.in_(newest.group_by(tree_heads.c.box_id)))
            .order_by(boxes.c.label)
        ).all()
        try:
            length, head = verify_changes(connection, province_id)
            broken = ""
        except LogError as error:
            length, head, broken = 0, "", error_text(request, error)
        found = findings(connection, province_id)
        days = {name: read_setting(connection, province_id, name) for name in ("access_log_days", "contact_days")}
        total = connection.execute(kept).scalar_one()

    def moment(at_s: int) -> str:
        return datetime.fromtimestamp(at_s, UTC).astimezone(INDOCHINA).strftime("%d/%m/%Y %H:%M")

    return render(
        request,
        "privacy.html",
        accesses=accesses,
        accesses_kept=total,
        entries=entries,
        actions=ACTIONS,
        heads=heads,
        length=length,
        head=head,
        broken=broken,
        findings=[finding.words[language(request) == "en"] for finding in found],
        days=days,
        moment=moment,
        day=lambda index: day_date(index).strftime("%d/%m/%Y"),
    )
