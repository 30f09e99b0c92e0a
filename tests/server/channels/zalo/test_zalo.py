"""Zalo: sending by template, what is kept, refusals, tokens that run out, stars that become answers."""

from __future__ import annotations

import sqlite3
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from pipeline.calendar import today
from pipeline.errors import ConfigError, ConflictError
from pipeline.language import Text
from server.channels.zalo.client import KeyFile, Keys, Zalo, ZaloError
from server.channels.zalo.polling import Left, Polled, poll
from server.channels.zalo.sending import Sent, may_send, send_round, sent_today
from server.commands.zalo import _send as run_send
from server.core.scope import Scope
from server.retention.traces import files_of, search
from server.rounds.rounds import make_round, switch_round
from server.store.engine import read, write
from server.store.tables.contacts import phone_contacts
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations
from tests.server.channels.zalo.fake import APP, SECRET, TEMPLATE, FakeZalo, serving
from tests.server.worlds import agency_id, small_province

PHONES = ("0912345678", "0987654321", "0900000001")
NOON = datetime.fromisoformat("2026-11-30T12:00")


class World:
    """A province with a round and three numbers, and an official account."""

    def __init__(self, store: Engine, folder: Path, zalo: FakeZalo) -> None:
        self.store, self.fake = store, zalo
        with write(store) as connection:
            self.province = small_province(connection)
            self.scope = Scope(self.province)
            name = Text.named(vi="Đợt")
            first, last = today() - 5, today() + 5
            made = make_round(connection, self.province, code="r", name=name, instrument="2640", first_day=first,
                              last_day=last, user_id=None)  # fmt: skip
            self.round = made.id
            self.agency = agency_id(connection, self.province, "xa-c")
        self.list_numbers()
        self.keys = KeyFile(folder / "zalo.json")
        self.keys.write(Keys(APP, SECRET, "r0"))
        self.zalo = Zalo(self.keys, zalo.url, zalo.url)

    def list_numbers(self) -> None:
        """The three numbers, and no others."""
        fixed = {"province_id": self.province, "round_id": self.round, "agency_id": self.agency}
        more = {"service_group": 2, "state": "to_ask", "expires_day": today() + 90}
        with write(self.store) as connection:
            connection.execute(phone_contacts.delete())
            connection.execute(insert(phone_contacts), [{**fixed, **more, "phone": phone} for phone in PHONES])

    def send(self, most: int = 10, now: datetime = NOON) -> Sent:
        return send_round(
            self.store, self.zalo, self.scope, self.round, template=TEMPLATE, parameter="don_vi", most=most, now=now
        )

    def poll(self) -> Polled:
        return poll(self.store, self.zalo, self.scope, template=TEMPLATE, now_s=time.time())

    def states(self) -> dict[str, str]:
        with read(self.store) as connection:
            rows = connection.execute(select(phone_contacts.c.phone, phone_contacts.c.state)).all()
        return {row.phone: row.state for row in rows}

    def rights(self) -> int:
        with read(self.store) as connection:
            return len(connection.execute(select(invitations.c.id)).all())

    def rated(self) -> list[tuple[object, ...]]:
        columns = [ratings.c[name] for name in ("a00", "channel", "service_group", "source")]
        with read(self.store) as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(ratings.c.id))]


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> Iterator[World]:
    with serving(FakeZalo()) as zalo:
        yield World(store, tmp_path, zalo)


