"""Updates of the boxes' software, offered in rings: who gets which release now, and when it is stopped.

A release goes to a ring of boxes, and to the next ring when every box of this one that can be heard has been at work
with it for `STEADY_S`. It is stopped by itself when boxes come back from it or fall silent after it. What makes a box
run a release is the release key's signature, which the box checks; the server only says when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select

from pipeline.errors import ConflictError, NotFoundError
from pipeline.language import Message
from pipeline.wire import Machine, Offer, Standing, UpdateState
from server.boxes.bundle_files import bundle_path
from server.boxes.registry import Box
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.engine import read
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.updates import box_standings, offers

STEADY_S = 24 * 3_600
SILENT_AFTER_S = 900
"""A box that has not been heard for so long is silent (as on the health page)."""
SOON_S = 2 * 3_600
"""After so long at work with a release, a box that falls silent did not do so by it: offices switch machines off."""
TAKING_S = 3_600
"""A box that began to take a release and has told nothing more for so long has fallen silent."""
ABSENT_S = 2 * 24 * 3_600
"""A box that was not heard for so long before keeps no ring waiting."""
LOST_SHARE = 20
"""In the last ring, one box of so many may come back or fall silent before the release is stopped; elsewhere none."""
OPEN, STOPPED, WITHDRAWN = "open", "stopped", "withdrawn"
NEVER_S = 0
"""`since_s` of a release that lies ready, stopped, and was never offered to anybody."""
_NOTHING = Offer(release=0, software=(0, 0, 0, 0), size=0)


class Ring(IntEnum):
    """Who gets a release when."""

    PILOT = 1
    """As an operator said."""
    TENTH = 2
    """Boxes whose number ends in zero, unless an operator said otherwise."""
    ALL = 3


RING_WORDS = {
    Ring.PILOT: Message("pilot"),
    Ring.TENTH: Message("a tenth"),
    Ring.ALL: Message("all"),
}
STATE_WORDS = {
    OPEN: Message("offered"),
    STOPPED: Message("stopped"),
    WITHDRAWN: Message("withdrawn"),
}
STANDING_WORDS = {
    UpdateState.STEADY: Message("has yet to take it"),
    UpdateState.FETCHING: Message("fetches it"),
    UpdateState.TAKING: Message("takes it"),
    UpdateState.TAKEN: Message("has taken it"),
    UpdateState.RETURNED: Message("came back from it"),
    UpdateState.REFUSED: Message("does not accept it"),
    UpdateState.NO_ROOM: Message("has no room for it"),
}


def ring_of(box_id: int, said: int | None) -> Ring:
    """The ring of a box."""
    if said is not None:
        return Ring(said)
    return Ring.TENTH if box_id % 10 == 0 else Ring.ALL


def version_of(software: str) -> tuple[int, int, int, int]:
    """A version as numbers that sort as versions do."""
    numbers = [int(part) for part in software.split(".")] + [0, 0, 0, 0]
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def version_text(software: tuple[int, int, int, int]) -> str:
    """A version as a page says it: three numbers, and the fourth where it is not zero."""
    return ".".join(map(str, software if software[3] else software[:3]))


@dataclass(frozen=True, slots=True)
class BoxUpdate:
    """How one box stands with an offer. `state` None: it is not its turn, or it has not asked yet."""

    box_id: int
    label: str
    ring: Ring
    software: str
    """What it is at work with, as it told; empty: it has not told."""
    state: UpdateState | None
    silent: bool
    """It began to take the release, or has taken it, and is not heard since."""
    absent: bool
    """It was not heard for long before, and keeps nobody waiting."""
    worked_s: int
    """For how long it was heard since it took the release."""

    @property
    def ring_words(self) -> Message:
        """Its ring as a page says it."""
        return RING_WORDS[self.ring]

    @property
    def lost(self) -> bool:
        """Whether the release did it no good."""
        return self.silent or self.state in (UpdateState.RETURNED, UpdateState.REFUSED)

    @property
    def words(self) -> Message:
        """As a page says it."""
        if self.silent:
            return Message("silent since it took it")
        return Message("not its turn yet") if self.state is None else STANDING_WORDS[self.state]


@dataclass(frozen=True, slots=True)
class OfferState:
    """An offer as a page shows it, with every box that it is for; those that somebody should look at first."""

    software: str
    release: str
    state: str
    reason: str
    ring: Ring
    boxes: list[BoxUpdate]

    ready: bool
    """It lies ready and was never offered to anybody."""

    @property
    def stopped(self) -> bool:
        """Whether nobody gets it any more."""
        return self.state == STOPPED and not self.ready

    @property
    def later(self) -> list[Ring]:
        """The rings that do not get it yet."""
        return [ring for ring in Ring if ring > self.ring] if self.state == OPEN else []

    @property
    def words(self) -> Message:
        """Its state as a page says it."""
        return state_words(self.state, self.ready)

    @property
    def ring_words(self) -> Message:
        """How far it is open."""
        return RING_WORDS[self.ring]

    @property
    def counts(self) -> list[tuple[Message, int]]:
        """How many boxes are in which state; the most first."""
        return Counter(each.words for each in self.boxes).most_common()


def state_words(state: str, ready: bool) -> Message:
    """The state of an offer as a page and a command say it."""
    return Message("ready, offered to nobody yet") if ready else STATE_WORDS[state]


def offer_states(connection: Connection, province_id: int, now_s: float) -> list[OfferState]:
    """Every offer of a province that was not withdrawn, the newest first."""
    found = []
    for row in read_offers(connection, province_id):
        of_boxes = box_updates(connection, province_id, row, now_s)
        of_boxes.sort(key=lambda each: (not each.lost, each.ring, each.label))
        ready = row.since_s == NEVER_S
        found.append(OfferState(row.software, row.release, row.state, row.reason, Ring(row.ring), of_boxes, ready))
    return found


def rings_of_boxes(connection: Connection, province_id: int) -> list[tuple[int, str, Ring, bool]]:
    """(id, label, ring, whether an operator said so) of every box whose key holds, by label."""
    query = Scope(province_id).select(boxes, boxes.c.id, boxes.c.label, box_standings.c.ring)
    query = query.outerjoin(box_standings, box_standings.c.box_id == boxes.c.id)
    rows = connection.execute(query.where(boxes.c.revoked_day.is_(None)).order_by(boxes.c.label, boxes.c.id))
    return [(row.id, row.label, ring_of(row.id, row.ring), row.ring is not None) for row in rows]


def fleet_rings(connection: Connection, province_id: int) -> dict[str, tuple[str, Message]]:
    """The version that every box told last (empty: none yet) and its ring, by label."""
    scope = Scope(province_id)
    query = scope.select(boxes, boxes.c.id, boxes.c.label, box_standings.c.ring, box_standings.c.software)
    rows = connection.execute(query.outerjoin(box_standings, box_standings.c.box_id == boxes.c.id))
    return {row.label: (row.software or "", RING_WORDS[ring_of(row.id, row.ring)]) for row in rows}


def read_offers(connection: Connection, province_id: int) -> Sequence[Row[Any]]:
    """A province's offers that were not withdrawn, the newest first."""
    query = Scope(province_id).select(offers).where(offers.c.state != WITHDRAWN)
    return connection.execute(query.order_by(offers.c.id.desc())).all()


