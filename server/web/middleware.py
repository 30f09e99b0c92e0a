"""Around every request: who asks (session cookie), security headers, the access log."""

from __future__ import annotations

import logging

from anyio import to_thread
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import StoreError
from server.auth.access_log import log_access
from server.auth.roles import User
from server.auth.users import session_user
from server.core.provinces import all_provinces
from server.store.engine import read
from server.web.context import BROWSER_COOKIE, SESSION_COOKIE, WebState, new_browser_id
from server.web.cookies import cookie, keep_cookie
from server.web.refill import SHOWN

_log = logging.getLogger(__name__)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Set unless the route has set its own (a page that the province's portal embeds widens frame-ancestors)."""
NOT_PERSONAL = {"Cache-Control": "public, max-age=600"}
"""Of what is the same for everybody: styles, scripts, pictures."""


def sign_session(secret: bytes, token: str) -> str:
    """The cookie's value for a session's token."""
    return str(URLSafeSerializer(secret, "session").dumps(token))


def read_session(secret: bytes, cookie: str | None) -> str | None:
    """The token in a session cookie, or None for a cookie that we did not sign."""
    if not cookie:
        return None
    try:
        token = URLSafeSerializer(secret, "session").loads(cookie)
    except BadSignature:
        return None
    return token if isinstance(token, str) else None


class WebMiddleware:
    """Finds the user before a route runs; adds headers and the access log's entry to its answer."""

    def __init__(self, app: ASGIApp, state: WebState) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if _prefix_of(request):
            await _at_the_root()(scope, receive, send)
            return
        token = read_session(self.state.secret, cookie(request, self.state.config, SESSION_COOKIE))
        user: User | None = None
        if not request.url.path.startswith("/static/"):
            try:
                user = await to_thread.run_sync(_find_user, self.state.engine, token, self.state.config.demo)
            except StoreError:
                await _store_away()(scope, receive, send)
                return
        scope["hailong.user"] = user
        browser = cookie(request, self.state.config, BROWSER_COOKIE)
        fresh = browser is None
        scope["hailong.browser"] = browser = browser or new_browser_id()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                shared = NOT_PERSONAL if request.url.path.startswith("/static/") and status in (200, 304) else {}
                for name, value in {**HEADERS, **shared}.items():
                    headers.setdefault(name, value)
                if fresh and not request.url.path.startswith("/static/"):
                    with_cookie = Response()
                    keep_cookie(with_cookie, self.state.config, BROWSER_COOKIE, browser)
                    headers.append("Set-Cookie", with_cookie.headers["set-cookie"])
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except StoreError:  # the page of an error asks the store for its province, and finds it away too
            if status != 500:
                raise
            await _store_away()(scope, receive, send_with_headers)
        finally:
            if user is not None and user.user_id is not None:
                await to_thread.run_sync(self._log, user, request.method, scope, status)

    def _log(self, user: User, method: str, scope: Scope, status: int) -> None:
        """What was asked, and the page that a refused form came back on: it was read, too."""
        entries = [(method, getattr(scope.get("route"), "path", "(none)"), status)]
        if SHOWN in scope:
            entries.append(("GET", scope[SHOWN], 200))
        try:
            for entry in entries:
                log_access(self.state.engine, user.province_id, user.user_id, *entry)
        except (StoreError, DBAPIError):
            _log.error("An access could not be logged: the store does not answer.")


def _prefix_of(request: Request) -> str:
    """The part of a page's path that a web server before this one took away, as it says itself; else empty."""
    if request.url.path.startswith(("/api/", "/static/")):
        return ""
    return request.headers.get("x-forwarded-prefix", "").strip().strip("/")


def _at_the_root() -> Response:
    """Links, cookies and forms of pages begin at the root of the name: below a path none of them would arrive."""
    text = (
        "Máy chủ web phía trước đang đặt các trang này dưới một đường dẫn con và cắt phần đó đi, nên liên kết và biểu "
        "mẫu không dùng được. Hãy dành cho máy chủ này một tên miền riêng và chuyển tiếp từ gốc (location /). / "
        "The web server before this one puts the pages below a path and takes it away: links and forms cannot work. "
        "Give this server a name of its own, and pass everything on from its root (location /)."
    )
    return PlainTextResponse(text, 421)


def _store_away() -> Response:
    text = "Kho dữ liệu không trả lời, hãy thử lại sau ít phút. / The store does not answer: try again in some minutes."
    return PlainTextResponse(text, 503, {"Retry-After": "60"})


def _find_user(engine: Engine, token: str | None, demo: bool) -> User | None:
    with read(engine) as connection:
        user = session_user(connection, token) if token else None
        if user is None and demo:
            found = all_provinces(connection)
            if len(found) == 1 and found[0].simulated:
                return User(None, "demo", None, found[0].province_id)
        return user
