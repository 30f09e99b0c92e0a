"""What pages need and cannot wait for: made one after the other beside them, by one thread for all pages of a process.

A page asks, waits a moment, and is sent without where it is not ready; what waits to be made stands in a bounded queue
once, whoever asks for it. Nothing is made twice (`server.scores.held`).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

from pipeline.errors import HailongError
from server.scores.held import Held, Version

T = TypeVar("T")
WAIT_S = 4.0
"""How long a page waits; then it is sent without, and says so."""
AGAIN_S = 0.2
"""How long it waits where another page has begun to: for hundreds of agencies an analysis takes minutes."""
_log = logging.getLogger(__name__)


class Maker:
    """One thread that works off what it is asked for, at most `most` things waiting: the oldest first."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._waiting: OrderedDict[Hashable, tuple[Callable[[], object], threading.Event]] = OrderedDict()
        self._made_now: tuple[Hashable, threading.Event] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, key: Hashable, make: Callable[[], object]) -> tuple[threading.Event, bool] | None:
        """(What is set when it is made or has failed; whether this call is the first to ask). None: too much waits."""
        with self._lock:
            if self._made_now is not None and self._made_now[0] == key:
                return self._made_now[1], False
            if key in self._waiting:
                return self._waiting[key][1], False
            if len(self._waiting) >= self._most:
                return None
            over = threading.Event()
            self._waiting[key] = make, over
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            return over, True

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None  # the next who asks starts another
                    return
                key, (make, over) = self._waiting.popitem(last=False)
                self._made_now = key, over
            try:
                make()
            except HailongError as error:  # too little is known: the page says the same, in its own place
                _log.info("what a page asked for is not to be had: %s", error)
            except Exception:  # a supervisor: the page is there without it, and the next one tries again
                _log.exception("what a page asked for could not be made")
            with self._lock:
                self._made_now = None
            over.set()


PAGES = Maker("pages", 32)


def beside(
    held: Held[T],
    of: Hashable,
    version: Version,
    make: Callable[[], T],
    wait_s: float | None = None,
    spent_s: float = 0.0,
) -> T | None:
    """The result, made beside the page where it is not held; None while it is still being made. `wait_s`: how long to
    wait for it, unless as long as pages do; `spent_s`: what the page has taken already, and waits less."""
    found = held.look(of, version)
    if found is not None:
        return found
    asked = PAGES.ask((id(held), of, version), lambda: held.get(of, version, make))
    if asked is not None:
        over, is_first = asked
        over.wait(wait_s or max(AGAIN_S, WAIT_S - spent_s if is_first else AGAIN_S))
    return held.look(of, version)
