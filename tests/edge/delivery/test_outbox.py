"""What was put survives, is never given a second number, and is deleted on acknowledgement only."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edge.delivery.outbox import UNDATED, Outbox
from pipeline import wire
from pipeline.errors import StoreError


def pulse(index: int) -> Callable[[int, int, int], wire.Message]:
    def build(epoch: int, sequence: int, nonce: int) -> wire.Message:
        return wire.Pulse(
            version=1,
            epoch=epoch,
            sequence=sequence,
            nonce=nonce,
            period=wire.PeriodKind.HOUR,
            index=index,
            epsilon_milli=500,
            counts=(0, 0, 0, 0),
        )

    return build


def sheet(reasons: int) -> wire.RatingRow:
    return wire.RatingRow(201, 0, (4,) + (0,) * 31, reasons, 0)


def decoded(outbox: Outbox) -> list[wire.Message]:
    return [wire.decode(payload) for _, _, payload in outbox.waiting(1000)]


def test_numbers_are_gapless_and_a_key_keeps_its_message(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    first = outbox.put("a", pulse(1))
    assert [outbox.put(key, pulse(2)).sequence for key in ("b", "c")] == [2, 3]
    assert outbox.put("a", pulse(99)) == first
    assert [message.sequence for message in decoded(outbox)] == [1, 2, 3]


def test_what_was_put_is_there_after_a_restart_byte_by_byte(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    outbox.put("a", pulse(1))
    before = outbox.waiting(10)
    outbox.close()
    again = Outbox(tmp_path / "o", 1)
    assert again.waiting(10) == before
    assert again.put("b", pulse(2)).sequence == 2


def test_an_acknowledged_key_is_not_sent_again(tmp_path: Path) -> None:
    """The curator may offer a release again after a crash between put and confirm, even if it was acknowledged
    meanwhile."""
    outbox = Outbox(tmp_path / "o", 1)
    outbox.put("a", pulse(1))
    assert outbox.acknowledged(1, 1)
    assert not outbox.acknowledged(1, 1)
    assert outbox.put("a", pulse(1)).sequence == 1
    assert outbox.waiting(10) == []
    assert outbox.next_sequence() == 2


def test_a_settled_key_goes_with_its_acknowledgement(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    for key in ("a", "b", "c"):
        outbox.put(key, pulse(1))
    outbox.acknowledged(1, 1)
    outbox.settle({"b"})
    outbox.acknowledged(1, 3)
    with closing(sqlite3.connect(tmp_path / "o")) as store:
        rows = store.execute("SELECT key FROM message").fetchall()
    assert rows == [("b",)]
    assert outbox.totals() == {"put": 3, "waiting": 1, "acknowledged": 2, "refused": 0, "sheets": 0}


def test_a_refused_message_is_set_aside_and_kept(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    outbox.put("a", pulse(1))
    assert outbox.refused(1, 1, wire.RefusalReason.CONFLICT)
    assert outbox.waiting(10) == []
    assert outbox.totals() == {"put": 1, "waiting": 0, "acknowledged": 0, "refused": 1, "sheets": 0}


def test_a_new_epoch_counts_from_one_and_an_older_one_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    outbox.put("a", pulse(1))
    outbox.close()
    outbox = Outbox(tmp_path / "o", 2)
    assert (outbox.put("a", pulse(1)).epoch, outbox.put("a", pulse(1)).sequence) == (2, 1)
    outbox.close()
    with pytest.raises(StoreError, match="later epoch"):
        Outbox(tmp_path / "o", 1)


def test_sheets_become_padded_batches_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    for reasons in range(20):
        outbox.add_sheet(sheet(reasons), day=100)
    outbox.add_sheet(sheet(500), day=101)
    assert outbox.make_batches(100) == 2
    batches = [message for message in decoded(outbox) if isinstance(message, wire.Ratings)]
    assert [(batch.day, len(batch.rows)) for batch in batches] == [(100, 16), (100, 16)]
    real = [row.reasons for batch in batches for row in batch.rows if row.instrument]
    assert sorted(real) == list(range(20))
    assert real != list(range(20))  # shuffled: equal by chance once in 20! times
    assert outbox.totals()["sheets"] == 1
    assert outbox.make_batches(100) == 1  # nothing waits: an empty batch still goes
    assert all(row.instrument == 0 for row in decoded(outbox)[-1].rows)  # type: ignore[union-attr]


def test_sheets_of_an_earlier_day_keep_their_day(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    outbox.add_sheet(sheet(1), day=100)
    assert outbox.make_batches(102) == 2
    assert [message.day for message in decoded(outbox) if isinstance(message, wire.Ratings)] == [100, 102]


def test_sheets_survive_a_restart_and_leave_no_trace_once_sent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    outbox.add_sheet(sheet(12345), day=100)
    outbox.close()
    outbox = Outbox(tmp_path / "o", 1)
    outbox.make_batches(100)
    outbox.acknowledged(1, 1)
    outbox.close()
    row = wire.encode(sheet(12345))
    assert all(row not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_disk_does_not_tell_in_which_order_sheets_came(tmp_path: Path) -> None:
    """A page of SQLite lays rows out as they come, whatever their keys; the write-ahead log keeps every step."""
    outbox = Outbox(tmp_path / "o", 1)
    for number in range(30):
        outbox.add_sheet(wire.RatingRow(7_777, number, (4,) + (0,) * 31, 0, 0), day=100)
    start = wire.encode(wire.RatingRow(7_777, 0, (4,) + (0,) * 31, 0, 0))[:4]
    found = []
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        if not path.name.endswith("-shm"):
            found += [content[match.end()] for match in re.finditer(re.escape(start), content)]
    assert sorted(found) == list(range(30))  # each once: nothing is left of earlier layouts
    assert found not in (list(range(30)), list(range(30))[::-1])


def _times(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Of every file and of the folder: times of change of content and of inode in ns, size in bytes."""
    return {
        path.name: (found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        for path in (folder, *folder.iterdir())
        if (found := path.stat())
    }


def test_no_file_on_the_disk_changes_when_a_sheet_is_given(tmp_path: Path, memory_folder: Path) -> None:
    """The times of an inode's change cannot be set back, so nothing may be written at all."""
    outbox = Outbox(tmp_path / "o", 1, memory=memory_folder)
    before = _times(tmp_path)
    for number in range(3):
        time.sleep(0.02)
        outbox.add_sheet(sheet(number), day=100)
    assert _times(tmp_path) == before
    assert outbox.totals()["sheets"] == 3
    idle = Outbox(tmp_path / "idle", 1, memory=memory_folder)
    for each in (outbox, idle):
        before = _times(tmp_path)
        time.sleep(0.02)
        each.keep_sheets()
        changed = {name for name, found in _times(tmp_path).items() if found[1] != before[name][1]}
        name = "o" if each is outbox else "idle"
        assert changed == {name, f"{name}-wal"}, "written at the fixed time, whether or not there is a sheet"
        each.close()
    assert list(memory_folder.glob("hailong-sheets-*")) == [], "nothing is left of a box that has stopped in order"


def test_a_sheet_survives_a_killed_box_once(tmp_path: Path, memory_folder: Path) -> None:
    """Killed after the sheet was given, and killed between writing it to the disk and forgetting it in memory."""
    killed = Outbox(tmp_path / "o", 1, memory=memory_folder)
    killed.add_sheet(sheet(1), day=100)
    assert killed._memory is not None
    rows = killed._memory.execute("SELECT token, day, row FROM sheet").fetchall()
    again = Outbox(tmp_path / "o", 1, memory=memory_folder)
    assert again.totals()["sheets"] == 1
    assert again._memory is not None
    again._memory.executemany("INSERT INTO sheet VALUES (?, ?, ?)", rows)
    third = Outbox(tmp_path / "o", 1, memory=memory_folder)
    third.make_batches(100)
    (batch,) = decoded(third)
    assert isinstance(batch, wire.Ratings)
    assert sum(row.instrument > 0 for row in batch.rows) == 1
    assert third.totals()["sheets"] == 0


def test_sheets_of_an_untrusted_clock_wait_for_their_day(tmp_path: Path) -> None:
    """A box without a battery may think that it is years ago: its batches would bear that day."""
    outbox = Outbox(tmp_path / "o", 1)
    outbox.add_sheet(sheet(1), day=UNDATED)
    outbox.make_batches(100)
    assert outbox.totals()["sheets"] == 1
    outbox.date_sheets(101)
    outbox.make_batches(101)
    days = {
        message.day
        for message in decoded(outbox)
        if isinstance(message, wire.Ratings) and any(row.instrument for row in message.rows)
    }
    assert days == {101}


def test_a_full_disk_takes_no_sheet_that_it_cannot_keep(tmp_path: Path, memory_folder: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1, page_limit=9, memory=memory_folder)
    stored = _fill(outbox)
    for number in range(100):
        outbox.add_sheet(sheet(number), day=100)
    with pytest.raises(StoreError, match="disk is full"):
        outbox.keep_sheets()
    with pytest.raises(StoreError):
        outbox.add_sheet(sheet(201), day=100)
    outbox.settle(())
    for sequence in range(1, stored + 1):
        outbox.acknowledged(1, sequence)
    outbox.keep_sheets()
    outbox.add_sheet(sheet(202), day=100)
    assert outbox.totals()["sheets"] == 101


def _fill(outbox: Outbox) -> int:
    """Put until the disk is full; the number that was stored."""
    for index in range(10_000):
        try:
            outbox.put(f"pulse:{index}", pulse(index))
        except StoreError:
            return index
    raise AssertionError("the disk never became full")


def test_a_full_disk_loses_nothing_and_nothing_half(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1, page_limit=9)
    stored = _fill(outbox)
    with pytest.raises(StoreError, match="disk is full"):
        outbox.put("one more", pulse(1))
    assert outbox.tallies.dropped == {"store_failed": 2}
    assert outbox.totals()["put"] == stored
    assert outbox.next_sequence() == stored + 1
    for sequence in range(1, stored + 1):
        outbox.acknowledged(1, sequence)  # the server took them: there is room again
    assert outbox.put("after", pulse(1)).sequence == stored + 1


def test_all_or_none_of_several(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)

    def fails(epoch: int, sequence: int, nonce: int) -> wire.Message:
        raise ValueError

    with pytest.raises(ValueError):
        outbox.put_all([("a", pulse(1)), ("b", fails)])
    assert outbox.totals()["put"] == 0
    assert outbox.put("c", pulse(3)).sequence == 1


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(b"this is no data base" * 100)
    with pytest.raises(StoreError, match="cannot be read or written"):
        Outbox(tmp_path / "o", 1)


def test_no_row_holds_a_time_and_the_file_is_private(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", 1)
    outbox.put("pulse:1", pulse(1))
    outbox.add_sheet(sheet(1), day=100)
    assert (tmp_path / "o").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(tmp_path / "o")) as store:
        columns = {
            column[1]
            for table in ("box", "message", "sheet", "batch")
            for column in store.execute(f"PRAGMA table_info({table})")
        }
    assert columns == {
        "one",
        "epoch",
        "next",
        "sequence",
        "key",
        "payload",
        "refused",
        "settled",
        "token",
        "day",
        "row",
        "number",
    }
