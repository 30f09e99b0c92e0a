"""Settings of the province: retention, lateness, suppression, confidence."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from server.changes import record_change
from server.provinces import read_setting, write_setting
from server.store.engine import read, write
from server.web import UserManager, engine_of, render

router = APIRouter(include_in_schema=False)

LIMITS: dict[str, tuple[float, float]] = {
    "access_log_days": (30, 3650),
    "contact_days": (1, 365),
    "late_days": (0, 60),
    "min_answers": (5, 1000),
    "confidence": (0.8, 0.999),
}
"""What the page accepts; both ends included."""


@router.get("/settings")
def settings_page(request: Request, user: UserManager) -> Response:
    """The settings in force."""
    with read(engine_of(request)) as connection:
        values = {name: read_setting(connection, user.province_id, name) for name in LIMITS}
    return render(request, "settings.html", values=values, limits=LIMITS)


@router.post("/settings")
def change_settings(
    request: Request,
    user: UserManager,
    access_log_days: Annotated[int, Form(ge=30, le=3650)],
    contact_days: Annotated[int, Form(ge=1, le=365)],
    late_days: Annotated[int, Form(ge=0, le=60)],
    min_answers: Annotated[int, Form(ge=5, le=1000)],
    confidence: Annotated[float, Form(ge=0.8, le=0.999)],
) -> Response:
    """Change the settings; what changed stands in the log of changes."""
    given = {
        "access_log_days": access_log_days,
        "contact_days": contact_days,
        "late_days": late_days,
        "min_answers": min_answers,
        "confidence": confidence,
    }
    with write(engine_of(request)) as connection:
        old = {name: read_setting(connection, user.province_id, name) for name in given}
        changed = {name: value for name, value in given.items() if value != old[name]}
        for name, value in changed.items():
            write_setting(connection, user.province_id, name, value)
        if changed:
            record_change(connection, user.province_id, user.user_id, "settings", changed)
    return RedirectResponse("/settings", 303)
