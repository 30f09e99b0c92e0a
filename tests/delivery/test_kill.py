"""kill -9 of the box and of the server at random moments: every closed period is stored exactly once.

The box is the real `hailong edge run` (a demo box without devices: periods of a second), the server a process with
the real door and SQLite. The seed of the moments is printed; HAILONG_KILL_SEED repeats it.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, func, select

from edge.config import load_config
from edge.delivery.enrolment import enrol
from pipeline.keys import KeyPair, save_keys
from pipeline.release_kind import KINDS
from server.boxes import registry as boxes
from server.boxes.ingest import Ingest
from server.store.engine import read
from server.store.tables.ratings import ratings
from server.store.tables.releases import deliveries, releases
from tests.delivery.conftest import LOCAL, Place
from tests.ports import free_port

CONFIG = """
[box]
data_dir = "data"
agency_label = "Sở Tư pháp"
demo = true
[camera]
source = "none"
[legal]
basis = "consent"

[privacy]
demo = true
demo_pulse_s = 1
demo_evidence_s = 5
clerks_per_box = 2
at_rest = "plain_demo"
[tablet]
port = 0
form = "one"
[server]
address = "tcp://127.0.0.1:{port}"
enrol_address = "{enrol}"
public_key = "{key}"
interval_s = 0.2
slots = 12
demo_rating_s = 1.0
"""


class Pair:
    """A box and a server as processes that can be killed and started again."""

    def __init__(self, folder: Path, store: Engine, place: Place, keys: KeyPair) -> None:
        self._folder = folder
        self._store_url = store.url.render_as_string(hide_password=False)
        self._port = free_port()
        save_keys(keys, folder / "server-keys")
        self.box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 1", demo=True)
        code = boxes.issue_code(store, place.province_id, self.box_id, time.time())
        door = Ingest(store, keys, LOCAL)
        door.start()
        self.config = folder / "edge.toml"
        text = CONFIG.format(port=self._port, enrol=door.enrol_endpoint, key=keys.curve_public_z85)
        self.config.write_text(text, "utf-8")
        enrol(load_config(self.config), code)
        door.stop()
        self.tablet = ""
        self.attempts = self.thanked = 0
        self.server = self._start_server()
        self.box = self._start_box()

    def _start(self, arguments: list[str]) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        log = (self._folder / "children.log").open("a")
        child = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        log.close()
        return child

    def _start_server(self) -> subprocess.Popen[str]:
        address = f"tcp://127.0.0.1:{self._port}"
        keys = str(self._folder / "server-keys")
        return self._start(["-m", "tests.delivery.server_child", self._store_url, keys, address])

    def _start_box(self) -> subprocess.Popen[str]:
        return self._start(["-m", "hailong", "edge", "run", "--config", str(self.config), "--json", "--flush-s", "60"])

    def wait_until_ready(self) -> None:
        for child in (self.server, self.box):
            assert child.stdout is not None
            if not hasattr(child, "is_ready"):
                line = child.stdout.readline()
                assert "ready" in line, (self._folder / "children.log").read_text()
                child.is_ready = True  # type: ignore[attr-defined]
                if child is self.box:
                    self.tablet = json.loads(line)["tablet"]

    def rate(self) -> bool:
        """A citizen rates on the tablet; whether the page said thanks."""
        self.attempts += 1
        try:
            with httpx.Client(base_url=self.tablet, follow_redirects=True, timeout=5.0) as client:
                token = re.search(r'name="page_token" value="([^"]+)"', client.get("/").text)
                assert token is not None
                page = client.post("/begin", data={"page_token": token[1]})
                page = client.post(f"{page.url}/answer", data={"slot": "0", "value": "5"})
        except httpx.HTTPError:
            return False
        self.thanked += page.url.path == "/thanks"
        return page.url.path == "/thanks"

    def kill(self, victim: str) -> None:
        if victim in ("box", "both"):
            _kill(self.box)
            self.box = self._start_box()
        if victim in ("server", "both"):
            _kill(self.server)
            self.server = self._start_server()

    def finish(self) -> dict[str, int]:
        """End in peace: the box closes what runs and sends it."""
        self.wait_until_ready()
        self.box.send_signal(signal.SIGTERM)
        assert self.box.stdout is not None
        totals: dict[str, int] = json.loads(self.box.stdout.read().splitlines()[-1])
        assert self.box.wait(30) == 0
        self.server.terminate()
        assert self.server.wait(30) == 0
        return totals

    def close(self) -> None:
        for child in (self.box, self.server):
            if child.poll() is None:
                child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()

    def charged(self) -> list[tuple[str, int, int]]:
        """Everything whose noise was drawn, by the box's ledger."""
        names = {int(kind.on_disk): kind.name for kind in KINDS}
        ledger = sqlite3.connect(self._folder / "data" / "release.sqlite3")
        rows = ledger.execute("SELECT evidence, period, number FROM charge").fetchall()
        ledger.close()
        return sorted((names[int(kind)], int(period), int(index)) for kind, period, index in rows)


def _kill(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


@pytest.fixture
def pair(tmp_path: Path, store: Engine, place: Place, server_keys: KeyPair) -> Iterator[Pair]:
    found = Pair(tmp_path, store, place, server_keys)
    yield found
    found.close()


def kill_many(pair: Pair, store: Engine, place: Place, kills: int) -> None:
    seed = int(os.environ.get("HAILONG_KILL_SEED", random.SystemRandom().randrange(2**32)))
    rng = random.Random(seed)
    print(f"seed {seed}")
    victims = {"box": 0, "server": 0, "both": 0}
    begun_s = time.monotonic()
    for _ in range(kills):
        if rng.random() < 0.7:  # else it is killed while it starts
            pair.wait_until_ready()
            pair.rate()
        time.sleep(rng.uniform(0.0, 1.5))
        victim = rng.choice(("box", "server", "both"))
        victims[victim] += 1
        pair.kill(victim)
    time.sleep(2.0)
    totals = pair.finish()
    with read(store) as connection:
        rows = connection.execute(select(releases.c.kind, releases.c.period_kind, releases.c.period_index)).all()
        rated = int(connection.execute(select(func.count()).select_from(ratings)).scalar_one())
        numbers = list(connection.execute(select(deliveries.c.sequence).order_by(deliveries.c.sequence)).scalars())
    stored = sorted((row.kind, row.period_kind, row.period_index) for row in rows)
    print(
        f"{kills} kills ({victims}) in {time.monotonic() - begun_s:.0f} s: {len(pair.charged())} periods closed,"
        f" {len(stored)} stored, {len(set(stored))} different; {len(numbers)} messages stored;"
        f" {pair.thanked} of {pair.attempts} ratings thanked for, {rated} stored; box: {totals}"
    )
    assert stored == pair.charged()
    assert len(stored) == len(set(stored))
    assert numbers == list(range(1, totals["put"] + 1))
    assert boxes.gaps(store, place.province_id) == []
    assert totals["waiting"] == totals["refused"] == 0
    assert len(stored) > 3
    assert pair.thanked <= rated <= pair.attempts
    assert pair.thanked > 0


@pytest.mark.slow
def test_ten_kills(pair: Pair, store: Engine, place: Place) -> None:
    kill_many(pair, store, place, 10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(pair: Pair, store: Engine, place: Place) -> None:
    kill_many(pair, store, place, 200)
