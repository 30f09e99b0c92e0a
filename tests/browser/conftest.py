"""Pages in headless Chromium (the browser itself: tests/conftest.py)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from tests.server.province import application


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh context; an error of a script, or anything that the content security policy blocked, fails the test."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, locale="vi-VN")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert problems == []


@contextmanager
def serving(engine: Engine, folder: Path, *, demo: bool = False) -> Iterator[str]:
    """The application on a real socket; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = application(engine, folder, demo=demo)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
