"""The second factor: RFC 6238's own vectors, replay, guesses, recovery codes, what the store holds, who resets it."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from server.auth import factors
from server.auth.factors import STEP_S, code_at, require_for
from server.auth.users import resets
from server.commands import reset_password
from server.core.limits import RateLimiter
from server.core.sealed import seal, unseal
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.users import Role, access_log, recovery_codes, second_factors, sessions, users
from tests.server.client import Browser
from tests.server.province import PASSWORD, Province, application, fill_province

RFC_SECRET = b"12345678901234567890"


class Clock:
    """Where the rules take their time from."""

    def __init__(self) -> None:
        self.now = 1_800_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(factors, "now_s", clock)
    return clock


class World:
    """A province, a browser, and the telephone of one of its users."""

    def __init__(self, store: Engine, folder: Path, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.province: Province = fill_province(store, "p1")
        self.app = application(store, folder)
        self.browser = Browser(self.app)
        self.secret = b""
        self.codes: list[str] = []

    def name(self, role: Role) -> str:
        return self.province.users[role]

    def user_id(self, role: Role) -> int:
        with read(self.store) as connection:
            return int(connection.execute(select(users.c.id).where(users.c.name == self.name(role))).scalar_one())

    def code(self, steps: int = 0) -> str:
        return code_at(self.secret, self.clock.now // STEP_S + steps)

    def set_up(self, role: Role = Role.ANALYST) -> None:
        """Log in, scan the key, confirm it, log out."""
        self.browser.log_in(self.name(role))
        page = self.browser.post("/account/factor", {"password": PASSWORD}, form="/account").text
        self.secret = base64.b32decode(re.sub(r"\s", "", page.split('id="key">')[1].split("<")[0]))
        answer = self.confirm(page, self.code())
        assert answer.status_code == 200
        self.codes = re.findall(r"<li><code>([a-z0-9-]+)</code>", answer.text)
        self.clock.now += STEP_S
        self.browser.post("/log-out", form="/account")

    def confirm(self, page: str, code: str) -> Any:
        """Put into force what a page shows."""
        shown = re.search(r'name="ticket" value="([^"]+)"', page)
        form = {"code": code, "ticket": shown[1] if shown else ""}
        return self.browser.post("/account/factor/confirm", form, form="/account")

    def ticket(self, role: Role = Role.ANALYST, browser: Browser | None = None) -> str:
        """What the page of the code holds after the right password."""
        answer = (browser or self.browser).log_in(self.name(role))
        assert answer.status_code == 200, "no session before the code"
        assert "hl_session" not in answer.headers.get("set-cookie", "")
        return str(re.search(r'name="ticket" value="([^"]+)"', answer.text)[1])  # type: ignore[index]

    def enter(self, code: str, ticket: str | None = None) -> int:
        """Log in with a code; the status: 303 is in."""
        form = {"code": code, "ticket": self.ticket() if ticket is None else ticket}
        return int(self.browser.post("/log-in/code", form).status_code)


@pytest.fixture
def world(store: Engine, tmp_path: Path, clock: Clock) -> World:
    return World(store, tmp_path, clock)


@pytest.mark.parametrize(
    ("time_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(time_s: int, code: str) -> None:
    assert code_at(RFC_SECRET, time_s // STEP_S, 8) == code
    assert code_at(RFC_SECRET, time_s // STEP_S) == code[2:]


def test_a_password_alone_does_not_let_in(world: World) -> None:
    world.set_up()
    ticket = world.ticket()
    assert world.browser.get("/").headers["location"] == "/log-in?after=/"
    assert world.enter(world.code(), ticket) == 303
    assert world.browser.get("/").status_code == 200


def test_a_code_is_taken_once_within_its_window(world: World) -> None:
    world.set_up()
    code, ticket = world.code(), world.ticket()
    assert world.enter(code, ticket) == 303
    assert world.enter(code, ticket) == 401, "replayed"
    assert world.enter(world.code(-1), ticket) == 401, "older than one that was taken"
    world.clock.now += STEP_S
    assert world.enter(code, ticket) == 401, "still within the window"
    assert world.enter(world.code(), ticket) == 303


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 303), (0, 303), (1, 303), (2, 401)])
def test_a_telephones_clock_may_be_off_by_half_a_minute(world: World, steps: int, status: int) -> None:
    world.set_up()
    world.clock.now += 10 * STEP_S
    assert world.enter(world.code(steps)) == status


def test_the_code_of_the_set_up_is_used_up(world: World) -> None:
    world.set_up()
    assert world.enter(world.code(-1)) == 401


def test_a_known_password_allows_no_more_codes_than_passwords(world: World, store: Engine) -> None:
    """Each right password must not begin the count anew."""
    world.set_up()
    tried = 0
    for _ in range(8):
        answer = world.browser.log_in(world.name(Role.ANALYST))
        if answer.status_code == 429:
            break
        ticket = str(re.search(r'name="ticket" value="([^"]+)"', answer.text)[1])  # type: ignore[index]
        tried += world.enter("000000", ticket) == 401
    assert tried <= 4
    with read(store) as connection:
        logged = connection.execute(select(access_log.c.status).where(access_log.c.route == "/log-in/code")).scalars()
        assert logged.all() == [401] * tried


def test_a_recovery_code_works_once_and_is_logged(world: World, store: Engine) -> None:
    world.set_up()
    assert len(set(world.codes)) == 8
    assert world.enter(f" {world.codes[0].upper().replace('-', ' ')} ") == 303
    assert "7" in world.browser.get("/account").text.split('id="factor"')[1].split("<form")[0]
    assert world.enter(world.codes[0]) == 401
    assert world.enter(world.codes[1]) == 303
    with read(store) as connection:
        used = connection.execute(select(changes).where(changes.c.action == "recovery_code_used")).all()
    assert len(used) == 2


def test_no_file_of_the_store_holds_what_makes_a_code(world: World, tmp_path: Path) -> None:
    world.set_up()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
    shown = base64.b32encode(world.secret)
    for secret in (world.secret, shown, world.secret.hex().encode(), *(code.encode() for code in world.codes)):
        assert secret not in held
    with read(world.store) as connection:
        row = connection.execute(select(second_factors)).one()
        assert len(connection.execute(select(recovery_codes)).all()) == 8
    key = world.app.state.web.factor_key
    assert unseal(row.secret, f"second factor {row.user_id}", key) == world.secret
    assert unseal(row.secret, f"second factor {row.user_id + 1}", key) is None, "no other user's"
    assert unseal(row.secret, f"gateway {row.user_id}", key) is None


def test_another_users_sealed_key_is_nobodys(world: World, store: Engine) -> None:
    """Whoever can write to the store puts his own telephone in another's place."""
    world.set_up()
    mine = seal(b"m" * 20, "second factor 999", world.app.state.web.factor_key)
    with write(store) as connection:
        connection.execute(update(second_factors).values(secret=mine))
    assert world.enter(code_at(b"m" * 20, world.clock.now // STEP_S)) == 401


def test_a_ticket_is_its_browsers_its_passwords_and_of_minutes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set_up()
    other = Browser(world.app, "10.0.0.9")
    assert world.enter(world.code(), world.ticket(browser=other)) == 401, "another browser's"
    assert world.enter(world.code(), "nonsense") == 401
    ticket = world.ticket()
    with write(world.store) as connection:
        connection.execute(
            update(users).where(users.c.name == world.name(Role.ANALYST)).values(password_hash="changed")
        )
    assert world.enter(world.code(), ticket) == 401, "the password was changed meanwhile"
    assert world.browser.get("/").status_code == 303


def test_an_old_ticket_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set_up()
    ticket = world.ticket()
    monkeypatch.setattr("server.accounts.session_page.TICKET_S", -1)
    assert world.enter(world.code(), ticket) == 401


@given(st.text(max_size=60), st.integers(0, 2**40))
def test_no_text_is_a_code_but_the_code(text: str, step: int) -> None:
    """However a text is written, what is compared is ASCII; six digits alone are compared with the telephone's."""
    plain = factors._plain(text)
    assert plain.isascii()
    assert plain == "" or plain.isalnum()
    code = code_at(RFC_SECRET, step)
    assert factors._plain(f" {code[:3]} {code[3:]}\n") == code


def test_what_is_no_code_is_refused_in_words(world: World) -> None:
    world.set_up()
    ticket = world.ticket()
    for code in ["", "1", "abc", "12345", "1234567", "１２３４５６", "x" * 60, "x" * 61, "😀" * 10, "\x00" * 6]:
        assert world.enter(code, ticket) in (401, 422), code
        world.app.state.web.log_in_here.forget(f"{world.name(Role.ANALYST)} 10.0.0.1")


def test_a_role_that_needs_one_reaches_nothing_else(world: World, store: Engine) -> None:
    admin = Browser(world.app, "10.0.0.2")
    admin.log_in(world.name(Role.ADMINISTRATOR))
    form = {"roles": ["analyst", "privacy_officer"]}
    assert admin.post("/settings/second-factor", form, form="/settings").status_code == 303
    assert admin.get("/settings").text.count(" checked") == 2
    with read(store) as connection:
        said = connection.execute(select(changes.c.detail).where(changes.c.action == "settings")).scalar_one()
    assert "analyst privacy_officer" in said
    assert world.browser.log_in(world.name(Role.ANALYST)).headers["location"] == "/account"
    assert world.browser.get("/").headers["location"] == "/account"
    assert world.browser.get("/api/v1/scores").status_code == 403
    world.set_up()
    assert world.enter(world.code()) == 303
    assert world.browser.get("/").status_code == 200
    world.clock.now += STEP_S
    change = {"code": world.code(), "what": "remove"}
    assert world.browser.post("/account/factor/change", change, form="/account").status_code == 409
    assert admin.get("/").status_code == 200, "this role is not asked"


def test_a_user_takes_it_away_or_has_new_codes(world: World, store: Engine) -> None:
    world.set_up()
    assert world.enter(world.code()) == 303
    world.clock.now += STEP_S
    wrong = {"code": "000000", "what": "remove"}
    assert world.browser.post("/account/factor/change", wrong, form="/account").status_code == 422
    change = {"code": world.code(), "what": "codes"}
    page = world.browser.post("/account/factor/change", change, form="/account").text
    fresh = re.findall(r"<li><code>([a-z0-9-]+)</code>", page)
    assert len(fresh) == 8
    assert not set(fresh) & set(world.codes)
    change = {"code": world.codes[0], "what": "remove"}
    assert world.browser.post("/account/factor/change", change, form="/account").status_code == 422, "an old one"
    change = {"code": fresh[0], "what": "remove"}
    assert world.browser.post("/account/factor/change", change, form="/account").status_code == 303
    assert world.browser.log_in(world.name(Role.ANALYST)).status_code == 303
    with read(store) as connection:
        assert connection.execute(select(recovery_codes)).all() == []


def test_the_key_is_shown_to_whoever_knows_the_password(world: World) -> None:
    world.browser.log_in(world.name(Role.ANALYST))
    answer = world.browser.post("/account/factor", {"password": "not the password"}, form="/account")
    assert answer.status_code == 422
    assert 'id="key"' not in answer.text
    assert world.browser.post("/account/factor/confirm", {"code": "123456"}, form="/account").status_code == 404


def test_a_page_that_is_left_open_does_not_show_a_key_that_was_begun(world: World) -> None:
    """A wrong code showed it again, to whoever had the session: the password had been asked for to no end."""
    world.browser.log_in(world.name(Role.ANALYST))
    page = world.browser.post("/account/factor", {"password": PASSWORD}, form="/account").text
    key = page.split('id="key">')[1].split("<")[0]
    for ticket in ("", "nonsense"):
        form = {"code": "000000", "ticket": ticket}
        answer = world.browser.post("/account/factor/confirm", form, form="/account")
        assert (answer.status_code, key in answer.text) == (404, False)
    again = world.confirm(page, "000000")
    assert (again.status_code, key in again.text) == (422, True), "who has begun it mistypes and goes on"
    world.secret = base64.b32decode(re.sub(r"\s", "", key))
    assert world.confirm(again.text, world.code()).status_code == 200


@pytest.mark.parametrize("path", ["/account", "/account/factor/confirm"])
def test_an_open_session_is_no_place_to_guess_at(path: str, world: World) -> None:
    """The present password where one is changed, the code of a new key."""
    world.browser.log_in(world.name(Role.ANALYST))
    page = world.browser.post("/account/factor", {"password": PASSWORD}, form="/account").text
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    found = []
    for _ in range(8):
        form = {"old": "a wrong password", "new": "a new password of mine", "code": "000000", "ticket": ticket[1]}  # type: ignore[index]
        found.append(world.browser.post(path, form, form="/account").status_code)
    assert found == [422] * 5 + [403] * 3


def test_codes_are_bounded_by_person_and_day_in_the_store(
    world: World, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From many networks, over restarts and several processes: 4,800 a day before, each right with 3 in a million."""
    monkeypatch.setattr(factors, "GUESSES_A_DAY", 4)
    world.set_up()
    user = (world.province.province_id, world.user_id(Role.ANALYST))
    assert world.enter(world.code()) == 303, "a code that fits takes no place"
    for number in range(4):
        world.app.state.web.log_in_here = RateLimiter(5, 900.0)  # another network
        assert world.enter(f"{number:06}") == 401
    world.clock.now += STEP_S
    world.app.state.web.log_in_here = RateLimiter(5, 900.0)
    answer = world.browser.post("/log-in/code", {"code": world.code(), "ticket": world.ticket()})
    assert answer.status_code == 429
    assert world.enter(world.codes[0]) == 303, "the owner has another way in"
    assert "Hôm nay có 4 lần nhập sai mã" in world.browser.get("/account").text, "and is told"
    change = {"code": world.code(), "what": "remove"}
    assert world.browser.post("/account/factor/change", change, form="/account").status_code == 403
    world.clock.now += 86_400
    with write(store) as connection:
        assert factors.take_code(connection, *user, world.code(), world.app.state.web.factor_key)


def test_a_code_that_did_not_fit_counts_wherever_it_was_tried(world: World, store: Engine) -> None:
    world.set_up()
    assert world.enter(world.code()) == 303
    for what in ("codes", "remove"):
        change = {"code": "000000", "what": what}
        assert world.browser.post("/account/factor/change", change, form="/account").status_code == 422
    with read(store) as connection:
        assert connection.execute(select(second_factors.c.guesses)).scalar_one() == 2


def test_one_code_at_once_lets_one_in(world: World) -> None:
    world.set_up()
    browsers = [Browser(world.app, f"10.0.0.{n}") for n in range(2, 6)]
    tickets = [world.ticket(browser=browser) for browser in browsers]

    def enter(browser: Browser, ticket: str) -> int:
        return int(browser.post("/log-in/code", {"code": world.code(), "ticket": ticket}).status_code)

    with ThreadPoolExecutor(len(browsers)) as pool:
        assert sorted(pool.map(enter, browsers, tickets)) == [303, 401, 401, 401]


@pytest.mark.parametrize("meanwhile", ["password", "factor", "out"])
def test_what_changes_while_a_password_is_looked_at_holds(
    meanwhile: str, world: World, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sessions of before end with it; one that was about to begin went on."""
    if meanwhile == "factor":
        world.set_up()
    is_analyst = users.c.name == world.name(Role.ANALYST)
    with write(store) as connection:
        connection.execute(update(second_factors).values(confirmed=False))

    def fits(_hash: str, _password: str) -> bool:
        with write(store) as connection:
            connection.execute(update(second_factors).values(confirmed=True))
            if meanwhile == "password":
                connection.execute(update(users).where(is_analyst).values(password_hash="another"))
            if meanwhile == "out":
                connection.execute(update(users).where(is_analyst).values(active=False))
        return True

    monkeypatch.setattr("server.accounts.session_page.password_fits", fits)
    assert world.browser.log_in(world.name(Role.ANALYST)).status_code == 401
    with read(store) as connection:
        assert connection.execute(select(sessions)).all() == []


def test_setting_it_up_ends_the_sessions_that_had_none(world: World) -> None:
    thief = Browser(world.app, "10.0.0.3")
    thief.log_in(world.name(Role.ANALYST))
    assert thief.get("/").status_code == 200
    world.set_up()
    assert thief.get("/").status_code == 303


def test_an_administrator_resets_it_and_the_owner_is_told(world: World, store: Engine) -> None:
    world.set_up()
    assert world.enter(world.code()) == 303
    admin = Browser(world.app, "10.0.0.2")
    admin.log_in(world.name(Role.ADMINISTRATOR))
    assert (
        admin.post(f"/users/{world.user_id(Role.ANALYST)}/factor", {"sure": "true"}, form="/users").status_code == 303
    )
    assert world.browser.get("/").status_code == 303, "the sessions end"
    assert world.browser.log_in(world.name(Role.ANALYST)).status_code == 303
    told = world.browser.get("/account").text.split('id="resets"')[1].split("</ul>")[0]
    assert f"bởi {world.name(Role.ADMINISTRATOR)}" in told


def test_a_lost_telephone_of_the_only_administrator(
    world: World, store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    world.set_up(Role.ADMINISTRATOR)
    with write(store) as connection:
        require_for(connection, world.province.province_id, [Role.ADMINISTRATOR], by=None)
    parser = argparse.ArgumentParser()
    reset_password.add_arguments(parser)
    name = world.name(Role.ADMINISTRATOR)
    store_url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    args = parser.parse_args(["--data-dir", str(tmp_path), "--store", store_url, "--user", name])
    assert reset_password.run(args) == 0
    said = capsys.readouterr().out
    assert "second factor was taken away" in said
    password = re.search(r": (\S+)   \(shown once", said)[1]  # type: ignore[index]
    assert world.browser.log_in(name, password).headers["location"] == "/account"
    with read(store) as connection:
        number = world.user_id(Role.ADMINISTRATOR)
        assert [action for _, by, action in resets(connection, world.province.province_id, number) if by is None] == [
            "factor_reset",
            "password_reset",
        ]
        assert len(connection.execute(select(sessions)).all()) == 1
