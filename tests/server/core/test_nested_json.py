"""JSON nested without end is refused like JSON that is none: Python's reader raises `RecursionError` for it, which no
`except ValueError` sees."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import edge
import hailong
import pipeline
import server
from pipeline.errors import HailongError
from server.channels.calls.client import NoReplyError, Server
from server.channels.zalo.client import KeyFile, Keys, Zalo, ZaloError
from server.core.log_heads import read_head

DEEP = b"[" * 200_000
PACKAGES = (edge, hailong, pipeline, server)


class _Deep(BaseHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        return

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(DEEP)))
        self.end_headers()
        self.wfile.write(DEEP)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


@pytest.fixture
def url() -> Iterator[str]:
    other = HTTPServer(("127.0.0.1", 0), _Deep)
    thread = threading.Thread(target=other.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{other.server_port}"
    other.shutdown()
    other.server_close()
    thread.join(5)


def test_zalo_that_answers_without_end_is_told(url: str, tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "zalo.json")
    keys.write(Keys("1", "s", "r", "a", 9_999_999_999))
    with pytest.raises(ZaloError):
        Zalo(keys, url, url).ratings("1", 0, 1, 0, 10)


def test_a_server_that_answers_without_end_is_told(url: str) -> None:
    with pytest.raises(NoReplyError):
        Server(url, "gw", "00" * 32).to_ask(1)


def test_a_head_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "head.json").write_bytes(DEEP)
    with pytest.raises(HailongError):
        read_head(tmp_path / "head.json", None)


def _caught(handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {kind.id for kind in kinds if isinstance(kind, ast.Name)}


def test_whoever_catches_json_that_is_none_catches_it_nested_without_end() -> None:
    found = []
    for package in PACKAGES:
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Try):
                    continue
                inner = [each for part in node.body for each in ast.walk(part) if isinstance(each, ast.Attribute)]
                reads = any(ast.unparse(each) in ("json.loads", "json.load") for each in inner)
                caught = set().union(*map(_caught, node.handlers)) if node.handlers else set()
                if reads and "ValueError" in caught and "RecursionError" not in caught:
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []
