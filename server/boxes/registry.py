"""The boxes of a server: who they are, their keys, and how they come and go without a restart.

A box is known by its CURVE key alone. Enrolment: `issue_code` prints a one-time code, `enrol` binds the key that
shows it. Rotation: the same, for a box that has a key; the previous key is let in until the new one is used.
Revocation: `revoke`; open connections of that key are refused from the next message on, because every commit reads
the box's row again.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.calendar import today
from pipeline.enrolment import Enrol, code_hash, code_text, new_code, new_nonce, next_epoch
from pipeline.errors import ConflictError, InvalidError, NotFoundError, StoreError
from pipeline.language import Message
from server.boxes.pools import MAX_CLERKS, PoolPlace, place_in, read_pools
from server.boxes.zap import Admission
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters
from server.store.tables.releases import deliveries

CODE_LIFE_S = 24 * 3600
REFRESH_S = 2.0
POOL_PATTERN = r"[A-Za-z0-9_.-]{0,40}"
"""Both as the box's own policy takes them (`pipeline/privacy/policy.py`)."""
_UNKNOWN_REFRESH_S = 0.1
_MAX_STRANGERS = 10_000


@dataclass(frozen=True, slots=True)
class Box:
    """One box that may send. `epoch`: the only one accepted. `log_key`: Ed25519 public key of its log, hex, or None."""

    box_id: int
    province_id: int
    agency_id: int
    counter_id: int | None
    epoch: int
    demo: bool
    public_key: str
    previous_key: str | None
    log_key: str | None
    clerks: int
    pulse_epsilon_milli: int | None
    evidence_epsilon_milli: int | None
    pulse_period: int | None
    epoch_day: int | None
    epoch_nonce: str | None = None
    """Of the epoch's identity, hex; None where it was begun before there were identities."""
    pools: tuple[PoolPlace, ...] = ()
    """What was said of the pools of a hall's box, oldest first."""

    def agency_of(self, pool: int, month: int) -> int | None:
        """Whose a pool is in a month: pool 1 is the box's agency where nothing else was said. None: nobody knows."""
        place = place_in(self.pools, pool, month)
        if place is not None:
            return place.agency_id
        return self.agency_id if pool == 1 else None

    def clerks_of(self, pool: int, month: int) -> int:
        """Who serve at the counters of a pool, as stated."""
        place = place_in(self.pools, pool, month)
        return self.clerks if place is None else place.clerks


def _box(row: Row[tuple[object, ...]], pools: tuple[PoolPlace, ...] = ()) -> Box:
    return Box(
        row.id,
        row.province_id,
        row.agency_id,
        row.counter_id,
        row.epoch,
        bool(row.demo),
        row.public_key,
        row.previous_key,
        row.log_key,
        row.clerks,
        row.pulse_epsilon_milli,
        row.evidence_epsilon_milli,
        row.pulse_period,
        row.epoch_day,
        row.epoch_nonce,
        pools,
    )


def read_boxes(connection: Connection, box_ids: list[int] | None = None) -> list[Box]:
    """The boxes that have a key and are not revoked, all or those of some ids."""
    query = select(boxes).where(boxes.c.public_key.is_not(None), boxes.c.revoked_day.is_(None))
    if box_ids is not None:
        query = query.where(boxes.c.id.in_(box_ids))
    rows = connection.execute(query).all()
    pools = read_pools(connection, [row.id for row in rows])
    return [_box(row, pools.get(row.id, ())) for row in rows]


