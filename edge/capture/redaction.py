"""Addresses of sources without their secrets, for logs, messages, reports and the command line."""

from __future__ import annotations


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
    return f"{scheme}://{place}{slash}{path.partition('?')[0]}"
