"""Figures for monitoring: what they say, and that no visit and no rating moves them."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from pipeline import wire
from pipeline.errors import ConfigError
from pipeline.keys import new_keys, save_keys
from server.core.config import make_config
from server.metrics import serve_figures
from server.service import Service
from server.store.engine import write
from server.store.tables.boxes import boxes
from tests.delivery.conftest import Place, RawClient, enrol_directly, heartbeat, make_place, pulse_builder, wait_for


@pytest.fixture
def place(store: Engine) -> Place:
    return make_place(store)


@pytest.fixture
def service(store: Engine, place: Place, tmp_path: Path) -> Iterator[Service]:
    keys = new_keys("server")
    save_keys(keys, tmp_path / "keys")
    local = {"address": "tcp://127.0.0.1:*", "enrol_address": "tcp://127.0.0.1:*"}
    config = make_config({"data_dir": tmp_path, "web": {"port": 0}, "ingest": local, "metrics": {"port": 0}}, "test")
    with Service(store, config) as running:
        yield running


def figures(service: Service) -> dict[str, float]:
    text = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(service.metrics_address).read().decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_what_the_figures_say(service: Service, store: Engine, place: Place) -> None:
    box = enrol_directly(store, place, "quầy 1")
    silent = enrol_directly(store, place, "quầy 2")
    with write(store) as connection:
        connection.execute(update(boxes).where(boxes.c.id == silent.box_id).values(clerks=2))
    public = service._keys.curve_public
    known = RawClient(service.ingest.endpoint, public, box.keys)
    assert known.ask(heartbeat(1)) == wire.Ack(epoch=1, sequence=0)
    before = figures(service)
    assert before["hailong_store_up"] == 1
    assert before['hailong_boxes{heard="yes"}'] == 1
    assert before['hailong_boxes{heard="no"}'] == 1

    known.send(wire.encode(pulse_builder(1)(1, 1, 7)))
    assert known.reply() == wire.Ack(epoch=1, sequence=1)
    moved = {name for name, value in figures(service).items() if value != before.get(name)}
    assert moved == set(), "a release moves nothing"

    stranger = RawClient(service.ingest.endpoint, public, new_keys("box"))
    assert wait_for(lambda: sum(service.ingest.turned_away().values()) > 0)
    known.send(b"nonsense")
    assert known.reply() is not None
    after = figures(service)
    assert after['hailong_messages_dropped_total{reason="MALFORMED"}'] == 1
    assert sum(value for name, value in after.items() if name.startswith("hailong_handshakes_turned_away")) >= 1
    for client in (known, stranger):
        client.close()


def test_a_port_that_is_taken(service: Service, store: Engine) -> None:
    port = int(service.metrics_address.split(":")[2].split("/")[0])
    with pytest.raises(ConfigError, match="cannot be opened"):
        serve_figures(port, store, service.ingest)