def offer_release(
    connection: Connection,
    province_id: int,
    release: int,
    software: str,
    machine: Machine,
    python: str,
    size: int,
    now_s: float,
    *,
    wait: bool = False,
) -> None:
    """Offer a release to the pilot ring; `wait`: lay it ready, and let a person offer it on the page of the updates.
    Raises `ConflictError` where it is offered already, a newer one is, or no box is in the pilot ring."""
    scope, code = Scope(province_id), f"{release:08x}"
    minor = int(python.partition(".")[2])
    for row in connection.execute(scope.select(offers)):
        if row.release == code and row.state != WITHDRAWN:
            raise ConflictError(Message("Release {release} is offered already.", release=code))
        same = (row.machine, row.python_minor) == (int(machine), minor)
        if same and row.state != WITHDRAWN and version_of(row.software) > version_of(software):
            raise ConflictError(
                Message("A newer release, {software}, is offered.", software=row.software),
                Message("Withdraw it first; boxes that have it keep it."),
            )
    if not wait:
        pilots(connection, scope)
    values = {
        "software": software, "machine": int(machine), "python_minor": minor, "size": size, "ring": int(Ring.PILOT),
        "ring_s": int(now_s), "since_s": NEVER_S if wait else int(now_s), "state": STOPPED if wait else OPEN,
        "reason": "",
    }  # fmt: skip
    again = connection.execute(scope.update(offers).where(offers.c.release == code).values(values))
    if again.rowcount == 0:
        scope.insert(connection, offers, {"release": code, **values})
    detail = {"release": code, "software": software}
    if wait:
        record_change(connection, province_id, None, "update laid ready", detail)
    else:
        record_change(connection, province_id, None, "update offered", detail)


def pilots(connection: Connection, scope: Scope) -> list[str]:
    """The labels of the pilot boxes. Raises `ConflictError` where there is none."""
    query = scope.select(boxes, boxes.c.label).join(box_standings, box_standings.c.box_id == boxes.c.id)
    found = connection.execute(query.where(box_standings.c.ring == int(Ring.PILOT)).order_by(boxes.c.label)).scalars()
    if not (labels := list(found)):
        raise ConflictError(
            Message("No box is in the pilot ring."),
            Message("Name one or a few whose office agrees: on the page of the updates, or hailong server offer."),
        )
    return labels


