"""The privacy officer's page: who accessed what, what was changed, retention, the boxes' signed tree heads."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.calendar import INDOCHINA
from pipeline.errors import LogError
from server.auth.access_log import newest_accesses
from server.core.changes import ACTIONS, newest_changes, verify_changes
from server.core.log_heads import newest_heads
from server.core.provinces import read_setting
from server.ratings.held import held_sheets
from server.retention.policy import findings
from server.store.engine import read
from server.web.context import PrivacyReader, engine_of, error_text, render

router = APIRouter(include_in_schema=False)
SHOWN = 200


@router.get("/privacy")
def privacy_page(request: Request, user: PrivacyReader) -> Response:
    """Access, changes, retention, tree heads of the province."""
    province_id = user.province_id
    with read(engine_of(request)) as connection:
        accesses, total = newest_accesses(connection, user.scope, SHOWN)
        entries = newest_changes(connection, user.scope, SHOWN)
        heads = newest_heads(connection, user.scope)
        try:
            length, head = verify_changes(connection, province_id)
            broken = ""
        except LogError as error:
            length, head, broken = 0, "", error_text(request, error)
        found = findings(connection, province_id)
        held = held_sheets(connection, user.scope)
        days = {name: read_setting(connection, province_id, name) for name in ("access_log_days", "contact_days")}

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
        findings=[finding.words for finding in found],
        days=days,
        held=held,
        moment=moment,
    )
