"""Settings of the province: retention, lateness, suppression, confidence, suspicion, alerts, the head of documents."""

from __future__ import annotations

from typing import Annotated, Any

from babel.numbers import format_decimal
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from pipeline.errors import InvalidError
from pipeline.language import Joined, Message
from pipeline.language import language as named_language
from server.auth.factors import require_for, required_roles
from server.core.changes import record_change
from server.core.labels import ROLE_NAMES
from server.core.provinces import SETTINGS, is_origin, read_settings, write_setting
from server.outbox.mail import addresses
from server.outbox.quiet import read_hours
from server.outbox.webhook import MAX_URL, check_url
from server.store.engine import read, write
from server.store.tables.users import Role
from server.web.confirm import FOR_GOOD, AskFirst
from server.web.context import UserManager, engine_of, language, render

router = APIRouter(include_in_schema=False)


class SettingsForm(BaseModel):
    """What the page sets, within limits; both ends included."""

    access_log_days: int = Field(ge=30, le=3650)
    contact_days: int = Field(ge=1, le=365)
    late_days: int = Field(ge=0, le=60)
    admit_days_box: int = Field(ge=1, le=366)
    admit_days_staff: int = Field(ge=1, le=366)
    admit_days_files: int = Field(ge=1, le=7_320)
    case_refuse_days: int = Field(ge=1, le=60)
    case_supplement_days: int = Field(ge=1, le=60)
    case_answer_days: int = Field(ge=1, le=90)
    case_publish_days: int = Field(ge=1, le=60)
    case_reminder_days: int = Field(ge=0, le=30)
    case_reopen_days: int = Field(ge=0, le=90)
    min_answers: int = Field(ge=5, le=1000)
    confidence: float = Field(ge=0.8, le=0.999)
    suspicion_fastest_s: float = Field(ge=0, le=60)
    suspicion_straight_s: float = Field(ge=0, le=60)
    suspicion_straight_answers: int = Field(ge=3, le=32)
    suspicion_device_a_day: int = Field(ge=1, le=1000)
    suspicion_burst_ratings: int = Field(ge=2, le=10_000)
    suspicion_burst_window_s: float = Field(ge=10, le=86_400)
    suspicion_staff_ratings: int = Field(ge=2, le=1000)
    suspicion_repeats: int = Field(ge=2, le=1000)
    reminder_days: int = Field(ge=0, le=60)
    digest_mail: str = Field("", max_length=500)
    alert_mail: str = Field("", max_length=500)
    alert_webhook: str = Field("", max_length=MAX_URL)
    alert_quiet_hours: str = Field(SETTINGS["alert_quiet_hours"], max_length=20)
    alert_silent_minutes: int = Field(ge=0, le=10_080)
    alert_tablet_days: int = Field(ge=0, le=30)
    alert_backup_days: int = Field(ge=0, le=365)
    alert_fall_points: float = Field(ge=0, le=50)
    alert_fall_false_a_year: float = Field(ge=0, le=100)
    portal_origin: str = Field("", max_length=200)
    neighbour_url: str = Field("", max_length=MAX_URL)
    office_superior: str = Field("", max_length=120)
    office_issuer: str = Field("", max_length=120)
    office_symbol: str = Field("", max_length=20)
    office_place: str = Field("", max_length=60)
    office_signer_title: str = Field("", max_length=80)


class Sent(SettingsForm):
    """The form, and whether it was confirmed."""

    sure: bool = False

    @field_validator("*", mode="before")
    @classmethod
    def _decimal(cls, text: Any, info: ValidationInfo) -> Any:
        """A decimal may be typed with a comma or with a point; there are no marks of thousands."""
        asked = cls.model_fields[info.field_name or ""].annotation
        return text.replace(",", ".") if asked is float and isinstance(text, str) else text


NAMES = tuple(SettingsForm.model_fields)
_RETENTION = {
    "access_log_days": Message("the access log"),
    "contact_days": Message("telephone numbers and enumerators"),
}
"""Settings that delete where they become less."""
_UNTOLD = ("digest_mail", "alert_mail", "alert_webhook", "neighbour_url")
"""Of these the log of changes says that they changed, not to what: an address may be a person's name, a URL a key."""


def _limits(name: str) -> tuple[float, float]:
    """Least and greatest number; of a text its length."""
    bounds = {type(bound).__name__: bound for bound in SettingsForm.model_fields[name].metadata}
    return (0, bounds["MaxLen"].max_length) if "MaxLen" in bounds else (bounds["Ge"].ge, bounds["Le"].le)


@router.get("/settings")
def settings_page(request: Request, user: UserManager) -> Response:
    """The settings in force."""
    with read(engine_of(request)) as connection:
        values = read_settings(connection, user.province_id, NAMES)
        asked = required_roles(connection, user.province_id)
    roles = [(role.value, ROLE_NAMES[role.value], role in asked) for role in Role]
    limits = {name: _limits(name) for name in NAMES}
    locale = named_language(language(request)).locale
    typed = {n: format_decimal(v, "0.####", locale) for n, v in values.items() if isinstance(v, float)}
    return render(request, "settings.html", values=values, limits=limits, roles=roles, typed=typed)


@router.post("/settings")
def change_settings(request: Request, user: UserManager, sent: Annotated[Sent, Form()]) -> Response:
    """Change the settings; what changed stands in the log of changes. A shorter retention deletes: it asks first."""
    with write(engine_of(request)) as connection:
        old = read_settings(connection, user.province_id, NAMES)
        stripped = {n: v.strip() if isinstance(v, str) else v for n, v in sent.model_dump(exclude={"sure"}).items()}
        for name in ("digest_mail", "alert_mail"):
            addresses(stripped[name])
        for name in ("alert_webhook", "neighbour_url"):
            if stripped[name]:
                check_url(stripped[name])
        read_hours(stripped["alert_quiet_hours"])
        stripped["portal_origin"] = stripped["portal_origin"].rstrip("/")
        if stripped["portal_origin"] and not is_origin(stripped["portal_origin"]):
            raise InvalidError(
                Message("'{text}' is no portal's address.", text=stripped["portal_origin"][:60]),
                Message("Write it without a path, such as https://dichvucong.example.vn."),
            )
        changed = {name: value for name, value in stripped.items() if value != old[name]}
        for name, value in changed.items():
            write_setting(connection, user.province_id, name, value)
        if changed:
            named = {n: [bool(old[n]), bool(v)] if n in _UNTOLD else [old[n], v] for n, v in changed.items()}
            record_change(connection, user.province_id, user.user_id, "settings", named)
        shorter = {name: what for name, what in _RETENTION.items() if stripped[name] < old[name]}
        if shorter and not sent.sure:
            kept = [
                Message("{what}: {now} days instead of {before}", what=what, now=stripped[name], before=old[name])
                for name, what in shorter.items()
            ]
            raise AskFirst(
                Message("Keep less? {what}.", what=Joined(kept, "; ")),
                then=Joined((Message("What is older is deleted within the hour."), FOR_GOOD), " "),
                yes=Message("Delete what is older"),
                fields={name: str(value) for name, value in stripped.items()},
                back="/settings",
            )
    return RedirectResponse("/settings", 303)


@router.post("/settings/second-factor")
def change_second_factor(
    request: Request, user: UserManager, roles: Annotated[list[Role] | None, Form()] = None
) -> Response:
    """Which roles have to log in with a second factor."""
    with write(engine_of(request)) as connection:
        require_for(connection, user.province_id, roles or [], by=user.user_id)
    return RedirectResponse("/settings", 303)
