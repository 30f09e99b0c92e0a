"""A box that asks the queue system for calls itself: its configuration, its check, its counters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from edge.box import Box
from edge.capture.queue_calls import ODDITIES
from edge.capture.queue_reader import read_password
from edge.commands.check import check
from edge.commands.check_queue import check_queue
from edge.config import EdgeConfig, load_config
from edge.config_text import config_text
from edge.deploy.unit import Needs, allowed_addresses
from edge.hall_page import hall_state
from edge.queue_section import QueueMqttSection
from pipeline.errors import ConfigError, KeyFileError
from tests.delivery.conftest import wait_for
from tests.edge.test_config import GOOD, write
from tests.edge.test_hall_box import HALL, enrolled, rate

MQTT = '[queue.mqtt]\naddress = "mqtts://192.0.2.9"\nstart_topic = "hall/calls"\n'
VIEW = '[queue.view]\ndatabase = "postgresql://hailong@192.0.2.8/queue"\nca_file = "ca.pem"\n'
VIEW += 'view = "calls"\nnumber = "id"\n'
ON = "[queue]\nenabled = true\n"


def read(folder: Path, queue: str) -> EdgeConfig:
    return load_config(write(folder, f"{GOOD}\n{queue}"))


def test_each_way_is_enough_and_two_are_too_many(tmp_path: Path) -> None:
    for way in (MQTT, VIEW):
        assert read(tmp_path, ON + way).queue.reached is not None
        assert read(tmp_path, "[queue]\n" + way).queue.reached is None, "not enabled"
    assert read(tmp_path, ON + 'token_file = "t"\n').queue.reached is None
    for two in (ON + MQTT + VIEW, ON + 'token_file = "t"\n' + MQTT):
        with pytest.raises(ConfigError, match="one way is enough"):
            read(tmp_path, two)
    with pytest.raises(ConfigError, match=r"token_file is needed where enabled = true, or \[queue.mqtt\]"):
        read(tmp_path, ON)


@pytest.mark.parametrize(
    ("way", "old", "new", "said"),
    [
        (MQTT, "mqtts://192.0.2.9", "mqtt://192.0.2.9", "network_closed"),
        (MQTT, "mqtts://192.0.2.9", "mqtts://box:secret@192.0.2.9", "password_file"),
        (MQTT, "mqtts://192.0.2.9", "mqtts://192.0.2.9/path", "mqtts://host:port"),
        (MQTT, "mqtts://192.0.2.9", "mqtts://192.0.2.9:99999", "mqtts://host:port"),
        (MQTT, "mqtts://192.0.2.9", "wss://192.0.2.9", "mqtts://host:port"),
        (MQTT, "hall/calls", "hall/#", "a topic is written out"),
        (MQTT, "hall/calls", "+/+", "a topic is written out"),
        (MQTT, "hall/calls", "hall/A+", "a topic is written out"),
        (MQTT, '"hall/calls"', '"hall/calls"\nend_topic = "hall/calls"', "told apart by event"),
        (MQTT, '"hall/calls"', '"hall/calls"\nends = ["start"]', "stands in starts and in ends"),
        (MQTT, '"hall/calls"', '"hall/calls"\ncounter = "a..b"', "counter"),
        (MQTT, '"hall/calls"', '"hall/calls"\nticket = "so"', "'queue.mqtt.ticket' is not known"),
        (VIEW, 'ca_file = "ca.pem"\n', "", "network_closed"),
        (VIEW, "hailong@", "hailong:secret@", "password_file"),
        (VIEW, "/queue", "", "postgresql://user@host:port/name"),
        (VIEW, "/queue", "/queue?options=-c%20role=postgres", "postgresql://user@host:port/name"),
        (VIEW, "postgresql:", "mysql:", "postgresql://user@host:port/name"),
        (VIEW, 'number = "id"', 'number = "id\\" FROM tickets --"', "number"),
        (VIEW, 'view = "calls"', 'view = "calls; DROP VIEW calls"', "view"),
        (VIEW, 'number = "id"', 'number = "id"\ncounter = "data.quay"', "a column's name"),
        (VIEW, 'number = "id"', 'number = "id"\nevery_s = 60', "every_s"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_repeated(way: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in way
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, ON + way.replace(old, new))
    assert said in caught.value.message
    assert "secret" not in str(caught.value)


def test_a_closed_network_and_this_machine_need_no_encryption(tmp_path: Path) -> None:
    plain = MQTT.replace("mqtts", "mqtt")
    assert isinstance(read(tmp_path, f"{ON}{plain}network_closed = true\n").queue.reached, QueueMqttSection)
    read(tmp_path, ON + plain.replace("192.0.2.9", "127.0.0.1"))
    read(tmp_path, ON + plain.replace("192.0.2.9", "localhost"))
    read(tmp_path, ON + VIEW.replace("192.0.2.8", "[::1]").replace('ca_file = "ca.pem"\n', ""))


def test_ports_and_paths(tmp_path: Path) -> None:
    mqtt = read(tmp_path, f'{ON}{MQTT}password_file = "p"\n').queue.mqtt
    assert mqtt is not None
    assert (mqtt.host, mqtt.port, mqtt.encrypted, mqtt.password_file) == ("192.0.2.9", 8883, True, tmp_path / "p")
    view = read(tmp_path, ON + VIEW.replace("postgresql://hailong@192.0.2.8/queue", "sqlite:///queue.db")).queue.view
    assert view is not None
    assert (view.file, view.ca_file, view.host) == (tmp_path / "queue.db", tmp_path / "ca.pem", "")


def test_what_the_assistant_writes_reads_the_same(tmp_path: Path) -> None:
    values = {"queue": {"enabled": True, "mqtt": {"address": "mqtts://h", "start_topic": "a/+", "starts": ["GỌI"]}}}
    assert "[queue.mqtt]" in config_text(values)


@pytest.mark.parametrize(("way", "host"), [(MQTT, "192.0.2.9"), (VIEW, "192.0.2.8")])
def test_the_unit_lets_the_box_reach_it(way: str, host: str, tmp_path: Path) -> None:
    good = GOOD.replace("score.example", "192.0.2.1")
    config, without = (load_config(write(tmp_path, f"{good}\n{queue}")) for queue in (ON + way, ""))
    assert allowed_addresses(Needs.of(config)) == sorted(["192.0.2.1", host])
    assert Needs.of(config).digest() != Needs.of(without).digest()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0o600, "cannot be read"),
        (b"secret", 0o640, "can be read by others"),
        (b"\n", 0o600, "empty"),
        (b"x" * 2_000, 0o600, "far too long"),
        (b"\xff", 0o600, "cannot be read"),
    ],
)
def test_a_password_that_cannot_be_used(content: bytes | None, mode: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(KeyFileError, match=said):
        read_password(path)
    config = read(tmp_path, f'{ON}{MQTT}password_file = "password"\n')
    with pytest.raises(KeyFileError, match=said):
        check_queue(config)


def test_a_password_keeps_its_spaces(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(" mật khẩu \n", "utf-8")
    assert read_password(path) == " mật khẩu "
    assert read_password(None) is None


class QueueSystem:
    """A data base with a view of calls."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue.sqlite3"
        self.run("CREATE TABLE tickets (id integer, quay text, kind integer, citizen text)")
        self.run("CREATE VIEW calls AS SELECT id, quay, kind FROM tickets")
        self.number = 0

    def run(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as base:
            base.execute(statement, values)

    def call(self, counter: str) -> None:
        self.number += 1
        self.run("INSERT INTO tickets VALUES (?, ?, 7, 'Nguyễn Thị Hạnh')", self.number, counter)


BY_VIEW = HALL.replace(
    'token_file = "queue.token"\n',
    '[queue.view]\ndatabase = "sqlite:///queue.sqlite3"\nview = "calls"\nnumber = "id"\ncounter = "quay"\n'
    'service_group = "kind"\nevery_s = 0.2\n',
)


@pytest.fixture
def system(tmp_path: Path) -> QueueSystem:
    return QueueSystem(tmp_path)


@pytest.fixture
def box(tmp_path: Path, system: QueueSystem) -> Iterator[Box]:
    found = Box.open(enrolled(tmp_path, BY_VIEW))
    found.start()
    yield found
    found.stop(for_good=False)


def test_a_call_begins_a_visit_at_its_counter(box: Box, system: QueueSystem) -> None:
    reader = box.queue_reader
    assert reader is not None
    assert box.events is None
    assert wait_for(lambda: reader.is_heard, 60)
    system.call("A1")
    assert wait_for(lambda: box.counters["1"]._visit == 1, 60)
    assert wait_for(lambda: box.counters["1"]._service_group == 7, 60)
    assert box.counters["2"]._visit == 0


def test_while_the_queue_system_is_away_the_next_citizen_may_rate(
    box: Box, system: QueueSystem, tmp_path: Path
) -> None:
    """One rating for one call, as long as calls are heard; then whoever comes may."""
    reader = box.queue_reader
    assert reader is not None
    assert wait_for(lambda: reader.is_heard, 60)
    system.call("A1")
    assert wait_for(lambda: box.counters["1"]._visit == 1, 60)
    with httpx.Client(base_url=f"http://127.0.0.1:{box.tablet.port}", follow_redirects=True, timeout=120) as client:
        assert rate(client, "/quay/1").url.path == "/quay/1/thanks"
        page = client.get("/quay/1/").text
        token = page.partition('name="page_token" value="')[2].partition('"')[0]
        assert client.post("/quay/1/begin", data={"page_token": token}).url.path == "/quay/1/already"
        system.run("DROP VIEW calls")
        assert wait_for(lambda: bool(box.health.failing), 60)
        assert rate(client, "/quay/1").url.path == "/quay/1/thanks"
    assert "no view calls" in str(box.status()["problem"])
    assert "no view calls" in hall_state(box).problem


def test_what_is_odd_is_on_the_technician_s_page_alone(
    box: Box, system: QueueSystem, caplog: pytest.LogCaptureFixture
) -> None:
    reader = box.queue_reader
    assert reader is not None
    assert wait_for(lambda: reader.is_heard, 60)
    system.call("Nguyễn Thị Hạnh")
    assert wait_for(lambda: bool(reader.calls.oddities), 60)
    assert hall_state(box).problem == ODDITIES["queue_counter"]
    assert ODDITIES["queue_counter"] not in str(box.status())
    assert "queue" not in caplog.text
    assert "Hạnh" not in caplog.text


def test_the_check_asks_the_queue_system_unless_it_is_offline(
    tmp_path: Path, system: QueueSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.commands.check.SERVER_WAIT_S", 0.1)
    config = enrolled(tmp_path, BY_VIEW)
    assert check_queue(config).state == "ok"
    path = tmp_path / "edge.toml"
    assert "queue system" not in {each.what for each in check(path, offline=True)}
    (found,) = [each for each in check(path) if each.what == "queue system"]
    assert (found.state, found.text) == ("ok", "the view calls can be read")
    system.run("DROP VIEW calls")
    (found,) = [each for each in check(path) if each.what == "queue system"]
    assert (found.state, "no view calls" in found.text) == ("wrong", True)
