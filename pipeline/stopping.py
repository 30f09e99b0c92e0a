"""A request to stop, or to read the configuration anew, made by a signal.

A handler sets a plain attribute. An event's lock, taken in a handler that interrupts another handler (a terminal's
Ctrl-C reaches a process twice when its parent passes it on), would never be free again.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

_STEP_S = 0.1
_STOPS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """True once SIGINT or SIGTERM came, after `listen` was called in the main thread."""

    def __init__(self) -> None:
        self._asked = False

    def __bool__(self) -> bool:
        return self._asked

    @staticmethod
    def interrupt() -> None:
        """Until `listen`, SIGTERM ends what is being prepared as Ctrl-C does (`KeyboardInterrupt`). To the first
        process of a container, which has no default action, it would not come at all."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def listen(self) -> None:
        """Take both signals from now on."""
        for number in _STOPS:
            signal.signal(number, self._take)
        atexit.register(_ignore)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def wait(self, duration_s: float) -> bool:
        """Sleep so long or until the request; whether there is one."""
        end_s = time.monotonic() + duration_s
        while not self._asked and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(_STEP_S, left_s))
        return self._asked


def _ignore() -> None:
    """An interpreter that ends gives signals their default action back: one that came then would end a process that
    has done all its work as one that was killed."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)


def end_process(code: int) -> NoReturn:
    """End this process now with the exit status `code`, for a command that has closed what it opened.

    An interpreter that ends by itself waits for threads that are still at work, however long, and takes seconds of a
    processor to take modules apart."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a pipe that nobody reads any more, a stream that was closed
            stream.flush()
    os._exit(code)


class ReloadRequest:
    """Counts SIGHUP, after `listen` was called in the main thread."""

    def __init__(self) -> None:
        self._asked = self._answered = 0

    def listen(self) -> None:
        """Take the signal from now on."""
        signal.signal(signal.SIGHUP, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1

    def answer(self) -> bool:
        """Whether there was one since the last call."""
        before, self._answered = self._answered, self._asked
        return before != self._answered
