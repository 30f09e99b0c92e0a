"""What a session's owner is told of where it runs: the class of its address and the browser, and nothing finer.

Neither an address nor a browser's own text is kept: both tell more of a person than the owner needs to know a session
by.
"""

from __future__ import annotations

import ipaddress

from pipeline.language import Message

PLACES: dict[str, Message] = {
    "machine": Message("on the server itself"),
    "private": Message("from the internal network"),
    "public": Message("from the internet"),
    "": Message("from an unknown place"),
}
_BROWSERS = (
    ("coc_coc", "Cốc Cốc"),
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("samsungbrowser", "Samsung Internet"),
    ("firefox", "Firefox"),
    ("chrom", "Chrome"),
    ("safari", "Safari"),
)
"""(what its own text holds, name): the first that fits, as most name others too."""
_PHONES = ("mobile", "android", "iphone", "ipad")


def place_of(address: str) -> str:
    """The class of an address, one of `PLACES`."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return "machine"
    return "private" if found.is_private or found.is_link_local else "public"


def browser_of(user_agent: str) -> str:
    """A browser's name, and `phone` where it runs on one: at most 24 characters, whatever it says of itself."""
    said = user_agent.lower()
    name = next((name for part, name in _BROWSERS if part in said), "")
    return f"{name}|{'phone' if any(part in said for part in _PHONES) else ''}"


def browser_words(stored: str) -> Message:
    """The browser in words."""
    name, _, phone = stored.partition("|")
    if not name:
        return Message("an unknown browser on a phone or tablet") if phone else Message("an unknown browser")
    if phone:
        return Message("{browser} on a phone or tablet", browser=name)
    return Message("{browser} on a computer", browser=name)
