"""Log-in, sessions, forgery tokens, rate limits, one-time passwords, the access log and its retention."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import Engine, select, update

from pipeline.calendar import now_s
from pipeline.errors import ConfigError, ConflictError, InvalidError, RequestError
from server.app import create_app
from server.auth import passwords
from server.auth.access_log import enforce_retention
from server.auth.passwords import hash_password, new_password, password_fits, stand_in_hash
from server.auth.users import make_user, set_active
from server.core.config import make_config
from server.core.limits import RateLimiter
from server.core.provinces import write_setting
from server.store.engine import read, write
from server.store.tables.users import Role, access_log, sessions, users
from tests.server.client import Browser
from tests.server.province import PASSWORD, Province, application, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.fixture
def browser(store: Engine, province: Province, tmp_path: Path) -> Browser:
    return Browser(application(store, tmp_path))


def test_log_in_and_out(browser: Browser, province: Province, store: Engine) -> None:
    assert browser.get("/").headers["location"] == "/log-in?after=/"
    answer = browser.log_in(province.users[Role.ANALYST])
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert browser.get("/").status_code == 200
    stolen = browser.http.cookies["hl_session"]
    assert browser.post("/log-out", form="/").status_code == 303
    browser.http.cookies.set("hl_session", stolen)
    assert browser.get("/").status_code == 303, "a session that was closed lets nobody in"
    with read(store) as connection:
        assert connection.execute(select(sessions)).all() == []


@pytest.mark.parametrize("cookie", ["", "nonsense", "InRva2VuIg.abc", "x" * 5000])
def test_a_cookie_that_we_did_not_sign(browser: Browser, cookie: str) -> None:
    browser.http.cookies.set("hl_session", cookie)
    assert browser.get("/").status_code == 303


def test_a_session_ends(browser: Browser, province: Province, store: Engine) -> None:
    browser.log_in(province.users[Role.ANALYST])
    with write(store) as connection:
        connection.execute(update(sessions).values(expires_s=now_s() - 1))
    assert browser.get("/").status_code == 303


def test_wrong_password_and_unknown_name_look_alike(browser: Browser, province: Province) -> None:
    wrong = browser.log_in(province.users[Role.ANALYST], "not the password at all")
    unknown = browser.log_in("nobody.here", "not the password at all")
    assert wrong.status_code == unknown.status_code == 401

    def strip(page: Any, name: str) -> str:
        return re.sub(r'name="csrf" value="[0-9a-f]+"', "", str(page.text).replace(name, ""))

    assert strip(wrong, province.users[Role.ANALYST]) == strip(unknown, "nobody.here")


def test_guessing_is_slowed_down(browser: Browser, province: Province) -> None:
    name = province.users[Role.ADMINISTRATOR]
    answers = [browser.log_in(name, f"guess number {number}").status_code for number in range(6)]
    assert answers == [401] * 5 + [429]
    assert browser.log_in(name).status_code == 429, "also the right password has to wait"
    assert browser.log_in(province.users[Role.ANALYST]).status_code == 303, "others do not"


def test_guessing_many_names_from_one_address_is_slowed_down(browser: Browser, province: Province) -> None:
    for _ in range(28):
        browser.http.app.state.web.log_in_by_address.count("10.0.0.1")  # type: ignore[attr-defined]
    answers = [browser.log_in(f"name{number}", "guess").status_code for number in range(3)]
    assert answers == [401, 401, 429]


def test_without_its_token_a_form_does_nothing(browser: Browser, province: Province, store: Engine) -> None:
    name = province.users[Role.ADMINISTRATOR]
    assert browser.http.post("/log-in", data={"name": name, "password": PASSWORD}).status_code == 403
    browser.log_in(name)
    form = {"name": "new.user", "role": "analyst"}
    for token in ("", "0" * 64):
        assert browser.http.post("/users", data={**form, "csrf": token}).status_code == 403
    other = Browser(browser.http.app, "10.0.0.2")  # type: ignore[arg-type]
    assert browser.http.post("/users", data={**form, "csrf": other.token()}).status_code == 403, (
        "another browser's token"
    )
    with read(store) as connection:
        assert connection.execute(select(users).where(users.c.name == "new.user")).first() is None
    assert browser.post("/users", form, form="/users").status_code == 200


def test_one_time_password_has_to_be_changed(store: Engine, province: Province, tmp_path: Path) -> None:
    with write(store) as connection:
        once = make_user(connection, province.province_id, "fresh.user", Role.ANALYST)
    browser = Browser(application(store, tmp_path))
    assert browser.log_in("fresh.user", once).headers["location"] == "/account"
    assert browser.get("/").headers["location"] == "/account"
    assert browser.get("/api/v1/scores").status_code == 403
    change = {"old": once, "new": "short"}
    assert browser.post("/account", change, form="/account").status_code == 422
    assert browser.post("/account", {"old": "wrong", "new": PASSWORD}, form="/account").status_code == 422
    assert browser.post("/account", {"old": once, "new": PASSWORD}, form="/account").status_code == 303
    assert browser.get("/").status_code == 303, "the change closes all sessions"
    assert browser.log_in("fresh.user", PASSWORD).headers["location"] == "/"
    assert browser.get("/").status_code == 200


def test_someone_shut_out_is_out_at_once(browser: Browser, province: Province, store: Engine) -> None:
    browser.log_in(province.users[Role.ANALYST])
    with write(store) as connection:
        query = select(users.c.id).where(users.c.name == province.users[Role.ANALYST])
        set_active(connection, province.province_id, connection.execute(query).scalar_one(), False, by=None)
    assert browser.get("/").status_code == 303
    assert browser.log_in(province.users[Role.ANALYST]).status_code == 401


def test_the_last_administrator_stays(store: Engine, province: Province) -> None:
    with write(store) as connection:
        query = select(users.c.id).where(users.c.name == province.users[Role.ADMINISTRATOR])
        with pytest.raises(ConflictError, match="last administrator"):
            set_active(connection, province.province_id, connection.execute(query).scalar_one(), False, by=None)


@pytest.mark.parametrize(
    ("name", "role", "agency", "problem"),
    [
        ("A B", Role.ANALYST, None, "no user name"),
        ("x", Role.ANALYST, None, "no user name"),
        ("reader", Role.AGENCY_READER, None, "has an agency"),
        ("analyst.p1", Role.ANALYST, None, "taken"),
        ("analyst2", Role.ANALYST, 1, "has an agency"),
    ],
)
def test_users_that_cannot_be(
    store: Engine, province: Province, name: str, role: Role, agency: int | None, problem: str
) -> None:
    with write(store) as connection, pytest.raises(RequestError, match=problem):
        make_user(connection, province.province_id, name, role, agency)


def test_access_log_names_routes_not_values(browser: Browser, province: Province, store: Engine) -> None:
    browser.log_in(province.users[Role.ANALYST])
    browser.get("/agencies/p1-a?period=2026-Q3")
    browser.log_in(province.users[Role.ANALYST], "wrong password here")
    with read(store) as connection:
        rows = connection.execute(select(access_log).order_by(access_log.c.id)).all()
    seen = [(row.method, row.route, row.status) for row in rows]
    assert ("GET", "/agencies/{code}", 200) in seen
    assert ("POST", "/log-in", 401) in seen
    assert not any("p1-a" in row.route for row in rows)


def test_citizens_leave_no_trace_in_the_access_log(store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path, demo=True))
    assert browser.get("/").status_code == 200
    browser.get("/log-in")
    with read(store) as connection:
        assert connection.execute(select(access_log)).all() == []


def test_access_log_ends_with_its_retention(store: Engine, province: Province) -> None:
    with write(store) as connection:
        write_setting(connection, province.province_id, "access_log_days", 30)
        for age in (1, 29, 31, 400):
            row = {"province_id": province.province_id, "at_s": now_s() - 86_400 * age, "method": "GET", "route": "/"}
            connection.execute(access_log.insert().values(**row, status=200))
        assert enforce_retention(connection, province.province_id) == 2
        left = connection.execute(select(access_log.c.at_s)).scalars().all()
    assert all(at_s >= now_s() - 86_400 * 30 for at_s in left)


def test_the_officer_learns_that_the_password_was_reset(store: Engine, province: Province, tmp_path: Path) -> None:
    officer, admin = (province.users[role] for role in (Role.PRIVACY_OFFICER, Role.ADMINISTRATOR))
    with read(store) as connection:
        number = connection.execute(select(users.c.id).where(users.c.name == officer)).scalar_one()
    app = application(store, tmp_path)
    attacker, owner = Browser(app), Browser(app, "10.0.0.2")
    owner.log_in(officer)
    assert "resets" not in owner.get("/account").text
    attacker.log_in(admin)
    for _ in range(2):  # once to get in as the officer, once more to let the officer in again
        page = attacker.post(f"/users/{number}/password", {"sure": "true"}, form="/users").text
    password = page.split('id="one-time-password">')[1].split("<")[0]
    assert owner.get("/privacy").status_code == 303, "the officer is locked out"
    assert owner.log_in(officer, password).headers["location"] == "/account"
    told = owner.get("/account").text.split('id="resets"')[1].split("</ul>")[0]
    assert told.count(f"bởi {admin}") == 2
    assert 'id="resets"' not in attacker.get("/account").text


@pytest.mark.parametrize(
    ("peer", "trusted", "status"),
    [
        ("127.0.0.1", None, 429),
        ("10.0.0.5", None, 401),
        ("10.0.0.5", ["10.0.0.0/24"], 429),
        ("127.0.0.1", [], 401),
    ],
)
def test_limits_count_the_client_behind_a_trusted_proxy_alone(
    store: Engine, province: Province, tmp_path: Path, peer: str, trusted: list[str] | None, status: int
) -> None:
    """203.0.113.9 has used up its attempts: told by a proxy, that counts only where the proxy is trusted."""
    web: dict[str, Any] = {"secure_cookies": False} | ({} if trusted is None else {"trusted_proxies": trusted})
    app = create_app(store, make_config({"data_dir": tmp_path, "web": web}, "test"))
    for _ in range(30):
        app.state.web.log_in_by_address.count("203.0.113.9")
    browser = Browser(app, peer)
    browser.http.headers["X-Forwarded-For"] = "203.0.113.9"
    assert browser.log_in("nobody", "not this one").status_code == status


@pytest.mark.parametrize("text", ["*", "proxy.example.vn", "10.0.0.5/8"])
def test_a_trusted_proxy_is_an_address_or_a_network(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        make_config({"data_dir": tmp_path, "web": {"trusted_proxies": [text]}}, "test")


def test_rate_limiter_forgets_and_is_bounded() -> None:
    now = [0.0]
    limiter = RateLimiter(2, 10.0, max_keys=3, clock=lambda: now[0])
    assert [limiter.allow("a") for _ in range(3)] == [True, True, False]
    assert limiter.wait_s("a") == 10.0
    now[0] = 10.0
    assert limiter.allow("a")
    for key in "bcde":
        limiter.allow(key)
    assert len(limiter._events) == 3


def test_a_guess_costs_what_rfc_9106_asks_for(quick_passwords: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    """For names that do not exist, too: the time of a log-in does not tell who is there."""
    monkeypatch.setattr(passwords, "_hasher", quick_passwords)
    hashed = hash_password(PASSWORD)
    assert [extract_parameters(each) for each in (hashed, stand_in_hash())] == [RFC_9106_LOW_MEMORY] * 2
    assert password_fits(hashed, PASSWORD)


def test_passwords() -> None:
    hashed = hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert password_fits(hashed, PASSWORD)
    assert not password_fits(hashed, PASSWORD + "x")
    assert not password_fits("no hash", PASSWORD)
    assert new_password() != new_password()
    for bad in ("short", "x" * 201):
        with pytest.raises(InvalidError, match="12"):
            hash_password(bad)


def test_a_password_fits_however_a_keyboard_composes_it() -> None:
    """One way of typing sends one character for a letter with its marks, another two or three."""
    composed, apart = (unicodedata.normalize(form, "mật khẩu của quầy số ba") for form in ("NFC", "NFD"))
    assert password_fits(hash_password(composed), apart)
    assert password_fits(hash_password(apart), composed)
    assert password_fits(passwords._hasher.hash(apart), apart), "set before letters were composed"
    assert not password_fits(hash_password(composed), "mat khau cua quay so ba")
