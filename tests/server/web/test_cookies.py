"""Cookies over HTTPS: this host's alone, whoever else may set some for its domain."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from server.app import create_app
from server.core.config import make_config
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import fill_province


class Secure(Browser):
    """A browser at an address of HTTPS that notes every cookie that it is given."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.http.base_url = "https://hailong.example.vn"
        self.given: list[str] = []
        self.http.event_hooks["response"].append(
            lambda answer: self.given.extend(answer.headers.get_list("set-cookie"))
        )


@pytest.fixture
def app(store: Engine, tmp_path: Path) -> Any:
    fill_province(store, "p1")
    return create_app(store, make_config({"data_dir": tmp_path}, "test"))


def test_every_cookie_is_this_host_s_alone(app: Any) -> None:
    """RFC 6265bis, 4.1.3.2: a `__Host-` cookie without `Secure`, of another path or with a domain is refused; that
    holds for the one that ends it, too."""
    browser = Secure(app)
    assert browser.log_in(f"{Role.ANALYST.value}.p1").status_code == 303
    assert browser.get("/?lang=en").status_code == 200
    assert browser.post("/log-out", form="/").status_code == 303
    assert browser.get("/").status_code == 303
    names = set()
    for given in browser.given:
        [(name, morsel)] = SimpleCookie(given).items()
        names.add(name)
        assert morsel["secure"], given
        assert morsel["httponly"], given
        assert (morsel["path"], morsel["domain"], morsel["samesite"].lower()) == ("/", "", "lax"), given
    assert names == {"__Host-hl_session", "__Host-hl_browser", "__Host-hl_lang"}


def test_a_session_that_a_sibling_name_sets_lets_nobody_in(app: Any) -> None:
    """`evil.example.vn` may set `hl_session` for `example.vn`; `__Host-hl_session` a browser does not take from it."""
    attacker, victim = Secure(app), Secure(app)
    assert attacker.log_in(f"{Role.ANALYST.value}.p1").status_code == 303
    own = {cookie.name: cookie.value or "" for cookie in attacker.http.cookies.jar}
    for name in ("hl_session", "hl_browser"):
        victim.http.cookies.set(name, own[f"__Host-{name}"], domain=".example.vn")
    assert victim.get("/").status_code == 303
    assert victim.get("/").headers["location"].startswith("/log-in")
