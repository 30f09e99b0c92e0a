"""Finding cases: which wait, which are late, whose, about what; a page at a time, the longest overdue first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, or_

from pipeline.calendar import today
from pipeline.language import Message
from server.core.scope import Scope
from server.feedback.feedback import FeedbackItem, items
from server.store.tables.feedback import OPEN_STATES, feedback

PAGE_ROWS = 50
WHICH: dict[str, Message] = {
    "open": Message("waiting for an answer"),
    "late": Message("late"),
    "near": Message("due within days"),
    "reopened": Message("reopened"),
    "closed": Message("answered or refused"),
    "all": Message("all"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. `which`: of `WHICH`; `agency_id` 0 and empty texts: whatever."""

    which: str = "all"
    agency_id: int = 0
    category: str = ""
    words: str = ""

    def conditions(self, which: str | None = None) -> list[ColumnElement[bool]]:
        """The conditions on rows of feedback."""
        is_open = feedback.c.status.in_(OPEN_STATES)
        late = feedback.c.due_day < today()
        by_name: dict[str, list[ColumnElement[bool]]] = {
            "open": [is_open],
            "late": [is_open, late],
            "near": [is_open, ~late, feedback.c.reminded_day.is_not(None)],
            "reopened": [feedback.c.reopened > 0],
            "closed": [~is_open],
        }
        found = by_name.get(self.which if which is None else which, [])
        if self.agency_id:
            found = [*found, or_(feedback.c.agency_id == self.agency_id, feedback.c.responsible_id == self.agency_id)]
        if self.category:
            found = [*found, feedback.c.category == self.category]
        if self.words.strip():
            part = self.words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            found = [
                *found,
                feedback.c.text.ilike(f"%{part}%", escape="\\"),
            ]
        return found


def counts_of(connection: Connection, province_id: int, wanted: Wanted) -> dict[str, int]:
    """How many cases there are of each of `WHICH`, with the other choices as they are."""
    columns = [func.count().filter(*(wanted.conditions(which) or [feedback.c.id > 0])) for which in WHICH]
    row = connection.execute(Scope(province_id).select(feedback, *columns)).one()
    return dict(zip(WHICH, map(int, row), strict=True))


def found_cases(connection: Connection, province_id: int, wanted: Wanted, page: int) -> list[FeedbackItem]:
    """One page of what is looked for: open cases first, the longest overdue before all."""
    where = wanted.conditions()
    return items(connection, province_id, where=where, limit=PAGE_ROWS, offset=(page - 1) * PAGE_ROWS)
