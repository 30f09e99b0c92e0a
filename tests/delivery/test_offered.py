"""A release goes from the server's folder to a box by real sockets, and what a dishonest server, a full disk or a
broken line make of it."""

from __future__ import annotations

import json
import platform
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from sqlalchemy import Engine, select

from edge.commands import update
from edge.commands.update_offered import Tried
from edge.config import EdgeConfig, load_config
from edge.delivery import offered
from edge.delivery.enrolment import enrol, load_enrolment, own_keys
from edge.delivery.offered import Door, Store, fetch, release_id, standing
from edge.deploy import building
from edge.deploy.building import release_name
from edge.deploy.bundle import write_bundle
from edge.deploy.releases import Layout, activate, build, rely_on
from hailong.cli import main
from pipeline import wire
from pipeline.calendar import now_s
from pipeline.errors import ConfigError
from pipeline.keys import KeyPair, new_keys
from pipeline.wire import Machine, UpdateState
from server.boxes import registry as boxes
from server.boxes.bundle_files import bundle_path
from server.boxes.ingest import STANDINGS, Ingest
from server.boxes.updates import Ring, offer_release, state_ring
from server.store.engine import read, write
from server.store.tables.updates import box_standings, offers
from tests.delivery.conftest import LOCAL, Place, RawClient, enrol_directly, heartbeat, wait_for

PYTHON = f"3.{sys.version_info.minor}"


class Made(NamedTuple):
    """A bundle, and the release that it makes."""

    path: Path
    name: str
    version: str

    @property
    def number(self) -> int:
        return release_id(self.name)


class Asked:
    """Counts how often it is asked whether to go on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bool:
        self.count += 1
        return True


class World:
    """A server at work, the folder of its bundles, the release key, and one box that was installed with it."""

    def __init__(self, folder: Path, store: Engine, place: Place, door: Ingest, server_keys: KeyPair) -> None:
        self.folder, self.store, self.place = folder, store, place
        self.bundles = folder / "updates"
        self.bundles.mkdir()
        self.release_key = new_keys("server")
        self.layout = layout = Layout(folder / "root")
        layout.home.mkdir(parents=True)
        (layout.home / "trust.key").write_text(self.release_key.signing_public_z85)
        layout.config.parent.mkdir(parents=True)
        layout.config.write_text(
            f'[box]\ndata_dir = "{folder}/data"\nagency_label = "Sở Tư pháp"\nclerks_meet = true\n[camera]\n'
            f'source = "none"\n[server]\naddress = "{door.endpoint}"\nenrol_address = "{door.enrol_endpoint}"\n'
            f'public_key = "{server_keys.curve_public_z85}"\nrecord = "{folder}/data/sent.record"\n'
            '[legal]\nbasis = "consent"\n[privacy]\nclerks_per_box = 3\n',
            encoding="utf-8",
        )
        self.config: EdgeConfig = load_config(layout.config)
        self.box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 1")
        enrol(self.config, boxes.issue_code(store, place.province_id, self.box_id, now_s()))
        first = self.bundle("1.0")
        activate(layout, build(layout, first.path, self.release_key.signing_public, lambda _text: None))
        rely_on(layout, layout.current)

    def bundle(self, version: str, keys: KeyPair | None = None, size: int = 1_700_000, python: str = "") -> Made:
        """A bundle of eight pieces; the same version gives the same bytes."""
        content = self.folder / "content"
        (content / "wheels").mkdir(parents=True)
        (content / "wheels/one.whl").write_bytes(random.Random(version).randbytes(size))
        (content / "cache").mkdir()
        (content / "cache/one").write_text("x")
        path = self.folder / f"{version}.tar"
        manifest = write_bundle(content, path, version, platform.machine(), keys or self.release_key, python)
        shutil.rmtree(content)
        return Made(path, release_name(manifest), version)

    def offer(self, made: Made, number: int | None = None, ring: Ring | None = Ring.PILOT) -> None:
        """Offer a bundle; `number`: under another release's."""
        release = made.number if number is None else number
        shutil.copyfile(made.path, bundle_path(self.bundles, release))
        machine = Machine.AARCH64 if platform.machine() == "aarch64" else Machine.X86_64
        with write(self.store) as connection:
            state_ring(connection, self.place.province_id, self.box_id, Ring.PILOT)
            offer_release(
                connection, self.place.province_id, release, made.version, machine, PYTHON, made.path.stat().st_size,
                now_s(),
            )  # fmt: skip
            state_ring(connection, self.place.province_id, self.box_id, ring)

    def standing(self) -> wire.Standing:
        return standing(self.layout, load_enrolment(self.config).epoch, UpdateState.STEADY, 0)

    def fetch(self, goes_on: Callable[[], bool] = lambda: True) -> bool:
        """As `hailong edge fetch` does it."""
        mine = self.standing()
        with Door(self.config.server, own_keys(self.config), answer_s=10.0) as door:
            offer = door.ask(mine)
            return bool(offer.release) and fetch(door, self.held, offer, mine, goes_on, busy_s=0.01)

    @property
    def held(self) -> Store:
        return Store(self.config.box.data_dir / "offered", self.layout)

    def told(self) -> tuple[UpdateState, str]:
        """How the box stands, as the server knows."""
        with read(self.store) as connection:
            row = connection.execute(select(box_standings).where(box_standings.c.box_id == self.box_id)).one()
        return UpdateState(row.state), str(row.about)

    def offer_state(self) -> str:
        with read(self.store) as connection:
            return str(connection.execute(select(offers.c.state).order_by(offers.c.id.desc())).scalars().first())

    def update(self, *words: str) -> int:
        return main(["edge", "update", "--root", str(self.layout.root), "--offered", "--now", *words])


