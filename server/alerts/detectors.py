"""Looks for what needs somebody. Each is one reading of the store: it changes nothing and knows nothing of letters."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func

from calibration.falls import fall
from pipeline.calendar import (
    Period,
    day_date,
    day_index,
    month_of_day,
    office_days,
    period_of_months,
    quarter_of_month,
)
from pipeline.language import Text
from server.alerts.kinds import DAY_S, AlertKind, Fault
from server.boxes.health import SILENT_AFTER_S
from server.core.disclosure import published
from server.core.provinces import read_settings
from server.core.scope import Scope
from server.feedback.deadlines import due_day
from server.scores.sums import run, shown_ratings_table
from server.store.channels import COUNTER_TABLET
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.feedback import OPEN_STATES, feedback
from server.store.tables.letters import failed_imports
from server.store.tables.provinces import provinces
from server.store.tables.ratings import RatingState, ratings

USUAL_DAYS, USUAL_OF = 15, 20
"""A tablet is one that sheets come from where they came on so many of so many working days before."""
SETTING_NAMES = (
    "alert_silent_minutes",
    "alert_tablet_days",
    "alert_backup_days",
    "alert_fall_points",
    "alert_fall_false_a_year",
    "case_reminder_days",
)


@dataclass(frozen=True, slots=True)
class Look:
    """When is looked, and with what. `now_s`: Unix seconds; `today`: its day; `up_since_s`: when this server began to
    listen: before that it heard nobody. `backup`: the file that says when the last backup was made, None: not asked."""

    now_s: int
    today: int
    up_since_s: int
    settings: dict[str, Any]
    backup: Path | None

    @classmethod
    def of(
        cls, connection: Connection, province_id: int, now_s: int, today: int, up_since_s: int, backup: Path | None
    ) -> Look:
        """With a province's settings."""
        return cls(now_s, today, up_since_s, read_settings(connection, province_id, SETTING_NAMES), backup)


def silent_boxes(connection: Connection, province_id: int, look: Look) -> Iterator[Fault]:
    """Boxes that were heard once and are not any more."""
    minutes = int(look.settings["alert_silent_minutes"])
    if not minutes:
        return
    query = (
        Scope(province_id)
        .select(boxes, boxes.c.label, heartbeats.c.received_s, agencies.c.name)
        .join(heartbeats, heartbeats.c.box_id == boxes.c.id)
        .join(agencies, agencies.c.id == boxes.c.agency_id)
        .where(boxes.c.revoked_day.is_(None), boxes.c.public_key.is_not(None))
    )
    for row in connection.execute(query):
        silent_s = look.now_s - max(row.received_s, look.up_since_s)
        if silent_s > min(SILENT_AFTER_S, 60 * minutes):  # a single heartbeat in between is not the end of it
            detail = {**_names(row), "minutes": minutes}
            yield Fault(AlertKind.BOX_SILENT, row.label, detail, opens=silent_s > 60 * minutes)


def silent_tablets(connection: Connection, province_id: int, look: Look) -> Iterator[Fault]:
    """Agencies whose boxes are heard, whose tablet's sheets came almost daily, and come no more."""
    days = int(look.settings["alert_tablet_days"])
    if not days:
        return
    worked = _working_days_before(look.today, days + USUAL_OF)
    since, usual = worked[-days], worked[:USUAL_OF]
    scope = Scope(province_id)
    came = (
        scope.select(ratings, ratings.c.agency_id, ratings.c.received_day)
        .where(ratings.c.channel == COUNTER_TABLET.code, ratings.c.received_day >= usual[0])
        .group_by(ratings.c.agency_id, ratings.c.received_day)
    )
    seen: dict[int, set[int]] = defaultdict(set)
    for agency_id, day in connection.execute(came):
        seen[agency_id].add(day)
    heard = look.now_s - 60 * int(look.settings["alert_silent_minutes"] or 60)
    with_box = (
        scope.select(boxes, agencies.c.id, agencies.c.code, agencies.c.name)
        .join(heartbeats, heartbeats.c.box_id == boxes.c.id)
        .join(agencies, agencies.c.id == boxes.c.agency_id)
        .where(boxes.c.revoked_day.is_(None), heartbeats.c.received_s >= heard)
        .distinct()
    )
    for row in connection.execute(with_box):  # of a silent box its own alert tells
        came_on = seen[row.id]
        if sum(day in came_on for day in usual) >= USUAL_DAYS and not any(day >= since for day in came_on):
            yield Fault(AlertKind.TABLET_SILENT, row.code, {**_names(row), "days": days})


def cases_about_to_be_late(connection: Connection, province_id: int, look: Look) -> Iterator[Fault]:
    """Open cases whose day is near, or past."""
    near = due_day(look.today, int(look.settings["case_reminder_days"]))
    query = (
        Scope(province_id)
        .select(feedback, feedback.c.id, feedback.c.due_day, agencies.c.name)
        .join(agencies, agencies.c.id == func.coalesce(feedback.c.responsible_id, feedback.c.agency_id))
        .where(feedback.c.status.in_(OPEN_STATES), feedback.c.due_day <= near)
        .order_by(feedback.c.due_day, feedback.c.id)
    )
    for row in connection.execute(query):
        yield Fault(AlertKind.CASE_DUE, str(row.id), {**_names(row), "day": row.due_day})


