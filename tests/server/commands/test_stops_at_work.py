"""A server that is told to stop while a file is being imported, or while a box sends: nothing is lost, nothing is
stored by half or twice, and whoever sent it knows."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from openpyxl import Workbook
from sqlalchemy import Engine, func, select

from edge.delivery.outbox import Outbox
from hailong.cli import main
from pipeline.keys import KEY_FILE_NAME, load_keys
from server.boxes.registry import gaps
from server.ratings.batches import unfinished
from server.service import GRACE_S
from server.store.engine import connect, read
from server.store.tables.changes import changes
from server.store.tables.ratings import ratings
from server.store.tables.releases import deliveries
from server.store.tables.users import Role
from tests.children import child
from tests.delivery.conftest import Place, enrol_directly, make_sender, pulse_builder, stored_pulses, wait_for
from tests.ports import free_port
from tests.server.province import PASSWORD, Province, fill_province

SHEETS = 3_000
PULSES = 400
_SERVER = """
import sys
import server.ratings.imports
server.ratings.imports.BATCH = 200
from hailong.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The server, which stores a file in more parts than it would one of this size."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert main(["server", "init", "--province", "p1", "--name", "Tỉnh Một", "--data-dir", str(tmp_path)]) == 0
    return tmp_path


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    found = connect(str(folder / "store.sqlite"))
    yield found
    found.dispose()


@contextmanager
def running(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server's process, and the address of its pages. `port`: the boxes'."""
    (folder / "server.toml").write_text(
        f'[ingest]\naddress = "tcp://127.0.0.1:{port}"\nenrol_address = ""\n', encoding="utf-8"
    )
    words = ["server", "run", "--insecure-cookies", "--port", "0", "--data-dir", str(folder)]
    with child([sys.executable, "-c", _SERVER, *words], stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        yield process, found[0]


def stop(process: subprocess.Popen[str]) -> tuple[float, str]:
    """Seconds from SIGTERM to the end, and what was said on stderr."""
    process.send_signal(signal.SIGTERM)
    begun_s = time.monotonic()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    return time.monotonic() - begun_s, said


class Clerk:
    """Somebody who has logged in and imports a workbook."""

    def __init__(self, address: str, province: Province) -> None:
        self._http = httpx.Client(base_url=address, timeout=120.0)
        name = province.users[Role.ANALYST]
        answer = self._http.post("/log-in", data={"csrf": self._token("/log-in"), "name": name, "password": PASSWORD})
        assert answer.status_code == 303

    def _token(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self._http.get(path).text)
        assert found
        return found[1]

    def import_(self, path: Path) -> httpx.Response:
        form = {"csrf": self._token("/survey/import"), "kind": "ratings", "what": "import", "channel": "sms"}
        with path.open("rb") as file:
            return self._http.post("/survey/import", data=form, files={"file": (path.name, file)})

    def close(self) -> None:
        self._http.close()


@contextmanager
def clerk_at(address: str, province: Province) -> Iterator[Clerk]:
    found = Clerk(address, province)
    yield found
    found.close()


def state(engine: Engine, province: Province) -> tuple[int, int, int]:
    """(sheets of the file's channel, sheets of unfinished files, imports that the log of changes tells)."""
    with read(engine) as connection:
        count = connection.execute(select(func.count()).select_from(ratings).where(ratings.c.channel == "sms"))
        told = select(func.count()).select_from(changes).where(changes.c.action == "ratings_imported")
        missing = unfinished(connection, province.province_id)
        return int(count.scalar_one()), missing, int(connection.execute(told).scalar_one())


def workbook(path: Path) -> Path:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["form", "agency", "day", "overall"])
    for number in range(SHEETS):
        sheet.append([f"F{number}", "nho-a", f"{number % 20 + 1}/7/2026", number % 5 + 1])
    book.save(path)
    return path


@pytest.mark.slow
def test_an_import_is_taken_back_and_its_sender_is_told(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(folder))  # the server's
    province = fill_province(engine, "nho")
    path = workbook(folder / "phieu.xlsx")
    with running(folder, free_port()) as (process, address), clerk_at(address, province) as clerk:
        beside = ThreadPoolExecutor(1)
        answer = beside.submit(clerk.import_, path)
        assert wait_for(lambda: state(engine, province)[0] > 0, 120.0)
        seconds, said = stop(process)
        told = answer.result()
        beside.shutdown()
    assert told.status_code == 503
    assert "Máy chủ đang dừng; chưa có gì thay đổi." in told.text
    assert state(engine, province) == (0, 0, 0)
    assert seconds < GRACE_S
    assert not any(folder.glob("hailong-*"))
    assert "an import" not in said
    words = ["import", "ratings", str(path), "--channel", "sms", "--province", "nho", "--data-dir", str(folder)]
    assert main(["server", *words]) == 0
    assert state(engine, province) == (SHEETS, 0, 1)


@pytest.mark.slow
def test_what_a_box_was_thanked_for_is_stored_and_the_rest_comes_once(folder: Path, engine: Engine) -> None:
    province = fill_province(engine, "nho")
    box = enrol_directly(engine, Place(province.province_id, province.agencies["nho-a"]), "quầy 1")
    port = free_port()
    outbox = Outbox(folder / "outbox.sqlite3", epoch=1)
    outbox.put_all([(f"pulse:{index}", pulse_builder(index)) for index in range(PULSES)])
    server_key = load_keys(folder / "keys" / KEY_FILE_NAME, "server").curve_public
    sender = make_sender(f"tcp://127.0.0.1:{port}", server_key, box, outbox, 0.02)

    def stored() -> list[int]:
        return [index for box_id, index in stored_pulses(engine) if box_id == box.box_id]

    def has_thanked(already: int) -> bool:
        return outbox.totals()["acknowledged"] > already

    for already in (0, PULSES // 2):
        with running(folder, port) as (process, _):
            if already == 0:
                sender.start()
            assert wait_for(functools.partial(has_thanked, already), 60.0)
            stop(process)
        waiting = outbox.waiting(PULSES)
        # what the box has forgotten, the server holds; of what it holds nothing is there twice
        forgotten = set(range(1, PULSES + 1)) - {sequence for _, sequence, _ in waiting}
        assert forgotten <= sequences(engine, box.box_id)
        assert 0 < len(stored()) == len(set(stored())) < PULSES
    with running(folder, port) as (process, _):
        assert wait_for(lambda: outbox.totals()["waiting"] == 0, 60.0)
        stop(process)
    sender.stop()
    outbox.close()
    assert sorted(stored()) == list(range(PULSES))
    assert sequences(engine, box.box_id) == set(range(1, PULSES + 1))
    assert gaps(engine, province.province_id) == []


def sequences(engine: Engine, box_id: int) -> set[int]:
    """The numbers of the messages that the server holds of a box."""
    with read(engine) as connection:
        return set(connection.execute(select(deliveries.c.sequence).where(deliveries.c.box_id == box_id)).scalars())
