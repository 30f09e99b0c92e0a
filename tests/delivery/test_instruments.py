"""A province's own instrument reaches its boxes signed, and ratings under it are stored."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, select

from edge.delivery.instruments import Instruments
from edge.delivery.outbox import Outbox
from pipeline import wire
from pipeline.errors import ConfigError
from pipeline.instruments.signed import sign_file
from pipeline.keys import KeyPair, new_keys
from server.boxes.ingest import Ingest
from server.store.engine import read
from server.store.tables.ratings import ratings
from tests.delivery.conftest import LOCAL, EnrolBox, Place, make_sender, wait_for

SHIPPED = resources.files("pipeline.instruments").joinpath("2640.toml").read_text("utf-8")


def own(version: int = 1, wire_code: int = 900) -> bytes:
    text = SHIPPED.replace('code = "2640"', 'code = "tinh-rieng"', 1).replace("version = 1", f"version = {version}", 1)
    return text.replace("wire_code = 201", f"wire_code = {wire_code}", 1).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "server-instruments"
    found.mkdir()
    (found / "tinh-rieng.toml").write_bytes(own())
    (found / "broken.toml").write_text("this is no instrument")
    return found


@pytest.fixture
def door(store: Engine, place: Place, server_keys: KeyPair, folder: Path) -> Iterator[Ingest]:
    ingest = Ingest(store, server_keys, LOCAL, instruments=folder)
    ingest.start()
    yield ingest
    ingest.stop()


def test_a_box_takes_it_and_its_ratings_are_stored(
    door: Ingest, store: Engine, server_keys: KeyPair, enrol_box: EnrolBox, outbox: Outbox, tmp_path: Path
) -> None:
    box = enrol_box()
    instruments = Instruments(tmp_path / "box", server_keys.signing_public)
    with pytest.raises(ConfigError):
        instruments.load("tinh-rieng")
    sender = make_sender(door.endpoint, server_keys.curve_public, box, outbox, on_file=instruments.take)
    sender.start()
    assert wait_for(lambda: instruments.tallies.forwarded == 1)
    assert instruments.load("tinh-rieng").wire_code == 900
    assert instruments.load("2640").wire_code == 201
    outbox.add_sheet(wire.RatingRow(900, 0, (4,) + (0,) * 31, 0, 0), day=2_500)
    outbox.make_batches(2_500)
    assert wait_for(lambda: outbox.totals()["waiting"] == 0)
    sender.stop()
    with read(store) as connection:
        assert list(connection.execute(select(ratings.c.instrument)).scalars()) == ["tinh-rieng"]


def test_what_a_box_does_not_take(server_keys: KeyPair, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(server_keys.signing_secret)
    stranger = Ed25519PrivateKey.from_private_bytes(new_keys("server").signing_secret)
    instruments = Instruments(tmp_path / "box", server_keys.signing_public)
    assert instruments.take(sign_file("tinh-rieng.toml", own(version=2), key))
    assert not instruments.take(sign_file("tinh-rieng.toml", own(version=2), key))  # known
    assert not instruments.take(sign_file("tinh-rieng.toml", own(version=3), stranger))
    assert not instruments.take(sign_file("tinh-rieng.toml", own(version=1), key))  # older
    assert not instruments.take(sign_file("2640.toml", own(), key))  # a shipped one's name
    assert not instruments.take(
        sign_file("clash.toml", own(version=9, wire_code=201), key)
    )  # a shipped one's wire code
    altered = sign_file("other.toml", own(version=4, wire_code=901), key)
    spoilt = wire.SignedFile(altered.name, altered.content + b"\n", altered.signature)
    assert not instruments.take(spoilt)
    assert instruments.tallies.dropped == {"refused": 5}
    assert instruments.load("tinh-rieng").version == 2
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["tinh-rieng.toml"]