def find_offer(connection: Connection, province_id: int, release: str) -> Row[Any]:
    """An offer that was not withdrawn. Raises `NotFoundError`."""
    query = Scope(province_id).select(offers).where(offers.c.release == release, offers.c.state != WITHDRAWN)
    if (row := connection.execute(query).first()) is None:
        raise NotFoundError(
            Message("Release {release} is not offered.", release=release),
            Message("List them: hailong server offer --list."),
        )
    return row


def set_state(
    connection: Connection, province_id: int, release: str, state: str, now_s: float, user_id: int | None = None
) -> None:
    """Stop an offer, let it go on (or begin, where it lay ready), or withdraw it. `user_id`: who does it; None: the
    command. Raises `NotFoundError`, and `ConflictError` where it is so already or no box is in the pilot ring."""
    row = find_offer(connection, province_id, release)
    if row.state == state:
        raise ConflictError(Message("Release {release} is so already.", release=release))
    values: dict[str, Any] = {"state": state, "reason": ""}
    if state == OPEN:
        pilots(connection, Scope(province_id))
        values |= {"since_s": int(now_s), "ring_s": int(now_s)}
    connection.execute(Scope(province_id).update(offers).where(offers.c.id == row.id).values(values))
    detail = {"release": release, "software": row.software}
    if state == OPEN and row.since_s == NEVER_S:
        record_change(connection, province_id, user_id, "update offered", detail)
    elif state == OPEN:
        record_change(connection, province_id, user_id, "update resumed", detail)
    elif state == STOPPED:
        record_change(connection, province_id, user_id, "update stopped", {"release": release, "reason": "by hand"})
    else:
        record_change(connection, province_id, user_id, "update withdrawn", {"release": release})


def wipe_bundle(engine: Engine, data_dir: Path, release: str) -> None:
    """Remove a withdrawn release's bundle, unless another province of this server still offers it."""
    query = select(offers.c.id).where(offers.c.release == release, offers.c.state != WITHDRAWN)
    with read(engine) as connection:
        if connection.execute(query).first() is None:
            bundle_path(data_dir / "updates", int(release, 16)).unlink(missing_ok=True)


def open_ring(
    connection: Connection, province_id: int, release: str, ring: Ring, now_s: float, user_id: int | None = None
) -> None:
    """Offer a release to a later ring now. Raises `NotFoundError`, and `ConflictError` where it lies ready and was
    never offered."""
    row = find_offer(connection, province_id, release)
    if row.since_s == NEVER_S:
        raise ConflictError(Message("Release {release} was not offered to the pilot boxes yet.", release=release))
    values = {"ring": int(ring), "ring_s": int(now_s)}
    connection.execute(Scope(province_id).update(offers).where(offers.c.id == row.id).values(values))
    record_change(connection, province_id, user_id, "update ring opened", {"release": release, "ring": int(ring)})


def state_ring(
    connection: Connection, province_id: int, box_id: int, ring: Ring | None, user_id: int | None = None
) -> None:
    """Put a box into a ring; None: by its number. Raises `NotFoundError`."""
    scope = Scope(province_id)
    if connection.execute(scope.select(boxes, boxes.c.id).where(boxes.c.id == box_id)).first() is None:
        raise NotFoundError(
            Message("This province has no box {box_id}.", box_id=box_id),
            Message("List them: hailong server enroll --list."),
        )
    _put(connection, province_id, box_id, {"ring": None if ring is None else int(ring)})
    detail = {"box": box_id, "ring": None if ring is None else int(ring)}
    record_change(connection, province_id, user_id, "box ring stated", detail)


def _put(connection: Connection, province_id: int, box_id: int, values: dict[str, Any]) -> None:
    query = Scope(province_id).update(box_standings).where(box_standings.c.box_id == box_id).values(values)
    if connection.execute(query).rowcount == 0:
        connection.execute(insert(box_standings).values(box_id=box_id, province_id=province_id, **values))


