"""The health of the boxes as a page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.calendar import now_s, today
from server.boxes.agreed import agreed_by_box
from server.boxes.health import box_states, by_urgency, overview
from server.boxes.updates import fleet_rings, offer_states
from server.store.engine import read
from server.web.context import HealthReader, engine_of, refresh_s, render
from server.web.listing import PageNumber, Sought, holds, listing

router = APIRouter(include_in_schema=False)


@router.get("/health")
def health_page(request: Request, user: HealthReader, q: Sought = "", page: PageNumber = 1) -> Response:
    """The boxes: state, when last heard, what they sent, what is missing."""
    with read(engine_of(request)) as connection:
        states = box_states(connection, user.province_id)
        offers = offer_states(connection, user.province_id, now_s())
        rings = fleet_rings(connection, user.province_id)
        agreed = agreed_by_box(connection, user.province_id, today())
    fitting = [box for box in by_urgency(states) if holds(q, box.label, *box.agency.texts)]
    return render(
        request, "health.html", table=listing("/health", {"q": q}, fitting, {}, sort="", page=page), q=q,
        all=len(states), counts=overview(states),
        fine=sum(box.fine for box in states), refresh_s=refresh_s(request), offers=offers, rings=rings, agreed=agreed,
    )  # fmt: skip
