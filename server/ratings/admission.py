"""The one gate before the store: whether a rating counts, or is set aside with its reason.

Every rating of every channel passes it. A sheet that is no rating (its answers, a day in the future) does not come so
far (`server.ratings.rating`). What is set aside is stored with its reason, never counted, and told to the officer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, func

from pipeline.calendar import month_of_day
from pipeline.calendar import today as today_here
from pipeline.instruments import RatingFlag
from server.core.provinces import read_settings
from server.core.scope import Scope
from server.ratings.chain import received
from server.ratings.closing import closed_day
from server.ratings.rating import Rating
from server.ratings.source import Source, SourceKind
from server.store.tables.box_pools import box_pools
from server.store.tables.boxes import boxes
from server.store.tables.ratings import RatingState, ratings

_DAYS_BACK = {
    SourceKind.BOX: "admit_days_box",
    SourceKind.STAFF: "admit_days_staff",
    SourceKind.IMPORT: "admit_days_files",
}
"""The province's setting for each kind of source; an answer of a link or gateway is today's, at most yesterday's."""
LIVE_DAYS = 1
AGENCY_A_DAY = 500
"""Planning figure: the most sheets of a channel of links that one agency can have in a day. The bound of a network
lives in memory, and networks are many; this one is the store's."""
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
        self._left: dict[tuple[str, int], int] = {}
        self._clerks: dict[tuple[int, int], int | None] = {}

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
        clerks = self._clerks_of_pools(rating)
        key = rating.channel.code, 0 if clerks is None else rating.place.agency_id
        if key not in self._left:
            self._left[key] = self._allowance(rating, clerks)
        self._left[key] -= 1
        over = self._left[key] < 0
        if self.source.kind is SourceKind.LINK:
            mine = rating.channel.code, rating.place.agency_id
            if mine not in self._left:
                self._left[mine] = AGENCY_A_DAY - self._stored_of_agency(rating)
            self._left[mine] -= 1
            over = over or self._left[mine] < 0
        return over

    def _clerks_of_pools(self, rating: Rating) -> int | None:
        """Who serve the rating's agency at a hall's box, whose key may fill no pool with what all of them together
        could take; None for every other source."""
        if self.source.kind is not SourceKind.BOX:
            return None
        agency_id, month = rating.place.agency_id, month_of_day(rating.day)
        if (agency_id, month) not in self._clerks:
            of_box = (box_pools.c.box_id == self.source.number, box_pools.c.agency_id.is_not(None))
            query = self._scope.select(box_pools, box_pools.c.pool, box_pools.c.agency_id, box_pools.c.clerks)
            query = query.where(*of_box, box_pools.c.first_month <= month).order_by(box_pools.c.first_month)
            stated = {row.pool: row for row in self._connection.execute(query)}  # of each pool the newest statement
            serving = sum(row.clerks for row in stated.values() if row.agency_id == agency_id)
            self._clerks[agency_id, month] = serving or None
        return self._clerks[agency_id, month]

    def _stored_of_agency(self, rating: Rating) -> int:
        """Today's ratings of this source and channel at the rating's agency."""
        query = self._scope.select(ratings, func.count()).where(
            ratings.c.day >= self._oldest,  # by which the table has an index
            ratings.c.agency_id == rating.place.agency_id,
            ratings.c.source == str(self.source),
            ratings.c.channel == rating.channel.code,
            ratings.c.received_day == self.today,
        )
        return int(self._connection.execute(query).scalar_one())

    def _allowance(self, rating: Rating, clerks: int | None) -> int:
        """How many ratings the source may still bring today, by planning figures alone.

        A box may bring what its clerks' counters can take on every day since it last delivered: honest sheets come
        when their day is over, and after an outage together. `clerks`: at the rating's agency, of a hall's box."""
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
            a_day *= max(1, box.clerks if clerks is None else clerks)
            if clerks is not None:
                stored = self._stored_of_agency(rating)
        return a_day * days - stored
