"""Rings of an offered release: who gets it when, and when it stops by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from pipeline.calendar import now_s
from pipeline.errors import ConflictError, NotFoundError
from pipeline.language import PACKAGED, Text
from pipeline.wire import BoxState, Machine, Offer, Standing, UpdateState
from server.app import create_app
from server.auth.passwords import hash_password
from server.boxes import updates
from server.boxes.bundle_files import BURST, BundleFiles, bundle_path
from server.boxes.registry import read_boxes
from server.boxes.updates import Ring
from server.core.config import make_config
from server.core.provinces import make_province
from server.store.engine import insert_row, write
from server.store.tables.agencies import agencies, levels
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.changes import changes
from server.store.tables.updates import offers
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import PASSWORD

DAY = 24 * 3_600
T0 = 1_800_000_000
OLD, NEW = 0xAAAA0001, 0xBBBB0002
CODE = f"{NEW:08x}"
MACHINE: dict[str, Any] = {"machine": Machine.X86_64, "python_minor": 11}


@dataclass
class Fleet:
    """A province of forty boxes: 1 and 2 are pilots, 10, 20, 30 and 40 are the tenth."""

    store: Engine
    province_id: int
    ids: list[int]
    now_s: int = T0

    def tell(self, box: int, state: UpdateState, running: int = OLD, about: int = NEW) -> Offer:
        """A box tells how it stands, and was heard just now."""
        self.beat(box)
        software = (1, 1, 0, 0) if running == NEW else (1, 0, 0, 0)
        with write(self.store) as connection:
            (row,) = read_boxes(connection, [self.ids[box - 1]])
            told = Standing(3, row.epoch, 0, 1, state, about, running, software, **MACHINE)
            return updates.stand(connection, row, told, self.now_s)

    def asks(self, box: int) -> bool:
        """Whether a box that asks is offered the release."""
        return self.tell(box, UpdateState.STEADY, about=0).release == NEW

    def takes(self, *which: int) -> None:
        for box in which:
            self.tell(box, UpdateState.TAKING)
            self.tell(box, UpdateState.TAKEN, running=NEW)

    def beat(self, *which: int) -> None:
        """Heartbeats come."""
        with write(self.store) as connection:
            for box in which:
                of_box = heartbeats.c.box_id == self.ids[box - 1]
                if connection.execute(update(heartbeats).where(of_box).values(received_s=self.now_s)).rowcount == 0:
                    connection.execute(
                        insert(heartbeats).values(
                            box_id=self.ids[box - 1], province_id=self.province_id, state=int(BoxState.OK),
                            software="1.0", provider=0, received_s=self.now_s,
                        )
                    )  # fmt: skip

    def offer(self) -> None:
        with write(self.store) as connection:
            updates.offer_release(connection, self.province_id, NEW, "1.1", Machine.X86_64, "3.11", 9, self.now_s)

    def row(self) -> Any:
        with write(self.store) as connection:
            return connection.execute(select(offers).where(offers.c.release == CODE)).one()

    def actions(self) -> list[str]:
        with write(self.store) as connection:
            query = select(changes.c.action).where(changes.c.action.like("update%")).order_by(changes.c.position)
            return list(connection.execute(query).scalars())


@pytest.fixture
def fleet(store: Engine) -> Fleet:
    with write(store) as connection:
        province_id = make_province(connection, "tq", Text.named(vi="Tuyên Quang")).province_id
        level = connection.execute(select(levels.c.id).where(levels.c.province_id == province_id)).scalars().first()
        agency = {"province_id": province_id, "code": "a", "name": Text.named(vi="A", en="A"), "level_id": level}
        agency_id = insert_row(connection, agencies, agency)
        ids = list(range(1, 41))
        common = {"province_id": province_id, "agency_id": agency_id, "epoch": 1, "clerks": 2}
        rows = [{"id": number, "label": f"quầy {number:02}", "public_key": f"k{number}"} for number in ids]
        connection.execute(insert(boxes), [common | row for row in rows])
        for pilot in (1, 2):
            updates.state_ring(connection, province_id, pilot, Ring.PILOT)
    return Fleet(store, province_id, ids)


def test_rings_open_one_after_the_other_and_not_before_a_day_at_work(fleet: Fleet) -> None:
    fleet.beat(*fleet.ids)
    fleet.offer()
    assert [box for box in fleet.ids if fleet.asks(box)] == [1, 2]
    fleet.takes(1)
    fleet.now_s += DAY + 1
    fleet.beat(*fleet.ids)
    assert not fleet.asks(10), "a pilot has not taken it"
    fleet.takes(2)
    fleet.now_s += DAY // 2
    fleet.beat(*fleet.ids)
    assert not fleet.asks(10), "the second pilot is at work with it for half a day"
    fleet.now_s += DAY // 2
    fleet.beat(*fleet.ids)
    assert fleet.asks(10)
    assert not fleet.asks(3)
    fleet.takes(10, 20, 30, 40)
    fleet.now_s += DAY
    fleet.beat(*fleet.ids)
    assert fleet.asks(3)
    assert fleet.actions() == ["update offered", "update ring opened", "update ring opened"]


def test_a_box_that_was_not_heard_for_days_keeps_nobody_waiting(fleet: Fleet) -> None:
    fleet.beat(*(box for box in fleet.ids if box != 2))
    fleet.now_s += 3 * DAY
    fleet.beat(1, 10)
    fleet.offer()
    fleet.takes(1)
    fleet.now_s += DAY
    fleet.beat(1)
    assert fleet.asks(10)


@pytest.mark.parametrize("state", [UpdateState.RETURNED, UpdateState.REFUSED])
def test_one_pilot_that_comes_back_stops_it(fleet: Fleet, state: UpdateState) -> None:
    fleet.offer()
    assert fleet.asks(2)
    fleet.tell(1, state)
    assert not fleet.asks(2)
    assert (fleet.row().state, fleet.row().reason) == ("stopped", "quầy 01")
    assert fleet.actions()[-1] == "update stopped"
    fleet.now_s += 60
    with write(fleet.store) as connection:
        updates.set_state(connection, fleet.province_id, CODE, updates.OPEN, fleet.now_s)
    assert fleet.asks(2), "what was told before the operator let it go on is not held against it"
    assert fleet.actions()[-1] == "update resumed"


def test_a_box_that_falls_silent_after_it_stops_it(fleet: Fleet) -> None:
    fleet.offer()
    fleet.takes(1)
    fleet.now_s += 600
    assert fleet.asks(2)
    fleet.now_s += 600
    assert not fleet.asks(2)
    assert fleet.row().state == "stopped"


def test_a_box_that_began_and_told_nothing_more_stops_it(fleet: Fleet) -> None:
    fleet.offer()
    fleet.tell(1, UpdateState.TAKING)
    fleet.now_s += 3_000
    assert fleet.asks(2)
    fleet.now_s += 1_000
    assert not fleet.asks(2)


def test_an_office_that_switches_its_machines_off_stops_nothing(fleet: Fleet) -> None:
    fleet.offer()
    fleet.takes(1)
    fleet.now_s += 5 * 3_600
    fleet.beat(1)
    fleet.now_s += 14 * 3_600
    assert fleet.asks(2)


@pytest.mark.parametrize(("lost", "state"), [(2, "open"), (3, "stopped")])
def test_in_the_last_ring_one_of_twenty_may_be_lost(fleet: Fleet, lost: int, state: str) -> None:
    fleet.beat(*fleet.ids)
    fleet.offer()
    with write(fleet.store) as connection:
        updates.open_ring(connection, fleet.province_id, CODE, Ring.ALL, fleet.now_s)
    for box in range(3, 3 + lost):
        fleet.tell(box, UpdateState.RETURNED)
    fleet.asks(39)
    assert fleet.row().state == state


def test_another_machine_another_python_and_a_newer_box_are_not_offered_it(fleet: Fleet) -> None:
    fleet.offer()
    with write(fleet.store) as connection:
        (box,) = read_boxes(connection, [1])
        for machine, minor, version in (
            (Machine.AARCH64, 11, (1, 0, 0, 0)),
            (Machine.X86_64, 13, (1, 0, 0, 0)),
            (Machine.X86_64, 11, (1, 2, 0, 0)),
        ):
            told = Standing(3, 1, 0, 1, UpdateState.STEADY, 0, OLD, version, machine, minor)
            assert updates.stand(connection, box, told, T0).release == 0


def test_what_cannot_be_offered(fleet: Fleet) -> None:
    with write(fleet.store) as connection:
        for pilot in (1, 2):
            updates.state_ring(connection, fleet.province_id, pilot, None)
    with pytest.raises(ConflictError, match="pilot ring"):
        fleet.offer()
    with write(fleet.store) as connection:
        updates.state_ring(connection, fleet.province_id, 1, Ring.PILOT)
    fleet.offer()
    with pytest.raises(ConflictError, match="already"):
        fleet.offer()
    with write(fleet.store) as connection, pytest.raises(ConflictError, match="newer"):
        updates.offer_release(connection, fleet.province_id, 5, "1.0.9", Machine.X86_64, "3.11", 9, T0)
    with write(fleet.store) as connection:
        updates.set_state(connection, fleet.province_id, CODE, updates.WITHDRAWN, T0)
        with pytest.raises(NotFoundError):
            updates.set_state(connection, fleet.province_id, CODE, updates.OPEN, T0)
        with pytest.raises(NotFoundError):
            updates.open_ring(connection, fleet.province_id, CODE, Ring.ALL, T0)
        with pytest.raises(NotFoundError):
            updates.state_ring(connection, fleet.province_id, 99, Ring.ALL)
    assert not fleet.asks(1)
    fleet.offer()
    assert fleet.asks(1), "what was withdrawn may be offered again"


def test_pieces_are_given_at_a_bounded_rate(tmp_path: Path) -> None:
    bundle_path(tmp_path, NEW).write_bytes(b"x" * 300_000)
    now = [0.0]
    files = BundleFiles(tmp_path, lambda: now[0])
    assert [len(files.piece(NEW, number) or b"") for number in (0, 1, 2)] == [262_144, 37_856, 0]
    assert files.piece(OLD, 0) is None
    given = sum(files.piece(NEW, 1) is not None for _ in range(200))
    assert given == BURST - 4
    now[0] = 1.0
    assert sum(files.piece(NEW, 1) is not None for _ in range(200)) == 40
    assert BundleFiles(None).piece(NEW, 0) is None


def test_the_page_of_the_fleet_names_version_ring_and_state(fleet: Fleet, tmp_path: Path) -> None:
    """And which boxes were lost, and what an operator does then."""
    fleet.now_s = now_s()
    fleet.beat(*fleet.ids)
    fleet.offer()
    fleet.tell(2, UpdateState.FETCHING)
    fleet.tell(1, UpdateState.RETURNED)
    assert not fleet.asks(2)
    with write(fleet.store) as connection:
        row = {
            "province_id": fleet.province_id, "name": "an", "role": Role.ANALYST.value, "agency_id": None,
            "password_hash": hash_password(PASSWORD), "must_change_password": False, "created_day": 1,
        }  # fmt: skip
        connection.execute(insert(users).values(**row))
    browser = Browser(
        create_app(fleet.store, make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test"))
    )
    browser.log_in("an")
    page = re.sub(r"\s+", " ", browser.get("/health").text)
    assert page.count("vòng: chạy thử") == 2
    assert page.count("vòng: một phần mười") == 4
    for words in (
        "Bản cập nhật 1.1",
        "đã dừng",
        "đã quay lại bản cũ",
        "rồi cho tiếp tục",
        "1.0.0",
    ):
        assert words in page, words


def test_an_update_is_offered_stopped_and_let_go_on_in_the_browser(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laid ready by the command; every step is asked, and stands in the log with who did it."""
    fleet.now_s = now_s()
    fleet.beat(*fleet.ids)
    file = bundle_path(tmp_path / "updates", NEW)
    file.parent.mkdir()
    file.write_bytes(b"a bundle")
    with write(fleet.store) as connection:
        machine = (Machine.X86_64, "3.11", 9, fleet.now_s)
        updates.offer_release(connection, fleet.province_id, NEW, "1.1", *machine, wait=True)
        for pilot in (1, 2):
            updates.state_ring(connection, fleet.province_id, pilot, None)
        row = {
            "province_id": fleet.province_id, "name": "qt", "role": Role.ADMINISTRATOR.value, "agency_id": None,
            "password_hash": hash_password(PASSWORD), "must_change_password": False, "created_day": 1,
        }  # fmt: skip
        who = insert_row(connection, users, row)
    browser = Browser(
        create_app(fleet.store, make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test"))
    )
    browser.log_in("qt")
    page = "/health/updates"

    def does(step: str, **fields: str) -> int:
        return int(browser.post(f"{page}/{step}", fields, form=page).status_code)

    assert "chưa đưa cho thiết bị nào" in browser.get(page).text
    assert not fleet.asks(1)
    assert does(f"{CODE}/offer", sure="true") == 409, "no box is in the pilot ring"
    assert does(f"{CODE}/open", ring="3", sure="true") == 409, "and nobody has tried it"
    assert does("boxes/ring", box="3", ring="1") == 303
    asked = browser.post(f"{page}/{CODE}/offer", {}, form=page).text
    assert "Đưa bản cập nhật 1.1 cho các thiết bị chạy thử: quầy 03?" in asked
    assert not fleet.asks(3), "asked, nothing is done"
    assert does(f"{CODE}/offer", sure="true") == 303
    assert [box for box in fleet.ids[:10] if fleet.asks(box)] == [3]
    assert does(f"{CODE}/offer", sure="true") == 409, "it is offered already"
    assert does(f"{CODE}/stop", sure="true") == 303
    assert not fleet.asks(3)
    assert does(f"{CODE}/offer", sure="true") == 303
    assert does(f"{CODE}/open", ring="2", sure="true") == 303
    assert [box for box in fleet.ids[:10] if fleet.asks(box)] == [3, 10]
    assert does(f"{CODE}/open", ring="4", sure="true") == 422
    assert file.exists()
    assert does(f"{CODE}/withdraw", sure="true") == 303
    assert not file.exists()
    assert does(f"{CODE}/offer", sure="true") == 404
    assert does(f"{'c' * 8}/stop", sure="true") == 404
    assert "<code>hailong server offer --bundle" in browser.get(page).text, "how a file of an update is brought here"
    monkeypatch.setenv("HAILONG_SERVER_DIR", PACKAGED)
    assert "<code>hailong-server offer --bundle" in browser.get(page).text, "as the server's package has it"
    refused = browser.post(f"{page}/{'c' * 8}/stop", {"sure": "true"}, form=page).text
    assert "hailong-server offer --list" in refused
    with write(fleet.store) as connection:
        query = select(changes.c.action).where(changes.c.user_id == who).order_by(changes.c.position)
        done = [action for action in connection.execute(query).scalars() if "update" in action or "ring" in action]
    assert done == [
        "box ring stated", "update offered", "update stopped", "update resumed", "update ring opened",
        "update withdrawn",
    ]  # fmt: skip


@pytest.mark.parametrize("well", [True, False])
def test_what_a_person_changed_meanwhile_stands(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, well: bool) -> None:
    """A release is withdrawn, and its bundle wiped, while a box's question is being looked at: it had come back as a
    stopped one, which somebody can let go on."""
    fleet.offer()
    fleet.takes(1, 2)
    fleet.now_s += 2 * DAY
    fleet.beat(1, 2)
    if not well:
        fleet.tell(1, UpdateState.RETURNED)
    found = updates.box_updates

    def meanwhile(connection: Any, province_id: int, row: Any, now_s: float) -> Any:
        known = found(connection, province_id, row, now_s)
        connection.execute(update(offers).where(offers.c.release == CODE).values(state=updates.WITHDRAWN))
        return known

    with write(fleet.store) as connection:
        connection.execute(update(offers).where(offers.c.release == CODE).values(state=updates.OPEN, ring=1, reason=""))
        row = connection.execute(select(offers).where(offers.c.release == CODE)).one()
        monkeypatch.setattr(updates, "box_updates", meanwhile)
        now = updates.review(connection, fleet.province_id, row, fleet.now_s)
    assert (now.state, now.ring) == (updates.WITHDRAWN, 1)
