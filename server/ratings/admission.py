"""The one gate before the store: whether a rating counts, or is set aside with its reason.

Every rating of every channel passes it. A sheet that is no rating (its answers, a day in the future) does not come so
far (`server.ratings.rating`). What is set aside is stored with its reason, never counted, and told to the officer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from pipeline.calendar import today as today_here
from pipeline.instruments import RatingFlag
from server.core.provinces import read_settings
from server.core.scope import Scope
from server.ratings.chain import received
from server.ratings.closing import closed_day
from server.ratings.rating import Rating
from server.ratings.source import Source, SourceKind
from server.store.tables.boxes import boxes
from server.store.tables.ratings import RatingState

_DAYS_BACK = {
    SourceKind.BOX: "admit_days_box",
    SourceKind.STAFF: "admit_days_staff",
    SourceKind.IMPORT: "admit_days_files",
}
"""The province's setting for each kind of source; an answer of a link or gateway is today's, at most yesterday's."""
LIVE_DAYS = 1
_DEMO_SHEETS = 1_000_000
_UNBOUNDED = frozenset({SourceKind.IMPORT, SourceKind.SIMULATION})
"""A file bears its author and is in the log as a whole; the simulation writes to simulated provinces alone."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A rating that has passed the gate, its source and its state. Made by `Gate.admit` alone."""

    rating: Rating
    source: Source
    state: RatingState


class Gate:
    """The gate of one source in one transaction. `today`: the newest day there is.

    Raises nothing: a rating that may not count is set aside."""

    def __init__(self, connection: Connection, scope: Scope, source: Source, today: int | None = None) -> None:
        self._connection, self._scope, self.source = connection, scope, source
        self.today = today_here() if today is None else today
        name = _DAYS_BACK.get(source.kind)
        back = LIVE_DAYS if name is None else int(read_settings(connection, scope.province_id, [name])[name])
        self._oldest = 0 if source.kind is SourceKind.SIMULATION else self.today - back
        self._days_back = back
        self._closed = closed_day(connection, scope)
        self._left: dict[str, int] = {}

    def verdict(self, rating: Rating, suspicion: RatingFlag = RatingFlag.NONE) -> RatingFlag:
        """Why a rating does not count, `NONE` where it does. Counts towards what the source may bring.

        `suspicion`: what was found where it arrived on the server; what the box found comes with the rating."""
        over = self._is_over_plan(rating)
        if rating.flag:
            return rating.flag
        if rating.day <= self._closed:
            return RatingFlag.CLOSED_PERIOD
        if rating.day < self._oldest:
            return RatingFlag.LATE
        return suspicion or (RatingFlag.OVER_PLAN if over else RatingFlag.NONE)

    def admit(self, rating: Rating, suspicion: RatingFlag = RatingFlag.NONE) -> Admitted:
        """Let a rating in: counted, or set aside with its reason."""
        flag = self.verdict(rating, suspicion)
        if flag is not rating.flag:
            rating = replace(rating, flag=flag)
        return Admitted(rating, self.source, RatingState.SET_ASIDE if flag else RatingState.COUNTED)

    def _is_over_plan(self, rating: Rating) -> bool:
        if self.source.kind in _UNBOUNDED:
            return False
        code = rating.channel.code
        if code not in self._left:
            self._left[code] = self._allowance(rating)
        self._left[code] -= 1
        return self._left[code] < 0

    def _allowance(self, rating: Rating) -> int:
        """How many ratings the source may still bring today, by planning figures alone.

        A box may bring what its clerks' counters can take on every day since it last delivered: honest sheets come
        when their day is over, and after an outage together."""
        today, channel = self.today, rating.channel
        stored, last = received(self._connection, self._scope, str(self.source), channel.code, today)
        a_day, days = channel.sheets_a_day, 1
        if self.source.kind is SourceKind.BOX:
            query = self._scope.select(boxes, boxes.c.clerks, boxes.c.enrolled_day, boxes.c.demo)
            box = self._connection.execute(query.where(boxes.c.id == self.source.number)).one()
            if box.demo:  # its days last seconds, and all that it brings is labelled simulated
                return _DEMO_SHEETS
            since = today if box.enrolled_day is None else box.enrolled_day
            days = 1 + min(max(0, today - (since if last is None else last)), self._days_back)
            a_day *= max(1, box.clerks)
        return a_day * days - stored
