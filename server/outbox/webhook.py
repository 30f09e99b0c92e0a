"""One signed call of a webhook: headers and signature of the Standard Webhooks specification 1.0.0.

    webhook-id, webhook-timestamp, webhook-signature: v1,BASE64(HMAC-SHA-256(secret, "ID.TIMESTAMP.BODY"))

The identifier is the same at every try, the time of the try is new. Any library of that specification checks it. The
call goes to the address that was looked up and judged, once: a public one by HTTPS, or one in a network that the
operator has named. No redirect is followed, no proxy asked, of the answer nothing is read but its status.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import ipaddress
import ssl
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

from pipeline.errors import InvalidError
from pipeline.language import Message
from server.outbox.delivery import Deadline, Problem, UndeliveredError, look_up, speaking

SECRET_PREFIX = "whsec_"  # noqa: S105 - how the specification writes a secret
MAX_URL = 500
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""What is given out of IPv6. All else means something else somewhere: an IPv4 address (`::10.0.0.1`,
`::ffff:0:10.0.0.1`), a site (`fec0::/10`), a segment."""
_TRANSLATED = tuple(
    ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "3fff::/20")
)
"""IPv6 addresses that stand for an IPv4 address of somebody else's choice."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def secret_of(key: bytes, province_code: str, use: str = "") -> bytes:
    """The secret [32 bytes] of a province's webhook, under the server's `ALERT_KEY`: it stands nowhere. `use`: what the
    webhook is for, where it is not alerts: who gets one kind of call cannot sign another."""
    named = f"webhook|{province_code}" + (f"|{use}" if use else "")
    return hmac.new(key, named.encode(), sha256).digest()


def written(secret: bytes) -> str:
    """A secret as the specification writes it: what the receiver is given."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, message_id: str, at_s: int, body: bytes) -> str:
    """What stands in `webhook-signature`."""
    signed = f"{message_id}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode()


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks as the configuration names them."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def check_url(text: str) -> SplitResult:
    """The parts of a webhook's address. Raises `InvalidError`."""
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise InvalidError(Message("This is no address of a webhook.")) from None
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or parts.username is not None
        or parts.fragment
        or not port_fits
        or len(text) > MAX_URL
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise InvalidError(
            Message("This is no address of a webhook."), Message("Write one such as https://example.vn/hailong.")
        )
    return parts


def may_reach(address: Address, scheme: str, inner: Sequence[Network]) -> bool:
    """Whether a webhook may go there: into a network that the operator named, else to public addresses by HTTPS."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address.version == network.version and address in network for network in inner):
        return True
    if address.version == 6 and (address not in _UNICAST or any(address in network for network in _TRANSLATED)):
        return False
    return scheme == "https" and address.is_global and not address.is_multicast


def call(url: str, secret: bytes, message_id: str, body: bytes, *, at_s: int, inner: Sequence[Network] = ()) -> None:
    """Call a webhook; an answer of 200 to 299 has taken it. Raises `UndeliveredError`, `InvalidError`."""
    parts = check_url(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    deadline = Deadline()
    places = look_up(host, port, deadline)
    # one that may not be reached among them is enough: whoever answers for the name chooses which one is taken
    if not all(may_reach(ipaddress.ip_address(place), parts.scheme, inner) for place in places):
        raise UndeliveredError(Problem.INNER_ADDRESS)
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "hailong",
        "Connection": "close",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signature(secret, message_id, at_s, body),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    with speaking(host, port, places, deadline, tls) as client:
        client.request("POST", target, body, headers)
        answer = client.getresponse()
        status = answer.status
        answer.close()
    if status == http.client.GONE:
        raise UndeliveredError(Problem.GONE, status, for_good=True)
    if not 200 <= status < 300:
        raise UndeliveredError(Problem.STATUS, status)
