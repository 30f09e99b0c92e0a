"""What the page says after something was sent: kept in the sender's own browser.

Whatever a citizen sends is answered with a redirect, so that loading the page again sends nothing again (a telephone
does that by itself). The code of a case must then reach the page in another way than by its address, which histories
and a proxy's log keep: it travels in a cookie, sealed, for an hour. So does the one-time link that staff send along
with an answer.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import urlencode

import msgspec
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from server.core.sealed import seal, unseal
from server.web.context import web
from server.web.cookies import cookie, keep_cookie

COOKIE = "hl_sent"
_KEPT_S = 3_600
_OWNER = "sent"


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was sent last. `province`: its code; `what`: `new` feedback, a judgement (`like`, `dislike`, `reopen`) or
    `none` where it was not possible, a `low` rating, a `link` about an answered case; `code`: of the case or of the
    link; `agency_id`: that was rated low; `case`: the number of the answered one."""

    province: str
    what: str
    code: str = ""
    agency_id: int = 0
    case: int = 0


def to_page(request: Request, path: str, sent: Sent | None = None, **asked: str) -> Response:
    """Lead to the page that says it, in the language that was asked for; keep `sent` for it. `asked`: what the page's
    address asks for beside it."""
    asked |= {"sent": "1"} if sent is not None else {}
    if lang := request.query_params.get("lang"):
        asked["lang"] = lang
    response = RedirectResponse(f"{path}?{urlencode(asked)}" if asked else path, 303)
    if sent is not None:
        value = seal(msgspec.json.encode(sent), _OWNER, _key(request))
        keep_cookie(response, web(request).config, COOKIE, value, max_age_s=_KEPT_S)
    return response


def last_sent(request: Request, province: str) -> Sent | None:
    """What this browser has sent to the province within the hour; None where that is not known."""
    raw = unseal(cookie(request, web(request).config, COOKIE) or "", _OWNER, _key(request))
    if raw is None:
        return None
    sent = msgspec.json.decode(raw, type=Sent)
    return sent if sent.province == province else None


def _key(request: Request) -> bytes:
    return sha256(b"sent|" + web(request).secret).digest()
