"""The kinds of alert: their words, how long a thing has to last before it is one, and to be away before it is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.calendar import day_words
from pipeline.language import Message, Text
from server.core.labels import IMPORT_KINDS

HOUR_S, DAY_S = 3_600, 86_400


class AlertKind(StrEnum):
    """What an alert is about."""

    BOX_SILENT = "box_silent"
    TABLET_SILENT = "tablet_silent"
    CASE_DUE = "case_due"
    FALL = "fall"
    IMPORT_FAILED = "import_failed"
    BACKUP_OLD = "backup_old"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `lasts_s`: seen so long without a gap, it is an alert; `away_s`: away so long without a gap, it is
    over. `path`: the page where something can be done. `name`: as the page lists it. `several`: over a list of them."""

    name: Message
    several: Message
    path: str
    lasts_s: int
    away_s: int


KINDS: dict[AlertKind, Kind] = {
    AlertKind.BOX_SILENT: Kind(Message("Box silent"), Message("Boxes silent"), "/health", 0, HOUR_S),
    AlertKind.TABLET_SILENT: Kind(Message("Tablet silent"), Message("Tablets silent"), "/health", 0, 0),
    AlertKind.CASE_DUE: Kind(
        Message("Case about to be late"), Message("Cases late or about to be"), "/survey/feedback", 0, 0
    ),
    AlertKind.FALL: Kind(
        Message("Sharp fall of the ratings"), Message("Sharp falls of the ratings"), "/compare", 0, 7 * DAY_S
    ),
    AlertKind.IMPORT_FAILED: Kind(
        Message("Import failed"), Message("Imports failed"), "/survey/import", HOUR_S // 2, 0
    ),
    AlertKind.BACKUP_OLD: Kind(Message("Backup old"), Message("Backup old"), "/settings", 0, 0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a look has found. `subject`: what it is about, within its kind (a box's label, a case's number);
    `detail`: what its words name, all of it public within the office: no figure, nothing of a citizen.

    `opens`: not False, a new one is an alert; False, only one that is open already stays so (the lower of two
    thresholds)."""

    kind: AlertKind
    subject: str
    detail: Mapping[str, Any]
    opens: bool = True


def title(kind: AlertKind, detail: str, day: int) -> Message:
    """What an alert is called on a day: a case that was about to be late may be late by then."""
    due = due_day(kind, detail)
    if due is not None and due < day:
        return Message("Case late")
    return KINDS[kind].name


def due_day(kind: AlertKind, detail: str) -> int | None:
    """The day by which something is to be done, where a kind has one."""
    return int(json.loads(detail)["day"]) if kind is AlertKind.CASE_DUE else None


def words(kind: AlertKind, subject: str, detail: str) -> Message:
    """What an alert says. `detail`: JSON, as the store keeps it."""
    given = json.loads(detail)
    agency = Text.of_row(given, "agency_")
    if kind is AlertKind.BOX_SILENT:
        return Message(
            "The box “{box}” ({agency}) has not been heard for more than {minutes} minutes.",
            box=subject,
            agency=agency,
            minutes=given["minutes"],
        )
    if kind is AlertKind.TABLET_SILENT:
        return Message(
            "{agency}: for {days} working days no sheet of the tablet has come, though they came almost daily before.",
            agency=agency,
            days=given["days"],
        )
    if kind is AlertKind.CASE_DUE:
        return Message(
            "Case no. {number} ({agency}) is to be answered by {day}.",
            number=subject,
            agency=agency,
            day=day_words(given["day"]),
        )
    if kind is AlertKind.FALL:
        return Message(
            "{agency}: citizens' own ratings have fallen sharply (by more than {points} points below the year before).",
            agency=agency,
            points=given["points"],
        )
    if kind is AlertKind.IMPORT_FAILED:
        return Message("An import failed and has not succeeded since: {kind}.", kind=IMPORT_KINDS.get(subject, subject))
    if given["never"]:
        return Message("There is no backup of this server yet.")
    return Message("The newest backup of this server is older than {days} days.", days=given["days"])
