"""Connections to the assistant's encrypted pages that begin no handshake."""

from __future__ import annotations

import socket
import ssl

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from edge.assistant.certificate import own_certificate
from edge.tablet import serve
from edge.tablet.serve import TabletServer


def test_a_handshake_that_does_not_come_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each held its place for a minute, and 64 of them are all that one address has."""
    monkeypatch.setattr(serve, "HEAD_S", 1.0)
    app = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("in"))])
    with own_certificate("127.0.0.1") as (certificate, _digits):
        server = TabletServer(app, "127.0.0.1", 0, "assistant", certificate=certificate)
        server.start()
        try:
            for said in (b"", b"\x16\x03\x01"):
                with socket.create_connection(("127.0.0.1", server.port), 40) as one:
                    one.sendall(said)
                    assert _ends(one), "asyncio waits for a minute"
            context = ssl.create_default_context(cafile=certificate[0])
            with socket.create_connection(("127.0.0.1", server.port), 40) as plain:
                context.check_hostname = False
                with context.wrap_socket(plain) as one:
                    one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    assert one.recv(15).startswith(b"HTTP/1.1 200")
        finally:
            server.close()


def _ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
