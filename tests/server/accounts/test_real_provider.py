"""Log-in by a real provider: a certified one (npm: oidc-provider) on this machine, in a real browser.

    npm install --prefix FOLDER oidc-provider
    HAILONG_OIDC_PROVIDER=FOLDER python -m pytest tests/server/accounts/test_real_provider.py

Nothing of it is part of this project; where it is not installed the test is skipped and says so."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, select

from server.app import create_app
from server.core.config import make_config, own_folder
from server.store.engine import read
from server.store.tables.users import Role, sessions
from tests.server.province import PASSWORD, Province, fill_province

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest.importorskip("jwt", reason="PyJWT is not installed: pip install 'hailong[server]'")
HERE = Path(__file__).parent


def _folder() -> Path | None:
    """The folder whose `node_modules` has the provider."""
    for name in (os.environ.get("HAILONG_OIDC_PROVIDER", ""), "/usr/local/lib", "/usr/lib", "/usr/share/nodejs"):
        if name and (Path(name) / "node_modules" / "oidc-provider" / "lib" / "index.js").exists():
            return Path(name)
    return None


@dataclass(frozen=True, slots=True)
class Pair:
    """A server of ours and a provider."""

    url: str
    issuer: str
    store: Engine
    province: Province

    def sessions(self) -> int:
        with read(self.store) as connection:
            return len(connection.execute(select(sessions)).all())


@pytest.fixture(params=["RS256", "ES256"])
def pair(request: pytest.FixtureRequest, store: Engine, tmp_path: Path) -> Iterator[Pair]:
    folder, node = _folder(), shutil.which("node")
    if folder is None or node is None:
        pytest.skip("no oidc-provider: npm install --prefix FOLDER oidc-provider, HAILONG_OIDC_PROVIDER=FOLDER")
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    command = [node, str(HERE / "real_provider.mjs"), str(folder), url, request.param]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), "the provider did not start"
        own_folder(tmp_path / "keys")
        (tmp_path / "keys" / "oidc.secret").write_text("s3cret/of the+client", "utf-8")
        (tmp_path / "keys" / "oidc.secret").chmod(0o600)
        oidc = {"issuer": issuer, "client_id": "hailong", "roles": {"hl-analyst": "analyst"}, "name": "Cổng tỉnh"}
        web = {"secure_cookies": False, "public_url": url}
        province = fill_province(store, "p1")
        app = create_app(store, make_config({"data_dir": tmp_path, "web": web, "oidc": oidc}, "test"))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        until = time.monotonic() + 60
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield Pair(url, issuer, store, province)
        server.should_exit = True
        thread.join(10)
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
        listener.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(locale="vi-VN")
    yield context.new_page()
    context.close()


def _sign_in(page: Page, name: str) -> None:
    """At the provider: who one is, and that this server may know."""
    page.wait_for_selector("input[name=login]")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.wait_for_selector("text=Continue")
    page.click("button[type=submit]")


def test_the_whole_way_with_a_real_provider(pair: Pair, page: Page) -> None:
    page.goto(f"{pair.url}/log-in")
    page.fill("#name", pair.province.users[Role.ANALYST])
    page.fill("#password", PASSWORD)
    page.click("main form button")
    page.wait_for_url(f"{pair.url}/")
    page.goto(f"{pair.url}/account")
    page.fill("#link-password", PASSWORD)
    page.click("form[action='/account/provider'] button")
    _sign_in(page, "an.nguyen")
    page.wait_for_url(f"{pair.url}/account?*")
    assert "Đã liên kết tài khoản." in page.inner_text("main")
    page.click("header form button")
    page.wait_for_url(f"{pair.url}/log-in")
    assert pair.sessions() == 0

    page.click("#provider")  # the provider remembers: no password, no question
    page.wait_for_url(f"{pair.url}/")
    assert pair.sessions() == 1
    page.click("header form button")  # one log-out: ours, then on to the provider's
    page.wait_for_url(f"{pair.issuer}/session/end*")
    assert pair.sessions() == 0
    page.click("button[name=logout]")
    page.wait_for_url(f"{pair.url}/log-in")

    page.click("#provider")
    _sign_in(page, "an.nguyen")
    page.wait_for_url(f"{pair.url}/")
    assert pair.sessions() == 1
    page.goto(f"{pair.issuer}/session/end")  # the log-out begins there: it tells us
    page.click("button[name=logout]")
    page.wait_for_url(f"{pair.issuer}/**")
    page.wait_for_load_state()
    until = time.monotonic() + 60
    while pair.sessions() and time.monotonic() < until:
        time.sleep(0.05)
    assert pair.sessions() == 0

    page.goto(f"{pair.url}/log-in")
    page.click("#provider")
    _sign_in(page, "stranger")
    page.wait_for_selector(".problem")
    assert "chưa có vai trò" in page.inner_text(".problem")
    assert pair.sessions() == 0
