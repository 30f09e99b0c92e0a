"""The register of incidents, with the clock of 72 hours from the hour at which one was noticed.

Hours suffice: the clock ends at the beginning of its hour, so it never runs too long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from pipeline.calendar import INDOCHINA, day_date, day_index, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.language import Message
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.tables.rights import incidents

NOTIFY_HOURS = 72
"""`pipeline/law.toml`: pdpl-23 of data, d142-19 of artificial intelligence."""
KINDS: dict[str, Message] = {
    "data": Message("Breach of personal data (form Mẫu 08)"),
    "ai": Message("Incident of artificial intelligence (form AI01a)"),
}
FORMS = {"data": "breach08", "ai": "ai01a"}
"""What `hailong audit report --form` writes for each."""


def this_hour() -> tuple[int, int]:
    """(day index, hour) of now, Indochina time."""
    now = datetime.now(UTC).astimezone(INDOCHINA)
    return day_index(now.date()), now.hour


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. Days are indices, hours 0 to 23."""

    id: int
    kind: str
    reference: str
    noticed_day: int
    noticed_hour: int
    people: int | None
    notified_day: int | None
    notified_hour: int | None
    closed_day: int | None

    @property
    def due(self) -> tuple[int, int]:
        """(day, hour) by whose beginning it has to be notified."""
        return self.noticed_day + NOTIFY_HOURS // 24, self.noticed_hour

    @property
    def hours_left(self) -> int:
        """Hours until then, the running one among them: of an incident that is notified those that were left; none or
        less where it was late."""
        day, hour = this_hour()
        if self.notified_day is not None and self.notified_hour is not None:
            day, hour = self.notified_day, self.notified_hour
        return 24 * (self.due[0] - day) + self.due[1] - hour

    @property
    def late(self) -> bool:
        """Whether it was notified, or still is not, past its hour."""
        return self.hours_left <= 0


def report(
    connection: Connection,
    scope: Scope,
    *,
    kind: str,
    reference: str,
    noticed_day: int,
    noticed_hour: int,
    people: int | None,
    user_id: int,
) -> int:
    """Enter an incident; its number. Raises `InvalidError`."""
    reference = reference.strip()
    if kind not in KINDS or not reference or not 0 <= noticed_hour <= 23:
        raise InvalidError(Message("A kind, a number of the file and the hour are needed."))
    if (noticed_day, noticed_hour) > this_hour():
        raise InvalidError(Message("An incident cannot be noticed in an hour to come."))
    values = {"kind": kind, "reference": reference, "noticed_day": noticed_day, "noticed_hour": noticed_hour}
    number = scope.insert(connection, incidents, {**values, "people": people})
    record_change(connection, scope.province_id, user_id, "incident", {"incident": number, "kind": kind})
    return number


def notify(connection: Connection, scope: Scope, number: int, user_id: int) -> None:
    """Note that the notification went out in this hour. Raises `NotFoundError`, `ConflictError`."""
    if find(connection, scope, number).notified_day is not None:
        raise ConflictError(Message("This incident is notified already."))
    day, hour = this_hour()
    _set(connection, scope, number, notified_day=day, notified_hour=hour)
    record_change(connection, scope.province_id, user_id, "incident_notified", {"incident": number})


def close(connection: Connection, scope: Scope, number: int, user_id: int) -> None:
    """Note that it is over. Raises `NotFoundError`, `ConflictError`: closed already, or not notified."""
    found = find(connection, scope, number)
    if found.closed_day is not None or found.notified_day is None:
        raise ConflictError(Message("An incident is closed once, after it was notified."))
    _set(connection, scope, number, closed_day=today())
    record_change(connection, scope.province_id, user_id, "incident_closed", {"incident": number})


def _set(connection: Connection, scope: Scope, number: int, **values: object) -> None:
    connection.execute(scope.update(incidents).where(incidents.c.id == number).values(**values))


def find(connection: Connection, scope: Scope, number: int) -> Incident:
    """One incident. Raises `NotFoundError`."""
    row = connection.execute(scope.select(incidents).where(incidents.c.id == number)).first()
    if row is None:
        raise NotFoundError(Message("There is no such incident."))
    return Incident(*row[:1], *row[2:])


def all_incidents(connection: Connection, scope: Scope) -> list[Incident]:
    """Every incident, those that wait for their notification first."""
    found = [Incident(*row[:1], *row[2:]) for row in connection.execute(scope.select(incidents))]
    return sorted(found, key=lambda one: (one.notified_day is not None, one.closed_day is not None, -one.id))


def year_counts(connection: Connection, scope: Scope, year: int) -> tuple[int, int]:
    """(incidents noticed in a year, those of them that were notified in time)."""
    found = [one for one in all_incidents(connection, scope) if day_date(one.noticed_day).year == year]
    return len(found), sum(one.notified_day is not None and not one.late for one in found)
