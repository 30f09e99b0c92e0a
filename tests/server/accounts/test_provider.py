"""Log-in by a provider on a real socket: what the honest one does, roles, links, second factors, ends, settings."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine, select, update

from hailong.cli import main
from pipeline.errors import ConfigError
from server.app import create_app
from server.auth import provider
from server.auth.factors import code_at, require_for
from server.auth.provider import provider_of
from server.auth.provider_accounts import values_of
from server.core.config import make_config, own_folder
from server.store.engine import read, write
from server.store.tables.users import Role, provider_accounts, users
from tests.server.accounts.conftest import ROLES, World
from tests.server.accounts.false_provider import (
    CLIENT,
    SECRET,
    Claims,
)
from tests.server.client import Browser
from tests.server.outbox.receivers import talker
from tests.server.province import PASSWORD, fill_province


def test_a_linked_account_logs_in_where_it_wanted_to_go(world: World) -> None:
    world.link()
    linked = world
    page = linked.browser.get("/log-in").text
    assert "Đăng nhập bằng Cổng tỉnh" in page
    assert 'name="password"' in page, "the password stays"
    answer = linked.enter()
    assert answer.status_code == 303
    assert answer.headers["location"] == "/reports"
    assert "hl_session" in answer.headers["set-cookie"]
    assert linked.is_in
    assert 'id="provider"' in linked.browser.get("/account").text
    assert linked.logged("provider_linked") == [f'{{"user":{linked.user().id}}}']


def test_accounts_roles_and_ends_on_either_data_base(any_store: Engine, tmp_path: Path) -> None:
    world = World(any_store, tmp_path, accounts="made")
    with contextlib.closing(world.provider):
        assert world.enter().status_code == 303
        world.provider.claims["roles"] = ["hl-admin"]
        assert world.enter().status_code == 303
        assert world.is_in
        assert len(world.logged("role_by_provider")) == 1
        token = world.provider.ended(sid=None, sub="person-1")
        assert world.browser.http.post("/log-in/provider/ended", data={"logout_token": token}).status_code == 200
        assert world.sessions() == 0


def test_what_the_browser_carries_says_nothing_and_asks_for_a_code_with_pkce(linked: World) -> None:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(linked.go()).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert asked["redirect_uri"] == "http://testserver/log-in/provider/done"
    cookie = linked.browser.http.cookies["hl_attempt"]
    assert asked["state"] not in cookie
    assert asked["nonce"] not in cookie
    assert asked["nonce"].encode() not in base64.b64decode(cookie[3:] + "==")


def test_a_role_comes_from_the_claims_at_every_log_in(linked: World) -> None:
    linked.provider.claims["roles"] = ["something", "hl-admin"]
    assert linked.enter().status_code == 303
    assert linked.user().role == "administrator"
    assert json.loads(linked.logged("role_by_provider")[0])["role"] == [["analyst", None], ["administrator", None]]
    linked.provider.claims["roles"] = ["hl-reader"]
    assert linked.enter().status_code == 403, "of which agency?"
    linked.configure(agency_claim="unit.code")
    linked.provider.claims["unit"] = {"code": "p1-b"}
    assert linked.enter().status_code == 303
    assert linked.user().agency_id == linked.province.agencies["p1-b"]
    linked.provider.claims["unit"] = {"code": "p1-z"}
    assert linked.enter().status_code == 403


def test_a_claim_that_is_not_named_gives_no_access_and_says_so(linked: World) -> None:
    given: tuple[Any, ...] = ([], None, ["hl"], ["HL-ANALYST"], {"hl-analyst": True}, [["hl-analyst"]], "hl-analyst x")
    for roles in given:
        linked.provider.claims["roles"] = roles
        answer = linked.enter()
        assert answer.status_code == 403, roles
        assert "chưa có vai trò" in answer.text
        assert not linked.is_in


def test_who_has_no_role_any_more_has_none_in_an_open_session(linked: World) -> None:
    """The provider says so at a second log-in, in another browser; what a password began is no affair of its."""
    linked.configure(linked_passwords=True)
    linked.browser.log_in(linked.name())
    linked.browser.http.cookies.clear()
    assert linked.enter().status_code == 303
    assert linked.sessions() == 2
    first = linked.browser
    linked.browser = Browser(linked.app)
    linked.provider.claims["roles"] = []
    assert linked.enter().status_code == 403
    assert linked.sessions() == 1
    assert first.get("/").status_code == 303


@pytest.mark.parametrize(
    "says", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b""]
)
def test_a_provider_that_drips_is_left_after_a_bound(
    linked: World, says: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then kept a place for days; four such log-ins, and nobody came in by the provider any more."""
    monkeypatch.setattr(provider, "DEADLINE_S", 0.3)
    with talker(says, again_s=0.02) as port:
        linked.configure(issuer=f"http://127.0.0.1:{port}")
        begun_s = time.monotonic()
        for _ in range(5):
            assert "không trả lời" in linked.browser.get("/log-in/provider").text
        assert time.monotonic() - begun_s < 60


