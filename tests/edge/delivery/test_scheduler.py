"""What the scheduler hands on when: sheets of days that are over, and nothing of the running day."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge.delivery.health import Health
from edge.delivery.outbox import UNDATED, Outbox
from edge.delivery.scheduler import PeriodScheduler, RatingSchedule
from edge.delivery.sender import Sender, SenderSettings
from pipeline import wire
from pipeline.calendar import day_at, window_start_s
from pipeline.keys import new_keys
from pipeline.privacy.clock import ManualClock
from pipeline.privacy.policy import PrivacyPolicy
from pipeline.privacy.release import ReleaseCurator
from pipeline.wire import PeriodKind

START_S = float(window_start_s(PeriodKind.DAY, 2_500) + 8 * 3_600)
SHEET = wire.RatingRow(201, 0, (4,) + (0,) * 31, 0, 0)
MEMORY = Path("/dev/shm")


def _sent_days(outbox: Outbox) -> list[int]:
    messages = [wire.decode(payload) for _, _, payload in outbox.waiting(100)]
    return [
        message.day
        for message in messages
        if isinstance(message, wire.Ratings)
        for row in message.rows
        if row.instrument
    ]


@pytest.mark.parametrize(
    ("demo_every_s", "hours", "expected"),
    [
        (None, 11, []),  # 19 o'clock: noon and 18 have passed; a batch would tell the half of the day
        (None, 29, [2_500]),  # 13 o'clock of the next day
        (5.0, 1, [2_500]),
    ],
)
def test_a_batch_holds_days_that_are_over(
    tmp_path: Path, demo_every_s: float | None, hours: int, expected: list[int]
) -> None:
    clock = ManualClock(START_S)
    policy = PrivacyPolicy(clerks_per_box=2)
    curator = ReleaseCurator(
        policy, tmp_path / "release.sqlite3", clock, new_keys("box"), 1, require_anchor=False, memory_folder=MEMORY
    )
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1)
    scheduler = PeriodScheduler(curator, outbox, clock, RatingSchedule((12, 18), demo_every_s), Health())
    scheduler.turn()
    outbox.add_sheet(SHEET, day_at(clock.wall_s()))
    for _ in range(hours):
        clock.advance(3_600)
        scheduler.turn()
    assert _sent_days(outbox) == expected
    curator.wipe()
    outbox.close()


def test_sheets_go_to_the_disk_at_fixed_times_only(tmp_path: Path) -> None:
    clock = ManualClock(START_S + 7)
    policy = PrivacyPolicy(clerks_per_box=2)
    curator = ReleaseCurator(
        policy, tmp_path / "release.sqlite3", clock, new_keys("box"), 1, require_anchor=False, memory_folder=MEMORY
    )
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1, memory=MEMORY)
    scheduler = PeriodScheduler(curator, outbox, clock, RatingSchedule((12, 18)), Health())
    scheduler.turn()
    outbox.add_sheet(SHEET, day_at(clock.wall_s()))
    on_disk = []
    for _ in range(60):
        clock.advance(1)
        scheduler.turn()
        store = sqlite3.connect(tmp_path / "outbox.sqlite3")
        on_disk.append(store.execute("SELECT count(*) FROM sheet").fetchone()[0])
        store.close()
    assert on_disk == [0] * 52 + [1] * 8, "at the full minute"
    curator.wipe()
    outbox.close()


def test_an_untrusted_clock_keeps_sheets_and_dates_them_when_it_is_trusted(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000.0, trusted=False)  # 1970: a machine without a battery
    curator = ReleaseCurator(
        PrivacyPolicy(clerks_per_box=2),
        tmp_path / "release.sqlite3",
        clock,
        new_keys("box"),
        1,
        require_anchor=False,
        memory_folder=MEMORY,
    )
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1, memory=MEMORY)
    scheduler = PeriodScheduler(curator, outbox, clock, RatingSchedule((12, 18)), Health())
    outbox.add_sheet(SHEET, UNDATED)
    for _ in range(61):
        clock.advance(1)
        scheduler.turn()
    store = sqlite3.connect(tmp_path / "outbox.sqlite3")
    assert store.execute("SELECT count(*) FROM sheet").fetchone()[0] == 1, "a power cut now loses nothing"
    store.close()
    clock.synchronised = True
    clock.jump(START_S - clock.wall)
    for _ in range(40):
        clock.advance(3_600)
        scheduler.turn()
    assert _sent_days(outbox) == [2_500]
    curator.wipe()
    outbox.close()


def test_the_record_of_what_was_sent_is_private(tmp_path: Path) -> None:
    keys, record = new_keys("box"), tmp_path / "sent.record"
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1)
    settings = SenderSettings("tcp://127.0.0.1:1", keys.curve_public, 1.0, record=record)
    sender = Sender(settings, keys, outbox, lambda: pytest.fail("nothing is sent here"))
    for _ in range(2):
        sender._record(record, bytes(4_096))
    assert record.stat().st_size == 8_192
    assert record.stat().st_mode & 0o777 == 0o600
    sender.stop()
    outbox.close()