def stand(connection: Connection, box: Box, told: Standing, now_s: float) -> Offer:
    """Write down how a box stands, look at the offers, and say what is offered to it."""
    code = f"{told.running:08x}" if told.running else ""
    query = Scope(box.province_id).select(box_standings).where(box_standings.c.box_id == box.box_id)
    before = connection.execute(query).one_or_none()
    taken_s = before.taken_s if before is not None and before.release == code else int(now_s)
    values = {
        "release": code, "software": version_text(told.software), "machine": int(told.machine),
        "python_minor": told.python_minor, "state": int(told.state),
        "about": f"{told.about:08x}" if told.about else "", "told_s": int(now_s), "taken_s": taken_s,
    }  # fmt: skip
    _put(connection, box.province_id, box.box_id, values)
    ring = ring_of(box.box_id, None if before is None else before.ring)
    for row in read_offers(connection, box.province_id):
        if row.state != OPEN or (row.machine, row.python_minor) != (int(told.machine), told.python_minor):
            continue
        row = review(connection, box.province_id, row, now_s)
        if row.state == OPEN and ring <= row.ring and version_of(row.software) >= told.software:
            return Offer(release=int(row.release, 16), software=version_of(row.software), size=row.size)
    return _NOTHING


def review(connection: Connection, province_id: int, row: Row[Any], now_s: float) -> Row[Any]:
    """Stop an open offer where boxes were lost by it, or open its next ring where all is well; returns it as it is
    now."""
    found = [each for each in box_updates(connection, province_id, row, now_s) if each.ring <= row.ring]
    lost = [each for each in found if each.lost]
    if len(lost) > (len(found) // LOST_SHARE if row.ring == Ring.ALL else 0):
        changed: dict[str, Any] = {"state": STOPPED, "reason": ", ".join(each.label for each in lost)[:200]}
        action, detail = "update stopped", {"release": row.release, "boxes": [each.box_id for each in lost]}
    elif row.ring < Ring.ALL and _is_steady(found, row, now_s):
        changed = {"ring": row.ring + 1, "ring_s": int(now_s)}
        action, detail = "update ring opened", {"release": row.release, "ring": row.ring + 1}
    else:
        return row
    # what a person has changed since it was read stands: a withdrawn release does not come back as a stopped one
    as_read = (offers.c.id == row.id, offers.c.state == row.state, offers.c.ring == row.ring)
    if connection.execute(Scope(province_id).update(offers).where(*as_read).values(changed)).rowcount:
        record_change(connection, province_id, None, action, detail)
    return connection.execute(Scope(province_id).select(offers).where(offers.c.id == row.id)).one()


def _is_steady(found: list[BoxUpdate], row: Row[Any], now_s: float) -> bool:
    """Whether every box that can be heard has been at work with the release for long enough, and one at least has.
    A ring without a box lets the next one have it after as long."""
    wanted = [each for each in found if not each.absent]
    if now_s - row.ring_s < STEADY_S or (not wanted and row.ring == Ring.PILOT):
        return False
    return all(each.state is UpdateState.TAKEN and each.worked_s >= STEADY_S for each in wanted)


def box_updates(connection: Connection, province_id: int, row: Row[Any], now_s: float) -> list[BoxUpdate]:
    """How every box that an offer is for stands with it, by label. A box that has told nothing yet is for it: it may
    be of this machine."""
    scope = Scope(province_id)
    query = (
        scope.select(boxes, boxes.c.id, boxes.c.label, heartbeats.c.received_s)
        .add_columns(*(each for each in box_standings.c if each.name not in ("box_id", "province_id")))
        .outerjoin(box_standings, box_standings.c.box_id == boxes.c.id)
        .outerjoin(heartbeats, heartbeats.c.box_id == boxes.c.id)
        .where(boxes.c.public_key.is_not(None), boxes.c.revoked_day.is_(None))
        .order_by(boxes.c.label)
    )
    found = []
    for box in connection.execute(query):
        if box.machine is not None and (box.machine, box.python_minor) != (row.machine, row.python_minor):
            continue
        ring = ring_of(box.id, box.ring)
        heard_s = -1 if box.received_s is None else box.received_s
        told_s = -1 if box.told_s is None else box.told_s
        state = None
        if box.release == row.release:
            state = UpdateState.TAKEN
        elif box.software and version_of(box.software) > version_of(row.software):
            continue
        elif box.about == row.release and told_s >= row.since_s:
            state = UpdateState(box.state)
        elif ring <= row.ring:
            state = UpdateState.STEADY
        heard = max(heard_s, told_s)
        worked_s = heard - box.taken_s if state is UpdateState.TAKEN and box.taken_s is not None else 0
        quiet_s = now_s - heard if heard >= row.since_s else 0.0
        silent = (state is UpdateState.TAKEN and worked_s < SOON_S and quiet_s > SILENT_AFTER_S) or (
            state is UpdateState.TAKING and quiet_s > TAKING_S
        )
        absent = state is not UpdateState.TAKEN and now_s - heard > ABSENT_S
        found.append(BoxUpdate(box.id, box.label, ring, box.software or "", state, silent, absent, worked_s))
    return found
