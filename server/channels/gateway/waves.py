"""Who is asked by telephone, in which order: those who never were, then, once and after some days, those who did not
answer; and how many answered of each wave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_

from pipeline.calendar import today
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.tables.contacts import phone_contacts

WAVES = 2
"""The first message, and one reminder."""
MIN_REMINDER_DAYS = 3
"""A conversation under way is not interrupted: it is tidied away after two days."""


def take_next(
    connection: Connection, scope: Scope, round_id: int, count: int, is_talking: Callable[[str], bool]
) -> list[Row[Any]]:
    """Contacts of a round to ask now, new ones first; they count as asked once more. `waves` of a row: before.

    `is_talking`: whether a conversation with a number is under way; who answers late is not reminded in the middle of
    it. Two that ask at once never get the same one."""
    days = int(read_setting(connection, scope.province_id, "reminder_days"))
    contacts = phone_contacts.c
    new = contacts.state == "to_ask"
    if days:
        before = today() - max(days, MIN_REMINDER_DAYS)
        silent = and_(contacts.state == "asked", contacts.waves == 1, contacts.asked_day <= before)
        new = or_(new, silent)
    query = scope.select(phone_contacts).where(contacts.round_id == round_id, new)
    query = query.order_by(contacts.waves, contacts.id).limit(count)
    locked = connection.execute(query.with_for_update(skip_locked=True))
    rows = [row for row in locked if not row.waves or not is_talking(row.phone)]
    for row in rows:
        values = {"state": "asked", "waves": row.waves + 1, "asked_day": today()}
        connection.execute(scope.update(phone_contacts).where(contacts.id == row.id).values(**values))
    return rows


@dataclass(frozen=True, slots=True)
class WaveRate:
    """How many were asked in a wave (1: the first message, 2: the reminder) and answered before the next."""

    wave: int
    asked: int
    answered: int


def wave_rates(connection: Connection, scope: Scope) -> Sequence[WaveRate]:
    """Response by wave of the contacts that are kept, asked `MIN_REMINDER_DAYS` ago or before, so that hardly anybody's
    answer moves it as it comes; a wave of fewer than `min_answers` is not shown. Who took part is counted, nothing of
    what was answered."""
    contacts = phone_contacts.c
    counts = scope.select(phone_contacts, contacts.waves, contacts.state == "answered", func.count())
    counts = counts.where(contacts.waves > 0, contacts.asked_day <= today() - MIN_REMINDER_DAYS)
    asked, answered = [0] * (WAVES + 1), [0] * (WAVES + 1)
    for waves, has_answered, count in connection.execute(counts.group_by(contacts.waves, contacts.state == "answered")):
        last = min(waves, WAVES)
        for wave in range(1, last + 1):
            asked[wave] += count
        answered[last] += count if has_answered else 0
    below = int(read_setting(connection, scope.province_id, "min_answers"))
    return [WaveRate(wave, asked[wave], answered[wave]) for wave in range(1, WAVES + 1) if asked[wave] >= below]
