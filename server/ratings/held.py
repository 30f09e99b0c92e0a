"""What was not counted, by source and reason: for the privacy officer, and for whoever reviews."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, func, or_

from pipeline.calendar import today
from pipeline.instruments import RatingFlag
from pipeline.language import Message
from server.core.scope import Scope
from server.ratings.rating import UNFIT_NAMES
from server.ratings.source import SourceKind
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.rating_chains import withdrawals
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.unfit_sheets import unfit_sheets


@dataclass(frozen=True, slots=True)
class Held:
    """Sheets of one source that do not count for one reason. `label`: the box's, else the source itself.

    `unfit`: they are no ratings at all, and nobody can count them."""

    source: str
    label: str
    reason: Message
    sheets: int
    last_day: int
    unfit: bool


def held_sheets(connection: Connection, scope: Scope) -> list[Held]:
    """Everything of a province that came and does not count, by source and reason; the newest first. Of the running
    day that of boxes and files alone."""
    of_boxes = connection.execute(scope.select(boxes, boxes.c.id, boxes.c.label))
    labels = {f"box:{row.id}": str(row.label) for row in of_boxes}
    aside = (
        scope.select(ratings, ratings.c.source, ratings.c.flag, func.count(), func.max(ratings.c.received_day))
        .where(ratings.c.state == int(RatingState.SET_ASIDE), _may_be_told())
        .group_by(ratings.c.source, ratings.c.flag)
    )
    unfit = scope.select(
        unfit_sheets,
        unfit_sheets.c.source,
        unfit_sheets.c.reason,
        func.count(),
        func.max(unfit_sheets.c.received_day),
    ).group_by(unfit_sheets.c.source, unfit_sheets.c.reason)
    found = [
        Held(source, labels.get(source, str(source)), flag.label, count, day, False)
        for source, flag, count, day in (
            (row[0], RatingFlag(row[1]), row[2], row[3]) for row in connection.execute(aside)
        )
    ]
    found += [
        Held(source, labels.get(source, source), UNFIT_NAMES[reason], count, day, True)
        for source, reason, count, day in connection.execute(unfit)
    ]
    return sorted(found, key=lambda one: (-one.last_day, one.source, str(one.reason)))


def rows_for_review(connection: Connection, scope: Scope, limit: int) -> list[Row[tuple[object, ...]]]:
    """Flagged ratings with their agency and who has asked to withdraw them: those set aside first, the newest first.

    Of the running day those of boxes and files alone: whoever reviews is not to see a citizen's answer come in."""
    query = (
        scope.select(ratings, ratings, agencies.c.name, withdrawals.c.asked_by)
        .join(agencies, agencies.c.id == ratings.c.agency_id)
        .outerjoin(withdrawals, withdrawals.c.rating_id == ratings.c.id)
        .where((ratings.c.flag != 0) | withdrawals.c.id.is_not(None), _may_be_told())
        .order_by(
            withdrawals.c.id.is_(None),
            ratings.c.state == int(RatingState.RESTORED),
            ratings.c.day.desc(),
            ratings.c.id.desc(),
        )
        .limit(limit)
    )
    return list(connection.execute(query))


def _may_be_told() -> ColumnElement[bool]:
    """Whether a rating did not come in at the moment at which somebody answered, or on a day that is over."""
    late = [ratings.c.source.startswith(f"{kind}:") for kind in (SourceKind.BOX, SourceKind.IMPORT)]
    return or_(ratings.c.received_day < today(), *late)