@pytest.fixture
def world(
    tmp_path: Path, store: Engine, place: Place, server_keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(building, "build_environment", lambda venv, _content: venv.mkdir())
    monkeypatch.setattr(update, "_require_acceptance", lambda *_given: None)
    monkeypatch.setattr(update, "_write_unit_of", lambda *_given: "")
    monkeypatch.setattr(offered, "MIN_FREE_BYTES", 1_000_000)
    door = Ingest(store, server_keys, LOCAL, bundles=tmp_path / "updates")
    door.start()
    yield World(tmp_path, store, place, door, server_keys)
    door.stop()


def test_a_box_of_the_ring_gets_it_and_another_does_not(world: World) -> None:
    made = world.bundle("1.1")
    world.offer(made, ring=None)
    assert not world.fetch(), "it is in no open ring"
    assert not world.held.bundle.exists()
    with write(world.store) as connection:
        state_ring(connection, world.place.province_id, world.box_id, Ring.PILOT)
    assert world.fetch()
    assert world.held.bundle.read_bytes() == made.path.read_bytes()
    assert world.told() == (UpdateState.FETCHING, f"{made.number:08x}")
    record = Path(f"{world.folder}/data/sent.record").read_bytes()
    assert record
    assert len(record) % 4_096 == 0, "every question is one frame of the one size"


def test_a_download_that_was_broken_off_goes_on_where_it_was(world: World) -> None:
    made = world.bundle("1.1")
    world.offer(made)
    left = iter([True, True, True, False])
    assert not world.fetch(lambda: next(left))
    part = world.held.folder / f"{made.number:08x}.part"
    assert part.stat().st_size == 3 * wire.PIECE_BYTES
    with part.open("ab") as file:
        file.write(b"half a piece, as a power cut leaves it")
    asked = Asked()
    assert world.fetch(asked)
    assert asked.count == 4, "what had come was not asked for again"
    assert world.held.bundle.read_bytes() == made.path.read_bytes()


def test_what_the_release_key_did_not_sign_is_given_up_at_its_head(world: World) -> None:
    """A server that was taken over offers its own software."""
    world.offer(world.bundle("9.0", new_keys("server"), size=4_000_000))
    asked = Asked()
    assert not world.fetch(asked)
    assert asked.count == 5, "the rest was not asked for"
    assert not world.held.folder.exists()
    assert world.told()[0] is UpdateState.REFUSED
    assert world.layout.current.resolve().name.startswith("1.0-")


@pytest.mark.parametrize("case", ["older", "another release than was offered", "for another Python"])
def test_what_this_box_may_not_take_is_not_fetched(world: World, case: str) -> None:
    """Signed, and yet not to be taken: an old release (downgrade), one in the place of another (replay)."""
    if case == "older":
        made = world.bundle("0.9")
        world.offer(made._replace(version="9.9"))
    elif case == "for another Python":
        world.offer(world.bundle("1.1", python="3.99"))
    else:
        world.offer(world.bundle("1.1"), number=0xDECEA5ED)
    assert not world.fetch()
    assert not world.held.folder.exists()
    assert world.told()[0] is UpdateState.REFUSED


def test_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told, and nothing of it stays; also where it fills up meanwhile."""
    made = world.bundle("1.1")
    world.offer(made)
    room = iter([True, True, True, False, False])
    monkeypatch.setattr(Store, "has_room", lambda _store, _more: next(room, False))
    assert not world.fetch()
    assert not world.held.folder.exists()
    assert world.told() == (UpdateState.NO_ROOM, f"{made.number:08x}")


def test_it_is_taken_and_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    made = world.bundle("1.1")
    world.offer(made)
    assert world.update() == 0
    assert made.name in capsys.readouterr().out
    assert world.layout.current.resolve().name == world.layout.steady.resolve().name == made.name
    assert world.told() == (UpdateState.TAKEN, f"{made.number:08x}")
    assert not world.held.folder.exists()
    assert world.offer_state() == "open"
    assert world.update() == 0
    assert made.name not in capsys.readouterr().out


def test_it_comes_back_and_is_not_taken_again_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(update, "_write_unit_of", lambda *_given: "it is bad")
    made = world.bundle("1.1")
    world.offer(made)
    before = world.layout.current.resolve()
    assert world.update() == 1
    assert "was taken back: it is bad" in capsys.readouterr().err
    assert world.layout.current.resolve() == before
    assert Tried.load(world.layout).not_again == [made.name]
    assert world.told() == (UpdateState.RETURNED, f"{made.number:08x}")
    assert world.offer_state() == "stopped", "nobody else gets it"
    assert not world.held.folder.exists()


def test_a_bundle_that_was_spoilt_on_the_way_is_no_verdict_on_the_release(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dishonest server must not make a box refuse a good release for ever, nor fetch rubbish all night."""
    made = world.bundle("1.1")
    world.offer(made)
    spoilt = bytearray(made.path.read_bytes())
    spoilt[1_600_000] ^= 1
    bundle_path(world.bundles, made.number).write_bytes(spoilt)
    assert world.update() == 1
    assert "does not hold what its manifest says" in capsys.readouterr().err
    tried = Tried.load(world.layout)
    assert (tried.state, tried.not_again) == (UpdateState.STEADY, [])
    assert tried.spoilt_day > 0
    assert main(["edge", "update", "--root", str(world.layout.root), "--offered", "--json"]) == 0
    assert "not now" in capsys.readouterr().out
    assert world.offer_state() == "open"
    bundle_path(world.bundles, made.number).write_bytes(made.path.read_bytes())
    assert world.update() == 0
    assert world.layout.current.resolve().name == made.name


def test_a_server_that_gives_nothing_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offered, "MAX_SILENT", 1)
    made = world.bundle("1.1")
    world.offer(made)
    bundle_path(world.bundles, made.number).unlink()
    mine = world.standing()
    with Door(world.config.server, own_keys(world.config), answer_s=0.5) as door:
        offer = wire.Offer(made.number, (1, 1, 0, 0), made.path.stat().st_size)
        with pytest.raises(ConfigError, match="gives no more"):
            fetch(door, world.held, offer, mine, lambda: True, busy_s=0.01)


