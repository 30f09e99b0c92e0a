"""Which agency a pool of a hall's box is. A box sends a small number; the operator has said whose it is, by month.

Pool 1 of a box of which nobody said anything is the box's own agency: so are all messages of version 1. What comes of a
pool that nobody named is not taken: the box keeps it, and the health page says so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, select, update

from pipeline.calendar import month_of_day, today
from pipeline.errors import InvalidError, NotFoundError
from pipeline.language import Message, Text
from pipeline.release_kind import EVIDENCE, PULSE
from pipeline.wire import MAX_POOLS
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.engine import insert_row, write
from server.store.tables.agencies import agencies
from server.store.tables.box_pools import box_pools
from server.store.tables.boxes import boxes
from server.store.tables.ratings import ratings
from server.store.tables.releases import releases

MIN_CLERKS = 2
"""A box refuses to release a pool of fewer (`pipeline.privacy.policy`)."""
MAX_CLERKS = 64
SHOWN_DAYS = 62
"""Windows that a pool lacks are looked for among those that came within so many days."""


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """Whose a pool is from a month on. `agency_id` None: nobody has said."""

    pool: int
    first_month: int
    agency_id: int | None
    clerks: int


@dataclass(frozen=True, slots=True)
class PoolStatement:
    """What an operator says of one pool, as read from the command line: agency's code, number, clerks."""

    agency: str
    pool: int
    clerks: int = MIN_CLERKS

    @classmethod
    def parse(cls, text: str) -> PoolStatement:
        """From `AGENCY=NUMBER` or `AGENCY=NUMBER:CLERKS`. Raises `InvalidError`."""
        found = re.fullmatch(r"([A-Za-z0-9_.-]{1,40})=(\d{1,2})(?::(\d{1,2}))?", text)
        if found is None:
            raise InvalidError(
                Message("'{text}' names no pool.", text=text),
                Message("Write --pool AGENCY=NUMBER:CLERKS, such as --pool so-tu-phap=1:3."),
            )
        clerks = MIN_CLERKS if found[3] is None else int(found[3])
        statement = cls(found[1], int(found[2]), clerks)
        if not 1 <= statement.pool <= MAX_POOLS or not MIN_CLERKS <= clerks <= MAX_CLERKS:
            raise InvalidError(
                Message("A pool has a number from 1 to {most} and two clerks or more.", most=MAX_POOLS),
                Message("A pool of one clerk joins another one in the box's edge.toml, and sends no table of its own."),
            )
        return statement


def read_pools(connection: Connection, box_ids: Iterable[int]) -> dict[int, tuple[PoolPlace, ...]]:
    """Box -> what was said of its pools, oldest first; boxes of one pool have none."""
    columns = (box_pools.c.box_id, box_pools.c.pool, box_pools.c.first_month, box_pools.c.agency_id, box_pools.c.clerks)
    query = select(*columns).where(box_pools.c.box_id.in_(list(box_ids))).order_by(box_pools.c.first_month)
    found: dict[int, list[PoolPlace]] = defaultdict(list)
    for box_id, *values in connection.execute(query):
        found[box_id].append(PoolPlace(*values))
    return {box_id: tuple(places) for box_id, places in found.items()}


def place_in(places: Sequence[PoolPlace], pool: int, month: int) -> PoolPlace | None:
    """What holds of a pool in a month, None where nobody said anything; `places` oldest first."""
    found = None
    for place in places:
        if place.pool == pool and place.first_month <= month and place.agency_id is not None:
            found = place
    return found


def note_unknown_pool(connection: Connection, province_id: int, box_id: int, pool: int) -> None:
    """Remember, once, that a box has sent something of a pool that nobody named."""
    scope = Scope(province_id)
    known = scope.select(box_pools, box_pools.c.id).where(box_pools.c.box_id == box_id, box_pools.c.pool == pool)
    if connection.execute(known.limit(1)).first() is None:
        values = {"province_id": province_id, "box_id": box_id, "pool": pool, "first_month": 0, "clerks": MIN_CLERKS}
        insert_row(connection, box_pools, values)
        record_change(connection, province_id, None, "box pool unknown", {"box": box_id, "pool": pool})


