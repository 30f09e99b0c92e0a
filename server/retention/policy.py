"""What the store may hold and for how long, checked against what it does hold.

The policy: no time of a citizen's answer finer than a day; no column that could take a picture, a sound, a face or a
voice; contacts and the access log no longer than the province's settings. `enforce` deletes; `findings` only looks.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, DateTime, LargeBinary, Table, Time, func, inspect

from pipeline.calendar import now_s, today
from pipeline.language import Message
from server.auth.access_log import enforce_retention as enforce_access_log
from server.core.provinces import all_provinces, read_setting
from server.core.scope import Scope
from server.core.sealed import SEALED
from server.retention.survey import enforce_survey_retention
from server.store.schema import metadata
from server.store.tables.contacts import phone_contacts
from server.store.tables.feedback import feedback_contacts
from server.store.tables.gateways import gateways
from server.store.tables.releases import releases
from server.store.tables.users import access_log

_VERSION_TABLE = "alembic_version"
GRACE_S = 2 * 3600
"""The server enforces retention hourly: an entry may be that much older before it is a finding."""

PRECISE_TIMES = frozenset(
    {
        ("access_log", "at_s"),
        ("sessions", "expires_s"),
        ("heartbeats", "received_s"),
        ("boxes", "enrol_code_expires_s"),
        ("offers", "ring_s"),
        ("offers", "since_s"),
        ("box_standings", "told_s"),
        ("box_standings", "taken_s"),
    }
)
"""Columns that hold seconds: of staff and machines. A column of seconds that is not named here is a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the policy forbids: where, and in words."""

    table: str
    words: Message


def schema_findings(precise_times: frozenset[tuple[str, str]] = PRECISE_TIMES) -> list[Finding]:
    """Columns of the schema that could hold what the policy forbids."""
    found = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, LargeBinary):
                words = Message("{place} could hold a picture or a sound", place=f"{table.name}.{column.name}")
            elif isinstance(column.type, DateTime | Time) or (
                column.name.endswith("_s") and (table.name, column.name) not in precise_times | allowed_seconds()
            ):
                words = Message("{place} holds a time finer than a day", place=f"{table.name}.{column.name}")
            else:
                continue
            found.append(Finding(table.name, words))
    return found


def allowed_seconds() -> frozenset[tuple[str, str]]:
    """Columns of seconds that the survey's own tables need (links, limits), as they declare themselves.

    A table declares one by `info={"seconds": "why"}` on the column."""
    return frozenset(
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.info.get("seconds")
    )


def store_findings(connection: Connection) -> list[Finding]:
    """Tables and columns that the store really has and this program does not know: whatever lies there is no part of
    the policy."""
    found = []
    inspector = inspect(connection)
    for name in sorted({*inspector.get_table_names(), *inspector.get_view_names()} - {_VERSION_TABLE}):
        table = metadata.tables.get(name)
        if table is None:
            found.append(Finding(name, Message("{name}: a table that is none of this program's", name=name)))
            continue
        for column in inspector.get_columns(name):
            if column["name"] not in table.columns:
                place = f"{name}.{column['name']}"
                found.append(Finding(name, Message("{place}: a column that is none of this program's", place=place)))
    return found


def _too_old(connection: Connection, table: Table, column: str, province_id: int, oldest: int) -> int:
    query = Scope(province_id).select(table, func.count()).where(table.c[column] < oldest)
    return int(connection.execute(query).scalar_one())


def findings(connection: Connection, province_id: int) -> list[Finding]:
    """What one province's rows, and the schema, hold against the policy; empty where all is well."""
    found = schema_findings() + store_findings(connection)
    days = int(read_setting(connection, province_id, "access_log_days"))
    old = _too_old(connection, access_log, "at_s", province_id, now_s() - 86_400 * days - GRACE_S)
    if old:
        words = Message("{table}: {count} entries older than {days} days", table="access_log", count=old, days=days)
        found.append(Finding("access_log", words))
    for contacts in (phone_contacts, feedback_contacts):
        overdue = _too_old(connection, contacts, "expires_day", province_id, today() - 1)
        if overdue:
            words = Message("{table}: {count} contacts past their day", table=contacts.name, count=overdue)
            found.append(Finding(contacts.name, words))
    clear = Scope(province_id).select(gateways, func.count()).where(gateways.c.secret.not_like(f"{SEALED}%"))
    if plain := connection.execute(clear.where(gateways.c.secret != "")).scalar_one():
        words = Message(
            "{table}: {count} keys in the clear; a start of the server seals them", table="gateways", count=plain
        )
        found.append(Finding("gateways", words))
    negative = Scope(province_id).select(releases, func.count()).where(releases.c.epsilon_milli <= 0)
    if connection.execute(negative).scalar_one():
        found.append(Finding("releases", Message("{table}: a table states no noise", table="releases")))
    return found


def enforce(connection: Connection) -> int:
    """Delete what is older than the settings allow, in every province; returns how many rows went."""
    return sum(enforce_of(connection, province.province_id) for province in all_provinces(connection))


def enforce_of(connection: Connection, province_id: int) -> int:
    """The same in one province."""
    gone = enforce_access_log(connection, province_id)
    return gone + sum(enforce_survey_retention(connection, province_id).values())


def all_findings(connection: Connection) -> dict[str, list[Finding]]:
    """Findings of every province, by its code."""
    return {p.code: findings(connection, p.province_id) for p in all_provinces(connection)}
