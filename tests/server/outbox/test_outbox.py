"""The outbox: what is posted arrives, once it can; pauses, giving up, a receiver that fails costs one try, a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from pipeline.errors import InvalidError
from server.core.config import ServerConfig, make_config
from server.core.scope import Scope
from server.outbox import mail, sender
from server.outbox.outbox import KEPT_S, RETRY_S, Letter, State, Way, forget_old_letters, post, unsent
from server.outbox.quiet import is_quiet, quiet_until_s, read_hours
from server.outbox.sender import deliver
from server.store.engine import read, write
from server.store.tables.letters import letters
from tests.server.outbox.receivers import mail_server, talker, wait_for, webhook_receiver
from tests.server.worlds import small_province

NOW = 1_790_000_000


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _config(folder: Path, port: int = 1) -> ServerConfig:
    mail = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "hailong@tinh.example.vn"}
    return make_config({"data_dir": folder, "mail": mail, "alerts": {"inner_networks": ["127.0.0.0/8"]}}, "test")


def _post(store: Engine, province: int, receiver: str, way: Way = Way.WEBHOOK, not_before_s: int = 0) -> str:
    with write(store) as connection:
        made = post(connection, province, Letter(way, receiver, "{}", "s", not_before_s=not_before_s), NOW)
    assert made is not None
    return made


def _states(store: Engine) -> list[tuple[str, int, int]]:
    with read(store) as connection:
        return [(row.state, row.tries, row.due_s - NOW) for row in connection.execute(select(letters))]


def test_what_was_posted_arrives_by_both_ways_and_no_second_time(store: Engine, province: int, tmp_path: Path) -> None:
    with mail_server() as box, webhook_receiver() as calls:
        config = _config(tmp_path, box.port)
        ids = [_post(store, province, calls.url), _post(store, province, "a@b.example", Way.MAIL)]
        later = _post(store, province, calls.url, not_before_s=NOW + 60)
        assert deliver(store, config, lambda: NOW).sent == 2
        assert deliver(store, config, lambda: NOW).sent == 0
        assert deliver(store, config, lambda: NOW + 60).sent == 1
    assert [headers["webhook-id"] for headers, _body in calls.got] == [ids[0], later]
    assert box.letters[0]["Message-ID"] == f"<{ids[1]}@tinh.example.vn>"
    assert {state for state, _tries, _due in _states(store)} == {"sent"}


def test_a_failed_try_is_made_again_after_longer_and_longer_pauses_and_then_given_up(
    store: Engine, province: int, tmp_path: Path
) -> None:

    def tried_at(now: int) -> int:
        return deliver(store, _config(tmp_path), lambda: now).failed

    now = NOW
    with webhook_receiver() as calls:
        calls.answers = [503] * (len(RETRY_S) + 1)
        message_id = _post(store, province, calls.url)
        for pause in RETRY_S:
            assert tried_at(now) == 1
            assert tried_at(now + pause - 1) == 0, "too early"
            now += pause
        assert tried_at(now) == 1
        assert tried_at(now + 10 * 86_400) == 0
    assert {headers["webhook-id"] for headers, _ in calls.got} == {message_id}
    stamps = [int(headers["webhook-timestamp"]) for headers, _ in calls.got]
    assert stamps == sorted(set(stamps)), "the time of each try"
    assert [(state, tries) for state, tries, _ in _states(store)] == [("given_up", len(RETRY_S) + 1)]
    with read(store) as connection:
        (one,) = unsent(connection, Scope(province))
    assert tuple(one) == ("webhook", "given_up", "status", 503, 1)


def test_410_is_the_end_at_once(store: Engine, province: int, tmp_path: Path) -> None:
    with webhook_receiver() as calls:
        calls.answers = [410]
        _post(store, province, calls.url)
        deliver(store, _config(tmp_path), lambda: NOW)
    assert _states(store) == [("given_up", 1, 0)]


def test_a_receiver_that_fails_costs_one_try_and_holds_up_nobody_else(
    store: Engine, province: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.outbox.delivery.MAX_S", 0.2)
    with talker(b"") as port, webhook_receiver() as calls:
        for _ in range(5):
            _post(store, province, f"http://127.0.0.1:{port}/hangs")
        _post(store, province, calls.url)
        done = deliver(store, _config(tmp_path), lambda: NOW)
        assert (done.sent, done.failed, done.waiting) == (1, 1, 4)
        assert deliver(store, _config(tmp_path), lambda: NOW + 1) == sender.Delivered(0, 0, 0), "all five wait together"
    assert [(state, tries) for state, tries, _ in _states(store)] == [
        ("waiting", 1),
        *[("waiting", 0)] * 4,
        ("sent", 1),
    ]


def test_a_mail_server_that_is_away_loses_nothing(store: Engine, province: int, tmp_path: Path) -> None:
    with mail_server() as gone:
        pass
    for number in range(3):
        _post(store, province, f"a{number}@b.example", Way.MAIL)
    done = deliver(store, _config(tmp_path, gone.port), lambda: NOW)
    assert (done.sent, done.failed, done.waiting) == (0, 1, 2)
    with mail_server() as box:
        assert deliver(store, _config(tmp_path, box.port), lambda: NOW + RETRY_S[0]).sent == 3
    assert sorted(letter["To"] for letter in box.letters) == ["a0@b.example", "a1@b.example", "a2@b.example"]


def test_a_letter_that_cannot_be_written_is_given_up_and_stands_before_nobody(
    store: Engine, province: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator of one province had an address taken that the writer of letters stumbled over: no letter of any
    province went out any more."""
    write_it = mail.compose

    def stumbles(who: str, to: str, *more: Any) -> Any:
        if to == "a@b.example":
            raise AttributeError("token_type")
        return write_it(who, to, *more)

    monkeypatch.setattr("server.outbox.mail.compose", stumbles)
    with mail_server() as box, webhook_receiver() as calls:
        for receiver in ("a@b.example", "c@d.example"):
            _post(store, province, receiver, Way.MAIL)
        _post(store, province, calls.url)
        done = deliver(store, _config(tmp_path, box.port), lambda: NOW)
        assert (done.sent, done.failed) == (2, 1)
    assert [letter["To"] for letter in box.letters] == ["c@d.example"]
    assert [state for state, _, _ in _states(store)] == ["given_up", "sent", "sent"]