class BoxRegistry:
    """The allow-list in memory, read again every `REFRESH_S` seconds. Where the store does not answer the last list
    stays."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._by_key: dict[str, Box] = {}
        self._strangers: OrderedDict[str, float] = OrderedDict()
        self._read_s = float("-inf")

    def refresh(self) -> None:
        """Read the list now."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        self._read_s = self._clock()
        try:
            with read(self._engine) as connection:
                found = read_boxes(connection)
        except StoreError:
            return
        keys = {box.public_key: box for box in found}
        keys |= {box.previous_key: box for box in found if box.previous_key is not None}
        self._by_key = keys

    def lookup(self, key: str) -> Box | None:
        """The box of a public key (Z85), or None."""
        with self._lock:
            age_s = self._clock() - self._read_s
            if age_s > REFRESH_S or (key not in self._by_key and age_s > _UNKNOWN_REFRESH_S):
                self._refresh()
            return self._by_key.get(key)

    def admission(self, key: str) -> Admission:
        """The rule of the boxes' socket, on the handshakes' thread; never waits.

        A key that is unknown to a list of a moment ago (a box that was enrolled since) is asked to come again, and
        refused once the list has been read after it first came. Strangers make the list be read ten times a second at
        most, and the memory of them is bounded."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._read_s > (REFRESH_S if key in self._by_key else _UNKNOWN_REFRESH_S):
                self._refresh()
            if key in self._by_key:
                self._strangers.pop(key, None)
                return Admission.ALLOWED
            came_s = self._strangers.setdefault(key, now_s)
            while len(self._strangers) > _MAX_STRANGERS:
                self._strangers.popitem(last=False)
            return Admission.REFUSED if self._read_s >= came_s else Admission.LATER


def _check_clerks(clerks: int, pool: str) -> None:
    if not 1 <= clerks <= MAX_CLERKS:
        raise InvalidError(
            Message("A box serves 1 to {max_clerks} clerks, not {clerks}.", max_clerks=MAX_CLERKS, clerks=clerks),
            Message("Write --clerks 2, for example."),
        )
    if re.fullmatch(POOL_PATTERN, pool) is None:
        raise InvalidError(
            Message("The pool '{pool}' is no label.", pool=pool),
            Message("Write up to 40 letters, digits, dots or dashes, as in edge.toml."),
        )


def new_box(
    engine: Engine,
    province_id: int,
    agency_id: int,
    label: str,
    counter_id: int | None = None,
    demo: bool = False,
    clerks: int = 1,
    pool: str = "",
) -> int:
    """Make a box without a key and return its id. `clerks`, `pool`: as in `state_clerks`.

    Raises `ConflictError` where the label is taken or the agency is not the province's."""
    with write(engine) as connection:
        return make_box(connection, province_id, agency_id, label, counter_id, demo, clerks, pool)


def make_box(
    connection: Connection,
    province_id: int,
    agency_id: int,
    label: str,
    counter_id: int | None = None,
    demo: bool = False,
    clerks: int = 1,
    pool: str = "",
) -> int:
    """`new_box`, within a transaction."""
    _check_clerks(clerks, pool)
    values = {
        "province_id": province_id,
        "agency_id": agency_id,
        "counter_id": counter_id,
        "label": label,
        "demo": demo,
        "epoch": 0,
        "clerks": clerks,
        "pool": pool,
    }
    try:
        box_id = int(connection.execute(boxes.insert().values(values).returning(boxes.c.id)).scalar_one())
        detail = {"box": box_id, "agency": agency_id, "demo": demo, "clerks": clerks, "pool": pool}
        record_change(connection, province_id, None, "box made", detail)
        return box_id
    except (IntegrityError, InvalidError):
        raise ConflictError(
            Message("The box '{label}' cannot be made.", label=label),
            Message("Its label may be taken, or the agency or counter is not of this province."),
        ) from None


def state_clerks(engine: Engine, province_id: int, box_id: int, clerks: int, pool: str = "") -> None:
    """Write down how many clerks (1 to `MOST_CLERKS`) a box serves, and the label of its pool or ''.

    The statement holds for everything that the box has sent, and stands in the log of changes. Raises `NotFoundError`
    where the province has no such box."""
    _check_clerks(clerks, pool)
    with write(engine) as connection:
        is_this_box = (boxes.c.id == box_id, Scope(province_id).where(boxes))
        done = connection.execute(update(boxes).where(*is_this_box).values(clerks=clerks, pool=pool))
        if done.rowcount != 1:
            raise NotFoundError(
                Message("This province has no box {box_id}.", box_id=box_id),
                Message("List them: hailong server enroll --list."),
            )
        detail = {"box": box_id, "clerks": clerks, "pool": pool}
        record_change(connection, province_id, None, "box clerks stated", detail)


