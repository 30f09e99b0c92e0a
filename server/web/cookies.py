"""Cookies of the pages: one way to name, keep, read and drop them.

Where cookies go over HTTPS only (`web.secure_cookies`, the default), a name begins with `__Host-`: a browser takes such
a cookie from this host alone, so that no sibling name of the province's domain can put a session of its own into a
clerk's browser, or the browser's mark that forms are bound to (RFC 6265bis, 4.1.3.2). All are `HttpOnly`,
`SameSite=Lax` and of the whole site.
"""

from __future__ import annotations

from fastapi import Request, Response

from server.core.config import ServerConfig

PREFIX = "__Host-"


def cookie_name(config: ServerConfig, name: str) -> str:
    """As browsers know it."""
    return PREFIX + name if config.web.secure_cookies else name


def cookie(request: Request, config: ServerConfig, name: str) -> str | None:
    """What the browser sent, or None."""
    return request.cookies.get(cookie_name(config, name))


def keep_cookie(
    response: Response, config: ServerConfig, name: str, value: str, *, max_age_s: int | None = None
) -> None:
    """Set it; without `max_age_s` until the browser is closed."""
    secure = config.web.secure_cookies
    response.set_cookie(
        cookie_name(config, name), value, max_age=max_age_s, httponly=True, samesite="lax", secure=secure
    )


def drop_cookie(response: Response, config: ServerConfig, name: str) -> None:
    """Take it away. The attributes are part of it: a browser ignores the end of a `__Host-` cookie without `Secure`."""
    secure = config.web.secure_cookies
    response.delete_cookie(cookie_name(config, name), httponly=True, samesite="lax", secure=secure)
