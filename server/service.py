"""A running server: the boxes' door (ingest) and the web pages on one store, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType

import uvicorn
import zmq
from sqlalchemy import Connection, Engine

from pipeline.calendar import now_s
from pipeline.errors import ConfigError
from pipeline.keys import KEY_FILE_NAME, load_keys
from pipeline.language import Message
from pipeline.listening import Room, bounded
from server.alerts.alarm import Alarm
from server.app import create_app
from server.boxes.ingest import Ingest, IngestSettings
from server.core.config import ServerConfig
from server.core.long_work import LongWork
from server.core.only_server import OnlyServer
from server.core.provinces import Province, all_provinces
from server.core.temporary import delete_left
from server.feedback.cases import remind
from server.home.digest_mail import post_digest
from server.metrics import serve_figures
from server.ratings.chain import seal_over
from server.reports.neighbour import push_closed_of
from server.retention.policy import enforce_of
from server.retention.traces import forget
from server.scores.warming import Warmer
from server.store.engine import read, write
from server.web.connections import PromptProtocol

_log = logging.getLogger(__name__)
_RETENTION_EVERY_S = 3600.0
CONNECTIONS = 700
"""Beyond so many at once, pages answer 503."""
ANSWERING_S = 3
"""A server that is to stop waits so long for answers that are being made and requests that are only half there."""
STOPPING_S = 5.0
"""In all it waits so long, for what its other threads are at, too. Podman and docker kill after 10 s by themselves."""
GRACE_S = 30
"""What `hailong-server.service` and `compose.yaml` give it until it is killed, on a machine however busy."""
_GIVEN_UP = {
    "web": "a page that was being made",
    "report": "a report",
    "pages": "figures that a page asked for",
    "warming": "figures made in advance",
    "alerts": "a look for alerts, or letters that are due",
    "retention": "the hourly housekeeping",
    "ingest": "the boxes' messages at hand, which they send again",
    "enrolment": "an enrolment",
}
"""What a thread of that name has not ended when the server has. What it writes in one transaction is not stored; what
was only computed is computed again when somebody asks."""
_IMPORT = "an import that was not taken back in time: it shows as unfinished until the same file is imported again"
HELD = 750
"""Beyond so many, a connection is closed as it comes: a process has 1,024 files, of which the store needs some."""


class Service:
    """`with Service(engine, config) as service:` serves until the block ends. Port 0 takes a free port.

    Raises `ConfigError` where an address is taken, or another server is running on the store, `KeyFileError` where the
    server has no keys."""

    def __init__(self, engine: Engine, config: ServerConfig) -> None:
        self.engine = engine
        self.config = config
        self._keys = load_keys(config.keys_dir / KEY_FILE_NAME, "server")
        self._stop = threading.Event()
        self._housekeeper = threading.Thread(target=self._keep_house, name="retention", daemon=True)
        self._only = OnlyServer(engine)
        self._warmer = Warmer(engine)
        self._alarm = Alarm(engine, config)
        self.web_address = ""
        self.metrics_address = ""

    @property
    def server_key(self) -> str:
        """The CURVE public key that boxes need (Z85)."""
        return self._keys.curve_public_z85

    def __enter__(self) -> Service:
        self._only.take()
        try:
            self._begin()
        except BaseException:
            self._only.release()
            raise
        return self

    def _begin(self) -> None:
        self._socket = _listen(self.config.web.host, self.config.web.port)
        host, port = self._socket.getsockname()[:2]
        self.web_address = f"http://{host if ':' not in host else f'[{host}]'}:{port}"
        ingest = self.config.ingest
        self.ingest = Ingest(
            self.engine,
            self._keys,
            IngestSettings(address=ingest.address, enrol_address=ingest.enrol_address or None),
            instruments=self.config.data_dir / "instruments",
            bundles=self.config.data_dir / "updates",
        )
        try:
            self.ingest.start()
        except (OSError, zmq.ZMQError) as error:
            self._socket.close()
            raise ConfigError(
                Message("The boxes' address cannot be opened ({error}).", error=error),
                Message("Change [ingest] address."),
            ) from None
        app = create_app(self.engine, self.config)
        self._long_work: LongWork = app.state.web.long_work
        settings = uvicorn.Config(
            app,
            ws="none",
            http=PromptProtocol,
            limit_concurrency=CONNECTIONS,
            log_config=None,  # the process's own log: without the words of errors
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the application reads them, from those whom the configuration names
            lifespan="off",
            timeout_graceful_shutdown=ANSWERING_S,
        )
        self._server = uvicorn.Server(settings)
        self._figures = None
        if self.config.metrics.port is not None:
            self._figures = serve_figures(self.config.metrics.port, self.engine, self.ingest)
            self.metrics_address = f"http://127.0.0.1:{self._figures.server_port}/metrics"
        self._web = threading.Thread(target=self._serve_web, name="web", daemon=True)
        self._web.start()
        self._housekeeper.start()
        self._warmer.start()
        self._alarm.start()

    def _serve_web(self) -> None:
        asyncio.run(self._server.serve(sockets=[bounded(self._socket, Room(HELD, HELD))]))

    @property
    def is_alive(self) -> bool:
        """Whether the pages are being served."""
        return self._web.is_alive() and not self._stop.is_set()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        end_s = time.monotonic() + STOPPING_S
        self._stop.set()  # all are told before anyone is waited for
        self._long_work.stop()
        self._server.should_exit = True
        self._warmer.stop()
        self._alarm.stop()
        self.ingest.stop_soon()
        if self._figures is not None:
            self._figures.shutdown()
            self._figures.server_close()
        self._web.join(ANSWERING_S + 0.5)
        for thread in (self._alarm.thread, self._housekeeper):
            thread.join(max(0.0, end_s - time.monotonic()))
        self.ingest.stop(max(0.0, end_s - time.monotonic()))
        is_over = self._long_work.wait(max(0.0, end_s - time.monotonic()))
        self._socket.close()
        given_up = {_GIVEN_UP[one.name] for one in threading.enumerate() if one.name in _GIVEN_UP}
        if not is_over:
            given_up.add(_IMPORT)
        if given_up:
            _log.warning("Given up, since the server stops: %s.", "; ".join(sorted(given_up)))
        self._only.release()

    def _keep_house(self) -> None:
        """At its start and every hour."""
        while True:
            self._only.keep()
            keep_house(self.engine, self.config)
            if self._stop.wait(_RETENTION_EVERY_S):
                return


def keep_house(engine: Engine, config: ServerConfig) -> int:
    """Retention, seals, reminders, digests and figures for neighbours: each of each province by itself, so that one
    that fails keeps nothing else from being done. How many failed; each is told in the log."""
    failed = 0

    def do(what: str, step: Callable[[], object]) -> None:
        nonlocal failed
        try:
            step()
        except Exception:  # a supervisor: told, and tried again in an hour
            failed += 1
            _log.exception("%s: could not be done; tried again in an hour.", what)

    def write_step(what: str, step: Callable[[Connection, int], object], province: Province) -> None:
        def work() -> None:
            with write(engine) as connection:
                step(connection, province.province_id)

        do(f"{what} of {province.code}", work)

    provinces: list[Province] = []

    def look() -> None:
        with read(engine) as connection:
            provinces.extend(all_provinces(connection))

    do("The list of provinces", look)
    for province in provinces:
        write_step("Retention", enforce_of, province)
        write_step("Seals", seal_over, province)
        write_step("Reminders", remind, province)
    do("Clearing what was deleted", lambda: forget(engine))
    do("Temporary files", delete_left)
    for province in provinces:
        do(f"The digest of {province.code}", partial(post_digest, engine, config, province, now_s()))
        do(f"Figures of {province.code} for its neighbour", partial(push_closed_of, engine, province, now_s()))
    return failed


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)  # who calls before the pages are up waits instead of being refused
    except OSError as error:
        listener.close()
        raise ConfigError(
            Message(
                "The address {host}:{port} cannot be opened ({strerror}).",
                host=host,
                port=port,
                strerror=error.strerror,
            ),
            Message("Change [web] host or port in server.toml."),
        ) from None
    return listener
