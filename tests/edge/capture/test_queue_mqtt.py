"""Calls by a real broker (Mosquitto): accounts, TLS, kept, repeated and giant messages, a restart."""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.capture.queue_calls import BURST_OF_A_COUNTER
from edge.capture.queue_messages import MAX_MESSAGE_BYTES
from edge.capture.queue_reader import QueueReader, make_source
from edge.queue_section import QueueMqttSection
from pipeline.errors import ConfigError, SourceError
from tests.delivery.conftest import wait_for
from tests.edge.capture.mosquitto import ACCOUNTS, PASSWORD, Broker, program
from tests.edge.capture.queue_world import Hall

pytest.importorskip("paho.mqtt.client", reason="NOT RUN: MQTT needs hailong[edge-queue]: pip install paho-mqtt")
if program("mosquitto") is None:
    pytest.skip("NOT RUN: MQTT needs a real broker: apt install mosquitto", allow_module_level=True)

TICKET, NAME = "B-0975", "Nguyễn Thị Hạnh"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def hall() -> Hall:
    return Hall("A1", "B2")


def section(broker: Broker, **more: object) -> QueueMqttSection:
    secret = broker.folder / "password"
    if not secret.exists():
        secret.touch(0o600)
        secret.write_text(PASSWORD + "\n", "utf-8")
    given = {
        "address": f"mqtt://127.0.0.1:{broker.port}",
        "user": "box",
        "password_file": secret,
        "start_topic": "hall/calls",
        "counter": "counter",
        "event_id": "id",
        **more,
    }
    return QueueMqttSection.model_validate(given)


class Reading:
    """A reader at work."""

    def __init__(self, given: QueueMqttSection, hall: Hall) -> None:
        self.failed: list[bool] = []
        self.reader = QueueReader(make_source(given, hall.calls), hall.calls, self.failed.append, first_pause_s=0.05)

    def __enter__(self) -> Reading:
        self.reader.start()
        assert wait_for(lambda: self.reader.is_heard, 60), self.reader.problem
        return self

    def __exit__(self, *_: object) -> None:
        assert self.reader.stop(60)


