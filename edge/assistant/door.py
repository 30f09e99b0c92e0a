"""Who may use the assistant: the one browser on which the code of the box's console was typed, and no other after it.

The code is made when the command starts, works once, and is void after `MAX_TRIES` wrong ones; then, and when nobody
has used the pages for a while, the assistant ends. Its browser is known by 256 random bits in a cookie, and each of its
forms carries another secret.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from enum import Enum
from ipaddress import ip_address

from starlette.types import ASGIApp

from edge.tablet.guard import Guard, name_of
from edge.tablet.pairing import MAX_TRIES, make_code, plain_code

COOKIE = "assistant"
IDLE_S = 1_800.0
"""The assistant ends when its browser has asked for nothing for so long."""
LONGEST_S = 4 * 3_600.0
"""It ends after so long whatever happens."""


MAX_BODY_BYTES = 131_072
"""The longest form: devices of 64 counters."""


class Ending(Enum):
    """Why the assistant ended."""

    DONE = "done"
    GUESSED = "guessed"
    IDLE = "idle"


class Door:
    """The code, the session, and the end. Thread-safe. `now`: a monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.code = make_code()
        self.form_token = secrets.token_urlsafe(16)
        self.ending: Ending | None = None
        self._session = ""
        self._tries = 0
        self._lock = threading.Lock()
        self._end_s = float("inf")
        self._turn = threading.Event()
        self._now = now
        self._begun_s = self._used_s = now()

    @property
    def is_taken(self) -> bool:
        """Whether a browser has come in."""
        return bool(self._session)

    def enter(self, typed: str) -> str | None:
        """The session's secret for whoever types the code, once; None for a wrong code."""
        with self._lock:
            if self._session or self.ending is not None:
                return None
            if not secrets.compare_digest(plain_code(typed).encode(), plain_code(self.code).encode()):
                self._tries += 1
                if self._tries >= MAX_TRIES:
                    self._end(Ending.GUESSED)
                return None
            self._session, self._used_s = secrets.token_urlsafe(32), self._now()
            return self._session

    def knows(self, session: str) -> bool:
        """Whether this is the browser that came in; its use of the pages is noted."""
        with self._lock:
            own = bool(self._session) and secrets.compare_digest(session.encode(), self._session.encode())
            if own:
                self._used_s = self._now()
            return own and self.ending is None

    def is_own_form(self, token: str) -> bool:
        """Whether a form was on one of this session's pages."""
        return secrets.compare_digest(token.encode(), self.form_token.encode())

    def shut(self, linger_s: float) -> None:
        """The work is done: from now on nothing is let in, and after `linger_s` seconds it ends."""
        with self._lock:
            self._end(Ending.DONE, linger_s)

    def _end(self, ending: Ending, linger_s: float = 0.0) -> None:
        if self.ending is None:
            self.ending, self._end_s = ending, self._now() + linger_s

    def wait(self, turn_s: float = 0.5) -> Ending:
        """Until it ends; also where nobody uses it any more."""
        while True:
            with self._lock:
                now_s = self._now()
                if now_s - self._used_s > IDLE_S or now_s - self._begun_s > LONGEST_S:
                    self._end(Ending.IDLE)
                if self.ending is not None and now_s >= self._end_s:
                    return self.ending
            self._turn.wait(turn_s)


class OwnNames(Guard):
    """As the tablet's, and under this machine's own address alone: names are for others to give."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        super().__init__(app, host, MAX_BODY_BYTES)
        self._address = ip_address(host)

    def is_own_name(self, host: str) -> bool:
        """The address that is served; where that is this machine's own, any such, and `localhost`."""
        name = name_of(host)
        if name == "localhost":
            return self._address.is_loopback
        try:
            asked = ip_address(name)
        except ValueError:
            return False
        return asked == self._address or (self._address.is_loopback and asked.is_loopback)
