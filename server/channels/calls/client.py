"""Signed calls of the 1022 centre's machine to the server (`server.channels.gateway.page`)."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import HailongError
from pipeline.language import Message
from server.channels.gateway.signing import Call
from server.outbox.delivery import Deadline, UndeliveredError, look_up, speaking

TRIES = 3
MAX_ANSWER_BYTES = 1_000_000
WAIT_S = 8.0
"""What one try may take: somebody listens to silence meanwhile."""


class NoReplyError(HailongError):
    """The server did not take the call. `their_status`: its own number, 0 where it gave none."""

    status = 502

    def __init__(self, their_status: int = 0) -> None:
        super().__init__(
            Message("The server does not answer, or refuses ({status}).", status=their_status),
            Message("Look at the address, the gateway's code and its key."),
        )
        self.their_status = their_status


class Server:
    """The gateway's side of the server. `url`: without a path; `secret`: the gateway's key (hex)."""

    def __init__(self, url: str, code: str, secret: str) -> None:
        self._url, self._code, self._secret = urlsplit(url), code, secret

    def event(self, event: str, phone: str, text: str) -> tuple[str, bool]:
        """What to say to a key, and whether that ends the call. Raises `NoReplyError`."""
        told = self._post("events", {"event": event, "phone": phone, "text": text})
        if not isinstance(told, dict) or not isinstance(told.get("reply"), str):
            raise NoReplyError
        return told["reply"], told.get("end") is True

    def to_ask(self, count: int) -> list[str]:
        """Numbers to call now; they count as asked. Tried once: an answer that is lost has taken its numbers along,
        and they come again as reminders. Raises `NoReplyError`."""
        told = self._post("next", {"count": count}, tries=1)
        if not isinstance(told, list):
            raise NoReplyError
        return [str(row["phone"]) for row in told if isinstance(row, dict) and "phone" in row]

    def _post(self, name: str, content: dict[str, Any], tries: int = TRIES) -> Any:
        """A call; tried again where the server did not answer: the event's own number makes that harmless."""
        body = json.dumps(content).encode()
        for left in range(tries - 1, -1, -1):
            try:
                return self._once(f"/gateway/{self._code}/{name}", body)
            except NoReplyError as error:
                if not left or 400 <= error.their_status < 500:
                    raise
                time.sleep(0.2)
        raise NoReplyError

    def _once(self, path: str, body: bytes) -> Any:
        host, scheme = self._url.hostname or "", self._url.scheme
        port = self._url.port or (443 if scheme == "https" else 80)
        signed = Call("POST", path, str(int(time.time())), secrets.token_hex(16), body)
        headers = {
            "Host": self._url.netloc,
            "Content-Type": "application/json",
            "User-Agent": "hailong",
            "Connection": "close",
            "X-Hailong-Time": signed.time,
            "X-Hailong-Nonce": signed.nonce,
            "X-Hailong-Signature": signed.signature(self._secret),
        }
        deadline = Deadline(WAIT_S)
        tls = ssl.create_default_context() if scheme == "https" else None
        try:
            with speaking(host, port, look_up(host, port, deadline), deadline, tls) as client:
                client.request("POST", path, body, headers)
                answer = client.getresponse()
                status, told = answer.status, answer.read(MAX_ANSWER_BYTES)
        except UndeliveredError:
            raise NoReplyError from None
        if status != 200:
            raise NoReplyError(status)
        try:
            return json.loads(told)
        except (ValueError, RecursionError):
            raise NoReplyError(status) from None
