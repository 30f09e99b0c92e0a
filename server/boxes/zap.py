"""Who may connect: the ZAP handler (ZeroMQ RFC 27) of the server, on a thread of its own.

CURVE proves that the client holds the secret of the public key that it shows; this handler decides by a look-up
whether that key is let in, and gives the key (Z85) to the socket as `User-Id`. Each socket has a domain with a rule
of its own. pyzmq's ironhouse example is the pattern.

Every handshake is answered at once, from memory: a rule that waits would let strangers, who need no key that anybody
knows, keep the boxes waiting behind them. A rule that is not sure says `LATER` (status 300): libzmq then hangs up
without an error and its client connects again, where a refusal (400) is final for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from enum import Enum

import zmq

from pipeline.keys import KEY_BYTES, z85_encode
from server.core.limits import RateLimiter

_log = logging.getLogger(__name__)
_POLL_MS = 200
HANDSHAKES_PER_ADDRESS = 600
ADDRESS_WINDOW_S = 10.0
"""Two hundred boxes behind one address that all come back at once need no more; others wait their turn."""


class Admission(Enum):
    """What becomes of a handshake, as a ZAP status code."""

    ALLOWED = b"200"
    LATER = b"300"
    REFUSED = b"400"


Rule = Callable[[str], Admission]
"""Public key in Z85 -> what becomes of its handshake. Answers from memory, in microseconds."""


class ZapHandler:
    """Answers every handshake of a context's CURVE servers. `rules`: domain -> rule; another domain or mechanism is
    refused. `refused`, `postponed`: how many were."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], rules: Mapping[str, Rule]) -> None:
        self._rules = dict(rules)
        self._stop = threading.Event()
        self._by_address = RateLimiter(HANDSHAKES_PER_ADDRESS, ADDRESS_WINDOW_S)
        self.refused = 0
        self.postponed = 0
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind("inproc://zeromq.zap.01")
        self._thread = threading.Thread(target=self._serve, name="zap", daemon=True)

    def start(self) -> None:
        """Begin to answer; the CURVE servers bind after this."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the socket."""
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(_POLL_MS):
                continue
            request = self._socket.recv_multipart()
            try:
                self._socket.send_multipart(self._answer(request))
            except Exception:  # a supervisor: a handshake that fails must not end the handler
                _log.exception("a handshake could not be judged")
                self._socket.send_multipart(_reply(request[1] if len(request) > 1 else b"", b"500", b""))
        self._socket.close()

    def _answer(self, request: list[bytes]) -> list[bytes]:
        if len(request) != 7 or request[0] != b"1.0" or request[5] != b"CURVE" or len(request[6]) != KEY_BYTES:
            self.refused += 1
            return _reply(request[1] if len(request) > 1 else b"", b"400", b"")
        rule = self._rules.get(request[2].decode("ascii", "replace"))
        key = z85_encode(request[6])
        verdict = Admission.REFUSED if rule is None else rule(key)
        if verdict is Admission.LATER and not self._by_address.allow(request[3].decode("ascii", "replace")):
            verdict = Admission.REFUSED
        self.refused += verdict is Admission.REFUSED
        self.postponed += verdict is Admission.LATER
        return _reply(request[1], verdict.value, key.encode("ascii") if verdict is Admission.ALLOWED else b"")


def _reply(request_id: bytes, status: bytes, user_id: bytes) -> list[bytes]:
    return [b"1.0", request_id, status, b"OK" if status == b"200" else b"refused", user_id, b""]
