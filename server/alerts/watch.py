"""Alerts are opened and closed with hysteresis, and told once each.

A thing that is seen at every look of `lasts_s` becomes an alert; one that is seen at no look of `away_s` is over. What
comes and goes in between stays one alert. Letters are written in the same transaction in which an alert is marked as
told, so that a server that is killed in between tells it once: not twice, not never.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, or_

from server.alerts.kinds import KINDS, AlertKind, Fault, due_day
from server.alerts.letters import Alert, write_letters
from server.core.changes import record_change
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.outbox.quiet import is_quiet, read_hours
from server.store.tables.letters import alerts

KEPT_S = 365 * 86_400
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Step:
    """What one look changed."""

    opened: int
    closed: int


def step(
    connection: Connection, province_id: int, found: Iterable[Fault], looked_for: Collection[AlertKind], now: int
) -> Step:
    """Take one look's faults in. `looked_for`: the kinds that this look has looked for; alerts of others stay."""
    scope = Scope(province_id)
    live = {
        (row.kind, row.subject): row
        for row in connection.execute(scope.select(alerts).where(alerts.c.closed_s.is_(None)))
    }
    opened = closed = 0
    seen: set[tuple[str, str]] = set()
    again: list[int] = []
    for fault in found:
        key = (fault.kind.value, fault.subject[:100])
        if key in seen or (key not in live and not fault.opens):
            continue
        seen.add(key)
        if key in live and KINDS[fault.kind].away_s:
            again.append(live[key].id)
        opened += _seen(connection, scope, live.get(key), fault, now)
    if again:
        connection.execute(scope.update(alerts).where(alerts.c.id.in_(again)).values(seen_s=now))
    kinds = {kind.value for kind in looked_for}
    for key, row in live.items():
        if key not in seen and row.kind in kinds:
            closed += _not_seen(connection, scope, row, now)
    return Step(opened, closed)


def _seen(connection: Connection, scope: Scope, row: Row[Any] | None, fault: Fault, now: int) -> bool:
    kind = KINDS[fault.kind]
    since = now if row is None else row.first_s
    opens = fault.opens and (row is None or row.opened_s is None) and now - since >= kind.lasts_s
    opened_s = now if opens else None
    if row is None:
        subject, detail = fault.subject[:100], json.dumps(dict(fault.detail), ensure_ascii=False, sort_keys=True)
        first = {"kind": fault.kind.value, "subject": subject, "detail": detail, "first_s": now, "seen_s": now}
        scope.insert(connection, alerts, {**first, "opened_s": opened_s})
    elif opens:
        connection.execute(scope.update(alerts).where(alerts.c.id == row.id).values(opened_s=opened_s))
    if opens:
        said = {"kind": fault.kind.value, "subject": fault.subject[:100]}
        record_change(connection, scope.province_id, None, "alert_opened", said)
    return opens


def _not_seen(connection: Connection, scope: Scope, row: Row[Any], now: int) -> bool:
    of_row = alerts.c.id == row.id
    if row.opened_s is None:  # it did not last
        connection.execute(scope.delete(alerts).where(of_row))
        return False
    if now - row.seen_s < KINDS[AlertKind(row.kind)].away_s:
        return False
    connection.execute(scope.update(alerts).where(of_row).values(closed_s=now))
    said = {"kind": row.kind, "subject": row.subject}
    record_change(connection, scope.province_id, None, "alert_closed", said)
    return True


def send_alerts(connection: Connection, province_id: int, now: int, address: str = "") -> int:
    """Write letters about alerts that nobody was told of, unless it is quiet; how many alerts were told.

    One that came and went while it was quiet is on the page alone. `address`: of the pages, for links."""
    if is_quiet(now, read_hours(str(read_setting(connection, province_id, "alert_quiet_hours")))):
        return 0
    scope = Scope(province_id)
    untold = scope.select(alerts).where(
        alerts.c.opened_s.is_not(None),
        or_(
            alerts.c.told_s.is_(None) & alerts.c.closed_s.is_(None),
            alerts.c.told_s.is_not(None) & alerts.c.closed_s.is_not(None) & alerts.c.over_told_s.is_(None),
        ),
    )
    told = [Alert.of(row) for row in connection.execute(untold.order_by(alerts.c.opened_s, alerts.c.id))]
    if not told:
        return 0
    for over, column in ((False, "told_s"), (True, "over_told_s")):
        ids = [one.alert_id for one in told if one.over == over]
        if ids:
            connection.execute(scope.update(alerts).where(alerts.c.id.in_(ids)).values({column: now}))
    write_letters(connection, province_id, told, now, address)
    return len(told)


def is_watching(connection: Connection, province_id: int) -> bool:
    """Whether there is anything that a look without a fault could change or tell."""
    unsaid = alerts.c.opened_s.is_not(None) & alerts.c.told_s.is_not(None) & alerts.c.over_told_s.is_(None)
    query = Scope(province_id).select(alerts, alerts.c.id).where(alerts.c.closed_s.is_(None) | unsaid)
    return connection.execute(query.limit(1)).first() is not None


def shown_alerts(connection: Connection, scope: Scope) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """(open, closed) alerts. Open: those of machines first, since cases come by the hundred; of cases the one that
    was due first; of other kinds the oldest. Closed: the last `SHOWN`, the newest first."""
    opened = scope.select(alerts).where(alerts.c.opened_s.is_not(None))
    still = list(connection.execute(opened.where(alerts.c.closed_s.is_(None))))
    over = opened.where(alerts.c.closed_s.is_not(None)).order_by(alerts.c.closed_s.desc(), alerts.c.id.desc())
    still.sort(key=_most_urgent_first)
    return still, list(connection.execute(over.limit(SHOWN)))


def _most_urgent_first(row: Row[Any]) -> tuple[bool, int, int, int]:
    kind = AlertKind(row.kind)
    due = due_day(kind, row.detail)
    return (due is not None, due or 0, row.opened_s, row.id)


def forget_old_alerts(connection: Connection, time_s: int) -> int:
    """Delete alerts that were over a year before `time_s`; how many."""
    return connection.execute(alerts.delete().where(alerts.c.closed_s < time_s - KEPT_S)).rowcount