def state_terms(
    engine: Engine,
    province_id: int,
    box_id: int,
    *,
    pulse_epsilon_milli: int | None = None,
    evidence_epsilon_milli: int | None = None,
    pulse_period: int | None = None,
) -> int:
    """Write down on which terms a box releases (None: as before): epsilons in thousandths, `pulse_period` a
    `wire.PeriodKind` of at most a day. What it has sent is judged anew; returns how many releases that changed.

    The statement stands in the log of changes. Raises `NotFoundError` where the province has no such box."""
    from server.boxes.release_gate import rejudge_terms

    given = {
        "pulse_epsilon_milli": pulse_epsilon_milli,
        "evidence_epsilon_milli": evidence_epsilon_milli,
        "pulse_period": pulse_period,
    }
    values = {name: value for name, value in given.items() if value is not None}
    with write(engine) as connection:
        statement = Scope(province_id).update(boxes).where(boxes.c.id == box_id).values(values)
        if not values or connection.execute(statement).rowcount != 1:
            raise NotFoundError(
                Message("This province has no box {box_id}.", box_id=box_id),
                Message("List them: hailong server enroll --list."),
            )
        record_change(connection, province_id, None, "box terms stated", {"box": box_id, **values})
        return rejudge_terms(connection, province_id, box_id)


def issue_code(engine: Engine, province_id: int, box_id: int, now_s: float, replace: bool = False) -> str:
    """A one-time code for a box, valid for a day, as people read it. `replace`: its keys so far are let in no more
    from now on.

    Raises `NotFoundError` where the province has no such box."""
    with write(engine) as connection:
        return make_code(connection, province_id, box_id, now_s, replace)


def make_code(connection: Connection, province_id: int, box_id: int, now_s: float, replace: bool = False) -> str:
    """`issue_code`, within a transaction."""
    code = new_code()
    values: dict[str, object] = {
        "enrol_code_hash": code_hash(code),
        "enrol_code_expires_s": int(now_s) + CODE_LIFE_S,
        "revoked_day": None,
    }
    if replace:
        values |= {"public_key": None, "previous_key": None}
    done = connection.execute(Scope(province_id).update(boxes).where(boxes.c.id == box_id).values(values))
    if done.rowcount != 1:
        raise NotFoundError(
            Message("This province has no box {box_id}.", box_id=box_id),
            Message("List them: hailong server enroll --list."),
        )
    record_change(connection, province_id, None, "box code issued", {"box": box_id, "replace": replace})
    return code_text(code)


def enrol(engine: Engine, request: Enrol, key: str, now_s: float) -> Box | None:
    """Bind `key` to the box of a request's code; None where the code is not valid for this key.

    The same code and key once more give the same answer (its first answer may have been lost). A box that knows its
    epoch, and goes on with the log of it, keeps it; any other gets a new one with an identity of its own, and the
    former is retired."""
    code, log_key = request.code, request.signing_public
    with write(engine) as connection:
        row = connection.execute(select(boxes).where(boxes.c.enrol_code_hash == code_hash(code))).one_or_none()
        if row is None or row.revoked_day is not None:
            return None
        used = row.enrol_code_expires_s == 0
        if used or row.enrol_code_expires_s < now_s:
            return _box(row) if used and row.public_key == key else None
        taken = connection.execute(
            select(boxes.c.id).where(or_(boxes.c.public_key == key, boxes.c.previous_key == key), boxes.c.id != row.id)
        ).first()
        if taken is not None:
            return None
        keeps = row.public_key is not None and request.epoch == row.epoch != 0 and row.log_key == log_key.hex()
        keeps = keeps and (request.version == 1 or row.epoch_nonce is not None)
        rotated = row.public_key if keeps and row.public_key != key else None
        connection.execute(
            update(boxes)
            .where(boxes.c.id == row.id)
            .values(
                public_key=key,
                previous_key=rotated,
                log_key=log_key.hex(),
                epoch=row.epoch if keeps else next_epoch(row.epoch, request.floor),
                epoch_nonce=row.epoch_nonce if keeps else new_nonce().hex(),
                enrol_code_expires_s=0,
                enrolled_day=today(),
                epoch_day=row.epoch_day if keeps else today(),
            )
        )
        detail = {"box": row.id, "key": key, "log_key": log_key.hex(), "rotated": rotated is not None}
        record_change(connection, row.province_id, None, "box enrolled", detail)
        return _box(connection.execute(select(boxes).where(boxes.c.id == row.id)).one())


