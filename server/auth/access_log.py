"""The access log: which user asked which route, with what result; kept as long as the province's setting says."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select

from pipeline.calendar import now_s
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.engine import write
from server.store.tables.users import access_log, users


def log_access(engine: Engine, province_id: int, user_id: int | None, method: str, route: str, status: int) -> None:
    """Add one entry. `route` is the template of the path, so that no value from a path or query is kept."""
    values = {"province_id": province_id, "user_id": user_id, "at_s": now_s(), "method": method, "status": status}
    with write(engine) as connection:
        connection.execute(insert(access_log).values(**values, route=route[:200]))


def log_failed_log_in(connection: Connection, user_name: str, route: str) -> None:
    """A failed log-in of a user that exists; of others nothing is kept (a mistyped name may be a password)."""
    row = connection.execute(select(users.c.id, users.c.province_id).where(users.c.name == user_name)).first()
    if row is not None:
        values = {"province_id": row.province_id, "user_id": row.id, "at_s": now_s(), "method": "POST", "status": 401}
        connection.execute(insert(access_log).values(**values, route=route))


def newest_accesses(connection: Connection, scope: Scope, limit: int) -> tuple[list[Row[Any]], int]:
    """The newest entries with their users' names, and how many are kept in all."""
    query = scope.select(access_log, access_log, users.c.name).outerjoin(users, users.c.id == access_log.c.user_id)
    kept = connection.execute(scope.select(access_log, func.count(access_log.c.id))).scalar_one()
    return list(connection.execute(query.order_by(access_log.c.id.desc()).limit(limit))), int(kept)


def enforce_retention(connection: Connection, province_id: int) -> int:
    """Delete entries older than a province's `access_log_days`; returns how many."""
    oldest_s = now_s() - 86_400 * int(read_setting(connection, province_id, "access_log_days"))
    expired = Scope(province_id).delete(access_log).where(access_log.c.at_s < oldest_s)
    return connection.execute(expired).rowcount
