"""Serving the tablet's page, and the queue system's events where they have an address of their own: uvicorn on a
thread, on a socket that is bound when the box is opened."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette

from pipeline.errors import ConfigError


class TabletServer:
    """Binds at once, so that a taken port stops the box before it starts; `port` is the one it got."""

    def __init__(self, app: Starlette, host: str, port: int, section: str = "tablet") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise ConfigError(
                f"[{section}] cannot be served on {host}:{port} ({error.strerror}).",
                f"Choose another [{section}] port, or end what holds it.",
            ) from None
        self.port = int(self._socket.getsockname()[1])
        # no access log: which page was asked for when would tell of visits
        config = uvicorn.Config(
            app, access_log=False, log_level="warning", lifespan="off", timeout_graceful_shutdown=2, server_header=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="tablet", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve; returns when the page answers."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._socket.close()