def test_a_server_that_does_not_answer_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offered, "ANSWER_S", 0.2)
    text = world.layout.config.read_text("utf-8")
    address = world.config.server.address
    world.layout.config.write_text(text.replace(f'address = "{address}"', 'address = "tcp://127.0.0.1:9"', 1), "utf-8")
    assert world.update() == 0
    assert world.layout.current.resolve().name.startswith("1.0-")


def test_the_operator_s_command(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Offers what the boxes' key signed and nothing else; stops, goes on, opens, withdraws; the bundle goes with it."""

    def said(*words: str, code: int = 0) -> dict[str, object]:
        assert main(["server", "offer", "--data-dir", str(world.folder), "--json", *words]) == code
        out = capsys.readouterr().out
        return dict(json.loads(out)) if code == 0 else {}

    made = world.bundle("1.1")
    offer = ["--bundle", str(made.path), "--trust"]
    said(*offer, world.release_key.signing_public_z85, code=1)  # no box is in the pilot ring
    assert list(world.bundles.iterdir()) == []
    said("--ring", "pilot", "--box", str(world.box_id))
    said(*offer, new_keys("server").signing_public_z85, code=1)
    said("--bundle", str(made.path), code=1)
    assert said(*offer, world.release_key.signing_public_z85) == {
        "release": f"{made.number:08x}", "software": "1.1", "bytes": made.path.stat().st_size,
    }  # fmt: skip
    assert sorted(path.name for path in world.bundles.iterdir()) == [f"{made.number:08x}.tar"]
    assert world.fetch()
    release = f"{made.number:08x}"
    said("--stop", release)
    assert not world.fetch()
    said("--resume", release)
    said("--open", release, "--ring", "all")
    said("--ring", "auto", "--box", str(world.box_id))
    assert world.fetch()
    (found,) = cast("list[dict[str, Any]]", said("--list")["offers"])
    assert (found["release"], found["state"], found["ring"]) == (release, "open", "all")
    assert [(box["label"], box["state"], box["lost"]) for box in found["boxes"]] == [("quầy 1", "fetching", False)]
    assert main(["server", "offer", "--data-dir", str(world.folder), "--list"]) == 0
    assert "quầy 1" in capsys.readouterr().out
    said("--withdraw", release)
    assert list(world.bundles.iterdir()) == []
    for wrong in (["--list", "--stop", release], ["--box", "1"], ["--ring", "all"], ["--open", release], []):
        said(*wrong, code=1)


# one box's floods ----------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(
    tmp_path: Path, store: Engine, place: Place, server_keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Ingest, list[RawClient], list[int]]]:
    """A server that gives 80 pieces and no more, with a release of 200, and two boxes."""
    monkeypatch.setattr("server.boxes.bundle_files.PIECES_PER_S", 0.0)
    monkeypatch.setattr("server.boxes.ingest.PIECES_OF_ONE_PER_S", 0.0)
    monkeypatch.setattr("server.boxes.ingest.STANDINGS_PER_S", 0.0)
    (tmp_path / "updates").mkdir()
    bundle_path(tmp_path / "updates", 7).write_bytes(bytes(200 * wire.PIECE_BYTES))
    rows = [enrol_directly(store, place, name) for name in ("kẻ phá", "thật thà")]
    door = Ingest(store, server_keys, LOCAL, bundles=tmp_path / "updates")
    door.start()
    clients = [RawClient(door.endpoint, server_keys.curve_public, row.keys) for row in rows]
    yield door, clients, [row.box_id for row in rows]
    for client in clients:
        client.close()
    door.stop()


