"""Figures made before anybody asks: at the server's start and after imports, by one thread, province by province.

Every `LOOK_S` the thread looks whether a store's version has moved (`server.scores.held`). It waits until two looks
agree, so that a file that is still coming in is not analysed after every batch, and makes what the first pages of the
newest period need. A page that comes meanwhile waits for the same making, or says that it is under way; nothing is made
twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine, func

from server.core.provinces import all_provinces
from server.core.scope import Scope
from server.scores.analysis_tables import analysis_tables
from server.scores.fused import newest_period
from server.scores.held import Version, version_of
from server.scores.own_place import shared_by_agencies
from server.scores.signals import signals
from server.scores.standings import held_index, standings
from server.store.engine import read
from server.store.tables.ratings import ratings

LOOK_S = 20.0
LONGEST_S = 600.0
"""What one step may take until the next begins beside it."""
PROVINCES = 3
"""Of a server with more, those with most ratings are warmed: what is held is bounded too."""
_log = logging.getLogger(__name__)


class Warmer:
    """`start()` begins, `stop()` ends it after the step that it is at."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="warming", daemon=True)
        self._warm: dict[int, Version] = {}
        self._seen: dict[int, Version] = {}

    def start(self) -> None:
        """Begin with the first look."""
        self._thread.start()

    def stop(self) -> None:
        """No further step."""
        self._over.set()

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                self.look()
            except Exception:  # a supervisor: pages make what they need themselves; tried again at the next look
                _log.exception("figures could not be made in advance")
            self._over.wait(LOOK_S)

    def look(self) -> list[int]:
        """Warm what has changed and stands still; the provinces' ids. The first look takes everything as still."""
        warmed = []
        for province_id in self._provinces():
            with read(self._engine) as connection:
                version = version_of(connection, province_id)
            is_still = self._seen.setdefault(province_id, version) == version
            self._seen[province_id] = version
            if not is_still or self._warm.get(province_id) == version:
                continue
            self._make(province_id)
            self._warm[province_id] = version
            warmed.append(province_id)
        return warmed

    def _provinces(self) -> list[int]:
        with read(self._engine) as connection:
            known = [province.province_id for province in all_provinces(connection)]
            if len(known) <= PROVINCES:
                return known
            count = {
                number: int(connection.execute(Scope(number).select(ratings, func.count())).scalar_one())
                for number in known
            }
        return sorted(known, key=lambda number: -count[number])[:PROVINCES]

    def _make(self, province_id: int) -> None:
        engine = self._engine

        def first_page() -> None:
            with read(engine) as connection:
                standings(connection, province_id, newest_period(connection, province_id))

        def index() -> None:
            with read(engine) as connection:
                period = newest_period(connection, province_id)
                instrument = standings(connection, province_id, period).instrument
                held_index(connection, province_id, instrument, period)
                for one in (period, period.before(), period.year_before()):
                    if not self._over.is_set():
                        shared_by_agencies(connection, province_id, instrument, one)

        def signal() -> None:
            with read(engine) as connection:
                period = newest_period(connection, province_id)
            signals(engine, province_id, period, LONGEST_S)

        def analysis() -> None:
            with read(engine) as connection:
                period = newest_period(connection, province_id)
            analysis_tables(engine, province_id, period, LONGEST_S)

        steps: tuple[Callable[[], None], ...] = (first_page, signal, index, analysis)
        for step in steps:
            if self._over.is_set():
                return
            step()