def test_from_a_list_of_numbers_to_answers(world: World) -> None:
    assert world.send() == Sent(sent=3)
    assert world.states() == {}, "a number is deleted with its sending"
    assert [one["phone"] for one in world.fake.sent] == ["84912345678", "84987654321", "84900000001"]
    assert all(one["template_data"] == {"don_vi": "Cơ quan xa-c"} for one in world.fake.sent)
    assert len({one["tracking_id"] for one in world.fake.sent}) == 3
    assert world.fake.renewals == 1, "the first token came by the refresh token"
    world.fake.rate(0, 5)
    world.fake.rate(2, 2)
    assert world.poll().taken == 2
    assert world.rated() == [(5, "zalo", 2, "link"), (2, "zalo", 2, "link")]
    world.fake.rate(0, 1)  # the same message once more
    again = world.poll()
    assert (again.taken, again.left) == (0, {Left.BEFORE: 3})
    assert len(world.rated()) == 2
    assert sent_today(world.store, world.scope) == 3
    assert world.send() == Sent()


def test_no_number_and_no_note_stays_in_the_store(world: World) -> None:
    world.send()
    world.fake.rate(1, 4)
    world.poll()
    if world.store.dialect.name != "sqlite":
        return
    with closing(sqlite3.connect(str(world.store.url.database))) as connection:
        dump = "\n".join(connection.iterdump())
    for phone in PHONES:
        assert phone[1:] not in dump
    assert "Nguyễn Văn A" not in dump
    assert "Nhanh" not in dump
    # what Zalo knows of a message is no key to the rating: it stands in the right alone
    assert dump.count(world.fake.sent[1]["tracking_id"]) == 1


def test_a_number_that_was_sent_lies_in_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row was deleted, and its bytes stayed in the write-ahead log until the server's next hourly work."""
    monkeypatch.setattr("server.channels.zalo.sending.may_send", lambda _now: True)
    args = Namespace(round="r", template=TEMPLATE, parameter="don_vi", most=10)
    assert list(search(files_of(world.store)[0], PHONES))
    assert run_send(world.store, world.zalo, world.scope, args) == 0
    assert len(world.fake.sent) == 3
    assert list(search(files_of(world.store)[0], PHONES)) == []


def test_who_is_not_reached_and_who_is_not_known(world: World) -> None:
    world.fake.refuses = {"84912345678": -118}
    world.fake.hangs_up_on = {"84987654321"}
    assert world.send() == Sent(sent=1, unreachable=1, unsure=1)
    assert world.states() == {PHONES[0]: "failed", PHONES[1]: "asked"}
    assert world.rights() == 2, "who may have got it may answer"
    assert world.send() == Sent(), "and nobody gets it twice"
    world.fake.rate(0, 3)
    assert world.poll().taken == 1


@pytest.mark.parametrize(
    ("set_up", "number"),
    [({"template_enabled": False}, -131), ({"quota": 0}, -144), ({"refresh_token": "other"}, -14020)],
)
def test_a_refusal_of_all_ends_the_run_and_loses_nobody(world: World, set_up: dict[str, object], number: int) -> None:
    for name, value in set_up.items():
        setattr(world.fake, name, value)
    assert world.send() == Sent(put_back=3, stopped=number)
    assert set(world.states().values()) == {"to_ask"}
    assert world.rights() == 0


def test_one_number_of_an_unknown_refusal_does_not_hold_up_the_others(world: World) -> None:
    """Zalo has some fifty numbers for why not, and new ones: whoever had shut the account out stood first in the list,
    and every run ended there."""
    world.fake.refuses = {"84912345678": -141}
    assert world.send() == Sent(sent=2, unreachable=1)
    assert world.states() == {PHONES[0]: "failed"}
    assert world.rights() == 2


def test_the_last_of_a_list_is_asked_again_where_nobody_behind_it_tells_why(world: World) -> None:
    world.fake.refuses = {"84900000001": -141}
    assert world.send() == Sent(sent=2, put_back=1, stopped=-141)
    assert world.states() == {PHONES[2]: "to_ask"}


