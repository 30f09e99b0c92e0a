"""Which browser is the counter's tablet: paired once by a one-time code, known from then on by a secret of its own.

Without it, whoever is on the counter's network sees every visit begin, and can rate and opt everybody out. The code
stands on the box alone: in its journal at the start, and in `hailong edge check`. What the browser gets for it is a
cookie of 256 random bits, of which the box keeps a hash. A later pairing takes the earlier one's place.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.errors import StoreError
from pipeline.language import Message

if TYPE_CHECKING:
    from edge.config import EdgeConfig
    from edge.counters import CounterSection

COOKIE = "tablet"
COOKIE_S = 400 * 86_400
"""Browsers keep no cookie longer; it is given anew with every visit of the first page."""
MAX_TRIES = 10
"""Wrong codes until the code is void; the chance to guess one of 2^40 is then below 1 in 10^11."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_LETTERS = 8


class Pairing:
    """The pairing of one counter, in two files of the box's data folder, 0600. Raises `StoreError` where they cannot be
    written. `counter`: its name, where the box has several: each has a code and a secret of its own.

    Neither file is touched because of a visit: only when a tablet is paired, or a code is made."""

    def __init__(self, folder: Path, counter: str = "") -> None:
        name = f"tablet-{counter}" if counter else "tablet"
        self._code_path, self._token_path = folder / f"{name}.code", folder / f"{name}.paired"
        self._lock = threading.Lock()
        self._tries = 0
        self._tried = ""

    @property
    def is_paired(self) -> bool:
        """Whether a tablet has been paired."""
        return bool(_read(self._token_path))

    @property
    def code(self) -> str:
        """The code that waits to be typed on the tablet; empty where there is none."""
        return _read(self._code_path)

    def ensure_code(self) -> str:
        """The code, made where no tablet is paired and none waits; empty where a tablet is paired and none waits."""
        with self._lock:
            return self.code or ("" if self.is_paired else self._make())

    def new_code(self) -> str:
        """Another code, for another tablet. The tablet so far stays the tablet until the code is used."""
        with self._lock:
            return self._make()

    def pair(self, typed: str) -> str | None:
        """The secret for whoever types the code; None for a wrong one. After `MAX_TRIES` wrong ones it is void."""
        with self._lock:
            code = self.code
            if not code:
                return None
            if code != self._tried:  # a new one was made, by `hailong edge check` perhaps
                self._tried, self._tries = code, 0
            if not secrets.compare_digest(plain_code(typed).encode(), plain_code(code).encode()):
                self._tries += 1
                if self._tries >= MAX_TRIES:
                    self._code_path.unlink(missing_ok=True)
                return None
            token = secrets.token_urlsafe(32)
            _write(self._token_path, _hash(token))
            self._code_path.unlink(missing_ok=True)
            return token

    def knows(self, token: str) -> bool:
        """Whether this is the paired tablet's secret."""
        kept = _read(self._token_path)
        return bool(kept) and secrets.compare_digest(_hash(token), kept)

    def _make(self) -> str:
        code = make_code()
        _write(self._code_path, code)
        return code


def pairing_of(config: EdgeConfig, counter: CounterSection) -> Pairing:
    """A counter's pairing; of a box of one counter, the box's."""
    return Pairing(config.box.data_dir, counter.name if config.counter else "")


def make_code() -> str:
    """A code of 40 random bits, as people read it out."""
    letters = [secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])


def plain_code(code: str) -> str:
    """A code as it was typed, without what does not matter."""
    return "".join(letter for letter in code.upper() if letter in _LETTERS)[: _CODE_LETTERS + 1]


def _hash(token: str) -> str:
    return hashlib.sha256(b"hailong tablet\0" + token.encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        raise StoreError(
            Message("The tablet's pairing cannot be kept ({strerror}).", strerror=error.strerror),
            Message("Check the data folder's owner and the disk."),
        ) from None


_FOR_ALL = (
    *("/pair", "/notice", "/notice/print", "/machine", "/machine/aloud", "/models", "/language", "/text-size"),
    *("/status", "/visit/start", "/visit/end"),
)
"""What no pairing is asked for: public texts, the state of the box, which no visit moves, and the queue system's
events, which have a token of their own."""


class PairedOnly:
    """Lets the paired tablet alone through to what shows or changes a visit."""

    def __init__(self, app: ASGIApp, pairing: Pairing, base: str = "") -> None:
        self._app, self._pairing, self._base = app, pairing, base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "").removeprefix(self._base) or "/"
        is_open = scope["type"] != "http" or path in _FOR_ALL or path.startswith("/static/")
        if is_open or self._pairing.knows(Request(scope).cookies.get(COOKIE, "")):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET" and path == "/":
            await RedirectResponse(f"{self._base}/pair", 303)(scope, receive, send)
        else:
            await PlainTextResponse("this browser is not the counter's tablet", 401)(scope, receive, send)
