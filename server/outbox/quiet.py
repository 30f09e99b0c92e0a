"""Quiet hours: when nobody is woken. What is found then goes out at their end."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pipeline.calendar import INDOCHINA
from pipeline.errors import InvalidError
from pipeline.language import Message

_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})", re.ASCII)


def read_hours(text: str) -> tuple[int, int] | None:
    """(first, last) minute of the day of a text such as `21:00-06:30`; None for an empty one, and where both are the
    same. Raises `InvalidError`."""
    if not text.strip():
        return None
    found = _HOURS.fullmatch(text.strip())
    if found is None or int(found[1]) > 23 or int(found[3]) > 23 or int(found[2]) > 59 or int(found[4]) > 59:
        raise InvalidError(
            Message("Quiet hours '{text}' cannot be read.", text=text[:40]), Message("Write 21:00-06:30, or nothing.")
        )
    first, last = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return None if first == last else (first, last)


def is_quiet(now_s: int, hours: tuple[int, int] | None) -> bool:
    """Whether a moment lies in quiet hours, in Vietnam's time; the first minute does, the last does not."""
    if hours is None:
        return False
    first, last = hours
    at = datetime.fromtimestamp(now_s, INDOCHINA)
    minute = at.hour * 60 + at.minute
    return first <= minute < last if first < last else minute >= first or minute < last


def quiet_until_s(now_s: int, hours: tuple[int, int] | None) -> int:
    """When quiet hours that hold now end; the moment itself where they do not."""
    if hours is None or not is_quiet(now_s, hours):
        return now_s
    at = datetime.fromtimestamp(now_s, INDOCHINA)
    end = at.replace(hour=hours[1] // 60, minute=hours[1] % 60, second=0, microsecond=0)
    return int((end if end > at else end + timedelta(days=1)).timestamp())
