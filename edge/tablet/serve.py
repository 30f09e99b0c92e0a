"""Serving the tablet's page, and the queue system's events where they have an address of their own: uvicorn on a
thread, on a socket that is bound when the box is opened."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial

import uvicorn
from starlette.applications import Starlette

from edge.tablet.connections import ROOM, PromptProtocol
from edge.worker import Worker
from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.listening import bounded
from pipeline.prompt_heads import HEAD_S


def not_served(section: str, host: str, port: int, error: OSError) -> ConfigError:
    """The refusal of an address that cannot be served."""
    return ConfigError(
        Message(
            "[{section}] cannot be served on {host}:{port} ({strerror}).",
            section=section,
            host=host,
            port=port,
            strerror=error.strerror,
        ),
        Message("Choose another [{section}] port, or end what holds it.", section=section),
    )


class TabletServer:
    """Binds at once, so that a taken port stops the box before it starts; `port` is the one it got. A server that fails
    is begun anew on the same port. `certificate`: paths of a certificate and its key, in PEM, where it speaks TLS."""

    def __init__(
        self,
        app: Starlette,
        host: str,
        port: int,
        section: str = "tablet",
        on_failed: Callable[[bool], None] = lambda _failed: None,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise not_served(section, host, port, error) from None
        self.port = int(self._socket.getsockname()[1])
        self._app, self._certificate = app, certificate
        self._server: uvicorn.Server | None = None
        self._worker = Worker(section, self._serve, on_failed=on_failed)

    def _serve(self) -> None:
        # no access log: which page was asked for when would tell of visits
        config = uvicorn.Config(
            self._app,
            access_log=False,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=2,
            server_header=False,
            http=PromptProtocol,
            ws="none",
            loop="asyncio",
            ssl_certfile=None if self._certificate is None else self._certificate[0],
            ssl_keyfile=None if self._certificate is None else self._certificate[1],
        )
        self._server = _Server(config, self._worker.works)
        # uvicorn closes what it is given; this one stays bound for the next
        self._server.run(sockets=[bounded(self._socket, ROOM)])
        if not self._worker.stopping:
            raise RuntimeError("the server has ended by itself")

    def start(self) -> None:
        """Serve; returns when the page answers."""
        self._worker.start()
        while self._worker.is_alive and (self._server is None or not self._server.started):
            time.sleep(0.01)

    def close(self) -> None:
        """Stop serving."""
        self._worker.ask_to_stop()
        if self._server is not None:
            self._server.should_exit = True
        self._worker.stop()
        self._socket.close()


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config, on_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_up = on_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        if self.config.is_ssl:
            loop = asyncio.get_running_loop()
            # uvicorn says nothing of it, and a minute each lets one who says nothing hold all places
            prompt = partial(loop.create_server, ssl_handshake_timeout=HEAD_S, ssl_shutdown_timeout=HEAD_S)
            loop.create_server = prompt  # type: ignore[method-assign]
        await super().startup(sockets)
        if self.started:
            self._on_up()