class Sender:
    """The queue system: publishes at least once, and waits for the receipt."""

    def __init__(self, broker: Broker, user: str = "queue") -> None:
        client = importlib.import_module("paho.mqtt.client")
        self._client: Any = client.Client(client.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(user, ACCOUNTS[user])
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def say(self, retain: bool = False, topic: str = "hall/calls", **members: object) -> None:
        """One call, with all that the queue system knows of it."""
        text = json.dumps({"ticket": TICKET, "name": NAME, **members}, ensure_ascii=False)
        self._client.publish(topic, text.encode(), qos=1, retain=retain).wait_for_publish(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def sender(broker: Broker) -> Iterator[Sender]:
    with closing(Sender(broker)) as found:
        yield found


def test_a_call_comes_through_and_nothing_else_of_it(
    broker: Broker, sender: Sender, hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    sender.say(retain=True, counter="A1", id=1)  # kept by the broker before the box comes
    with caplog.at_level(logging.DEBUG), Reading(section(broker, end_topic="hall/ends"), hall):
        sender.say(counter="A1", id=2)
        sender.say(retain=True, counter="B2", id=3)  # a call of now, which the broker also keeps
        sender.say(counter="C9", id=4)
        sender.say(topic="hall/ends", counter="A1", id=5)
        assert wait_for(lambda: hall.told("A1") == [0, "end"], 60)
    assert hall.told("B2") == [0]
    assert hall.dropped == {"queue_counter": 1}
    assert TICKET not in caplog.text
    assert NAME not in caplog.text


def test_a_box_that_begins_anew_is_told_no_kept_call(broker: Broker, sender: Sender, hall: Hall) -> None:
    sender.say(retain=True, counter="A1", id=1)
    for number in (2, 3):
        with Reading(section(broker), hall):
            sender.say(counter="B2", id=number)
            assert wait_for(lambda number=number: len(hall.told("B2")) == number - 1, 60)  # type: ignore[misc]
    assert hall.told("A1") == []


def test_a_broker_that_comes_back_is_found_and_replays_nothing(broker: Broker, hall: Hall) -> None:
    with Reading(section(broker), hall) as reading:
        broker.stop()
        assert wait_for(lambda: reading.failed == [True], 60)
        assert "does not answer" in reading.reader.problem
        assert not reading.reader.is_heard
        broker.start()
        with closing(Sender(broker)) as sender:
            sender.say(retain=True, counter="A1", id=1)
            assert wait_for(lambda: reading.failed == [True, False], 60)
            assert (reading.reader.is_heard, reading.reader.problem) == (True, "")
            sender.say(counter="B2", id=2)
            assert wait_for(lambda: hall.told("B2") == [0], 60)


def test_what_is_sent_while_the_box_is_away_waits_for_nobody(broker: Broker, sender: Sender, hall: Hall) -> None:
    with Reading(section(broker), hall):
        pass
    sender.say(counter="A1", id=1)
    with Reading(section(broker), hall):
        sender.say(counter="B2", id=2)
        assert wait_for(lambda: hall.told("B2") == [0], 60)
    assert hall.told("A1") == []


def test_a_giant_message_never_reaches_the_box(broker: Broker, sender: Sender, hall: Hall) -> None:
    with Reading(section(broker), hall) as reading:
        sender.say(counter="A1", id=1, picture="x" * 1_000_000)
        sender.say(counter="A1", id=2, picture="x" * MAX_MESSAGE_BYTES)
        sender.say(counter="B2", id=3)
        assert wait_for(lambda: hall.told("B2") == [0], 60)
        assert reading.failed == []
    assert (hall.told("A1"), hall.dropped) == ([], {})


def test_a_flood_is_bounded_and_the_next_call_comes(broker: Broker, sender: Sender, hall: Hall) -> None:
    with Reading(section(broker), hall) as reading:
        for number in range(300):
            sender.say(counter="A1", id=number)
        sender.say(counter="B2", id="last")
        assert wait_for(lambda: hall.told("B2") == [0], 60)
        assert reading.failed == []
    assert len(hall.told("A1")) == BURST_OF_A_COUNTER
    assert hall.dropped == {"queue_flood": 300 - BURST_OF_A_COUNTER}


def test_a_message_that_its_sender_sends_again_begins_one_visit(broker: Broker, sender: Sender, hall: Hall) -> None:
    """Sent with the mark of a repetition, as after a lost receipt; the broker hands both on, as two messages."""
    with Reading(section(broker), hall):
        payload = json.dumps({"counter": "A1", "id": 7}).encode()
        with closing(_raw_connection(broker)) as raw:
            for flags in (0x32, 0x3A):  # QoS 1; QoS 1 and DUP
                raw.sendall(_packet(flags, _text(b"hall/calls") + struct.pack("!H", 1) + payload))
                assert raw.recv(4) == b"\x40\x02\x00\x01", "the receipt"
        sender.say(counter="B2", id=8)
        assert wait_for(lambda: hall.told("B2") == [0], 60)
    assert (hall.told("A1"), hall.dropped) == ([0], {"queue_duplicate": 1})


def _raw_connection(broker: Broker) -> socket.socket:
    """A publisher that speaks MQTT 3.1.1 by hand, to send what a library would not."""
    raw = socket.create_connection(("127.0.0.1", broker.port), timeout=60)
    user, password = b"queue", ACCOUNTS["queue"].encode()
    raw.sendall(_packet(0x10, _text(b"MQTT") + b"\x04\xc2\x00\x3c" + _text(b"hand") + _text(user) + _text(password)))
    assert raw.recv(4) == b"\x20\x02\x00\x00"
    return raw


def _text(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"user": "", "password_file": None}, "refuses the box"),
        ({"user": "queue"}, "refuses the box"),
        ({"address": "mqtt://127.0.0.1:1"}, "does not answer on port 1"),
    ],
)
def test_who_is_not_let_in_is_told(settings: dict[str, object], said: str, broker: Broker, hall: Hall) -> None:
    with (
        closing(make_source(section(broker, **settings), hall.calls)) as source,
        pytest.raises(SourceError, match=said),
    ):
        source.open()


