"""Stands in for Zalo: what its public documentation and code in use say of the three addresses, with their refusals.

Zalo has no server that can be run elsewhere, and its own trial mode needs an official account of a state body.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TEMPLATE = "281848"
APP, SECRET = "3472", "s3cret"


@dataclass
class FakeZalo:
    """An official account. `refuses`: error by telephone; `hangs_up_on`: taken, and no answer."""

    refresh_token: str = "r0"
    access_token: str = "a0"
    valid: bool = True
    quota: int = 500
    template_enabled: bool = True
    refuses: dict[str, int] = field(default_factory=dict)
    hangs_up_on: set[str] = field(default_factory=set)
    down: bool = False
    sent: list[dict[str, Any]] = field(default_factory=list)
    rated: list[dict[str, Any]] = field(default_factory=list)
    renewals: int = 0
    queries: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def renew(self, headers: Any, form: dict[str, str]) -> dict[str, Any]:
        """`POST /v4/oa/access_token`: failures come with HTTP 200; a refresh token works once."""
        if headers["secret_key"] != SECRET or form.get("app_id") != APP or form.get("grant_type") != "refresh_token":
            return {"error": -14002, "error_name": "Invalid app"}
        if form.get("refresh_token") != self.refresh_token:
            return {"error": -14020, "error_name": "Invalid refresh token"}
        self.renewals += 1
        self.refresh_token, self.access_token, self.valid = f"r{self.renewals}", f"a{self.renewals}", True
        return {"access_token": self.access_token, "refresh_token": self.refresh_token, "expires_in": "90000"}

    def send(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """`POST /message/template`."""
        phone = str(body.get("phone", ""))
        if not re.fullmatch(r"84\d{9,10}", phone):
            return {"error": -108, "message": "Phone number invalid"}
        if body.get("template_id") != TEMPLATE:
            return {"error": -109, "message": "Template ID invalid"}
        if not self.template_enabled:
            return {"error": -131, "message": "ZNS template not approved"}
        if set(body.get("template_data") or {}) != {"don_vi"}:
            return {"error": -112, "message": "Template data invalid"}
        if not 0 < len(str(body.get("tracking_id", ""))) <= 48:
            return {"error": -132, "message": "Parameter invalid"}
        if phone in self.refuses:
            return {"error": self.refuses[phone], "message": "refused"}
        if self.quota == 0:
            return {"error": -144, "message": "OA daily quota exceeded"}
        self.quota -= 1
        self.sent.append(body)
        if phone in self.hangs_up_on:
            return None
        data = {"msg_id": f"m{len(self.sent)}", "sent_time": str(round(time.time() * 1_000))}
        quota = {"dailyQuota": "500", "remainingQuota": str(self.quota)}
        return {"error": 0, "message": "Success", "data": {**data, "quota": quota}}

    def rate(self, number: int, stars: Any, tracking: str = "", at_ms: Any = None) -> None:
        """Somebody gives stars to a message that was sent."""
        when = round(time.time() * 1_000) if at_ms is None else at_ms
        tracking = tracking or self.sent[number]["tracking_id"]
        row = {"msgId": f"m{number + 1}", "oaId": "1", "trackingId": tracking, "rate": stars, "submitDate": when}
        self.rated.append({**row, "note": "Nguyễn Văn A, 0912345678", "feedbacks": ["Nhanh"]})

    def ratings(self, query: dict[str, str]) -> dict[str, Any]:
        """`GET /rating/get`: times in milliseconds, pages by offset and limit."""
        self.queries.append(query)
        offset, limit = int(query["offset"]), int(query["limit"])
        if query["template_id"] != TEMPLATE or limit > 10_000 or len(query["from_time"]) != 13:
            return {"error": -132, "message": "Parameter invalid"}
        page = self.rated[offset : offset + limit]
        return {"error": 0, "message": "Success", "data": {"total": len(self.rated), "data": page}}


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *_args: object) -> None:
        return

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        zalo: FakeZalo = self.server.zalo
        parts = urlsplit(self.path)
        found: dict[str, Any] | None
        if zalo.down:
            self.send_error(502)
            return
        if parts.path == "/v4/oa/access_token":
            found = zalo.renew(self.headers, {name: values[0] for name, values in parse_qs(body.decode()).items()})
        elif not zalo.valid or self.headers["access_token"] != zalo.access_token:
            found = {"error": -124, "message": "Access token invalid"}
        elif parts.path == "/message/template":
            found = zalo.send(json.loads(body))
        else:
            found = zalo.ratings({name: values[0] for name, values in parse_qs(parts.query).items()})
        if found is None:
            self.close_connection = True
            return
        told = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)


@contextmanager
def serving(zalo: FakeZalo) -> Iterator[FakeZalo]:
    """The account on a real socket."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.zalo = zalo
    zalo.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield zalo
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
