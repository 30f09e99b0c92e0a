"""When a case is due: working days of the Vietnamese calendar after the day on which it came."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.calendar import day_date, day_index, office_days, vietnamese_holidays
from server.core.provinces import read_settings

_NAMES = ("case_refuse_days", "case_supplement_days", "case_answer_days", "case_publish_days")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Working days in which a case is refused, more is asked for, it is answered, and its answer is published."""

    refuse: int
    supplement: int
    answer: int
    publish: int

    @classmethod
    def of(cls, connection: Connection, province_id: int) -> Deadlines:
        """A province's settings."""
        found = read_settings(connection, province_id, _NAMES)
        return cls(*(int(found[name]) for name in _NAMES))


def due_day(day: int, working_days: int) -> int:
    """The last day of a deadline that begins the day after `day`.

    In a year whose holidays the file lacks, Mondays to Fridays count: the day is then rather too early than too late,
    and no citizen's letter is turned away because a file is old (`holidays_known` tells the staff)."""
    return day_index(office_days().after(day_date(day), working_days))


def holidays_known(day: int) -> bool:
    """Whether the public holidays of a day's year are known."""
    return day_date(day).year in vietnamese_holidays().years
