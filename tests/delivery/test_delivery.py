"""A box's outbox reaches the server's store, over real sockets and keys: once, acknowledged after the commit only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, select

from edge.delivery.outbox import Outbox
from pipeline import wire
from pipeline.calendar import today
from pipeline.framing import FRAME_BYTES
from pipeline.keys import KeyPair, new_keys
from pipeline.transparency.heads import make_head
from server.boxes import registry as boxes
from server.boxes.ingest import Ingest
from server.store.engine import read
from server.store.tables.boxes import heartbeats
from server.store.tables.ratings import ratings
from server.store.tables.releases import releases, tree_heads
from tests.delivery.conftest import (
    EnrolBox,
    Place,
    RawClient,
    count_deliveries,
    heartbeat,
    make_sender,
    pulse_builder,
    stored_pulses,
    wait_for,
)

DAY = today() - 20


def _pulse(sequence: int, index: int = 1, nonce: int = 7, epoch: int = 1, **changes: object) -> wire.Message:
    message = pulse_builder(index)(epoch, sequence, nonce)
    return msgspec.structs.replace(message, **changes)


def test_what_waits_is_stored_once_and_forgotten(
    ingest: Ingest, store: Engine, server_keys: KeyPair, enrol_box: EnrolBox, outbox: Outbox, tmp_path: Path
) -> None:
    box = enrol_box()
    for index in range(20):
        outbox.put(f"pulse:{index}", pulse_builder(index))
    record = tmp_path / "record.bin"
    sender = make_sender(ingest.endpoint, server_keys.curve_public, box, outbox, record=record)
    sender.start()
    assert wait_for(lambda: outbox.totals()["waiting"] == 0)
    sender.stop()
    assert stored_pulses(store) == [(box.box_id, index) for index in range(20)]
    assert outbox.totals()["acknowledged"] == 20
    assert sender.tallies.forwarded >= 3
    # every burst is 8 frames of one size, whatever there was to send
    assert record.stat().st_size % (8 * FRAME_BYTES) == 0
    with read(store) as connection:
        assert connection.execute(select(heartbeats.c.state)).scalar_one() == int(wire.BoxState.OK)


def test_a_resend_is_acknowledged_again_and_another_content_is_a_conflict(
    ingest: Ingest, store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    client = raw_client(enrol_box().keys)
    first = _pulse(1)
    for _ in range(3):
        assert client.ask(first) == wire.Ack(epoch=1, sequence=1)
    assert client.ask(_pulse(1, nonce=8)) == wire.Refusal(epoch=1, sequence=1, reason=wire.RefusalReason.CONFLICT)
    assert count_deliveries(store) == 1
    assert ingest.tallies.repeated == 2
    assert ingest.tallies.dropped["CONFLICT"] == 1


def test_a_repeat_within_one_batch_is_stored_once(
    ingest: Ingest, store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    client = raw_client(enrol_box().keys)
    for _ in range(40):
        client.send(wire.encode(_pulse(1)))
    assert all(client.reply() == wire.Ack(epoch=1, sequence=1) for _ in range(40))
    assert count_deliveries(store) == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (_pulse(1, epoch=2), wire.RefusalReason.EPOCH_RETIRED),
        (_pulse(0), wire.RefusalReason.MALFORMED),
        (_pulse(1, period=wire.PeriodKind.DEMO_PULSE), wire.RefusalReason.DEMO_ONLY),
        (_pulse(1, period=wire.PeriodKind.MONTH, index=2**31 - 1), wire.RefusalReason.MALFORMED),
    ],
)
def test_what_the_server_does_not_take(
    message: wire.Message,
    reason: wire.RefusalReason,
    ingest: Ingest,
    store: Engine,
    enrol_box: EnrolBox,
    raw_client: Callable[[KeyPair], RawClient],
) -> None:
    client = raw_client(enrol_box().keys)
    expected = wire.Refusal(epoch=message.epoch, sequence=message.sequence, reason=reason)
    assert client.ask(message) == expected
    assert count_deliveries(store) == 0
    assert ingest.tallies.dropped[reason.name] == 1


def test_a_demo_box_may_send_demo_periods(
    store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    client = raw_client(enrol_box(demo=True).keys)
    assert client.ask(_pulse(1, period=wire.PeriodKind.DEMO_PULSE)) == wire.Ack(epoch=1, sequence=1)


def test_numbers_that_are_missing_are_reported(
    store: Engine, place: Place, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    box = enrol_box()
    client = raw_client(box.keys)
    for sequence in (1, 5, 2):
        assert client.ask(_pulse(sequence, index=sequence)) == wire.Ack(epoch=1, sequence=sequence)
    assert boxes.gaps(store, place.province_id) == [boxes.Gap(box.box_id, 1, highest=5, missing=2)]
    for sequence in (3, 4):
        client.ask(_pulse(sequence, index=sequence))
    assert boxes.gaps(store, place.province_id) == []


@pytest.mark.parametrize(("hours_ago", "late"), [(0, False), (24, False), (24 * 40, True)])
def test_late_releases_are_marked(
    hours_ago: int, late: bool, store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    client = raw_client(enrol_box().keys)
    client.ask(_pulse(1, index=today() * 24 - hours_ago))
    with read(store) as connection:
        assert connection.execute(select(releases.c.late)).scalar_one() is late


def test_ratings_become_rows_and_padding_does_not(
    store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient], outbox: Outbox
) -> None:
    client = raw_client(enrol_box().keys)
    answers = (4, 5) + (0,) * 30
    for reasons in range(3):
        outbox.add_sheet(wire.RatingRow(201, 7, answers, reasons, flag=1 if reasons == 2 else 0), day=DAY)
    assert outbox.make_batches(DAY) == 1
    ((_, _, payload),) = outbox.waiting(10)
    client.send(payload)
    assert client.reply() == wire.Ack(epoch=1, sequence=1)
    with read(store) as connection:
        rows = connection.execute(select(ratings)).all()
    assert [(r.instrument, r.day, r.service_group, r.a00, r.a01, r.channel) for r in rows] == [
        ("2640", DAY, 7, 4, 5, "counter_tablet")
    ] * 3
    assert sorted((r.reasons, r.flag, r.state) for r in rows) == [(0, 0, 0), (1, 0, 0), (2, 1, 1)]


def test_a_rating_of_an_instrument_that_is_not_installed_waits(
    store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient], outbox: Outbox
) -> None:
    client = raw_client(enrol_box().keys)
    outbox.add_sheet(wire.RatingRow(65_000, 0, (3,) + (0,) * 31, 0, 0), day=DAY)
    outbox.make_batches(DAY)
    ((_, _, payload),) = outbox.waiting(10)
    client.send(payload)
    assert client.reply() == wire.Refusal(epoch=1, sequence=1, reason=wire.RefusalReason.STORE_UNAVAILABLE)
    assert count_deliveries(store) == 0


def test_the_anchor_is_the_last_head_that_the_box_signed(
    store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    box = enrol_box()
    client = raw_client(box.keys)
    hello = wire.Hello(version=1, epoch=1, sequence=0, nonce=1)
    assert client.ask(hello) == wire.Anchor(epoch=0, size=0, root=(0, 0, 0, 0))
    good = msgspec.structs.replace(make_head(1, 9, bytes(range(32)), box.keys.sign), sequence=1)
    forged = msgspec.structs.replace(make_head(1, 99, bytes(32), new_keys("box").sign), sequence=2)
    assert client.ask(good) == wire.Ack(epoch=1, sequence=1)
    assert client.ask(forged) == wire.Ack(epoch=1, sequence=2)
    assert client.ask(hello) == wire.Anchor(epoch=1, size=9, root=good.root)
    with read(store) as connection:
        assert list(connection.execute(select(tree_heads.c.verified).order_by(tree_heads.c.sequence)).scalars()) == [
            True,
            False,
        ]


def test_a_heartbeat_is_kept_as_the_last_one_only(
    store: Engine, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    client = raw_client(enrol_box().keys)
    for _ in range(5):
        assert client.ask(heartbeat(1)) == wire.Ack(epoch=1, sequence=0)
    with read(store) as connection:
        assert len(connection.execute(select(heartbeats)).all()) == 1
    assert count_deliveries(store) == 0
