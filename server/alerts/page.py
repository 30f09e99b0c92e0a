"""The alerts as a page: what is open, what is over, where they go."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Row

from pipeline.calendar import INDOCHINA, today
from server.alerts.kinds import KINDS, AlertKind, title, words
from server.alerts.letters import ways
from server.alerts.watch import shown_alerts
from server.outbox.delivery import PROBLEMS, Problem
from server.outbox.outbox import Way, unsent
from server.store.engine import read
from server.web.context import HealthReader, engine_of, refresh_s, render, web
from server.web.listing import PageNumber, listing

router = APIRouter(include_in_schema=False)


def _shown(row: Row[Any]) -> dict[str, Any]:
    kind = AlertKind(row.kind)
    return {
        "name": title(kind, row.detail, today()),
        "path": f"/survey/feedback/{row.subject}" if kind is AlertKind.CASE_DUE else KINDS[kind].path,
        "words": words(kind, row.subject, row.detail),
        "opened_s": row.opened_s,
        "closed_s": row.closed_s,
        "told": row.told_s is not None,
    }


@router.get("/alerts")
def alerts_page(
    request: Request, user: HealthReader, kind: AlertKind | Literal[""] = "", page: PageNumber = 1
) -> Response:
    """Open alerts (all, or of one `kind`), those that are over, and letters that could not be delivered yet.
    Addresses are not shown."""
    with read(engine_of(request)) as connection:
        still, over = shown_alerts(connection, user.scope)
        goes = {way.value for way, _receiver in ways(connection, user.province_id)}
        waiting = unsent(connection, user.scope)

    def moment(at_s: int) -> str:
        return datetime.fromtimestamp(at_s, UTC).astimezone(INDOCHINA).strftime("%d/%m/%Y %H:%M")

    counts = Counter(AlertKind(row.kind) for row in still)
    chosen = [row for row in still if not kind or row.kind == kind]
    table = listing("/alerts", {"kind": kind}, chosen, {}, sort="", page=page)
    return render(
        request,
        "alerts.html",
        table=table,
        kind=kind,
        open_count=len(still),
        kinds=[(one, KINDS[one].several, counts[one]) for one in KINDS if counts[one]],
        still=[_shown(row) for row in table.rows],
        over=[_shown(row) for row in over],
        by_mail=Way.MAIL.value in goes,
        by_webhook=Way.WEBHOOK.value in goes,
        mail_server=bool(web(request).config.mail.host),
        waiting=[(row.way, row.state, PROBLEMS[Problem(row.problem)], row.their_status, row.count) for row in waiting],
        moment=moment,
        refresh_s=refresh_s(request),
    )
