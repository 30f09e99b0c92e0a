"""Results that are held until what they are made of changes: one maker at a time, the newest version of each alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, func

from pipeline.calendar import today
from pipeline.release_kind import MONTHLY
from server.core.provinces import read_settings
from server.core.scope import Scope
from server.store.tables.agencies import agencies
from server.store.tables.box_pools import box_pools
from server.store.tables.boxes import boxes
from server.store.tables.changes import changes
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.releases import releases
from server.store.tables.transactions import transactions

T = TypeVar("T")
Version = tuple[Any, ...]


def version_of(connection: Connection, province_id: int) -> Version:
    """The version of what a province's figures are made of, with the store's name.

    It is read anew only where somebody has written since this connection last read it: a million ratings take a second
    to add up, and pages ask several times."""
    written = _written(connection)
    if written is None:
        return _read_version(connection, province_id)
    mark = (*written, today())
    known = connection.info.setdefault("hailong.versions", {})
    held = known.get(province_id)
    if held is None or held[0] != mark:
        held = known[province_id] = (mark, _read_version(connection, province_id))
    version: Version = held[1]
    return version


def _written(connection: Connection) -> tuple[Any, ...] | None:
    """What moves with every write that the connection sees. PostgreSQL: which transactions it sees; None within one
    that writes itself, as its own writes do not move that."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return connection.exec_driver_sql("PRAGMA data_version").scalar_one(), driver.total_changes
    query = "SELECT txid_current_if_assigned(), txid_current_snapshot()::text"
    own, seen = connection.exec_driver_sql(query).one()
    return (seen,) if own is None else None


def _read_version(connection: Connection, province_id: int) -> Version:
    """The version, from the rows themselves.

    Whatever changes a row is an entry of the log of changes, written in the same transaction: its length moves also
    where one is taken from here and given there, so that a sum stays. What boxes and citizens bring is added, and seen
    by the tables' growth; sums stand beside, for a store that somebody mends by hand. Ratings of today and pulses are
    in no figure that is held (`server.core.disclosure`; pulses are drawn as they come), and while people answer all day
    the figures stay: tomorrow is another version.

    `tests/server/scores/test_held.py` knows every writer of what held figures read, and that this moves with each."""
    scope = Scope(province_id)
    logged = scope.select(changes, func.max(changes.c.position))
    parts: list[Any] = [str(connection.engine.url), today(), connection.execute(logged).scalar_one()]
    parts += read_settings(connection, province_id, ("confidence", "min_answers")).values()
    aside = func.count().filter(ratings.c.state == RatingState.SET_ASIDE)
    # `+ 0`: by the index of months, which holds all of this, and not by that of days, row by row
    is_over = ratings.c.received_day < today(), ratings.c.day + 0 < today()
    is_evidence = releases.c.kind.in_([kind.name for kind in MONTHLY])
    for table, extra, counts in (
        (ratings, (aside, func.sum(ratings.c.a00)), is_over),
        (releases, (func.max(releases.c.received_day),), (is_evidence,)),
        (transactions, (func.sum(transactions.c.count),), ()),
        (agencies, (func.count().filter(agencies.c.active),), ()),
    ):
        query = scope.select(table, func.count(), func.max(table.c.id), *extra).where(*counts)
        parts += connection.execute(query).one()
    stated = scope.select(box_pools, box_pools.c.id, box_pools.c.clerks).order_by(box_pools.c.id)
    parts += [tuple(row) for row in connection.execute(stated)]
    serving = scope.select(boxes, boxes.c.id, boxes.c.clerks, boxes.c.pool)
    parts += [tuple(row) for row in connection.execute(serving.order_by(boxes.c.id))]
    return tuple(parts)


class Held(Generic[T]):
    """Results by what they are of; of each the newest version alone, of all the `most` that were used last.

    Whoever asks while one is made waits for it rather than make it again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, tuple[Version, T]] = OrderedDict()
        self._making: dict[tuple[Hashable, Version], threading.Event] = {}
        self._lock = threading.Lock()

    def look(self, of: Hashable, version: Version) -> T | None:
        """The result where it is there."""
        with self._lock:
            found = self._held.get(of)
            if found is None or found[0] != version:
                return None
            self._held.move_to_end(of)
            return found[1]

    def get(self, of: Hashable, version: Version, make: Callable[[], T]) -> T:
        """The result; made where it is not there."""
        while True:
            found = self.look(of, version)
            if found is not None:
                return found
            with self._lock:
                being_made = self._making.get((of, version))
                if being_made is None:
                    mine = self._making[of, version] = threading.Event()
            if being_made is not None:
                being_made.wait()
                continue  # it is there now, or failed: then this one tries
            try:
                made = make()
                with self._lock:
                    self._held[of] = (version, made)
                    self._held.move_to_end(of)
                    while len(self._held) > self._most:
                        self._held.popitem(last=False)
                return made
            finally:
                with self._lock:
                    del self._making[of, version]
                mine.set()
