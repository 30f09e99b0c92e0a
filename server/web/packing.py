"""Which answers are packed (gzip): files that are the same for everybody, and pages of figures.

A packed answer tells by its length whether what an address brings along stands in it already (BREACH). So nothing is
packed that holds a telephone number, a citizen's words, a link or a key: whatever route does not ask for figures alone.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from server.auth.roles import Permission
from server.web.bodies import RoutePermissions

OF_FIGURES = frozenset(
    {Permission.READ_SCORES, Permission.READ_HEALTH, Permission.ANALYSE, Permission.MANAGE_CATALOGUE}
)
"""Permissions whose pages are packed."""
OF_WORDS = ("/comments",)
"""Pages that such a permission opens and that hold citizens' words: not packed."""


class Packing:
    """Stands around the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._open = app
        self._packed = GZipMiddleware(app, minimum_size=1_000, compresslevel=5)
        self._needs = RoutePermissions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        packs = scope["type"] == "http" and (
            scope["path"].startswith("/static/")
            or (self._needs.of(scope) in OF_FIGURES and not scope["path"].startswith(OF_WORDS))
        )
        await (self._packed if packs else self._open)(scope, receive, send)