def revoke(engine: Engine, province_id: int, box_id: int) -> None:
    """Let a box in no more; its data stays. Raises `NotFoundError` where the province has no such box."""
    with write(engine) as connection:
        done = connection.execute(
            Scope(province_id)
            .update(boxes)
            .where(boxes.c.id == box_id)
            .values(revoked_day=today(), enrol_code_hash=None, enrol_code_expires_s=None)
        )
        if done.rowcount != 1:
            raise NotFoundError(
                Message("This province has no box {box_id}.", box_id=box_id),
                Message("List them: hailong server enroll --list."),
            )
        record_change(connection, province_id, None, "box revoked", {"box": box_id})


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers of one box and epoch that never came: `missing` of the first `highest`."""

    box_id: int
    epoch: int
    highest: int
    missing: int


def gaps(engine: Engine, province_id: int) -> list[Gap]:
    """Boxes of a province from which numbers are missing below the highest that came. Raises `StoreError`."""
    query = (
        Scope(province_id)
        .select(
            deliveries,
            deliveries.c.box_id,
            deliveries.c.epoch,
            func.max(deliveries.c.sequence).label("highest"),
            func.count().label("stored"),
        )
        .group_by(deliveries.c.box_id, deliveries.c.epoch)
        .order_by(deliveries.c.box_id, deliveries.c.epoch)
    )
    with read(engine) as connection:
        rows = connection.execute(query).all()
    return [
        Gap(row.box_id, row.epoch, row.highest, row.highest - row.stored) for row in rows if row.highest > row.stored
    ]


def find_place(engine: Engine, province_id: int, agency: str, counter: str | None) -> tuple[int, int | None]:
    """Ids of an agency and, where named, of its counter. Raises `NotFoundError` where there is none of that code."""
    with read(engine) as connection:
        agency_id = connection.execute(
            Scope(province_id).select(agencies, agencies.c.id).where(agencies.c.code == agency)
        ).scalar_one_or_none()
        if agency_id is None:
            raise NotFoundError(
                Message("This province has no agency '{agency}'.", agency=agency),
                Message("Import it: hailong server import."),
            )
        if counter is None:
            return agency_id, None
        counter_id = connection.execute(
            select(counters.c.id).where(counters.c.agency_id == agency_id, counters.c.code == counter)
        ).scalar_one_or_none()
    if counter_id is None:
        raise NotFoundError(
            Message("This agency has no counter '{counter}'.", counter=counter),
            Message("Import it: hailong server import."),
        )
    return agency_id, counter_id


def list_boxes(engine: Engine, province_id: int) -> list[dict[str, Any]]:
    """Every box of a province with its state: made, enrolled, rotating or revoked."""
    query = (
        Scope(province_id)
        .select(boxes, boxes, agencies.c.code.label("agency"))
        .join(agencies, agencies.c.id == boxes.c.agency_id)
        .order_by(boxes.c.id)
    )
    with read(engine) as connection:
        rows = connection.execute(query).all()
        pools = read_pools(connection, [row.id for row in rows])
        names = connection.execute(Scope(province_id).select(agencies, agencies.c.id, agencies.c.code))
        codes = {row.id: row.code for row in names}
    return [
        {
            "box": row.id,
            "label": row.label,
            "agency": row.agency,
            "epoch": row.epoch,
            "state": _state(row),
            "public_key": row.public_key,
            "demo": bool(row.demo),
            "clerks": row.clerks,
            "pool": row.pool,
            "pools": [
                {
                    "pool": place.pool,
                    "agency": codes.get(place.agency_id),
                    "clerks": place.clerks,
                    "first_month": place.first_month,
                }
                for place in pools.get(row.id, ())
            ],
        }
        for row in rows
    ]


def _state(row: Row[tuple[object, ...]]) -> str:
    if row.revoked_day is not None:
        return "revoked"
    if row.public_key is None:
        return "not enrolled"
    return "rotating" if row.previous_key is not None else "enrolled"
