"""What a batch of boxes' messages costs the store: as many statements for many provinces as for one, and each finds
its rows by an index, whatever the store holds already."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
from sqlalchemy import Engine, event

from pipeline import wire
from pipeline.calendar import window_index
from server.boxes.ingest import IngestTallies
from server.boxes.registry import read_boxes
from server.boxes.store_messages import Incoming, store_batch
from server.store.engine import keys_in, read, write
from server.store.tables.releases import deliveries
from tests.delivery.conftest import enrol_directly, make_place

HOUR = window_index(wire.PeriodKind.HOUR, time.time()) + 24


def store_hours(store: Engine, first: int, last: int) -> list[tuple[str, Any]]:
    """One batch of every box's messages with these numbers, in one transaction: its statements."""
    told: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        told.append((statement, parameters))

    with write(store) as connection:
        boxes = {box.box_id: box for box in read_boxes(connection)}
        batch = [
            Incoming(b"", box.public_key, box, message, hashlib.sha256(wire.encode(message)).hexdigest())
            for number in range(first, last + 1)
            for box in boxes.values()
            for message in [wire.Pulse(1, 1, number, 7, wire.PeriodKind.HOUR, HOUR + number, 500, (1, 2, 3, 4))]
        ]
        event.listen(store, "before_cursor_execute", note)
        answers = store_batch(connection, batch, boxes, time.time() + 9e5, IngestTallies())
        event.remove(store, "before_cursor_execute", note)
    assert answers == [wire.Ack(epoch=1, sequence=each.message.sequence) for each in batch]
    return told


def test_statements_of_a_batch_do_not_grow_with_provinces(store: Engine) -> None:
    enrol_directly(store, make_place(store, "p0"), "quầy 0")
    store_hours(store, 1, 2)
    of_one = len(store_hours(store, 3, 8))
    for number in range(1, 5):
        enrol_directly(store, make_place(store, f"p{number}"), f"quầy {number}")
    store_hours(store, 9, 10)
    assert len(store_hours(store, 11, 16)) == of_one


def test_no_statement_of_a_batch_looks_through_a_table_of_messages(store: Engine) -> None:
    enrol_directly(store, make_place(store), "quầy 1")
    told = store_hours(store, 1, 4)
    asked = [(statement, values) for statement, values in told if statement.startswith("SELECT")]
    assert sum("deliveries" in statement for statement, _ in asked) == 1
    with read(store) as connection:
        for statement, values in asked:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert not [step for step in plan if step.startswith(("SCAN deliveries", "SCAN releases"))], plan


@pytest.mark.postgres
def test_rows_are_found_by_several_columns(any_store: Engine) -> None:
    enrol_directly(any_store, make_place(any_store), "quầy 1")
    store_hours(any_store, 1, 5)
    columns = (deliveries.c.epoch, deliveries.c.sequence, deliveries.c.kind)
    with read(any_store) as connection:
        keys = [(1, 2, "pulse"), (1, 5, "pulse"), (1, 3, "evidence"), (2, 4, "pulse")]
        query = deliveries.select().where(keys_in(connection, columns, keys))
        assert sorted(row.sequence for row in connection.execute(query)) == [2, 5]
        assert connection.execute(deliveries.select().where(keys_in(connection, columns, []))).all() == []
