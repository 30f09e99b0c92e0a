"""People who carry paper forms, and whose list each form of a round is on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from pipeline.calendar import today
from pipeline.errors import ConflictError
from pipeline.language import Message
from server.core.changes import record_change
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.tables.agencies import agencies
from server.store.tables.contacts import enumerators
from server.store.tables.paper import paper_forms


def all_enumerators(connection: Connection, scope: Scope, *, active: bool = False) -> list[Row[Any]]:
    """The province's enumerators by code, or those who still go out."""
    query = scope.select(enumerators).order_by(enumerators.c.code)
    return list(connection.execute(query.where(enumerators.c.active) if active else query))


def add_enumerator(
    connection: Connection, scope: Scope, *, code: str, name: str, organisation: str, phone: str, by: int | None
) -> None:
    """Add an enumerator, whose name and number go after `contact_days`. Raises `ConflictError`."""
    if connection.execute(scope.select(enumerators, enumerators.c.id).where(enumerators.c.code == code)).first():
        raise ConflictError(Message("The code {code} is taken.", code=code))
    expires = today() + int(read_setting(connection, scope.province_id, "contact_days"))
    values = {"code": code, "name": name, "organisation": organisation, "active": True}
    number = scope.insert(connection, enumerators, {**values, "phone": phone, "expires_day": expires})
    record_change(connection, scope.province_id, by, "enumerator_added", {"enumerator": number})


def forms_by_enumerator(connection: Connection, scope: Scope, round_id: int) -> list[Row[Any]]:
    """Every form of a round with the codes of its agency and enumerator."""
    codes = (agencies.c.code.label("agency"), enumerators.c.code.label("enumerator"))
    query = (
        scope.select(paper_forms, paper_forms, *codes)
        .join(agencies, agencies.c.id == paper_forms.c.agency_id)
        .outerjoin(enumerators, enumerators.c.id == paper_forms.c.enumerator_id)
        .where(paper_forms.c.round_id == round_id)
        .order_by(enumerators.c.code, agencies.c.code, paper_forms.c.code)
    )
    return list(connection.execute(query))
