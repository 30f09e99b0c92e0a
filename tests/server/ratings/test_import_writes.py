"""How an import writes: boxes deliver in between, what fails leaves nothing, what was cut off is completed."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select

from pipeline import wire
from pipeline.errors import StoppingError
from pipeline.instruments import load_instrument
from pipeline.keys import new_keys
from server.boxes.ingest import Ingest
from server.core.changes import verify_changes
from server.core.long_work import LongWork
from server.core.progress import Progress
from server.ratings import imports as importer
from server.ratings.batches import unfinished
from server.ratings.imports import file_digest, import_ratings
from server.store.engine import read, write
from server.store.tables.imports import imports
from server.store.tables.ratings import ratings
from tests.delivery.conftest import LOCAL, Place, RawClient, enrol_directly, make_place, pulse_builder, stored_pulses

SHEETS = 60


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    lines = [f"P{n},so-tu-phap,5/7/2026,{n % 5 + 1}" for n in range(SHEETS)]
    (tmp_path / "in.csv").write_text("\n".join(["form,agency,day,overall", *lines]), encoding="utf-8")
    return tmp_path / "in.csv"


class AtShare(Progress):
    """Does something once, when a share of the work is done."""

    def __init__(self, share: float) -> None:
        super().__init__("", quiet=True)
        self.share = share
        self.done = False

    def update(self, share: float, note: str = "") -> None:
        if share >= self.share and not self.done:
            self.done = True
            self.act()

    def act(self) -> None:
        raise KeyboardInterrupt


def _import(store: Engine, place: Place, path: Path, progress: Progress | None = None) -> int:
    questionnaire = load_instrument("2640")
    return import_ratings(
        store, place.province_id, path, questionnaire, channel="sms", progress=progress, key=bytes(32)
    ).added


def _state(store: Engine, place: Place) -> tuple[int, int]:
    """(sheets in the store, sheets of unfinished files)."""
    with read(store) as connection:
        count = connection.execute(select(func.count()).select_from(ratings)).scalar_one()
        return count, unfinished(connection, place.province_id)


@pytest.mark.postgres
@pytest.mark.parametrize("share", [0.3, 0.75])
def test_a_box_delivers_while_a_file_is_imported(any_store: Engine, path: Path, share: float) -> None:
    place, keys = make_place(any_store), new_keys("server")
    box = enrol_directly(any_store, place, "quầy 1")
    ingest = Ingest(any_store, keys, LOCAL)
    ingest.start()
    client = RawClient(ingest.endpoint, keys.curve_public, box.keys)

    class Deliver(AtShare):
        def act(self) -> None:
            assert client.ask(pulse_builder(7)(1, 1, 9)) == wire.Ack(epoch=1, sequence=1)
            assert stored_pulses(any_store) == [(box.box_id, 7)]

    deliver = Deliver(share)
    assert _import(any_store, place, path, deliver) == SHEETS
    client.close()
    ingest.stop()
    assert deliver.done
    assert _state(any_store, place) == (SHEETS, 0)


@pytest.mark.postgres
def test_an_import_that_is_stopped_leaves_nothing(any_store: Engine, path: Path) -> None:
    place = make_place(any_store)
    with pytest.raises(KeyboardInterrupt):
        _import(any_store, place, path, AtShare(0.75))
    assert _state(any_store, place) == (0, 0)
    assert _import(any_store, place, path) == SHEETS


def test_what_an_import_holds_is_closed_by_whoever_opened_it(store: Engine, path: Path) -> None:
    """A page's thread opens it; whichever thread tidied up closed it, which SQLite does not allow."""
    place = make_place(store)
    with ThreadPoolExecutor(1) as page:
        error = page.submit(_import, store, place, path, AtShare(0.3)).exception()
    assert error is not None
    error.args = (error,)  # a circle, which no thread but this one tidies up
    del error
    gc.collect()  # what goes wrong there fails the test


@pytest.mark.postgres
@pytest.mark.parametrize("share", [0.0, 0.3, 0.55, 0.75, 0.95])
def test_a_server_that_stops_takes_an_import_back_wherever_it_is(any_store: Engine, path: Path, share: float) -> None:
    place, work = make_place(any_store), LongWork()

    class Stop(AtShare):
        def update(self, share: float, note: str = "") -> None:
            super().update(share, note)
            progress.update(share, note)

        def act(self) -> None:
            work.stop()

    with work.begin() as progress, pytest.raises(StoppingError):
        _import(any_store, place, path, Stop(share))
    assert _state(any_store, place) == (0, 0)
    assert work.wait(0.0)
    assert _import(any_store, place, path) == SHEETS
    with read(any_store) as connection:
        assert verify_changes(connection, place.province_id)[0] == 1


@pytest.mark.parametrize("kept", [25, SHEETS])
def test_what_was_cut_off_is_shown_and_completed(store: Engine, path: Path, kept: int) -> None:
    """As after a power cut: some sheets are in the store, and the record says that the file is not finished."""
    place = make_place(store)
    assert _import(store, place, path) == SHEETS
    with write(store) as connection:
        connection.execute(ratings.delete().where(ratings.c.id > kept))
        connection.execute(imports.update().values(added=-1))
    assert _state(store, place) == (kept, SHEETS)
    assert _import(store, place, path) == SHEETS - kept
    assert _state(store, place) == (SHEETS, 0)
    with read(store) as connection:
        assert verify_changes(connection, place.province_id)[0] == 2


def test_another_province_s_unfinished_file_is_not_ours(store: Engine, path: Path) -> None:
    place, other = make_place(store), make_place(store, "hn")
    record = {"kind": "ratings", "digest": file_digest(path), "batch": "", "rows": 9, "added": -1, "day": 1}
    with write(store) as connection:
        connection.execute(insert(imports).values(province_id=other.province_id, **record))
    assert _state(store, place) == (0, 0)
    assert _state(store, other) == (0, 9)
