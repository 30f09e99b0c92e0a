"""Stands in for the gateway of a telephone company: signs its calls and keeps what people would see or hear."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from server.channels.gateway.signing import Call


@dataclass(slots=True)
class GatewaySimulator:
    """One gateway, over real HTTP."""

    url: str
    code: str
    secret: str
    said: dict[str, list[str]] = field(default_factory=dict)
    _events: Any = field(default_factory=itertools.count)

    def call(self, path: str, body: dict[str, Any], *, time_s: int | None = None, secret: str = "") -> httpx.Response:
        """A signed call."""
        return self.send(*self.signed(path, body, time_s=time_s, secret=secret))

    def signed(
        self, path: str, body: dict[str, Any], *, time_s: int | None = None, secret: str = "", nonce: str = ""
    ) -> tuple[str, bytes, dict[str, str]]:
        """(path, body, headers) of a signed call."""
        content = json.dumps(body).encode()
        when = str(int(time.time()) if time_s is None else time_s)
        whole = f"/gateway/{self.code}/{path}"
        call = Call("POST", whole, when, nonce or secrets.token_hex(16), content)
        headers = {
            "X-Hailong-Time": when,
            "X-Hailong-Nonce": call.nonce,
            "X-Hailong-Signature": call.signature(secret or self.secret),
            "Content-Type": "application/json",
        }
        return whole, content, headers

    def send(self, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        """Put a call on the wire: the first time, or again."""
        return httpx.post(f"{self.url}{path}", content=content, headers=headers, timeout=120)

    def ask(self, count: int = 50) -> list[str]:
        """Fetch numbers to ask and send them the first message."""
        found = self.call("next", {"count": count}).raise_for_status().json()
        for row in found:
            self.said.setdefault(row["phone"], []).append(row["text"])
        return [row["phone"] for row in found]

    def hear(self, phone: str, text: str, event: str = "") -> dict[str, Any]:
        """Somebody sends a text or presses a key."""
        event = event or f"event-{next(self._events)}"
        body = {"event": event, "phone": phone, "text": text}
        answer: dict[str, Any] = self.call("events", body).raise_for_status().json()
        self.said.setdefault(phone, []).append(answer["reply"])
        return answer
