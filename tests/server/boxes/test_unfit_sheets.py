"""What a box sends and does not fit its instrument is kept apart with its reason: counted, told, never in a score."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select

from pipeline import wire
from pipeline.calendar import now_s, today
from pipeline.records import Tallies
from server.boxes.ingest import IngestTallies
from server.boxes.registry import read_boxes
from server.boxes.store_messages import Incoming, store_batch
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.ratings import ratings
from server.store.tables.unfit_sheets import unfit_sheets
from tests.delivery.conftest import enrol_directly, make_place

CODE = 201
GOOD = (4, *([4] * 3), *([0] * 28))
PADDING = wire.RatingRow(0, 0, (0,) * 32, 0, 0)


def _at(slot: int, answer: int) -> tuple[int, ...]:
    return (*GOOD[:slot], answer, *GOOD[slot + 1 :])


def send(store: Engine, box_id: int, sequence: int, day: int, rows: list[wire.RatingRow], pool: int = 1) -> Any:
    """A batch of a box's sheets, stored as the door would."""
    with write(store) as connection:
        boxes = {box.box_id: box for box in read_boxes(connection, [box_id])}
        box = boxes[box_id]
        padded = tuple(rows) + (PADDING,) * (wire.RATING_ROWS - len(rows))
        version = wire.version_of(pool)
        message = wire.Ratings(version, box.epoch, sequence, sequence, day, padded, pool)
        incoming = Incoming(b"", box.public_key, box, message, f"{sequence}")
        tallies: Tallies = IngestTallies()
        (answer,) = store_batch(connection, [incoming], boxes, now_s(), tallies)  # type: ignore[arg-type]
        return answer


@pytest.mark.parametrize(
    ("answers", "reasons", "flag", "later", "reason"),
    [
        (_at(1, 7), 0, 0, 0, "off_scale"),
        (_at(0, 7), 0, 0, 0, "off_scale"),
        (_at(31, 3), 0, 0, 0, "unused_slot"),
        (GOOD, 1 << 15, 0, 0, "reasons"),
        (GOOD, 0, 15, 0, "flag"),
        ((0,) * 32, 0, 0, 0, "too_few"),
        (GOOD, 0, 0, 1, "day"),
        (GOOD, 0, 0, 36_525, "day"),
        (GOOD, 0, 0, 2**31 - 1 - 4_000, "day"),
    ],
)
def test_a_sheet_that_does_not_fit_is_kept_apart(
    store: Engine, answers: tuple[int, ...], reasons: int, flag: int, later: int, reason: str
) -> None:
    place = make_place(store)
    box = enrol_directly(store, place, "quầy 1")
    day = min(today() + later, 2**31 - 1) if later else today() - 1
    bad = wire.RatingRow(CODE, 7, answers, reasons, flag)
    rows = [bad] if later else [wire.RatingRow(CODE, 7, GOOD, 0, 0), bad]
    assert send(store, box.box_id, 1, day, rows) == wire.Ack(epoch=box.epoch, sequence=1)
    with read(store) as connection:
        kept = connection.execute(select(ratings.c.a00, ratings.c.source)).all()
        assert [tuple(row) for row in kept] == ([] if later else [(4, f"box:{box.box_id}")])
        (row,) = connection.execute(select(unfit_sheets)).all()
        assert (row.source, row.day, row.reason, row.reasons, row.flag) == (
            f"box:{box.box_id}",
            day,
            reason,
            reasons,
            flag,
        )
        assert row.answers == "".join(map(str, answers))
        told = connection.execute(select(changes.c.detail).where(changes.c.action == "sheets_unfit")).scalars().all()
    assert told == [f'{{"count":1,"reason":"{reason}","source":"box:{box.box_id}"}}']
