"""The server's own watch: a thread that looks every minute, opens and closes alerts, and sends what is due.

It shares nothing with pages and boxes but the store: whoever refuses or hangs outside holds up this thread alone, and
this thread for `MAX_S` a try.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine

from pipeline.calendar import day_at, now_s
from server.alerts.detectors import QUICK, SLOW, Look
from server.alerts.kinds import AlertKind
from server.alerts.watch import Step, forget_old_alerts, is_watching, send_alerts, step
from server.core.config import ServerConfig
from server.core.provinces import all_provinces
from server.outbox.outbox import forget_old_letters
from server.outbox.sender import deliver
from server.store.engine import read, write

LOOK_S = 60.0
_log = logging.getLogger(__name__)


class Alarm:
    """`start()` begins, `stop()` ends `thread` after the try that it is at. `clock`: Unix seconds."""

    def __init__(self, engine: Engine, config: ServerConfig, clock: Callable[[], int] = now_s) -> None:
        self._engine = engine
        self._config = config
        self._clock = clock
        self._up_since_s = clock()
        self._read_on: dict[int, int] = {}
        self._forgot_on = -1
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._work, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin with the first look."""
        self.thread.start()

    def stop(self) -> None:
        """No further look or try."""
        self._over.set()

    def _work(self) -> None:
        while not self._over.is_set():
            for do in (self.look, self.send):
                try:
                    do()
                except Exception:  # a supervisor: told with its traceback, tried again at the next look
                    _log.exception("Alerts could not be looked for or sent; tried again in a minute.")
            self._over.wait(LOOK_S)

    def look(self) -> Step:
        """One look at every province."""
        opened = closed = 0
        with read(self._engine) as connection:
            provinces = all_provinces(connection)
        self._forget()
        for province in provinces:
            if self._over.is_set():
                break
            done = self._look_at(province.province_id, simulated=province.simulated)
            opened, closed = opened + done.opened, closed + done.closed
        return Step(opened, closed)

    def _forget(self) -> None:
        """Once a day what is past its days goes."""
        now = self._clock()
        if self._forgot_on != day_at(now):
            self._forgot_on = day_at(now)
            with write(self._engine) as connection:
                forget_old_letters(connection, now)
                forget_old_alerts(connection, now)

    def _look_at(self, province_id: int, *, simulated: bool) -> Step:
        now = self._clock()
        today = day_at(now)
        mark = None if self._config.demo or simulated else self._config.backup_mark
        detectors = dict(QUICK)
        if self._read_on.get(province_id) != today:
            detectors |= SLOW
        with read(self._engine) as connection:
            look = Look.of(connection, province_id, now, today, self._up_since_s, mark)
            found = [fault for detect in detectors.values() for fault in detect(connection, province_id, look)]
            needed = bool(found) or is_watching(connection, province_id)
        self._read_on[province_id] = today
        if not needed:
            return Step(0, 0)
        with write(self._engine) as connection:
            done = step(connection, province_id, found, frozenset[AlertKind](detectors), now)
            send_alerts(connection, province_id, now, self._config.web.public_url)
        return done

    def send(self) -> int:
        """The letters that are due; how many were taken."""
        return deliver(self._engine, self._config, self._clock).sent
