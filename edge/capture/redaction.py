"""Addresses of sources without their secrets, for logs, messages, reports and the command line."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(pass(word|wd)?|pwd)=", re.IGNORECASE)


def redacted(source: int | str) -> str:
    """A source for messages: of an address only scheme, host and path, never user, password or query."""
    text = str(source)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    place, slash, path = rest.partition("/")
    # an "@" in a password, or a "/", must not leave a piece of it: the host stands after the last "@"
    if "@" in rest:
        place, slash, path = rest.rpartition("@")[2].partition("/")
    path = path.partition("?")[0]
    told = _PASSWORD.search(path)  # some cameras have it there: user=admin&password=...
    return f"{scheme}://{place}{slash}{path if told is None else path[: told.start()] + '...'}"


def without_user(source: int | str) -> str:
    """A source for comparing: of an address everything but user and password. A recorder's cameras differ by their
    query alone."""
    scheme, separator, rest = str(source).partition("://")
    place, mark, query = rest.partition("?")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{mark}{query}"
