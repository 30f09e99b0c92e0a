"""A province whose staff a provider knows: on a real socket, and a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from server.app import create_app
from server.core.config import make_config, own_folder
from server.core.scope import Scope
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.users import Role, provider_accounts, sessions, users
from tests.server.accounts.false_provider import (
    CLIENT,
    SECRET,
    FalseProvider,
)
from tests.server.client import Browser
from tests.server.province import PASSWORD, Province, fill_province

ROLES = {"hl-admin": "administrator", "hl-analyst": "analyst", "hl-reader": "agency_reader"}


class World:
    """A province whose staff a provider knows, and a browser."""

    def __init__(self, store: Engine, folder: Path, **oidc: Any) -> None:
        self.store, self.folder = store, folder
        self.province: Province = fill_province(store, "p1")
        self.provider = FalseProvider()
        own_folder(folder / "keys")
        (folder / "keys" / "oidc.secret").write_text(f"{SECRET}\n", "utf-8")
        (folder / "keys" / "oidc.secret").chmod(0o600)
        self.configure(**oidc)

    def configure(self, **oidc: Any) -> None:
        """Begin the server anew with these settings."""
        given = {"issuer": self.provider.issuer, "client_id": CLIENT, "roles": ROLES, "name": "Cổng tỉnh", **oidc}
        web = {"secure_cookies": False, "public_url": "http://testserver"}
        self.app = create_app(self.store, make_config({"data_dir": self.folder, "web": web, "oidc": given}, "test"))
        self.browser = Browser(self.app)

    def name(self, role: Role = Role.ANALYST) -> str:
        return self.province.users[role]

    def user(self, role: Role = Role.ANALYST) -> Any:
        with read(self.store) as connection:
            return connection.execute(select(users).where(users.c.name == self.name(role))).one()

    def go(self, after: str = "/reports") -> str:
        """The address that the button leads to."""
        answer = self.browser.get("/log-in/provider", params={"after": after})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def back(self, said: dict[str, str]) -> Any:
        """The browser comes back."""
        return self.browser.get("/log-in/provider/done", params=said)

    def enter(self) -> Any:
        """The whole way."""
        return self.back(self.provider.authorize(self.go()))

    def link(self, role: Role = Role.ANALYST) -> None:
        """Link an account as its user does, then log out."""
        self.browser.log_in(self.name(role))
        page = self.browser.post("/account/provider", {"password": PASSWORD}, form="/account").text
        place = re.search(r'id="onward" href="([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
        assert self.back(self.provider.authorize(place)).headers["location"].startswith("/account?message=")
        self.browser.post("/log-out", form="/account")

    @property
    def is_in(self) -> bool:
        """Whether the browser has a session."""
        return bool(self.browser.get("/").status_code == 200)

    def sessions(self) -> int:
        with read(self.store) as connection:
            return len(connection.execute(select(sessions)).all())

    def logged(self, action: str) -> list[str]:
        with read(self.store) as connection:
            return list(connection.execute(select(changes.c.detail).where(changes.c.action == action)).scalars())


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> Iterator[World]:
    made = World(store, tmp_path)
    yield made
    made.provider.close()


@pytest.fixture
def linked(world: World) -> World:
    """The analyst is linked with person-1 (as the page does it, in the test below)."""
    assert world.app.state.web.provider is not None
    subject = world.app.state.web.provider._hash("sub", "person-1")
    values = {"user_id": world.user().id, "subject_hash": subject, "linked_day": 1}
    with write(world.store) as connection:
        Scope(world.province.province_id).insert(connection, provider_accounts, values)
    return world
