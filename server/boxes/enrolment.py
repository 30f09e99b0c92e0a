"""The door at which a box shows its one-time code. Any key may connect here; nothing but an enrolment request is
understood."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import msgspec
import zmq
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from pipeline import enrolment
from pipeline.errors import InvalidError, StoreError, WireError
from pipeline.framing import REPLY_BYTES, pad, unpad
from pipeline.keys import KeyPair
from pipeline.language import Message
from pipeline.records import Tallies
from server.boxes import registry as boxes
from server.core.limits import RateLimiter

_log = logging.getLogger(__name__)
_POLL_MS = 200
REQUESTS_PER_ADDRESS = 60
ADDRESS_WINDOW_S = 60.0
"""A province that enrols its boxes from behind one address sends no more; a code has 128 random bits, so that this is
about the store's peace, not about guessing. What is over hears "later", unread."""


class EnrolmentDoor:
    """Serves one bound ROUTER on a thread of its own and closes it at the end."""

    def __init__(
        self,
        router: zmq.Socket[bytes],
        engine: Engine,
        keys: KeyPair,
        registry: boxes.BoxRegistry,
        now: Callable[[], float],
    ) -> None:
        self.tallies = Tallies()
        self._router = router
        self._engine = engine
        self._keys = keys
        self._registry = registry
        self._now = now
        self._by_address = RateLimiter(REQUESTS_PER_ADDRESS, ADDRESS_WINDOW_S)
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._serve, name="enrolment", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self.thread.start()

    def stop_soon(self) -> None:
        """Take no further request; `thread` ends and closes the socket."""
        self._stop.set()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                if self._router.poll(_POLL_MS):
                    self._one()
            except Exception:  # a supervisor: a request that fails must not end the service
                self.tallies.drop("internal_error")
                _log.exception("an enrolment request could not be handled")
        self._router.close()

    def _one(self) -> None:
        frames = self._router.recv_multipart(copy=False)
        if self._by_address.allow(str(frames[-1].get("Peer-Address"))):
            answer = self._answer(frames)
        else:
            self.tallies.drop("too_many")
            answer = enrolment.NotEnrolled(later=True)
        try:
            payload = pad(enrolment.encode(answer), REPLY_BYTES)
            self._router.send_multipart([frames[0].bytes, payload], zmq.NOBLOCK)
        except zmq.Again:
            self.tallies.drop("reply_not_sent")

    def _answer(self, frames: list[zmq.Frame]) -> enrolment.Answer:
        try:
            if len(frames) != 2:
                raise WireError(Message("An enrolment request is one frame."))
            request = enrolment.decode_enrol(unpad(frames[1].bytes, REPLY_BYTES))
        except WireError:
            self.tallies.drop("malformed")
            return enrolment.NotEnrolled()
        key = str(frames[1].get("User-Id"))
        try:
            box = boxes.enrol(self._engine, request, key, self._now())
        except (SQLAlchemyError, StoreError, InvalidError):
            self.tallies.drop("store_unavailable")
            return enrolment.NotEnrolled(later=True)
        if box is None:
            self.tallies.drop("not_valid")
            return enrolment.NotEnrolled()
        self._registry.refresh()
        self.tallies.forwarded += 1
        answer = enrolment.Enrolled(epoch=box.epoch, signing_public=self._keys.signing_public)
        if request.version == 1 or box.epoch_nonce is None:
            return answer
        return msgspec.structs.replace(answer, box=box.box_id, nonce=bytes.fromhex(box.epoch_nonce))
