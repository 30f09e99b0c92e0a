"""What every request to the box's pages and events goes through: refusals before anything is read, and no error that
ends up in the journal with what somebody sent."""

from __future__ import annotations

import asyncio
import logging
import traceback
from ipaddress import ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)
MAX_BODY_BYTES = 16_384
"""A sheet's longest form has a few hundred bytes."""
_BODY_S = 10.0
_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_LOCAL_NAMES = (".local", ".localhost", ".internal", ".lan", ".home.arpa")


class Guard:
    """Refuses requests that another site's page caused, under a name that is not this box's, or with a long or slow
    body; puts the security headers on every answer.

    `host`: the configured address, which may be a name. `longest`: of a body, in bytes."""

    def __init__(self, app: ASGIApp, host: str = "", longest: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._longest = longest
        self._host = host.lower()
        self._told: set[type[Exception]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        body = b"" if refusal is not None else await _read(receive, self._longest)
        if body is None:
            refusal = PlainTextResponse("too large, or too slow", 413, {"connection": "close"})
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        begun = False
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        try:
            await self._app(scope, replay, with_headers)
        except Exception as error:  # whatever a page may stumble over, its words may hold what a citizen sent
            self._tell(error)
            if not begun:
                await PlainTextResponse("failed", 500)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = dict(scope["headers"])
        if not self.is_own_name(headers.get(b"host", b"").decode("latin-1")):
            return PlainTextResponse("This box is not known by that name.", 421)
        site = headers.get(b"sec-fetch-site", b"same-origin")
        if scope["method"] == "POST" and site not in {b"same-origin", b"none"}:
            return PlainTextResponse("refused", 403)
        if headers.get(b"content-type", b"").lower().startswith(b"multipart/"):
            return PlainTextResponse("no files are taken", 415)  # they would be spooled, to a disk where they are long
        return None

    def is_own_name(self, host: str) -> bool:
        """An address, a local name or the configured one. Under a name of the public DNS a stranger's page could make
        a browser of the counter's network believe that this box is the stranger's site (DNS rebinding)."""
        name = name_of(host)
        if not name or "." not in name or name == self._host or name.endswith(_LOCAL_NAMES):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    def _tell(self, error: Exception) -> None:
        """Once for each kind, and without its words: the time of every error would tell of visits."""
        if type(error) not in self._told:
            self._told.add(type(error))
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a page failed (%s, told once); the box goes on\n%s", type(error).__name__, where)


def name_of(host: str) -> str:
    """The name or address in a request's `Host`, without its port."""
    return host.lower().rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.lower().split(":", 1)[0]


async def _read(receive: Receive, longest: int) -> bytes | None:
    """The whole body, None where it is too long or too slow."""
    body: bytes = b""
    try:
        async with asyncio.timeout(_BODY_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > longest or message["type"] == "http.disconnect":
                    return None
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        return None
