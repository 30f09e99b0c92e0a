"""A thread of the box that is looked after: it has a name and a state, is begun anew with a growing pause when it
fails, says so, and stops within a given time."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from enum import Enum

_log = logging.getLogger(__name__)


class WorkerState(Enum):
    """How a worker is."""

    NEW = 0
    RUNNING = 1
    FAILED = 2
    """It has failed, and is begun anew after a pause."""
    ENDED = 3


def _nobody(_failed: bool) -> None:
    pass


class Attempts:
    """Of something that is tried again and again and may fail: how often it has in a row, and when it is tried again.

    A failure is told once for each kind of error, without the error's words: they may hold values, and what fails only
    while somebody is there would tell of visits in the log's times. After more than `tolerated` failures in a row it
    counts as failed: `on_failed(True)` is called, and the next try waits for a pause that doubles from `first_pause_s`
    to `longest_pause_s`. The first try that succeeds ends that. `on_error` is called for every failure."""

    def __init__(
        self,
        name: str,
        *,
        on_failed: Callable[[bool], None] = _nobody,
        on_error: Callable[[], None] = lambda: None,
        tolerated: int = 0,
        first_pause_s: float = 1.0,
        longest_pause_s: float = 60.0,
    ) -> None:
        self.name = name
        self.failures = 0
        """In a row."""
        self.has_failed = False
        self.resume_s = float("-inf")
        """Not tried again before (monotonic clock)."""
        self._on_failed, self._on_error, self._tolerated = on_failed, on_error, tolerated
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._pause_s = first_pause_s
        self._logged: set[type[BaseException]] = set()
        self._told = False
        """What `on_failed` has been told."""

    def failed(self, error: BaseException) -> float:
        """It raised; returns how long to wait, in seconds."""
        self.failures += 1
        self._log(error)
        try:
            self._on_error()
        except BaseException as another:  # whoever is told may not end what is looked after
            self._log(another)
        if self.failures <= self._tolerated:
            return 0.0
        if not self.has_failed:
            self.has_failed, self._pause_s = True, self._first_pause_s
        self._tell()
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, self._longest_pause_s)
        self.resume_s = time.monotonic() + pause_s
        return pause_s

    def succeeded(self) -> None:
        """It works, whatever failed before."""
        self.failures = 0
        self.has_failed = False
        self._tell()

    def _tell(self) -> None:
        """Tell what has not been told yet; at the next try again, where that fails."""
        if self._told != self.has_failed:
            try:
                self._on_failed(self.has_failed)
                self._told = self.has_failed
            except BaseException as error:
                self._log(error)

    def _log(self, error: BaseException) -> None:
        if type(error) not in self._logged:
            self._logged.add(type(error))
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("the %s failed (%s, told once); the box goes on\n%s", self.name, type(error).__name__, where)


class Worker:
    """Calls `turn` again and again on a thread of its own, until it returns false or `stop` is called.

    A turn that raises is tried again as `Attempts` says, whose arguments are these; a call of `works` within a long
    turn counts as a success. Every turn is bounded by whoever writes it: it looks at `stopping`, or uses `wait`."""

    def __init__(
        self,
        name: str,
        turn: Callable[[], bool | None],
        *,
        on_failed: Callable[[bool], None] = _nobody,
        on_error: Callable[[], None] = lambda: None,
        tolerated: int = 0,
        first_pause_s: float = 1.0,
        longest_pause_s: float = 60.0,
    ) -> None:
        self.name = name
        self._running = WorkerState.NEW
        self._turn = turn
        self._attempts = Attempts(
            name,
            on_failed=on_failed,
            on_error=on_error,
            tolerated=tolerated,
            first_pause_s=first_pause_s,
            longest_pause_s=longest_pause_s,
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> WorkerState:
        """How it is."""
        has_failed = self._running is WorkerState.RUNNING and self._attempts.has_failed
        return WorkerState.FAILED if has_failed else self._running

    @property
    def failures(self) -> int:
        """In a row."""
        return self._attempts.failures

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stop.is_set()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin; also after an end."""
        self._stop.clear()
        self._running = WorkerState.RUNNING
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """End after the turn at hand; does not wait."""
        self._stop.set()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End, and wait so long for it; false where the thread still hangs (it ends itself when it wakes)."""
        self._stop.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(deadline_s)
        if thread.is_alive():
            _log.warning("the %s has not ended within %.0f s; it is left behind", self.name, deadline_s)
        return not thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for its end, or so long."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def wait(self, seconds: float) -> bool:
        """Sleep within a turn; true where it is to end."""
        return self._stop.wait(seconds)

    def works(self) -> None:
        """Within a long turn: it is at work, whatever failed before."""
        self._attempts.succeeded()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                goes_on = self._turn()
            # a supervisor: no part of the box dies without a word, nor by what libraries raise beside `Exception`
            except BaseException as error:
                pause_s = self._attempts.failed(error)
                if pause_s:
                    self._stop.wait(pause_s)
            else:
                self._attempts.succeeded()
                if goes_on is False:
                    break
        self._running = WorkerState.ENDED