def state_pools(
    engine: Engine,
    province_id: int,
    box_id: int,
    statements: Sequence[PoolStatement],
    first_month: int | None = None,
) -> None:
    """Write down which agencies a box's pools are, in the log of changes too.

    `first_month`: month index from which it holds; None: from the beginning. A pool of which something has come cannot
    be another agency's backwards: then it has to be a month that has not begun. Raises `NotFoundError`, `InvalidError`.
    """
    if len({each.pool for each in statements}) != len(statements):
        raise InvalidError(Message("A pool is named twice."), Message("Name each pool once."))
    with write(engine) as connection:
        scope = Scope(province_id)
        box = connection.execute(scope.select(boxes, boxes.c.agency_id).where(boxes.c.id == box_id)).one_or_none()
        if box is None:
            raise NotFoundError(
                Message("This province has no box {box_id}.", box_id=box_id),
                Message("List them: hailong server enroll --list."),
            )
        codes = {each.agency for each in statements}
        query = scope.select(agencies, agencies.c.code, agencies.c.id).where(agencies.c.code.in_(codes))
        ids = {code: int(agency_id) for code, agency_id in connection.execute(query)}
        for code in sorted(codes - set(ids)):
            raise NotFoundError(
                Message("This province has no agency '{agency}'.", agency=code),
                Message("Import it: hailong server import."),
            )
        said = read_pools(connection, [box_id]).get(box_id, ())
        now = month_of_day(today())
        for each in statements:
            before = place_in(said, each.pool, now)
            agency_before = box.agency_id if before is None and each.pool == 1 else before and before.agency_id
            moves = ids[each.agency] != agency_before
            if (
                moves
                and _has_sent(connection, scope, box_id, each.pool)
                and (first_month is None or first_month <= now)
            ):
                raise InvalidError(
                    Message(
                        "Pool {pool} has sent for another agency: it cannot be {agency} backwards.",
                        pool=each.pool, agency=each.agency,
                    ),
                    Message("Name a month that has not begun: --from 2027-01."),
                )  # fmt: skip
            holds_from = first_month or 0
            if before is not None and not moves and first_month is None:
                holds_from = before.first_month
            here = (box_pools.c.box_id == box_id, box_pools.c.pool == each.pool)
            unnamed = box_pools.c.agency_id.is_(None) | (box_pools.c.first_month == holds_from)
            connection.execute(delete(box_pools).where(scope.where(box_pools), *here, unnamed))
            values = {"province_id": province_id, "box_id": box_id, "pool": each.pool, "first_month": holds_from}
            insert_row(connection, box_pools, values | {"agency_id": ids[each.agency], "clerks": each.clerks})
            detail = {"box": box_id, "pool": each.pool, "agency": ids[each.agency], "clerks": each.clerks}
            record_change(connection, province_id, None, "box pool stated", detail | {"first_month": holds_from})
        stated = {place.pool: place.clerks for place in read_pools(connection, [box_id])[box_id]}
        clerks = min(MAX_CLERKS, sum(stated.values()))
        connection.execute(update(boxes).where(scope.where(boxes), boxes.c.id == box_id).values(clerks=clerks))


def _has_sent(connection: Connection, scope: Scope, box_id: int, pool: int) -> bool:
    """Whether anything of the pool has been stored. Ratings have no pool: those of a box are those of its first."""
    sent = scope.select(releases, releases.c.id).where(releases.c.box_id == box_id, releases.c.pool == pool)
    if connection.execute(sent.limit(1)).first() is not None:
        return True
    rated = scope.select(ratings, ratings.c.id).where(ratings.c.source == f"box:{box_id}").limit(1)
    return pool == 1 and connection.execute(rated).first() is not None


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """One pool on the health page. `agency` None: nobody has said whose it is, and the box keeps what it has.

    `missing`: windows of the last two months that another pool of the box released, and this one did not: pools of a
    box run in step."""

    pool: int
    agency: Text | None
    pulses: int
    evidence: int
    missing: int

    @property
    def fine(self) -> bool:
        """Whether nobody needs to look at it."""
        return self.agency is not None and self.missing == 0


def pool_states(connection: Connection, province_id: int) -> dict[int, list[PoolHealth]]:
    """Box -> its pools, of the boxes that have several."""
    scope = Scope(province_id)
    month = month_of_day(today())
    stated = scope.select(box_pools, box_pools.c.box_id).distinct()
    box_ids = list(connection.execute(stated).scalars())
    places = read_pools(connection, box_ids)
    names = {row.id: row.name for row in connection.execute(scope.select(agencies, agencies.c.id, agencies.c.name))}
    own = {row.id: row.agency_id for row in connection.execute(scope.select(boxes, boxes.c.id, boxes.c.agency_id))}
    windows: dict[tuple[int, int], set[tuple[int, str, int, int]]] = defaultdict(set)
    query = scope.select(
        releases, *(releases.c[name] for name in ("box_id", "pool", "epoch", "kind", "period_kind", "period_index"))
    ).where(releases.c.box_id.in_(box_ids), releases.c.received_day >= today() - SHOWN_DAYS)
    for box_id, pool, *window in connection.execute(query):
        windows[box_id, pool].add(tuple(window))
    totals = scope.select(releases, releases.c.box_id, releases.c.pool, releases.c.kind, func.count())
    keys = (releases.c.box_id, releases.c.pool, releases.c.kind)
    counted = {
        (box_id, pool, kind): int(count)
        for box_id, pool, kind, count in connection.execute(
            totals.where(releases.c.box_id.in_(box_ids)).group_by(*keys)
        )
    }
    found: dict[int, list[PoolHealth]] = {}
    for box_id in box_ids:
        of_box = {place.pool for place in places[box_id]} | {pool for at, pool in windows if at == box_id}
        released = set().union(*(windows[box_id, pool] for pool in of_box))
        found[box_id] = []
        for pool in sorted(of_box):
            place = place_in(places[box_id], pool, month)
            agency = own[box_id] if place is None and pool == 1 else place and place.agency_id
            pulses, evidence = (counted.get((box_id, pool, kind.name), 0) for kind in (PULSE, EVIDENCE))
            missing = _missing(windows[box_id, pool], released)
            found[box_id].append(PoolHealth(pool, names.get(agency or 0), pulses, evidence, missing))
    return found


def _missing(own: set[tuple[int, str, int, int]], released: set[tuple[int, str, int, int]]) -> int:
    """Windows that others of the box released since this pool's first of the same kind, and it did not."""
    first: dict[tuple[int, str, int], int] = {}
    for epoch, kind, period, index in own:
        key = epoch, kind, period
        first[key] = min(index, first.get(key, index))
    return sum(window[3] > first.get(window[:3], 2**31) for window in released - own)