@given(st.lists(st.sampled_from([0, -118, -131, -141, -9]), min_size=3, max_size=3), st.integers(1, 3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_number_is_sent_to_kept_or_told(world: World, answers: list[int], most: int) -> None:
    world.list_numbers()
    world.fake.refuses = {f"84{phone[1:]}": number for phone, number in zip(PHONES, answers, strict=True) if number}
    before = len(world.fake.sent)
    done = world.send(most=most)
    assert done.sent == len(world.fake.sent) - before
    assert done.sent + done.unreachable + done.put_back == most
    assert (done.stopped != 0) == (done.put_back > 0)
    states = list(world.states().values())
    assert (states.count("failed"), states.count("to_ask")) == (done.unreachable, 3 - most + done.put_back)


def test_the_quota_ends_in_the_middle(world: World) -> None:
    world.fake.quota = 2
    assert world.send() == Sent(sent=2, put_back=1)
    assert world.states() == {PHONES[2]: "to_ask"}
    assert world.send(most=0) == Sent()


def test_a_server_that_is_down_is_not_asked_for_ever(world: World) -> None:
    world.zalo.send("0900000009", TEMPLATE, {"don_vi": "x"}, "t")  # a token is there
    world.fake.down = True
    assert world.send() == Sent(unsure=3)
    with pytest.raises(ZaloError):
        world.poll()


def test_a_token_that_is_over_is_renewed_once_and_kept(world: World) -> None:
    world.send(most=1)
    world.fake.valid = False
    assert world.send(most=1).sent == 1
    assert (world.fake.renewals, world.keys.read().refresh_token) == (2, "r2")
    assert world.keys.path.stat().st_mode & 0o777 == 0o600
    world.keys.path.chmod(0o640)
    with pytest.raises(ConfigError, match="read"):
        world.keys.read()


def test_two_that_renew_at_once_use_the_refresh_token_once(world: World) -> None:
    """It works once: who comes second takes what the first has written."""
    failed: list[Exception] = []
    now_ms = round(time.time() * 1_000)

    def ask() -> None:
        try:
            Zalo(world.keys, world.fake.url, world.fake.url).ratings(TEMPLATE, now_ms - 10, now_ms, 0, 10)
        except ZaloError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failed == []
    assert world.fake.renewals == 1


def test_ratings_that_are_none_of_ours(world: World) -> None:
    world.send()
    now_ms = round(time.time() * 1_000)
    world.fake.rate(0, 5, tracking="0" * 48)
    world.fake.rate(0, 5, tracking="%" * 48)
    world.fake.rate(0, 6)
    world.fake.rate(0, "5")
    world.fake.rate(0, True)
    world.fake.rate(0, 5, at_ms=now_ms + 3 * 86_400_000)
    world.fake.rate(0, 5, at_ms="soon")
    world.fake.rated.append({"rate": 5})
    found = world.poll()
    assert (found.taken, found.left) == (0, {Left.NOT_OURS: 3, Left.UNFIT: 5})
    world.fake.rate(0, 4, at_ms=str(now_ms))
    assert world.poll().taken == 1
    with write(world.store) as connection:
        connection.execute(world.scope.update(invitations).values(expires_day=today() - 1))
    world.fake.rate(1, 4)
    assert world.poll().left[Left.EXPIRED] == 1


def test_of_another_province_nothing_is_taken(world: World) -> None:
    world.send()
    world.fake.rate(0, 5)
    with write(world.store) as connection:
        other = small_province(connection, "other")
    found = poll(world.store, world.zalo, Scope(other), template=TEMPLATE, now_s=time.time())
    assert (found.taken, found.left) == (0, {Left.NOT_OURS: 1})
    assert world.poll().taken == 1


def test_hours_and_closed_rounds(world: World) -> None:
    assert [may_send(NOON.replace(hour=hour)) for hour in (6, 7, 20, 21)] == [False, True, True, False]
    with pytest.raises(ConflictError):
        world.send(now=NOON.replace(hour=22))
    with write(world.store) as connection:
        switch_round(connection, world.province, world.round, False, None)
    with pytest.raises(ConflictError):
        world.send()
    assert world.fake.sent == []
