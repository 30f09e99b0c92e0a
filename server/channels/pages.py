"""What the survey's pages share: the watch on arrivals, signed times."""

from __future__ import annotations

import time

from fastapi import HTTPException, Request
from itsdangerous import BadSignature, URLSafeSerializer

from pipeline.instruments import Instrument
from pipeline.language import Message
from server.core.limits import RateLimiter, network
from server.ratings.suspicion import ArrivalWatch, SuspicionRules
from server.store.engine import read
from server.web.context import BROWSER_COOKIE, web
from server.web.cookies import cookie

NOT_FOUND = Message("There is no such page.")
NO_FORM = Message("There is no form under this link.")
FORMS = ("/s/", "/embed/")
CITIZENS = (*FORMS, "/thanks/", "/feedback/", "/tv/")
"""Where the paths of citizens' pages begin: what goes wrong there is told in their frame."""


def watch_of(request: Request, province_id: int) -> ArrivalWatch:
    """The watch on a province's arriving ratings, by the province's thresholds; new ones begin with nothing counted."""
    state = request.app.state
    if not hasattr(state, "arrival_watches"):
        state.arrival_watches = {}
    with read(web(request).engine) as connection:
        rules = SuspicionRules.of(connection, province_id)
    watch: ArrivalWatch | None = state.arrival_watches.get(province_id)
    if watch is None or watch.rules != rules:
        watch = state.arrival_watches[province_id] = ArrivalWatch(rules)
    return watch


def public_limit(request: Request, what: str, limit: int, window_s: float) -> None:
    """Refuse (429) what one address does too often on a page that needs no log-in. Addresses are in memory only."""
    state = request.app.state
    if not hasattr(state, "public_limits"):
        state.public_limits = {}
    limiter: RateLimiter = state.public_limits.setdefault(what, RateLimiter(limit, window_s))
    if not limiter.allow(network_of(request)):
        raise HTTPException(429, Message("Too many attempts, try again later."))


def network_of(request: Request) -> str:
    """The caller's network: what tells networks apart for limits; never stored."""
    return network(request.client.host) if request.client else ""


def device_of(request: Request) -> str:
    """What tells devices apart for limits: the browser's own cookie, else address and program; never stored."""
    return (
        cookie(request, web(request).config, BROWSER_COOKIE)
        or f"{network_of(request)} {request.headers.get('user-agent', '')}"
    )


def signed_now(request: Request) -> str:
    """The present second under the server's signature: put into a form to tell how long it was open."""
    return str(URLSafeSerializer(web(request).secret, "shown").dumps(int(time.time())))


def seconds_since(request: Request, token: str) -> float | None:
    """Seconds since `signed_now` was made; None for a token that is not ours."""
    try:
        shown = URLSafeSerializer(web(request).secret, "shown").loads(token)
    except BadSignature:
        return None
    return max(0.0, time.time() - float(shown)) if isinstance(shown, int) else None


def reasons_of(instrument: Instrument, chosen: list[str]) -> int:
    """The mask of reason codes chosen; unknown ones are left out."""
    bits = {reason.code: reason.bit for reason in instrument.reasons}
    return sum(1 << bit for bit in {bits[code] for code in chosen if code in bits})