def test_the_last_administrator_stays_one(world: World) -> None:
    world.provider.claims["roles"] = ["hl-admin"]
    world.link(Role.ADMINISTRATOR)
    world.provider.claims["roles"] = ["hl-analyst"]
    assert world.enter().status_code == 409
    assert world.user(Role.ADMINISTRATOR).role == "administrator"


def test_who_is_not_linked_is_told_how(world: World) -> None:
    answer = world.enter()
    assert answer.status_code == 403
    assert "liên kết" in answer.text
    with read(world.store) as connection:
        assert connection.execute(select(provider_accounts)).all() == []


def test_accounts_are_made_where_the_settings_say_so(world: World) -> None:
    world.configure(accounts="made")
    assert world.enter().headers["location"] == "/reports"
    with read(world.store) as connection:
        made = connection.execute(select(users).where(users.c.name == "an.nguyen")).one()
        subject = connection.execute(select(provider_accounts.c.subject_hash)).scalar_one()
    assert (made.role, made.must_change_password) == ("analyst", False)
    assert re.fullmatch("[0-9a-f]{64}", subject), "no name of the provider's is kept"
    page = world.browser.get("/account").text
    assert 'id="old"' not in page, "there is no password to change"
    world.browser.post("/log-out", form="/account")
    for guess in ("!", "", PASSWORD):
        assert world.browser.log_in("an.nguyen", guess).status_code in (401, 422)
    assert world.enter().status_code == 303, "the same account"
    assert world.logged("user_made") == [f'{{"role":"analyst","user":{made.id}}}']


def test_an_account_that_the_provider_made_makes_itself_no_password(world: World) -> None:
    """The page had no form for it, the route took any "present" password: a way in that stays open when the provider
    has shut the person out, also for whoever held the session for a minute."""
    world.configure(accounts="made")
    world.enter()
    sent = {"old": "whatever", "new": "a password of my own"}
    assert world.browser.post("/account", sent, form="/account").status_code == 403
    assert world.is_in, "the session is as it was"
    world.browser.post("/log-out", form="/account")
    assert world.browser.log_in("an.nguyen", sent["new"]).status_code == 401


def test_a_name_that_is_taken_is_not_taken_over(world: World) -> None:
    world.configure(accounts="made")
    world.provider.claims |= {"preferred_username": world.name(Role.ADMINISTRATOR), "roles": ["hl-admin"]}
    assert world.enter().status_code == 409
    assert not world.is_in


def test_an_account_that_was_shut_out_stays_out(linked: World) -> None:
    with write(linked.store) as connection:
        connection.execute(update(users).where(users.c.id == linked.user().id).values(active=False))
    assert linked.enter().status_code == 403
    assert not linked.is_in


