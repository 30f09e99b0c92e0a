"""The server holds a bounded number of connections: what says nothing takes no file that the store needs."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest
from sqlalchemy import Engine

from pipeline.keys import new_keys, save_keys
from server.core.config import make_config
from server.service import Service


def test_a_connection_too_many_is_closed_as_it_comes(
    store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.service.HELD", 5)
    save_keys(new_keys("server"), tmp_path / "keys")
    local = {"address": "tcp://127.0.0.1:*", "enrol_address": "tcp://127.0.0.1:*"}
    with Service(store, make_config({"data_dir": tmp_path, "web": {"port": 0}, "ingest": local}, "test")) as running:
        place = urlsplit(running.web_address)
        assert place.hostname
        assert place.port
        idle = [socket.create_connection((place.hostname, place.port), 60) for _ in range(8)]
        for one in idle[5:]:
            try:
                assert one.recv(1) == b""
            except ConnectionResetError:
                continue
        for one in idle:
            one.close()
        status = 0
        while status != 200:  # the server has to hear first that they have gone
            try:
                status = build_opener(ProxyHandler({})).open(f"{running.web_address}/log-in", timeout=60).status
            except OSError:
                continue


def test_a_request_that_is_only_half_there_does_not_keep_a_server_from_stopping(store: Engine, tmp_path: Path) -> None:
    """Podman and docker kill after 10 s. Once the pages' thread was left behind with whoever sent nothing more."""
    save_keys(new_keys("server"), tmp_path / "keys")
    local = {"address": "tcp://127.0.0.1:*", "enrol_address": "tcp://127.0.0.1:*"}
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na=b"
    config = make_config({"data_dir": tmp_path, "web": {"port": 0}, "ingest": local}, "test")
    with socket.socket() as half:
        with Service(store, config) as running:
            half.connect(("127.0.0.1", int(urlsplit(running.web_address).port or 0)))
            half.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n" + form)
            half.settimeout(1)
            with pytest.raises(TimeoutError):
                half.recv(1)  # it waits for the rest
        assert not any(thread.name == "web" for thread in threading.enumerate())