def failed_files(connection: Connection, province_id: int, look: Look) -> Iterator[Fault]:
    """Kinds of file whose newest import was refused; those of more than a week ago nobody will bring again."""
    recent = failed_imports.c.failed_s > look.now_s - 7 * DAY_S
    for kind in connection.execute(
        Scope(province_id).select(failed_imports, failed_imports.c.kind).where(recent)
    ).scalars():
        yield Fault(AlertKind.IMPORT_FAILED, kind, {})


def old_backup(connection: Connection, province_id: int, look: Look) -> Iterator[Fault]:
    """A server without a backup of the last days."""
    days = int(look.settings["alert_backup_days"])
    if not days or look.backup is None:
        return
    at_s = backed_up_s(look.backup)
    if at_s is None:
        began = connection.execute(provinces.select().where(provinces.c.id == province_id)).one().created_day
        if look.today - began > days:
            yield Fault(AlertKind.BACKUP_OLD, "", {"never": True, "days": days})
    elif look.now_s - at_s > days * DAY_S:
        yield Fault(AlertKind.BACKUP_OLD, "", {"never": False, "days": days})


def sharp_falls(connection: Connection, province_id: int, look: Look) -> Iterator[Fault]:
    """Agencies whose explicit ratings of the running quarter fell against the year before it, tested so that it may be
    looked at daily (`calibration.falls`); of sheets that pages show already (`server.core.disclosure`).

    Each agency is tested anew each quarter. The chance of a false alarm is shared out: what the setting says is the
    most that the whole province is told in a year on average, where nothing falls."""
    points, a_year = float(look.settings["alert_fall_points"]), float(look.settings["alert_fall_false_a_year"])
    if points <= 0 or a_year <= 0:
        return
    quarter = quarter_of_month(month_of_day(look.today))
    before = period_of_months(quarter.first_month - 12, quarter.first_month - 1)
    old = _by_agency(connection, province_id, before, look.today)
    new = _by_agency(connection, province_id, quarter, look.today)
    tested = sorted(new.keys() & old.keys())
    if not tested:
        return
    alpha = min(0.5, a_year / 4 / len(tested))
    of_agency = Scope(province_id).select(agencies).where(agencies.c.id.in_(tested))
    for row in connection.execute(of_agency.order_by(agencies.c.code)):
        found = fall(old[row.id], new[row.id], by=points / 100, alpha=alpha)
        if found is not None and (found.is_reported or found.stands):
            yield Fault(AlertKind.FALL, row.code, {**_names(row), "points": f"{points:g}"}, opens=found.is_reported)


def _by_agency(
    connection: Connection, province_id: int, period: Period, now: int
) -> dict[int, tuple[list[int], list[int]]]:
    """Sheets with an overall answer, and the satisfied ones, by the day on which they were known, oldest first, of the
    agencies whose figure of the period is shown."""
    import ibis

    shown = published(connection, province_id, period, now=now)
    rows = Scope(province_id).filter(shown_ratings_table(shown))
    rows = rows.filter(
        rows.a00 > 0,
        rows.state != int(RatingState.SET_ASIDE),
        rows.month >= period.first_month,
        rows.month <= period.last_month,
    )
    rows = rows.mutate(known=ibis.greatest(rows.day, rows.received_day))
    counted = rows.group_by(["agency_id", "known"]).aggregate(
        rated=rows.count(), satisfied=(rows.a00 >= 4).ifelse(1, 0).sum().cast("int64")
    )
    hidden = shown.hidden_agencies()
    found: dict[int, tuple[list[int], list[int]]] = {}
    for agency_id, _day, rated, satisfied in run(connection, counted.order_by(["agency_id", "known"])):
        if agency_id not in hidden:
            asked, good = found.setdefault(agency_id, ([], []))
            asked.append(int(rated))
            good.append(int(satisfied))
    return found


def _working_days_before(today: int, count: int) -> list[int]:
    """The newest `count` working days before a day, oldest first."""
    holidays = office_days()
    found: list[int] = []
    day = day_date(today)
    while len(found) < count:
        day -= datetime.timedelta(days=1)
        if holidays.is_working(day):
            found.append(day_index(day))
    return found[::-1]


def _names(row: Any) -> dict[str, str]:
    name: Text = row.name
    return name.columns("agency_")


QUICK = {
    AlertKind.BOX_SILENT: silent_boxes,
    AlertKind.TABLET_SILENT: silent_tablets,
    AlertKind.CASE_DUE: cases_about_to_be_late,
    AlertKind.IMPORT_FAILED: failed_files,
    AlertKind.BACKUP_OLD: old_backup,
}
"""What every look looks for."""
SLOW = {AlertKind.FALL: sharp_falls}
"""What changes with the day alone, and is read then."""


# when the last backup was made ----------------------------------------------------------------------------------------


def backed_up_s(mark: Path) -> int | None:
    """When the last backup was made, Unix seconds; None where there was none, or nobody can read it."""
    try:
        return int(mark.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
