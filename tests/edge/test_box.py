"""What a box tells of itself at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.box import Box
from edge.config import load_config
from edge.delivery.outbox import Outbox
from edge.tablet.counter import Counter
from edge.tablet.questionnaire import make_questionnaire
from pipeline import wire
from pipeline.instruments.library import load_instrument
from tests.edge.test_config import GOOD, write

DEMO = GOOD.replace('agency_label = "Sở Tư pháp"', 'agency_label = "Sở Tư pháp"\ndemo = true').replace(
    "clerks_per_box = 2", "clerks_per_box = 2\ndemo = true"
)


@pytest.mark.parametrize(("text", "same"), [(GOOD, True), (DEMO, False)])
def test_the_totals_of_an_idle_and_a_busy_box_are_the_same_outside_a_demo(
    tmp_path: Path, text: str, same: bool
) -> None:
    """They go to the journal, beside the time."""
    told = []
    for sheets in (0, 40):
        folder = tmp_path / str(sheets)
        folder.mkdir()
        box = Box(load_config(write(folder, text)))
        box.outbox = Outbox(folder / "outbox.sqlite3", 1)
        box.counters = {"1": Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda row: None, 30)}
        for number in range(sheets):
            box.outbox.add_sheet(wire.RatingRow(201, 0, (4,) + (0,) * 31, number, 0), 100 + number % 2)
        box.outbox.make_batches(100)
        told.append({name: value for name, value in box.totals().items() if name != "duration_s"})
        box.outbox.close()
    assert (told[0] == told[1]) is same
