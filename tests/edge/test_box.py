"""What a box tells of itself at its end."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.box import Box
from edge.config import load_config
from edge.data_folder import held_alone
from edge.delivery.instruments import Instruments
from edge.delivery.outbox import Outbox
from edge.tablet.counter import Counter
from pipeline import wire
from pipeline.errors import ConfigError
from pipeline.instruments.library import instrument_bytes, load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
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


def test_a_version_that_has_begun_opens_the_box_anew(tmp_path: Path) -> None:
    """A signed file that begins on a day lies on the box before: until the day it asks as it did, then it begins anew;
    a file without a day waits for the box's next start."""
    box: Any = Box(load_config(write(tmp_path, GOOD)))
    box._asks_with, box._looked = 201, None
    box._instruments = Instruments(tmp_path / "own", bytes(32))
    (tmp_path / "own").mkdir()
    newer = (
        instrument_bytes("2640")[1].decode().replace("version = 1\nwire_code = 201", "version = 2\nwire_code = 10000")
    )
    day = 1_798_000_000.0  # 23 December 2026
    box._clock = SimpleNamespace(trusted=lambda: False, wall_s=lambda: day)
    assert not box.instrument_due
    box._clock.trusted = lambda: True
    (tmp_path / "own" / "2640-v2.toml").write_text(newer, "utf-8")
    assert not box.instrument_due, "no first day"
    (tmp_path / "own" / "2640-v2.toml").write_text(
        newer.replace('code = "2640"', 'code = "2640"\nstarts = 2026-12-25'), "utf-8"
    )
    assert not box.instrument_due, "looked at once a day"
    box._looked = date(2026, 12, 22)
    assert not box.instrument_due
    box._clock.wall_s = lambda: day + 2 * 86_400
    assert box.instrument_due


def test_a_data_folder_is_one_box_s(tmp_path: Path) -> None:
    """Also where the other one is another process; who is killed holds it no more."""
    hold = (
        "import sys, time; from pathlib import Path; from edge.data_folder import held_alone\n"
        "with held_alone(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="Another box is at work"), held_alone(tmp_path):
            pass
        other.kill()
    with held_alone(tmp_path):
        pass
    with held_alone(tmp_path):
        pass
