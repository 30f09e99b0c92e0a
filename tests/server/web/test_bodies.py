"""Who asks, then permission, then the body; half requests are not held."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.testclient import TestClient

from pipeline import prompt_heads
from pipeline.errors import ConfigError
from server.app import MAX_BODY_BYTES, create_app
from server.core.config import make_config
from server.web import bodies
from server.web.connections import PromptProtocol
from tests.server.province import application

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    "Content-Length: {length}\r\n\r\n"
)

FORM = HEAD.replace("multipart/form-data; boundary=b", "application/x-www-form-urlencoded")


@pytest.fixture
def port(store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(prompt_heads, "HEAD_S", 0.5)
    monkeypatch.setattr(bodies, "FIRST_S", 0.5)
    config = make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test")
    listener = socket.create_server(("127.0.0.1", 0))
    settings = uvicorn.Config(
        create_app(store, config), http=PromptProtocol, log_level="warning", lifespan="off", ws="none"
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listener.close()


def _answer(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    return connection.recv(200)


def test_a_stranger_is_refused_before_his_body_is_read(port: int) -> None:
    """He has sent 60 bytes of 40 MB, and has his answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD.format(path="/survey/import", length=40 << 20).encode() + b"--b\r\n" + b"x" * 55)
        assert re.match(rb"HTTP/1.1 (303|401|403) ", _answer(connection))


@pytest.mark.parametrize("path", ["/log-in", "/feedback/none", "/s/none"])
def test_other_bodies_are_small(port: int, path: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD.format(path=path, length=MAX_BODY_BYTES + 1).encode() + b"--b\r\n")
        assert b" 413 " in _answer(connection)


@pytest.mark.parametrize(
    ("charset", "status"), [("punycode", 415), ('"UTF-7"', 415), ("undefined", 415), ("utf-16", 415), ('"UTF-8"', 401)]
)
def test_a_form_is_utf_8(port: int, charset: str, status: int) -> None:
    """One stranger's form of 150 KB, said to be punycode, held the whole server for 13 s."""
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\na-' + b"9" * 60_000 + b"\r\n--b--\r\n"
    head = HEAD.replace("boundary=b", f"boundary=b; charset={charset}").format(path="/log-in", length=len(body))
    begun_s = time.process_time()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        found = int(_answer(connection).split()[1])
    assert (found == 415) == (status == 415), found
    assert time.process_time() - begun_s < 0.5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"name=Nguy%E1%BB%85n&password=x", 403),  # UTF-8: as far as the forgery token, which is missing
        ("name=Nguyễn&password=x".encode(), 403),
        (b"name=Nguy%u1EC5n&password=x", 403),
        (b"name=%00&password=x", 403),
        (b"name=Nguy%ECn&password=x", 415),  # Windows-1252 and 1258
        (b"name=Nguy\xecn&password=x", 415),
        (b"name=%C0%80&password=x", 415),  # NUL, overlong
        (b"name=%ED%A0%80&password=x", 415),  # half a character
        (b"name=%F5%80%80%80&password=x", 415),
        (b"name=%E1%BB&password=x", 415),  # cut off
    ],
)
def test_a_form_that_is_not_utf_8_is_refused_and_not_read_as_something_else(
    body: bytes, status: int, store: Engine, tmp_path: Path
) -> None:
    app = TestClient(application(store, tmp_path))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert app.post("/log-in", content=body, headers=headers).status_code == status


def test_letters_that_are_not_escaped_are_read_as_meant() -> None:
    """`curl -d` sends them so. What comes in pieces comes whole, and goes on in one: a million pieces of a byte would
    be a million messages to keep."""
    sent = "name=Nguyễn Thị Hạnh&more=%E1%BB%85".encode()
    pieces = [{"type": "http.request", "body": sent[at : at + 7], "more_body": True} for at in range(0, len(sent), 7)]
    pieces.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return pieces.pop(0)

    got, messages = list[Any](), list[Any]()

    async def app(scope: Any, receive: Any, _send: Any) -> None:
        async def counted() -> Any:
            messages.append(await receive())
            return messages[-1]

        got.append(await Request(scope, counted).form())
        got.append(Request(scope).query_params["q"])

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "headers": headers, "query_string": "q=Hạnh".encode()}
    guard = bodies.BodyGuard(app)
    guard._needs._routes = [(APIRoute("/none", lambda: None), None)]
    with start_blocking_portal() as portal:  # a browser's loop may be at work in this thread
        portal.call(guard, {**scope, "path": "/x", "raw_path": b"/x"}, receive, app)  # type: ignore[arg-type,call-arg]
    assert (dict(got[0]), got[1]) == ({"name": "Nguyễn Thị Hạnh", "more": "ễ"}, "Hạnh")
    assert len(messages) == 1


