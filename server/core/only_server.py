"""One server on a store. Guesses and networks are counted, and the conversations of gateways sealed, in a server's
memory alone: of two that share a store each would allow as many again, and a citizen's second message would be greeted
anew by the other. So the second is not started (ADR 0165).

On SQLite a lock of the file system beside the store's file, on PostgreSQL one of the data base: both end with the
process that holds them, however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import ConfigError, StoreError
from pipeline.language import Message

WAIT_S = 45.0
"""So long a server waits for the one before it: PostgreSQL notices after 25 s that a machine has gone without a
word."""
_LOOK_AGAIN_S = 0.2
_NUMBER = 0x4861694C6F6E67
"""Of PostgreSQL's advisory lock, in each data base."""
_LIVES = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
_log = logging.getLogger(__name__)
_TAKEN = (
    Message("Another server is running on this store."),
    Message("A store has one: end the other first, or give this one a store of its own."),
)


class OnlyServer:
    """`take()` it before serving, `release()` it after."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: int | None = None
        self._connection: Connection | None = None

    def take(self, wait_s: float = WAIT_S) -> None:
        """Raises `ConfigError` where another server holds it for longer than `wait_s`."""
        end_s = time.monotonic() + wait_s
        while not self._is_taken():
            if time.monotonic() >= end_s:
                self.release()
                raise ConfigError(*_TAKEN)
            time.sleep(_LOOK_AGAIN_S)

    def keep(self) -> None:
        """Take it again where the data base has been begun anew meanwhile; told where another has it."""
        if self._connection is None:
            return
        try:
            self._connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, StoreError):
            self.release()
            try:
                if self._is_taken():
                    return
            except (SQLAlchemyError, StoreError):
                return
            _log.error("%s", _TAKEN[0])

    def release(self) -> None:
        """Let another one serve."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _is_taken(self) -> bool:
        """Whether it is this one's now."""
        if self._engine.dialect.name == "postgresql":
            return self._take_number()
        name = self._engine.url.database
        return not name or name == ":memory:" or self._take_file(Path(name).resolve())

    def _take_file(self, store: Path) -> bool:
        if self._file is None:
            self._file = os.open(store.with_name(store.name + ".server"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _take_number(self) -> bool:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.detach()
            self._connection.exec_driver_sql(_LIVES)
        return bool(self._connection.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": _NUMBER}).scalar_one())
