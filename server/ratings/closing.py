"""Closing of periods: up to the closed month no rating counts any more, and none that counts is taken out."""

from __future__ import annotations

from sqlalchemy import Connection

from pipeline.calendar import Period, month_name, parse_period
from pipeline.errors import ConflictError
from pipeline.language import Message
from server.core.changes import record_change
from server.core.provinces import read_setting, write_setting
from server.core.scope import Scope

SETTING = "closed_through"


def closed_through(connection: Connection, scope: Scope) -> Period | None:
    """The newest closed month, None where nothing has been closed."""
    text = str(read_setting(connection, scope.province_id, SETTING))
    return parse_period(text) if text else None


def closed_day(connection: Connection, scope: Scope) -> int:
    """The last day that is closed; -1 where none is."""
    period = closed_through(connection, scope)
    return -1 if period is None else period.last_day


def close_period(connection: Connection, scope: Scope, period: Period, user_id: int | None) -> None:
    """Close everything up to the end of a period that is over. It cannot be opened again: what came too late for it
    stays set aside, for everybody to see.

    Raises `ConflictError` for a period that is not over, or that is closed."""
    if period.runs:
        raise ConflictError(Message("The period is not over yet."))
    before = closed_through(connection, scope)
    if before is not None and before.last_month >= period.last_month:
        raise ConflictError(Message("The period has been closed."))
    last = month_name(period.last_month)
    write_setting(connection, scope.province_id, SETTING, last)
    old = "" if before is None else month_name(before.last_month)
    record_change(connection, scope.province_id, user_id, "period_closed", {"through": [old, last]})


def require_open(connection: Connection, scope: Scope, day: int) -> None:
    """Raises `ConflictError` where a day lies in a closed period."""
    if day <= closed_day(connection, scope):
        raise ConflictError(Message("The period has been closed."))
