"""Cut networks, full disks, jumping clocks: every closed period is stored exactly once."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.engine.interfaces import DBAPIConnection

from edge.delivery.health import Health
from edge.delivery.outbox import Outbox
from edge.delivery.scheduler import PeriodScheduler, RatingSchedule
from edge.delivery.sender import Sender
from pipeline import wire
from pipeline.calendar import window_start_s
from pipeline.errors import StoreError
from pipeline.keys import KeyPair
from pipeline.language import Message
from pipeline.privacy.clock import ManualClock
from pipeline.privacy.policy import PrivacyPolicy, PulsePeriod
from pipeline.privacy.release import ReleaseCurator
from pipeline.records import ClosedVisit, Level, Outcome
from server.boxes.ingest import Ingest
from server.store.engine import read
from server.store.tables.releases import releases
from tests.delivery.conftest import (
    EnrolBox,
    EnrolledBox,
    Place,
    make_sender,
    pulse_builder,
    stored_pulses,
    wait_for,
)
from tests.delivery.proxy import Proxy

POLICY = PrivacyPolicy(pulse_period=PulsePeriod.HOUR, clerks_per_box=2, seal_interval_s=3600)
START_S = window_start_s(wire.PeriodKind.MONTH, 82) + 10 * 86_400
VISIT = ClosedVisit(Level.HIGH, Outcome.SATISFIED)


class Bench:
    """A box without devices: curator, outbox and scheduler, with a clock that is moved by hand."""

    def __init__(self, folder: Path, box: EnrolledBox, page_limit: int = 65_536) -> None:
        self.clock = ManualClock(START_S)
        self.health = Health()
        self._memory = Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.curator = ReleaseCurator(
            POLICY,
            folder / "release.sqlite3",
            self.clock,
            box.keys,
            box.epoch,
            require_anchor=False,
            memory_folder=self._memory,
        )
        self.outbox = Outbox(folder / "outbox.sqlite3", box.epoch, page_limit)
        self.scheduler = PeriodScheduler(self.curator, self.outbox, self.clock, RatingSchedule((12, 18)), self.health)

    def hours(self, count: int) -> None:
        """Hours pass, with a visit in each; the scheduler turns every ten minutes."""
        for _ in range(count):
            self.curator.count(VISIT, self.clock.wall_s())
            for _ in range(6):
                self.clock.advance(600)
                self.scheduler.turn()

    def charged(self) -> list[tuple[int, int]]:
        """(period kind, index) of everything whose noise was drawn, by the ledger."""
        path = self.curator._store._path
        with closing(sqlite3.connect(path)) as ledger:
            rows = ledger.execute("SELECT period, number FROM charge").fetchall()
        return sorted((int(kind), int(index)) for kind, index in rows)

    def close(self) -> None:
        self.curator.close()
        self.outbox.close()
        shutil.rmtree(self._memory)


def stored_periods(store: Engine) -> list[tuple[int, int]]:
    with read(store) as connection:
        rows = connection.execute(select(releases.c.period_kind, releases.c.period_index)).all()
    return sorted((row.period_kind, row.period_index) for row in rows)


@pytest.fixture
def box(enrol_box: EnrolBox) -> EnrolledBox:
    return enrol_box()


@pytest.fixture
def bench(tmp_path: Path, box: EnrolledBox) -> Iterator[Bench]:
    found = Bench(tmp_path, box)
    yield found
    found.close()


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


@pytest.mark.slow
def test_a_network_that_is_cut_for_hours_loses_nothing(
    ingest: Ingest, store: Engine, server_keys: KeyPair, box: EnrolledBox, bench: Bench
) -> None:
    proxy = Proxy(_port(ingest.endpoint))
    sender = make_sender(proxy.endpoint, server_keys.curve_public, box, bench.outbox)
    sender.start()
    bench.hours(3)
    assert wait_for(lambda: bench.outbox.totals()["waiting"] == 0)
    proxy.cut()
    bench.hours(30)
    assert bench.outbox.totals()["waiting"] > 25
    assert wait_for(lambda: sender.tallies.dropped.get("not_connected", 0) > 2)
    proxy.mend()
    assert wait_for(lambda: bench.outbox.totals()["waiting"] == 0, 40.0)
    sender.stop()
    proxy.close()
    assert stored_periods(store) == bench.charged()
    assert len([kind for kind, _ in bench.charged() if kind == wire.PeriodKind.HOUR]) == 33


@pytest.mark.slow
def test_bits_that_flip_on_the_way_change_nothing(
    ingest: Ingest, store: Engine, server_keys: KeyPair, box: EnrolledBox, outbox: Outbox
) -> None:
    proxy = Proxy(_port(ingest.endpoint), flip_share=0.08)
    for index in range(30):
        outbox.put(f"pulse:{index}", pulse_builder(index, (index, 2, 3, 4)))
    sender = make_sender(proxy.endpoint, server_keys.curve_public, box, outbox)
    sender.start()
    assert wait_for(lambda: proxy.flipped >= 3, 30.0)
    proxy.be_honest()
    assert wait_for(lambda: outbox.totals()["waiting"] == 0, 40.0)
    sender.stop()
    proxy.close()
    assert stored_pulses(store) == [(box.box_id, index) for index in range(30)]
    with read(store) as connection:
        rows = connection.execute(select(releases.c.period_index, releases.c.c00)).all()
    assert all(row.period_index == row.c00 for row in rows)
    assert proxy.connections >= 2  # a spoilt connection was given up and made anew


@pytest.mark.slow
def test_a_full_disk_of_the_box_holds_releases_back_and_loses_none(
    ingest: Ingest, store: Engine, server_keys: KeyPair, box: EnrolledBox, tmp_path: Path
) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    bench = Bench(folder, box, page_limit=10)
    bench.hours(60)
    assert bench.health.holds(wire.BoxState.DISK_FULL)
    assert bench.scheduler.tallies.dropped["store_failed"] > 0
    waiting = len(bench.curator.pending())
    assert waiting > 0
    sender = make_sender(ingest.endpoint, server_keys.curve_public, box, bench.outbox)
    sender.start()

    def drained() -> bool:
        bench.scheduler.turn()
        return not bench.curator.pending() and bench.outbox.totals()["waiting"] == 0

    assert wait_for(drained, 60.0)
    assert not bench.health.holds(wire.BoxState.DISK_FULL)
    sender.stop()
    assert stored_periods(store) == bench.charged()
    assert len(bench.charged()) >= 60
    bench.close()


def _limit_pages(store: Engine, pages: int) -> None:
    """Let the server's data base grow to `pages` pages only: a full disk, as SQLite reports it."""

    @event.listens_for(store, "connect")
    def on_connect(connection: DBAPIConnection, _record: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count = {pages}")

    store.dispose()


@pytest.mark.slow
def test_a_full_disk_of_the_server_refuses_and_takes_it_later(
    store: Engine, place: Place, server_keys: KeyPair, enrol_box: EnrolBox, outbox: Outbox, ingest: Ingest
) -> None:
    box = enrol_box()
    with read(store) as connection:
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
    _limit_pages(store, pages + 2)
    for index in range(400):
        outbox.put(f"pulse:{index}", pulse_builder(index))
    sender = make_sender(ingest.endpoint, server_keys.curve_public, box, outbox, 0.05)
    sender.start()
    assert wait_for(lambda: sender.tallies.dropped.get("refused_store_unavailable", 0) > 0, 30.0)
    assert outbox.totals()["waiting"] > 0
    assert wait_for(lambda: sender.tallies.dropped.get("burst_skipped", 0) > 0)  # it backs off
    _limit_pages(store, 1_000_000)
    assert wait_for(lambda: outbox.totals()["waiting"] == 0, 60.0)
    sender.stop()
    assert stored_pulses(store) == [(box.box_id, index) for index in range(400)]


@pytest.mark.parametrize("jumps_s", [[7200.0], [-7200.0], [-7200.0, 7200.0], [86_400.0, -86_400.0], [40 * 86_400.0]])
def test_a_clock_that_jumps_repeats_no_period(
    jumps_s: list[float], ingest: Ingest, store: Engine, server_keys: KeyPair, box: EnrolledBox, bench: Bench
) -> None:
    bench.hours(3)
    for jump_s in jumps_s:
        bench.clock.jump(jump_s)
        bench.hours(3)
    sender = make_sender(ingest.endpoint, server_keys.curve_public, box, bench.outbox)
    sender.start()
    assert wait_for(lambda: bench.outbox.totals()["waiting"] == 0)
    sender.stop()
    periods = stored_periods(store)
    assert periods == bench.charged()
    assert len(set(periods)) == len(periods)


def test_a_crash_between_put_and_confirm_sends_nothing_twice(
    ingest: Ingest, store: Engine, server_keys: KeyPair, box: EnrolledBox, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_number: int) -> None:
        raise StoreError(Message("the power went"))

    with monkeypatch.context() as patch:
        patch.setattr(bench.curator, "confirm", crash)
        bench.hours(2)
    sender = make_sender(ingest.endpoint, server_keys.curve_public, box, bench.outbox)
    sender.start()
    assert wait_for(lambda: bench.outbox.totals()["waiting"] == 0)
    bench.hours(1)
    assert wait_for(lambda: bench.outbox.totals()["waiting"] == 0 and not bench.curator.pending())
    sender.stop()
    assert stored_periods(store) == bench.charged()


def test_a_sender_that_cannot_reach_its_server_waits(tmp_path: Path, server_keys: KeyPair, outbox: Outbox) -> None:
    from pipeline.keys import new_keys

    outbox.put("pulse:1", pulse_builder(1))
    nobody = EnrolledBox(1, 1, new_keys("box"))
    sender: Sender = make_sender("tcp://127.0.0.1:9", server_keys.curve_public, nobody, outbox, 0.05)
    sender.start()
    assert wait_for(lambda: sender.tallies.dropped.get("not_connected", 0) > 3)
    sender.stop()
    assert not sender.is_heard
    assert outbox.totals()["waiting"] == 1
