"""The door on SQLite and on PostgreSQL: the same messages, the same answers, the same rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from edge.delivery.outbox import Outbox
from pipeline import wire
from pipeline.keys import new_keys
from server.boxes import registry as boxes
from server.boxes.ingest import Ingest
from server.store.engine import read
from server.store.tables.ratings import ratings
from tests.delivery.conftest import (
    LOCAL,
    RawClient,
    enrol_directly,
    heartbeat,
    make_place,
    make_sender,
    pulse_builder,
    stored_pulses,
    wait_for,
)

pytestmark = [pytest.mark.postgres]


def test_delivery_repeats_conflicts_and_revocation(any_store: Engine, outbox: Outbox) -> None:
    place, keys = make_place(any_store), new_keys("server")
    box = enrol_directly(any_store, place, "quầy 1")
    ingest = Ingest(any_store, keys, LOCAL)
    ingest.start()
    for index in range(30):
        outbox.put(f"pulse:{index}", pulse_builder(index))
    outbox.add_sheet(wire.RatingRow(201, 3, (2,) + (0,) * 31, 0b101, 0), day=2_500)
    outbox.make_batches(2_500)
    sender = make_sender(ingest.endpoint, keys.curve_public, box, outbox)
    sender.start()
    assert wait_for(lambda: outbox.totals()["waiting"] == 0)
    sender.stop()
    client = RawClient(ingest.endpoint, keys.curve_public, box.keys)
    assert client.ask(pulse_builder(40)(1, 40, 7)) == wire.Ack(epoch=1, sequence=40)
    assert client.ask(pulse_builder(40)(1, 40, 7)) == wire.Ack(epoch=1, sequence=40)
    conflict = wire.Refusal(epoch=1, sequence=40, reason=wire.RefusalReason.CONFLICT)
    assert client.ask(pulse_builder(41)(1, 40, 7)) == conflict
    assert client.ask(heartbeat(1)) == wire.Ack(epoch=1, sequence=0)
    assert boxes.gaps(any_store, place.province_id) == [boxes.Gap(box.box_id, 1, highest=40, missing=8)]
    boxes.revoke(any_store, place.province_id, box.box_id)
    answer = client.ask(pulse_builder(42)(1, 42, 7))
    assert isinstance(answer, wire.Refusal)
    assert answer.reason is wire.RefusalReason.UNKNOWN_BOX
    client.close()
    ingest.stop()
    assert stored_pulses(any_store) == [(box.box_id, index) for index in [*range(30), 40]]
    with read(any_store) as connection:
        row = connection.execute(select(ratings)).one()
    assert (row.a00, row.reasons, row.service_group, row.day) == (2, 0b101, 3, 2_500)