CHILD = f"""
import sys
from pathlib import Path
from server.core.config import make_config
from server.outbox.sender import deliver
from server.store.engine import connect

folder = Path(sys.argv[1])
config = make_config(dict(data_dir=folder, alerts=dict(inner_networks=["127.0.0.0/8"])), "test")
deliver(connect(str(folder / "store.sqlite")), config, lambda: {NOW})
"""


def test_a_server_that_is_killed_at_a_try_sends_it_again_with_the_same_identifier(
    store: Engine, province: int, tmp_path: Path
) -> None:
    with webhook_receiver() as calls:
        answered = threading.Event()
        calls.before_answer = lambda: None if len(calls.got) > 1 else (answered.wait(60), None)[1]
        message_id = _post(store, province, calls.url)
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], env={**os.environ})
        try:
            wait_for(lambda: len(calls.got) == 1)  # the receiver has it; its answer never comes
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(60)
        answered.set()
        assert [state for state, _, _ in _states(store)] == ["waiting"]
        assert deliver(store, _config(tmp_path), lambda: NOW).sent == 1
    assert [headers["webhook-id"] for headers, _ in calls.got] == [message_id, message_id]
    assert [state for state, _, _ in _states(store)] == ["sent"]


@pytest.mark.parametrize(("way", "receiver"), [(Way.MAIL, "nobody"), (Way.WEBHOOK, "ftp://example.vn")])
def test_an_address_that_is_none_is_refused_when_it_is_posted(
    store: Engine, province: int, way: Way, receiver: str
) -> None:
    with write(store) as connection, pytest.raises(InvalidError):
        post(connection, province, Letter(way, receiver, "{}"))
    assert _states(store) == []


def test_letters_go_after_their_days(store: Engine, province: int) -> None:
    _post(store, province, "https://example.vn/")
    with write(store) as connection:
        assert forget_old_letters(connection, NOW + KEPT_S) == 0
    with write(store) as connection:
        assert forget_old_letters(connection, NOW + KEPT_S + 1) == 1
    assert State.WAITING not in [state for state, _, _ in _states(store)]


# quiet hours ----------------------------------------------------------------------------------------------------------

MIDNIGHT = 1_790_010_000 - (1_790_010_000 + 7 * 3_600) % 86_400  # of a day in Vietnam


@pytest.mark.parametrize(
    ("hours", "at", "quiet"),
    [
        ("21:00-06:30", "20:59", False), ("21:00-06:30", "21:00", True), ("21:00-06:30", "00:00", True),
        ("21:00-06:30", "06:29", True), ("21:00-06:30", "06:30", False), ("12:00-13:30", "12:45", True),
        ("12:00-13:30", "13:30", False), ("", "03:00", False), ("08:00-08:00", "08:00", False),
    ],
)  # fmt: skip
def test_quiet_hours(hours: str, at: str, quiet: bool) -> None:
    hour, minute = map(int, at.split(":"))
    now = MIDNIGHT + 3_600 * hour + 60 * minute
    read_ones = read_hours(hours)
    assert is_quiet(now, read_ones) is quiet
    until = quiet_until_s(now, read_ones)
    assert not is_quiet(until, read_ones)
    assert (until == now) is not quiet
    assert not quiet or is_quiet(until - 1, read_ones)
    assert until - now < 86_400


@pytest.mark.parametrize("text", ["21-6", "25:00-06:00", "21:00", "21:60-06:00", "tối", "21:00-06:00-07:00"])
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        read_hours(text)
