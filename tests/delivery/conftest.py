"""A server's door with real sockets, real keys and a real store, and boxes that are enrolled at it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq
from sqlalchemy import Engine, func, select

from edge.delivery.outbox import Outbox
from edge.delivery.sender import Sender, SenderSettings
from pipeline import wire
from pipeline.enrolment import Enrol, parse_code
from pipeline.framing import REPLY_BYTES, pad, unpad
from pipeline.keys import KeyPair, new_keys
from pipeline.language import Text
from server.boxes import registry as boxes
from server.boxes.ingest import Ingest, IngestSettings
from server.core.provinces import make_province
from server.store.engine import insert_row, read, write
from server.store.tables.agencies import agencies, levels
from server.store.tables.releases import deliveries, releases

LOCAL = IngestSettings(address="tcp://127.0.0.1:*", enrol_address="tcp://127.0.0.1:*")


@dataclass(frozen=True)
class Place:
    """A province and an agency of it."""

    province_id: int
    agency_id: int


def make_place(store: Engine, code: str = "tq") -> Place:
    with write(store) as connection:
        province = make_province(connection, code, Text.named(vi="Tuyên Quang"))
        level = connection.execute(select(levels.c.id).where(levels.c.province_id == province.province_id)).scalars()
        agency = insert_row(
            connection,
            agencies,
            {
                "province_id": province.province_id,
                "code": "so-tu-phap",
                "name": Text.named(vi="Sở Tư pháp", en="Department of Justice"),
                "level_id": next(iter(level)),
            },
        )
    return Place(province.province_id, agency)


@dataclass(frozen=True)
class EnrolledBox:
    box_id: int
    epoch: int
    keys: KeyPair


@pytest.fixture
def place(store: Engine) -> Place:
    return make_place(store)


@pytest.fixture
def server_keys() -> KeyPair:
    return new_keys("server")


@pytest.fixture
def ingest(store: Engine, place: Place, server_keys: KeyPair) -> Iterator[Ingest]:
    door = Ingest(store, server_keys, LOCAL)
    door.start()
    yield door
    door.stop()


EnrolBox = Callable[..., EnrolledBox]


def enrol_directly(store: Engine, place: Place, label: str, demo: bool = False) -> EnrolledBox:
    box_id = boxes.new_box(store, place.province_id, place.agency_id, label, demo=demo)
    code = boxes.issue_code(store, place.province_id, box_id, time.time())
    keys = new_keys("box")
    box = boxes.enrol(store, Enrol(1, parse_code(code), 0, keys.signing_public), keys.curve_public_z85, time.time())
    assert box is not None
    return EnrolledBox(box_id, box.epoch, keys)


@pytest.fixture
def enrol_box(store: Engine, place: Place) -> EnrolBox:
    def enrol(label: str = "quầy 1", demo: bool = False) -> EnrolledBox:
        return enrol_directly(store, place, label, demo)

    return enrol


def heartbeat(epoch: int) -> wire.Heartbeat:
    return wire.Heartbeat(
        version=1,
        epoch=epoch,
        sequence=0,
        nonce=secrets.randbits(64),
        state=wire.BoxState.OK,
        software=(0, 1, 0),
        provider=0,
    )


def pulse_builder(
    index: int, counts: tuple[int, int, int, int] = (1, 2, 3, 4)
) -> Callable[[int, int, int], wire.Message]:
    def build(epoch: int, sequence: int, nonce: int) -> wire.Message:
        return wire.Pulse(
            version=1,
            epoch=epoch,
            sequence=sequence,
            nonce=nonce,
            period=wire.PeriodKind.HOUR,
            index=index,
            epsilon_milli=500,
            counts=counts,
        )

    return build


def make_sender(
    endpoint: str, server_public: bytes, box: EnrolledBox, outbox: Outbox, interval_s: float = 0.2, **more: Any
) -> Sender:
    settings = SenderSettings(endpoint, server_public, interval_s, slots=8, record=more.pop("record", None))
    return Sender(settings, box.keys, outbox, lambda: heartbeat(outbox.epoch), **more)


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def stored_pulses(store: Engine) -> list[tuple[int, int]]:
    """(box id, period index) of every stored release, in order."""
    with read(store) as connection:
        rows = connection.execute(select(releases.c.box_id, releases.c.period_index)).all()
    return sorted((row.box_id, row.period_index) for row in rows)


def count_deliveries(store: Engine) -> int:
    with read(store) as connection:
        return int(connection.execute(select(func.count()).select_from(deliveries)).scalar_one())


class RawClient:
    """A DEALER that can be made to misbehave."""

    def __init__(self, endpoint: str, server_public: bytes, keys: KeyPair) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = server_public
        self.socket.curve_publickey = keys.curve_public
        self.socket.curve_secretkey = keys.curve_secret
        self.socket.setsockopt(zmq.SNDTIMEO, 5_000)
        self.socket.connect(endpoint)

    def send(self, payload: bytes) -> None:
        self.socket.send(pad(payload))

    def send_frames(self, frames: list[bytes]) -> None:
        self.socket.send_multipart(frames)

    def reply(self, timeout_s: float = 20.0) -> wire.Reply | None:
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        return wire.decode_reply(unpad(self.socket.recv(), REPLY_BYTES))

    def ask(self, message: wire.Message) -> wire.Reply | None:
        self.send(wire.encode(message))
        return self.reply()

    def close(self) -> None:
        self.socket.close()
        self._context.term()


@pytest.fixture
def raw_client(ingest: Ingest, server_keys: KeyPair) -> Iterator[Callable[[KeyPair], RawClient]]:
    clients: list[RawClient] = []

    def make(keys: KeyPair) -> RawClient:
        ingest.registry.refresh()  # a box that is not yet in the list would be asked to come again, 5 s later
        clients.append(RawClient(ingest.endpoint, server_keys.curve_public, keys))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite3", epoch=1)
    yield box
    box.close()
