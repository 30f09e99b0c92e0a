"""A batch of messages of boxes becomes rows, within one transaction, and each its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, or_, select, update

from pipeline import wire
from pipeline.calendar import WindowSpan, day_at, month_of_day, window_span
from pipeline.errors import ConfigError
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.library import load_by_wire_code
from pipeline.release_kind import Release, kind_of
from pipeline.transparency.heads import from_words, verify_head, words
from server.boxes.pools import note_unknown_pool
from server.boxes.registry import Box
from server.boxes.release_gate import DEMO_KINDS, ReleaseGate
from server.boxes.updates import stand
from server.core.provinces import read_setting_of_all
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.rating import Place, Rating, UnfitSheetError
from server.ratings.source import Source, SourceKind
from server.ratings.store import UnfitSheet, add, add_unfit
from server.store.channels import COUNTER_TABLET
from server.store.engine import keys_in
from server.store.tables.boxes import boxes as boxes_table
from server.store.tables.boxes import heartbeats
from server.store.tables.releases import cell_values, deliveries, releases, tree_heads

Answer = wire.Ack | wire.Refusal | wire.Anchor | wire.Offer | wire.Reading
_NOT_STORED = (wire.Heartbeat, wire.Hello, wire.Standing, wire.Reads)
_OF_A_POOL = (wire.Pulse, wire.Evidence, wire.NotAgreed, wire.Ratings)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that fits the schema, from a known box. `identity`: where the answer goes; `digest`: SHA-256, hex."""

    identity: bytes
    key: str
    box: Box
    message: wire.Message
    digest: str


class CountsRepeats(Protocol):
    """What is counted on the way."""

    repeated: int


@dataclass(slots=True)
class _Rows:
    """What is gathered from a batch, stored together. Ratings by box: each is a source of its own. Releases by kind:
    each has its own columns."""

    deliveries: list[dict[str, Any]] = field(default_factory=list)
    releases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tree_heads: list[dict[str, Any]] = field(default_factory=list)
    ratings: dict[int, list[Rating]] = field(default_factory=dict)
    unfit: list[UnfitSheet] = field(default_factory=list)


class _Refused(Exception):  # noqa: N818
    """A message that is not stored, and why."""

    def __init__(self, reason: wire.RefusalReason) -> None:
        self.reason = reason


def store_batch(
    connection: Connection,
    batch: Sequence[Incoming],
    boxes: Mapping[int, Box],
    now_s: float,
    tallies: CountsRepeats,
    instrument_of: Callable[[int], Instrument] = load_by_wire_code,
) -> list[Answer]:
    """Store what is new and say of each message what became of it. `boxes`: the rows as they stand in this transaction.

    The `Ack` of a heartbeat names the highest number that is stored of the box's epoch, so that a box restored from
    an old image of its disk learns that it stands behind what it sent before."""
    today = day_at(now_s)
    known = _known(connection, batch)
    late_days = read_setting_of_all(connection, "late_days")
    rows = _Rows()
    gate = ReleaseGate(connection, now_s, ((each.box.box_id, each.message) for each in batch))
    answers: list[Answer] = []
    for incoming in batch:
        message = incoming.message
        try:
            box = _sender(incoming, boxes)
            if isinstance(message, wire.Heartbeat):
                _keep_heartbeat(connection, box, message, now_s)
                answers.append(wire.Ack(epoch=message.epoch, sequence=0))
                continue
            if isinstance(message, wire.Hello):
                answers.append(_anchor(connection, box))
                continue
            if isinstance(message, wire.Reads):
                answers.append(wire.Reading(wire.SCHEMA_VERSION))
                continue
            if isinstance(message, wire.Standing):
                answers.append(stand(connection, box, message, now_s))
                continue
            number = (box.box_id, message.epoch, message.sequence)
            if number in known:
                if known[number] != incoming.digest:
                    raise _Refused(wire.RefusalReason.CONFLICT)
                tallies.repeated += 1
            else:
                _gather(rows, box, incoming, today, late_days[box.province_id], instrument_of, gate)
                known[number] = incoming.digest
            answers.append(wire.Ack(epoch=message.epoch, sequence=message.sequence))
        except _Refused as refused:
            answers.append(wire.Refusal(epoch=message.epoch, sequence=message.sequence, reason=refused.reason))
            if refused.reason is wire.RefusalReason.UNKNOWN_POOL and isinstance(message, _OF_A_POOL):
                note_unknown_pool(connection, incoming.box.province_id, incoming.box.box_id, message.pool)
    gate.write_down()
    for table, found in (
        (deliveries, rows.deliveries),
        *((releases, of_kind) for of_kind in rows.releases.values()),
        (tree_heads, rows.tree_heads),
    ):
        if found:
            connection.execute(table.insert(), found)
    for box_id, sheets in rows.ratings.items():
        ratings_gate = Gate(connection, Scope(boxes[box_id].province_id), Source(SourceKind.BOX, box_id), today)
        add(connection, [ratings_gate.admit(rating) for rating in sheets], today)
    add_unfit(connection, rows.unfit, today)
    _retire_previous_keys(connection, batch, boxes)
    return answers


