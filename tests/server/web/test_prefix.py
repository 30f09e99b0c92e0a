"""Behind a real web server that puts the pages below a path: nobody gets pages whose links and forms lead nowhere."""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from server.commands.doctor import reached
from tests.server.conftest import Survey

PATHS = ("/log-in", "/", "/feedback", "/nowhere")


@contextmanager
def _proxy(behind: str, prefix: str, *, says_so: bool = False) -> Iterator[str]:
    """A web server that passes what is below `prefix` on without it, as `location /prefix/ { proxy_pass …/; }` does;
    `says_so`: in a header, as Traefik does. Everything else there is somebody else's: 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            ask = urllib.request.Request(behind + self.path[len(prefix) :])
            if says_so:
                ask.add_header("X-Forwarded-Prefix", prefix)
            try:
                answer = urllib.request.build_opener(_Stays).open(ask, timeout=30)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                self.send_response(answer.status)
                for name in ("Content-Type", "Location"):
                    if value := answer.headers.get(name):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.read())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """No redirect is followed: the browser does."""


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.build_opener(_Stays).open(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("path", PATHS)
def test_a_proxy_that_says_it_takes_a_path_away_gets_what_to_do_in_place_of_a_page(survey: Survey, path: str) -> None:
    with _proxy(survey.url, "/hailong", says_so=True) as outside:
        status, text = _get(f"{outside}/hailong{path}")
        assert status == 421
        assert "location /" in text
        assert "tên miền riêng" in text
        assert re.findall(r"href|<form", text) == []
        assert _get(f"{outside}/hailong/api/v1/alive") == (200, '{"status":"ok"}'), "programs need no links"


def test_at_the_root_of_a_name_pages_come_whole(survey: Survey) -> None:
    with _proxy(survey.url, "", says_so=True) as outside:
        status, text = _get(f"{outside}/log-in")
        assert status == 200
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', text)
        assert links
        assert {_get(outside + link)[0] for link in links if "static" in link} == {200}


def test_the_doctor_finds_that_an_address_is_somebody_elses(survey: Survey) -> None:
    """A proxy that says nothing: the address without a path, which alone can be set, is not ours."""
    with _proxy(survey.url, "/hailong") as outside:
        assert reached(outside) is False
    with _proxy(survey.url, "") as outside:
        assert reached(outside) is True
    assert reached("http://127.0.0.1:1") is None