def test_what_the_account_may_not_read_brings_no_call(broker: Broker, hall: Hall) -> None:
    """Mosquitto grants such a subscription and hands nothing on; a broker that refuses it is believed."""
    with Reading(section(broker, start_topic="else/calls"), hall):
        pass
    source = make_source(section(broker), hall.calls)
    subscribed: Callable[..., None] = source._subscribed  # type: ignore[attr-defined]
    refusal = [SimpleNamespace(value=135)]
    source._subscribed = lambda *told: subscribed(*told[:3], refusal, None)  # type: ignore[attr-defined]
    with closing(source), pytest.raises(SourceError, match="does not let the box read hall/calls"):
        source.open()


def _certificate(folder: Path, name: str, host: str) -> tuple[Path, Path]:
    """Signed by itself, for one host."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return paths


def test_with_encryption_the_brokers_certificate_is_checked(tmp_path: Path, hall: Hall) -> None:
    own, other = _certificate(tmp_path, "own", "127.0.0.1"), _certificate(tmp_path, "other", "broker.example.vn")
    broker = Broker(tmp_path, own)
    broker.start()
    try:
        address = f"mqtts://127.0.0.1:{broker.port}"
        with Reading(section(broker, address=address, ca_file=own[0]), hall):
            pass
        for trusted in (None, other[0]):
            source = make_source(section(broker, address=address, ca_file=trusted), hall.calls)
            with closing(source), pytest.raises(SourceError, match="cannot be trusted"):
                source.open()
        source = make_source(section(broker, address=address, ca_file=tmp_path / "none.pem"), hall.calls)
        with closing(source), pytest.raises(SourceError, match="cannot be read"):
            source.open()
        source = make_source(section(broker), hall.calls)  # without encryption, at its port
        with closing(source), pytest.raises(SourceError, match="does not answer"):
            source.open()
    finally:
        broker.stop()
    broker = Broker(tmp_path, other)  # its certificate is trusted, but is another host's
    broker.start()
    try:
        source = make_source(section(broker, address=f"mqtts://127.0.0.1:{broker.port}", ca_file=other[0]), hall.calls)
        with closing(source), pytest.raises(SourceError, match="cannot be trusted"):
            source.open()
    finally:
        broker.stop()


def test_garbage_from_a_broker_is_an_answer_that_does_not_come(broker: Broker, hall: Hall) -> None:
    """Whatever else listens there: each of these is a failure in words, never one of the library's."""
    answers = itertools.cycle([b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b"\x20\x03\x00\x00\x7f", b""])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        address = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
        for _ in range(4):
            source = make_source(section(broker, address=address), hall.calls)
            with closing(source), pytest.raises(SourceError):
                _answered(listener, next(answers), source.open)


@pytest.mark.parametrize(
    "packet",
    [
        b"\x30\xff\xff\xff\x7f",  # 256 MiB, and then nothing of it
        b"\x34\x11\x00\x0ahall/calls\x00\x01\x00{}",  # to be confirmed twice: kept until then
    ],
)
def test_a_broker_that_sends_what_it_was_asked_not_to_is_left(packet: bytes, broker: Broker, hall: Hall) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        address = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
        source = make_source(section(broker, address=address), hall.calls)
        greeting = b"\x20\x03\x00\x00\x00"
        granted = b"\x90\x04\x00\x01\x00\x01"
        speaker = Thread(target=_say, args=(listener, greeting, granted + packet))
        speaker.start()
        with closing(source):
            source.open()
            with pytest.raises(SourceError, match="does not answer"):
                any(source.read() for _ in range(8))
        speaker.join(60)


def _say(listener: socket.socket, *answers: bytes) -> None:
    connection, _ = listener.accept()
    connection.settimeout(60)
    with connection, suppress(OSError):
        for answer in answers:
            connection.recv(1_024)
            connection.sendall(answer)
        while connection.recv(1_024):
            pass


def _answered(listener: socket.socket, answer: bytes, what: Callable[[], None]) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1_024)
            connection.sendall(answer)

    thread = Thread(target=serve)
    thread.start()
    try:
        what()
    finally:
        thread.join(60)


def test_without_the_package_the_box_says_which(broker: Broker, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("edge.capture.queue_mqtt.importlib.import_module", gone)
    with pytest.raises(ConfigError, match="edge-queue"):
        make_source(section(broker), hall.calls)