@pytest.mark.parametrize("address", ["/log-in?after=%ff", "/log-in?%C0%AF=1", "/agencies/%E1%BB", "/tv/%ED%A0%80"])
def test_an_address_that_is_not_utf_8_is_refused(address: str, store: Engine, tmp_path: Path) -> None:
    answer = TestClient(application(store, tmp_path)).get(address)
    assert (answer.status_code, "UTF-8" in answer.text) == (400, True)


@pytest.mark.parametrize("part", [b'name="name"\r\n\r\nNguy\xecn', b'name="n\xecm"\r\n\r\nx'])
def test_a_part_of_a_form_that_is_not_utf_8_is_refused(part: bytes, store: Engine, tmp_path: Path) -> None:
    """It was read as Latin-1: a name with other letters than were sent."""
    body = b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n--b--\r\n"
    app = TestClient(application(store, tmp_path))
    answer = app.post("/log-in", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert (answer.status_code, "UTF-8" in answer.text) == (400, True)


def test_half_a_head_is_not_held(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /log-in HTTP/1.1\r\nHost: x\r\nX-A: ")
        assert _answer(connection) == b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /api/v1/alive HTTP/1.1\r\nHost: x\r\n\r\nGET /api")
        while data := _answer(connection):
            assert b"HTTP/1.1 4" not in data[:12]


@pytest.mark.parametrize("path", ["/log-in", "/s/none", "/feedback/none"])
def test_a_body_that_trickles_is_cut_off(port: int, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Forms that FastAPI reads and forms that we read, alike: no traceback, no "internal error"."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(FORM.format(path=path, length=1000).encode() + b"a=")
        assert _answer(connection)[:10] in (b"HTTP/1.1 4", b"")
    assert time.monotonic() - began < 60
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    "url", ["https://x.vn/hailong", "ftp://x.vn", "x.vn", "https://", "https://a@x.vn", "https://x.vn/?a=1"]
)
def test_a_public_address_that_cannot_work_is_refused_at_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="public_url"):
        make_config({"data_dir": tmp_path, "web": {"public_url": url}}, "test")
    good = make_config({"data_dir": tmp_path, "web": {"public_url": "https://x.vn/"}}, "test")
    assert good.web.public_url == "https://x.vn"


@pytest.mark.parametrize(
    "ingest",
    [
        {"address": "udp://*:5870"}, {"address": "*:5870"}, {"address": ""}, {"address": "tcp://*:0"},
        {"address": "tcp://*:70000"}, {"address": "tcp://*:5870/boxes"}, {"enrol_address": "tcp://*"},
        {"address": "tcp://*:5871"}, {"address": "tcp://*:5872", "enrol_address": "tcp://*:5872"},
    ],
)  # fmt: skip
def test_a_door_of_the_boxes_that_cannot_open_is_refused_at_start(tmp_path: Path, ingest: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="ingest"):
        make_config({"data_dir": tmp_path, "ingest": ingest}, "test")


@pytest.mark.parametrize(
    "ingest",
    [
        {}, {"enrol_address": ""}, {"address": "tcp://127.0.0.1:*", "enrol_address": "tcp://127.0.0.1:*"},
        {"address": "tcp://[::]:5870"}, {"address": "tcp://0.0.0.0:443"},
    ],
)  # fmt: skip
def test_a_door_of_the_boxes_that_can_open_is_taken(tmp_path: Path, ingest: dict[str, str]) -> None:
    assert make_config({"data_dir": tmp_path, "ingest": ingest}, "test")
