"""Sessions are listed and ended by their owner; a log-in never takes over the session that a browser brings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from pipeline.language import in_language
from server.auth.devices import _BROWSERS, PLACES, browser_of, browser_words, place_of
from server.store.engine import read
from server.store.tables.users import Role, sessions
from tests.server.client import Browser
from tests.server.province import PASSWORD, application, fill_province

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)


def _numbers(page: str) -> list[str]:
    return re.findall(r'name="number" value="([0-9a-f]{64})"', page)


def test_an_owner_lists_and_ends_sessions_and_nobody_else_does(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1")
    app = application(store, tmp_path)
    here, phone, other = Browser(app), Browser(app, "113.160.0.7"), Browser(app, "10.0.0.3")
    visits = ((here, CHROME, Role.ANALYST), (phone, PHONE, Role.ANALYST), (other, "x", Role.ADMINISTRATOR))
    for browser, agent, role in visits:
        browser.http.headers["User-Agent"] = agent
        browser.log_in(province.users[role])
    page = here.get("/account").text
    told = page.split('id="sessions"')[1]
    assert "Chrome trên máy tính" in told
    assert "Chrome trên điện thoại" in told
    assert "từ mạng nội bộ" in told
    assert "từ internet" in told
    assert told.count("phiên này</strong>") == 1
    (number,) = _numbers(page)
    assert other.post("/account/sessions", {"number": number}, form="/account").status_code == 404
    assert phone.get("/").status_code == 200
    assert here.post("/account/sessions", {"number": number}, form="/account").status_code == 303
    assert phone.get("/").status_code == 303, "ended"
    assert here.get("/").status_code == 200
    assert here.post("/account/sessions", {"number": "all"}, form="/account").headers["location"] == "/log-in"
    assert here.get("/").status_code == 303
    assert other.get("/").status_code == 200
    with read(store) as connection:
        kept = [tuple(row) for row in connection.execute(select(sessions))]
    assert not any("113.160" in str(row) or "Mozilla" in str(row) for row in kept)


def test_a_log_in_takes_over_no_session(store: Engine, tmp_path: Path) -> None:
    """Session fixation: somebody puts the cookie of a session that he knows into the victim's browser."""
    province = fill_province(store, "p1")
    app = application(store, tmp_path)
    attacker, victim = Browser(app, "10.0.0.2"), Browser(app)
    attacker.log_in(province.users[Role.DATA_ENTRY])
    planted = attacker.http.cookies["hl_session"]
    victim.http.cookies.set("hl_session", planted)
    answer = victim.log_in(province.users[Role.ADMINISTRATOR])
    given = re.search(r"hl_session=([^;]+)", answer.headers["set-cookie"])
    assert given is not None
    assert given[1] != planted
    assert attacker.get("/account").status_code == 303, "the session that was planted has ended"
    victim.http.cookies.clear()
    victim.http.cookies.set("hl_session", given[1])
    assert victim.get("/users").status_code == 200


def test_a_changed_password_ends_them_all(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1")
    app = application(store, tmp_path)
    mine, stolen = Browser(app), Browser(app, "10.0.0.2")
    for browser in (mine, stolen):
        browser.log_in(province.users[Role.ANALYST])
    change = {"old": PASSWORD, "new": "another long password"}
    assert mine.post("/account", change, form="/account").status_code == 303
    assert [browser.get("/").status_code for browser in (mine, stolen)] == [303, 303]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "machine"),
        ("::1", "machine"),
        ("10.1.2.3", "private"),
        ("fe80::1%eth0", "private"),
        ("::ffff:192.168.1.4", "private"),
        ("113.160.0.7", "public"),
        ("2405:4800::1", "public"),
        ("testclient", ""),
    ],
)
def test_of_an_address_its_class_is_kept(address: str, place: str) -> None:
    assert place_of(address) == place
    assert place in PLACES


@given(st.text(max_size=300))
def test_of_a_browser_its_kind_is_kept(said: str) -> None:
    """Whatever a browser says of itself: one of few values, each with words."""
    stored = browser_of(said)
    assert len(stored) <= 24
    assert stored.partition("|")[0] in ("", *(name for _, name in _BROWSERS))
    assert in_language(browser_words(stored), "vi")