def _sender(incoming: Incoming, boxes: Mapping[int, Box]) -> Box:
    box = boxes.get(incoming.box.box_id)
    if box is None or incoming.key not in (box.public_key, box.previous_key):
        raise _Refused(wire.RefusalReason.UNKNOWN_BOX)
    if incoming.message.epoch != box.epoch:
        raise _Refused(wire.RefusalReason.EPOCH_RETIRED)
    if not isinstance(incoming.message, _NOT_STORED) and incoming.message.sequence < 1:
        raise _Refused(wire.RefusalReason.MALFORMED)
    return box


def _known(connection: Connection, batch: Sequence[Incoming]) -> dict[tuple[int, int, int], str]:
    numbers = {(each.box.box_id, each.message.epoch, each.message.sequence) for each in batch}
    columns = (deliveries.c.box_id, deliveries.c.epoch, deliveries.c.sequence)
    query = select(*columns, deliveries.c.digest).where(keys_in(connection, columns, numbers))
    return {(row.box_id, row.epoch, row.sequence): row.digest for row in connection.execute(query)}


def _anchor(connection: Connection, box: Box) -> wire.Anchor:
    """The last head that was committed of the box's log, under whatever row, or of the row's; signed by its box."""
    of_this = or_(tree_heads.c.box_id == box.box_id, tree_heads.c.log_key == box.log_key)
    query = (
        select(tree_heads.c.epoch, tree_heads.c.size, tree_heads.c.root)
        .where(of_this, tree_heads.c.verified.is_(True))
        .order_by(tree_heads.c.epoch.desc(), tree_heads.c.size.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return wire.Anchor(epoch=0, size=0, root=(0, 0, 0, 0))
    root = words(bytes.fromhex(row.root))
    return wire.Anchor(epoch=row.epoch, size=row.size, root=(root[0], root[1], root[2], root[3]))


def _gather(
    rows: _Rows,
    box: Box,
    incoming: Incoming,
    today: int,
    late_days: int,
    instrument_of: Callable[[int], Instrument],
    gate: ReleaseGate,
) -> None:
    message = incoming.message
    common: dict[str, Any] = {
        "province_id": box.province_id,
        "box_id": box.box_id,
        "epoch": message.epoch,
        "sequence": message.sequence,
        "received_day": today,
    }
    kind = str(message.__struct_config__.tag)
    if isinstance(message, Release):
        rows.releases.setdefault(kind, []).append(common | _release_values(box, message, today, late_days, gate))
    elif isinstance(message, wire.Ratings):
        _gather_ratings(rows, box, message, today, instrument_of)
    elif isinstance(message, wire.TreeHead):
        rows.tree_heads.append(common | _tree_head_values(box, message))
    rows.deliveries.append(common | {"kind": kind, "digest": incoming.digest})


def _release_values(box: Box, message: Release, today: int, late_days: int, gate: ReleaseGate) -> dict[str, Any]:
    """Columns of a release; it is late where its period ended more than `late_days` before today."""
    span: WindowSpan | None = None
    if message.period not in DEMO_KINDS:
        try:
            span = window_span(message.period, message.index)
        except (OverflowError, ValueError):
            raise _Refused(wire.RefusalReason.MALFORMED) from None
    elif not box.demo:
        raise _Refused(wire.RefusalReason.DEMO_ONLY)
    agency_id = _agency(box, message.pool, today if span is None else min(today, span.first_day))
    held = gate.judge(box, message, span)
    return {
        "agency_id": agency_id,
        "pool": message.pool,
        "kind": kind_of(message).name,
        "period_kind": int(message.period),
        "period_index": message.index,
        "epsilon_milli": message.epsilon_milli,
        "late": span is not None and span.end_day < today - late_days,
        "held": None if held is None else held.value,
        **cell_values(message.counts),
    }


def _agency(box: Box, pool: int, day: int) -> int:
    """Whose the pool is on a day. What is of a pool that nobody named is refused: the box keeps it until somebody
    does."""
    agency_id = box.agency_of(pool, month_of_day(day))
    if agency_id is None:
        raise _Refused(wire.RefusalReason.UNKNOWN_POOL)
    return agency_id


def _gather_ratings(
    rows: _Rows, box: Box, message: wire.Ratings, today: int, instrument_of: Callable[[int], Instrument]
) -> None:
    """A batch's sheets: those that fit go through the gate, the others are kept apart with their reason."""
    source = Source(SourceKind.BOX, box.box_id)
    agency_id = _agency(box, message.pool, min(message.day, today))
    counter_id = box.counter_id if message.pool == 1 else None
    fit: list[Rating] = []
    unfit: list[UnfitSheet] = []
    for row in message.rows:
        if row.instrument == 0:
            continue
        try:
            instrument = instrument_of(row.instrument)
        except ConfigError:  # the file is not installed here yet: the box keeps the batch and tries again
            raise _Refused(wire.RefusalReason.STORE_UNAVAILABLE) from None
        place = Place(box.province_id, agency_id, counter_id, service_group=row.service_group)
        sent: dict[str, Any] = {"day": message.day, "reasons": row.reasons, "flag": row.flag}
        try:
            rating = Rating.checked(instrument, row.answers, place=place, channel=COUNTER_TABLET, today=today, **sent)
        except UnfitSheetError as error:
            version = instrument.code, instrument.version
            unfit.append(UnfitSheet(place, source, COUNTER_TABLET.code, *version, row.answers, error.reason, **sent))
        else:
            fit.append(rating)
    rows.ratings.setdefault(box.box_id, []).extend(fit)
    rows.unfit += unfit


def _tree_head_values(box: Box, message: wire.TreeHead) -> dict[str, Any]:
    return {
        "size": message.size,
        "root": from_words(message.root).hex(),
        "signature": from_words(message.signature).hex(),
        "verified": box.log_key is not None and verify_head(message, bytes.fromhex(box.log_key)),
        "log_key": box.log_key,
    }


def _keep_heartbeat(connection: Connection, box: Box, message: wire.Heartbeat, now_s: float) -> None:
    values = {
        "state": int(message.state),
        "software": ".".join(str(part) for part in message.software),
        "provider": message.provider,
        "received_s": int(now_s),
    }
    done = connection.execute(update(heartbeats).where(heartbeats.c.box_id == box.box_id).values(values))
    if done.rowcount == 0:
        connection.execute(heartbeats.insert().values(box_id=box.box_id, province_id=box.province_id, **values))


def _retire_previous_keys(connection: Connection, batch: Sequence[Incoming], boxes: Mapping[int, Box]) -> None:
    """The first message under a new key ends the previous one."""
    for box_id in {each.box.box_id for each in batch}:
        box = boxes.get(box_id)
        if (
            box is not None
            and box.previous_key is not None
            and any(each.key == box.public_key for each in batch if each.box.box_id == box_id)
        ):
            connection.execute(update(boxes_table).where(boxes_table.c.id == box_id).values(previous_key=None))
