"""Who asks, then whether he may, and only then what he sends.

FastAPI reads a form before any dependency of its route runs: an upload of a stranger would lie on the disk before he is
asked who he is. Here the route's permission is looked up first; without it the request goes on with an empty body, and
is refused as ever. A body that trickles is cut off. A form is UTF-8: the parser of forms decodes by any of Python's
codecs that a header names, and some of those take time that grows with the square of the text (`punycode`: 13 s for
150 KB, in which nobody else is answered) or make half characters that no store takes (`utf-7`). And it is refused
where it is not UTF-8: the libraries put U+FFFD, or the letters of Latin-1, in the place of what they cannot read, and
nobody is told. The same is asked of addresses. Letters that were not percent-encoded (`curl -d`) are read as they are
meant; the parser would take each of their bytes for a letter.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from anyio import move_on_after
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette import formparsers
from starlette.responses import PlainTextResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import language
from server.auth.roles import Permission, User
from server.web.context import SAFE_METHODS

FIRST_S = 20.0
SLOWEST_BYTES_S = 16_384
"""A body may take 20 s, and a second more for every 16 KiB that have come."""
_OF_THE_BODY = frozenset({b"content-type", b"content-length"})
_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii"})
_FORM = b"application/x-www-form-urlencoded"
MAX_FORM_BYTES = 1 << 20
"""A longer form is refused further on."""
_HIGH = re.compile(rb"[\x80-\xff]")
_NOT_UTF_8_PART = language.Message("What was sent is not UTF-8: nothing was stored. Send forms as UTF-8.")
_NOT_UTF_8_ADDRESS = "Địa chỉ phải viết bằng UTF-8. / Write addresses in UTF-8."
_NOT_UTF_8 = "Biểu mẫu phải được gửi bằng UTF-8. / Send forms as UTF-8."


class BodyGuard:
    """Stands behind the middleware that finds the user, before the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._needs = RoutePermissions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not is_utf_8(scope.get("raw_path") or b"") or not is_utf_8(scope["query_string"]):
            await PlainTextResponse(_NOT_UTF_8_ADDRESS, 400)(scope, receive, send)
            return
        scope["query_string"] = _escaped(scope["query_string"])
        if scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        permission = self._needs.of(scope)
        user: User | None = scope.get("hailong.user")
        may = permission is None or (user is not None and not user.must_change_password and user.may(permission))
        if not may:  # as if nothing had been sent; the route's own check refuses
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _OF_THE_BODY]
        elif any(_charset(value) not in _CHARSETS for name, value in scope["headers"] if name == b"content-type"):
            await PlainTextResponse(_NOT_UTF_8, 415)(scope, receive, send)
            return
        receive = _in_time(receive) if may else _nothing
        if may and any(_kind(value) == _FORM for name, value in scope["headers"] if name == b"content-type"):
            body, last = await _begin(receive)
            if len(body) <= MAX_FORM_BYTES and not is_utf_8(body):
                await PlainTextResponse(_NOT_UTF_8, 415)(scope, receive, send)
                return
            receive = _again(body, last, receive)
        await self.app(scope, receive, send)


def is_utf_8(sent: bytes) -> bool:
    """Whether what stands in an address or a form, percent-encoded or not, is UTF-8 (no overlong form, no half
    character)."""
    if b"%" not in sent and sent.isascii():
        return True
    try:
        unquote_to_bytes(sent).decode()
    except UnicodeDecodeError:
        return False
    return True


def refuse_other_parts() -> None:
    """From here on a part of a multipart form that is not UTF-8 refuses the form (400); the parser reads it as Latin-1,
    where every byte is a letter."""

    def decoded(src: bytes | bytearray, codec: str) -> str:
        try:
            return src.decode()
        except UnicodeDecodeError:
            raise formparsers.MultiPartException(_NOT_UTF_8_PART) from None

    formparsers._user_safe_decode = decoded


def _escaped(sent: bytes) -> bytes:
    """With letters beyond ASCII percent-encoded, as the parsers expect."""
    return sent if sent.isascii() else _HIGH.sub(lambda found: b"%%%02X" % found[0][0], sent)


async def _begin(receive: Receive) -> tuple[bytes, Message]:
    """What comes of a form, as far as it may be long, in one piece however many it came in; and the last message."""
    body = bytearray()
    while True:
        last = await receive()
        body += last.get("body", b"")
        if not last.get("more_body", False) or len(body) > MAX_FORM_BYTES:
            return bytes(body), last


def _again(body: bytes, last: Message, receive: Receive) -> Receive:
    """What has come, with its letters escaped, and then what comes."""
    is_cut_off = last["type"] != "http.request"
    more = is_cut_off or last.get("more_body", False)
    waiting: list[Message] = [{"type": "http.request", "body": _escaped(body), "more_body": more}]
    if is_cut_off:
        waiting.append(last)

    async def replayed() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return replayed


def _kind(content_type: bytes) -> bytes:
    return parse_options_header(content_type)[0].lower()


def _charset(content_type: bytes) -> bytes:
    """As the parser of forms reads it."""
    return parse_options_header(content_type)[1].get(b"charset", b"utf-8").lower()


class RoutePermissions:
    """What the routes of an application ask for, looked up before they run."""

    def __init__(self) -> None:
        self._routes: list[tuple[APIRoute, Permission | None]] = []

    def of(self, scope: Scope) -> Permission | None:
        """What the route of a request needs; None for nothing, or no route."""
        if not self._routes:
            self._routes = list(_flat(scope["app"].router.routes))
        for route, permission in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return permission
        return None


def _flat(routes: Iterable[Any]) -> Iterator[tuple[APIRoute, Permission | None]]:
    """Every route with the permission that it needs; FastAPI keeps those of an included router within it."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route, next(_permissions(route.dependant), None)
        elif hasattr(route, "original_router"):
            yield from _flat(route.original_router.routes)


def _permissions(dependant: Dependant) -> Iterator[Permission]:
    found: Any = getattr(dependant.call, "permission", None)
    if isinstance(found, Permission):
        yield found
    for one in dependant.dependencies:
        yield from _permissions(one)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _in_time(receive: Receive) -> Receive:
    began, came, whole = time.monotonic(), 0, False

    async def limited() -> Message:
        nonlocal came, whole
        if whole:
            return await receive()
        left = began + FIRST_S + came / SLOWEST_BYTES_S - time.monotonic()
        with move_on_after(max(0.0, left)):
            message = await receive()
            came += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            return message
        return {"type": "http.disconnect"}

    return limited
