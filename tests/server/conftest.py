"""A running server with a province, users of every role and an open round."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import Engine

from pipeline.calendar import today
from pipeline.language import Text
from server.app import create_app
from server.core.config import make_config
from server.rounds.rounds import Round, make_round
from server.store.engine import write
from tests.server.province import Province, fill_province


@dataclass(frozen=True, slots=True)
class Survey:
    """What a test works with."""

    url: str
    engine: Engine
    province: Province
    round: Round
    key: bytes
    """What the gateways' keys are sealed under."""

    @property
    def agency(self) -> int:
        """Id of the first agency."""
        return self.province.agencies["nho-a"]


@pytest.fixture
def survey(store: Engine, tmp_path: Path) -> Iterator[Survey]:
    """A server on a real socket."""
    province = fill_province(store, "nho")
    with write(store) as connection:
        opened = make_round(
            connection,
            province.province_id,
            code="2026-Q4",
            name=Text.named(vi="Khảo sát quý IV", en="Fourth quarter"),
            instrument="2640",
            first_day=today() - 10,
            last_day=today() + 30,
            user_id=None,
        )
    config = make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test")
    app = create_app(store, config)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = listener.getsockname()[1]
    yield Survey(f"http://127.0.0.1:{port}", store, province, opened, app.state.web.gateway_key)
    server.should_exit = True
    thread.join(10)
    listener.close()