def test_linking_asks_for_the_password_and_one_person_is_one_account(linked: World) -> None:
    linked.browser.log_in(linked.name(Role.PRIVACY_OFFICER))
    wrong = linked.browser.post("/account/provider", {"password": "not this one"}, form="/account")
    assert wrong.status_code == 422
    page = linked.browser.post("/account/provider", {"password": PASSWORD}, form="/account").text
    place = re.search(r'id="onward" href="([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
    assert "prompt=login" in place
    assert linked.back(linked.provider.authorize(place)).status_code == 409, "that person is the analyst"
    other = Browser(linked.app)
    other.log_in(linked.name(Role.DATA_ENTRY))
    assert 'id="link-password"' in other.get("/account").text
    page = other.post("/account/provider", {"password": PASSWORD}, form="/account").text
    place = re.search(r'id="onward" href="([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
    said = linked.provider.authorize(place)
    other.post("/log-out", form="/account")
    assert other.get("/log-in/provider/done", params=said).status_code == 403, "logged out meanwhile"


def test_an_administrator_takes_a_link_away(linked: World) -> None:
    assert linked.enter().status_code == 303
    admin = Browser(linked.app, "10.0.0.2")
    admin.log_in(linked.name(Role.ADMINISTRATOR))
    path = f"/users/{linked.user().id}/provider"
    assert path in admin.get("/users").text
    assert admin.post(path, {"sure": "true"}, form="/users").status_code == 303
    assert not linked.is_in
    assert linked.enter().status_code == 403
    assert len(linked.logged("provider_unlinked")) == 1
    assert admin.post(path, {"sure": "true"}, form="/users").status_code == 404


def test_a_linked_account_s_password_lets_nobody_in_unless_the_settings_say_so(linked: World) -> None:
    """Who has left the provider had a way in beside it, with the last role, until somebody found the setting."""
    linked.browser = Browser(linked.app)
    assert linked.browser.log_in(linked.name()).status_code == 401
    assert linked.browser.log_in(linked.name(Role.ADMINISTRATOR)).status_code == 303, "the emergency way"
    linked.configure(linked_passwords=True)
    assert linked.browser.log_in(linked.name()).status_code == 303


def test_the_servers_own_command_lets_a_linked_administrator_in(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The provider does not answer, and everybody is linked."""
    world.provider.claims["roles"] = ["hl-admin"]
    world.link(Role.ADMINISTRATOR)
    settings = f'issuer = "{world.provider.issuer}"\nclient_id = "{CLIENT}"\n'
    settings = f'[web]\npublic_url = "http://testserver"\n[oidc]\n{settings}[oidc.roles]\nhl-admin = "administrator"\n'
    (world.folder / "server.toml").write_text(settings, "utf-8")
    name = world.name(Role.ADMINISTRATOR)
    where = ["--data-dir", str(world.folder), "--store", world.store.url.render_as_string(hide_password=False)]
    assert main(["server", "doctor", *where, "--json"]) in (0, 1)
    looked = {each["what"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert looked["log-in service"]["state"] == "ok"
    world.provider.keys.clear()
    main(["server", "doctor", *where, "--json"])
    looked = {each["what"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert looked["log-in service"]["state"] == "wrong"
    world.provider.close()
    assert world.browser.log_in(name).status_code == 401
    assert main(["server", "reset-password", "--user", name, *where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["unlinked"]
    assert world.browser.log_in(name, told["password"]).headers["location"] == "/account"


def test_a_role_that_needs_a_second_factor(linked: World) -> None:
    with write(linked.store) as connection:
        require_for(connection, linked.province.province_id, [Role.ANALYST], by=None)
    assert linked.enter().headers["location"] == "/account", "the provider showed none: ours is set up first"
    linked.configure(factor_amr=["otp"], factor_acr=["urn:gold"])
    for claims in ({"amr": ["pwd", "otp"]}, {"acr": "urn:gold"}):
        linked.provider.claims = {"sub": "person-1", "roles": ["hl-analyst"], **claims}
        assert linked.enter().headers["location"] == "/reports"
        assert linked.is_in
    linked.provider.claims = {"sub": "person-1", "roles": ["hl-analyst"], "amr": ["pwd"], "acr": "0"}
    assert linked.enter().headers["location"] == "/account"
    page = linked.browser.post("/account/factor", {"password": PASSWORD}, form="/account").text
    secret = base64.b32decode(re.sub(r"\s", "", page.split('id="key">')[1].split("<")[0]))
    now = int(time.time()) // 30
    begun = re.search(r'name="ticket" value="([^"]+)"', page)
    assert begun is not None
    form = {"code": code_at(secret, now), "ticket": begun[1]}
    done = linked.browser.post("/account/factor/confirm", form, form="/account")
    assert done.status_code == 200
    linked.browser.post("/log-out", form="/account")
    page = linked.enter().text
    assert not linked.is_in, "no session before the code"
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)[1]  # type: ignore[index]
    wrong = linked.browser.post("/log-in/code", {"ticket": ticket, "code": "000000"})
    assert wrong.status_code == 401
    entered = linked.browser.post("/log-in/code", {"ticket": ticket, "code": code_at(secret, now + 1)})
    assert entered.status_code == 303
    linked.provider.claims["amr"] = ["otp"]
    assert linked.enter().headers["location"] == "/reports", "the provider's own counts"


def test_one_log_out_ends_both(linked: World) -> None:
    linked.configure(linked_passwords=True)
    linked.enter()
    answer = linked.browser.post("/log-out", form="/account")
    assert answer.status_code == 200
    place = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)[1]  # type: ignore[index]
    assert place.startswith(f"{linked.provider.issuer}/end?client_id={CLIENT}&amp;post_logout_redirect_uri=")
    assert linked.sessions() == 0
    linked.browser.log_in(linked.name())
    answer = linked.browser.post("/log-out", form="/account")
    assert answer.headers["location"] == "/log-in", "a session by password ends here"


def test_the_provider_ends_sessions(linked: World) -> None:
    linked.configure(linked_passwords=True)
    linked.enter()
    other = Browser(linked.app, "10.0.0.2")
    other.log_in(linked.name())

    def told(token: str) -> int:
        return int(linked.browser.http.post("/log-in/provider/ended", data={"logout_token": token}).status_code)

    provider = linked.provider
    lies: tuple[Claims, ...] = (
        {"events": {}},
        {"events": None},
        {"nonce": "n"},
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"jti": None},
        {"sid": None},
        {"exp": int(time.time()) - 100},
    )
    for lie in lies:
        assert told(provider.ended(**lie)) == 400, lie
    assert told("nonsense") == 400
    assert linked.is_in
    assert told(provider.ended(sid="another")) == 200
    assert told(provider.ended(sid="session-1")) == 400, "the same token's number again"
    assert linked.is_in
    assert told(provider.ended(jti="2")) == 200
    assert not linked.is_in
    assert other.get("/").status_code == 200, "a session by password is not the provider's"
    linked.enter()
    assert told(provider.ended(jti="3", sid=None, sub="person-2")) == 200
    assert linked.is_in
    assert told(provider.ended(jti="4", sid=None, sub="person-1")) == 200
    assert not linked.is_in


def test_codes_are_not_guessed_at_by_the_thousand(linked: World) -> None:
    linked.configure()
    answers = []
    for _ in range(35):
        said = linked.provider.authorize(linked.go())
        answers.append(linked.back({**said, "code": "guess"}).status_code)
    assert answers[:30] == [502] * 30
    assert set(answers[30:]) == {429}


def test_nothing_of_a_token_is_written_down(linked: World, caplog: pytest.LogCaptureFixture) -> None:
    tokens: list[str] = []
    honest = linked.provider.sign

    def sign(claims: Claims) -> str:
        tokens.append(honest(claims))
        return tokens[-1]

    linked.provider.sign = sign
    with caplog.at_level(0):
        linked.enter()
        linked.provider.claims["sub"] = "person-2"
        linked.enter()
    held = b"".join(path.read_bytes() for path in linked.folder.glob("store.sqlite*")).decode("latin-1")
    for word in (*tokens, "person-1", "person-2", SECRET, "session-1"):
        assert word not in held
        assert word not in caplog.text


@pytest.mark.parametrize(
    ("oidc", "web"),
    [
        ({}, {}),
        ({"issuer": "http://dangnhap.example.vn"}, None),
        ({"issuer": "https://dangnhap.example.vn/?a=b"}, None),
        ({"issuer": "https://u:p@dangnhap.example.vn"}, None),
        ({"client_id": ""}, None),
        ({"roles": {}}, None),
        ({"roles": {"a": "king"}}, None),
        ({"scopes": ["profile"]}, None),
        ({"clock_skew_s": 301}, None),
        ({"unknown": 1}, None),
        ({"ca_file": "/nowhere"}, None),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, oidc: dict[str, Any], web: Any) -> None:
    given = {"issuer": "https://dangnhap.example.vn", "client_id": "c", "roles": ROLES, "client_auth": "none", **oidc}
    reached = {"public_url": "https://hailong.example.vn"} if web is None else web
    with pytest.raises(ConfigError):
        provider_of(make_config({"data_dir": tmp_path, "web": reached, "oidc": given}, "test"))


@pytest.mark.parametrize("mode", [None, 0o644])
def test_the_clients_secret_is_a_file_of_its_own(tmp_path: Path, mode: int | None) -> None:
    given = {"issuer": "https://dangnhap.example.vn", "client_id": "c", "roles": ROLES}
    if mode is not None:
        own_folder(tmp_path / "keys")
        (tmp_path / "keys" / "oidc.secret").write_text("s", "utf-8")
        (tmp_path / "keys" / "oidc.secret").chmod(mode)
    web = {"public_url": "https://hailong.example.vn"}
    with pytest.raises(ConfigError):
        provider_of(make_config({"data_dir": tmp_path, "web": web, "oidc": given}, "test"))


def test_where_the_claims_name_a_role() -> None:
    claims: Claims = {"roles": "a", "realm_access": {"roles": ["b", 1, ""]}, "https://x.vn/r": ["c"], "n": None}
    assert values_of(claims, "roles") == ["a"]
    assert values_of(claims, "realm_access.roles") == ["b"]
    assert values_of(claims, "https://x.vn/r") == ["c"]
    assert values_of(claims, "n") == []
    assert values_of(claims, "roles.deeper.still") == []


def test_a_server_without_provider_has_no_such_way(store: Engine, tmp_path: Path) -> None:
    fill_province(store, "p1")
    config = make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test")
    browser = Browser(create_app(store, config))
    assert browser.get("/log-in/provider").status_code == 404
    assert browser.get("/log-in/provider/done", params={"code": "a", "state": "b"}).status_code == 401
    assert browser.http.post("/log-in/provider/ended", data={"logout_token": "a"}).status_code == 404
    assert 'id="provider"' not in browser.get("/log-in").text