def test_a_box_that_asks_for_everything_leaves_the_others_their_pieces(
    busy: tuple[Ingest, list[RawClient], list[int]],
) -> None:
    """It took all that the server gives away, for as long as it asked: no other box was updated."""
    door, (liar, honest), _ids = busy
    for number in range(200):
        liar.send(wire.encode(wire.Want(3, 1, 0, 1, 7, number)))
    wait_for(lambda: door.tallies.dropped.get("piece_not_given", 0) >= 100)
    got = 0
    for number in range(30):
        honest.send(wire.encode(wire.Want(3, 1, 0, 1, 7, number)))
        assert honest.socket.poll(60_000)
        got += len(honest.socket.recv()) > wire.PIECE_BYTES
    assert got == 30


def test_a_box_that_tells_without_end_how_it_stands_is_not_heard(
    busy: tuple[Ingest, list[RawClient], list[int]],
) -> None:
    """For each of its words every box of the province was looked at: 38 ms of 3,000, fifty times a second."""
    door, (liar, honest), _ids = busy
    told = wire.Standing(3, 1, 0, 1, UpdateState.STEADY, 0, 1, (1, 0, 0, 0), Machine.X86_64, 11)
    for _ in range(STANDINGS + 40):
        liar.send(wire.encode(told))
    answers = [liar.reply(60.0) for _ in range(STANDINGS + 40)]
    assert sum(isinstance(answer, wire.Offer) for answer in answers) == STANDINGS
    assert liar.ask(heartbeat(1)) == wire.Ack(epoch=1, sequence=0), "its own service goes on"
    assert isinstance(honest.ask(told), wire.Offer)
    assert door.tallies.dropped["RATE_LIMITED"] == 40
