"""The boxes' door: a ROUTER over CURVE. Checks, stores, and only then acknowledges.

One thread takes what lies waiting (up to `batch` messages, fairly from all boxes), stores it in one transaction and
answers. So an `Ack` follows its commit, and many messages share one. What a message may do is decided by the key of
its connection alone; the box's row is read again within the transaction, so a revoked box stores nothing more.

Idempotent without a time limit: `deliveries` keeps (box, epoch, sequence) and a digest for ever. The same once more
is acknowledged again; another content under the same number is a CONFLICT.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from pipeline import wire
from pipeline.enrolment import enrolment_address
from pipeline.errors import InvalidError, StoreError, WireError
from pipeline.framing import FRAME_BYTES, REPLY_BYTES, pad, unpad
from pipeline.keys import KeyPair
from pipeline.language import Message
from pipeline.records import Tallies
from server.boxes.bundle_files import PIECES_PER_S, BundleFiles
from server.boxes.enrolment import EnrolmentDoor
from server.boxes.instrument_files import InstrumentFiles
from server.boxes.rate_limit import RateLimit
from server.boxes.registry import Box, BoxRegistry, read_boxes
from server.boxes.store_messages import Answer, Incoming, store_batch
from server.boxes.zap import Admission, ZapHandler
from server.store.engine import write

_log = logging.getLogger(__name__)
_POLL_MS = 100
_HANDSHAKE_BYTES = 1_024
_CURVE_BYTES = 128
"""libzmq counts what CURVE adds to a frame (33 bytes), and the handshake's own frames."""
BOXES, ENROLMENT = "boxes", "enrolment"
STANDINGS_PER_S, STANDINGS = 0.2, 60
"""Of one box: for each of its standings every box of the province is looked at, and it tells a handful in a night."""
PIECES_OF_ONE_PER_S, PIECES_OF_ONE = PIECES_PER_S / 2, 40
"""Of one box: as many as it asks for that waits for each, and half of what all may have."""


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Addresses and limits. Port 0 takes a free port (see `Ingest.endpoint`). `enrol_address` None: no enrolment.

    A box may send `rate_per_s` messages a second on average and `burst` at once."""

    address: str = "tcp://*:5870"
    enrol_address: str | None = "tcp://*:5871"
    rate_per_s: float = 50.0
    burst: int = 500
    batch: int = 256
    waiting_per_box: int = 64
    """Messages of one connection held in memory before its sender is made to wait (by TCP)."""

    @classmethod
    def at(cls, address: str) -> IngestSettings:
        """Boxes at `address`, enrolment at the port after it (where boxes look for it unless told otherwise)."""
        return cls(address=address, enrol_address=enrolment_address(address))


@dataclass(slots=True)
class IngestTallies(Tallies):
    """Of the server's door: messages taken by kind (repeats too), repeats, refusals by reason. Nothing of one visit
    moves them."""

    taken: dict[str, int] = field(default_factory=dict)
    repeated: int = 0


class Ingest:
    """Threads and sockets of the boxes' door: `start`, `stop`. Safe to make one for each store and process.

    Raises `StoreError` or `zmq.ZMQError` at `start` where the store does not answer or a port is taken."""

    def __init__(
        self,
        engine: Engine,
        keys: KeyPair,
        settings: IngestSettings | None = None,
        now: Callable[[], float] = time.time,
        instruments: Path | None = None,
        bundles: Path | None = None,
    ) -> None:
        self.settings = settings or IngestSettings()
        self.tallies = IngestTallies()
        self.registry = BoxRegistry(engine)
        self._engine = engine
        self._keys = keys
        self._now = now
        self._files = InstrumentFiles(instruments, keys)
        self._bundles = BundleFiles(bundles)
        self._limit = RateLimit(self.settings.rate_per_s, self.settings.burst)
        self._standings = RateLimit(STANDINGS_PER_S, STANDINGS)
        self._pieces = RateLimit(PIECES_OF_ONE_PER_S, PIECES_OF_ONE)
        self._stop = threading.Event()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._thread = threading.Thread(target=self._serve, name="ingest", daemon=True)
        self.endpoint = ""
        self.enrol_endpoint = ""

    def start(self) -> None:
        """Bind and serve."""
        self.registry.refresh()
        self._zap = ZapHandler(
            self._context, {BOXES: self.registry.admission, ENROLMENT: lambda _key: Admission.ALLOWED}
        )
        self._zap.start()
        self._router = self.open_router(BOXES, FRAME_BYTES)
        self._router.bind(self.settings.address)
        self.endpoint = _endpoint(self._router)
        self._door: EnrolmentDoor | None = None
        if self.settings.enrol_address is not None:
            router = self.open_router(ENROLMENT, REPLY_BYTES)
            router.bind(self.settings.enrol_address)
            self.enrol_endpoint = _endpoint(router)
            self._door = EnrolmentDoor(router, self._engine, self._keys, self.registry, self._now)
            self._door.start()
        self._thread.start()

    def open_router(self, domain: str, frame_bytes: int) -> zmq.Socket[bytes]:
        """A ROUTER that speaks CURVE only, hangs up on larger frames, and forgets peers that are gone."""
        router = self._context.socket(zmq.ROUTER)
        router.linger = 500
        router.curve_server = True
        router.curve_publickey = self._keys.curve_public
        router.curve_secretkey = self._keys.curve_secret
        router.zap_domain = domain.encode("ascii")
        router.setsockopt(zmq.MAXMSGSIZE, max(frame_bytes, _HANDSHAKE_BYTES) + _CURVE_BYTES)
        router.setsockopt(zmq.HANDSHAKE_IVL, 5_000)
        router.setsockopt(zmq.HEARTBEAT_IVL, 15_000)
        router.setsockopt(zmq.HEARTBEAT_TIMEOUT, 45_000)
        router.rcvhwm = self.settings.waiting_per_box
        router.sndhwm = 1_000
        return router

    def turned_away(self) -> dict[str, int]:
        """Handshakes that were refused, and that were asked to come again."""
        return {"refused": self._zap.refused, "postponed": self._zap.postponed}

    def stop_soon(self) -> None:
        """Take no more messages than the batch at hand; returns at once."""
        self._stop.set()
        if self._door is not None:
            self._door.stop_soon()

    def stop(self, within_s: float | None = None) -> None:
        """Stop taking messages, finish the batch at hand, close everything. What is not over `within_s` is left as it
        is, for a process that ends: boxes send again what nobody has acknowledged."""
        self.stop_soon()
        end_s = None if within_s is None else time.monotonic() + within_s
        for thread in [self._thread] if self._door is None else [self._thread, self._door.thread]:
            thread.join(None if end_s is None else max(0.0, end_s - time.monotonic()))
            if thread.is_alive():
                return
        self._zap.stop()
        self._router.close()
        self._context.term()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                if self._router.poll(_POLL_MS):
                    self._round()
            except Exception:  # a supervisor: one round that fails must not end the service
                self.tallies.drop("internal_error")
                _log.exception("a batch of messages could not be handled; the boxes will send it again")
                time.sleep(0.5)

    def _round(self) -> None:
        """Take what waits, store it together, answer."""
        batch = self._receive()
        if not batch:
            return
        for incoming, reply in self._store(batch):
            self._reply(incoming.identity, reply)
            if isinstance(reply, wire.Anchor):
                self._send_files(incoming.identity)

    def _send_files(self, identity: bytes) -> None:
        """The province's instruments, after every greeting. They are public; their length needs no hiding."""
        for file in self._files.signed():
            try:
                self._router.send_multipart([identity, wire.encode(file)], zmq.NOBLOCK)
            except zmq.Again:
                self.tallies.drop("reply_not_sent")

    def _receive(self) -> list[Incoming]:
        batch: list[Incoming] = []
        for _ in range(self.settings.batch):
            try:
                frames = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            incoming = self._check(frames)
            if incoming is not None:
                batch.append(incoming)
        return batch

    def _check(self, frames: list[zmq.Frame]) -> Incoming | None:
        """One message of a known box that fits the schema; otherwise it is counted, answered, and None."""
        identity = frames[0].bytes
        try:
            key = str(frames[-1].get("User-Id"))
        except zmq.ZMQError:
            self.tallies.drop("no_key")
            return None
        box = self.registry.lookup(key)
        if box is None:
            self._refuse(identity, 0, 0, wire.RefusalReason.UNKNOWN_BOX)
            return None
        verdict = self._limit.take(box.box_id)
        if verdict is not RateLimit.Verdict.PASS:
            if verdict is RateLimit.Verdict.REFUSE_AND_TELL:
                self._refuse(identity, 0, 0, wire.RefusalReason.RATE_LIMITED)
            else:
                self.tallies.drop(wire.RefusalReason.RATE_LIMITED.name)
            return None
        try:
            if len(frames) != 2:
                raise WireError(Message("A message has another number of frames than the schema says."))
            payload = unpad(frames[1].bytes)
            message = wire.decode(payload)
        except WireError:
            self._refuse(identity, 0, 0, wire.RefusalReason.MALFORMED)
            return None
        if isinstance(message, wire.Want):
            self._give(identity, box.box_id, message)
            return None
        if isinstance(message, wire.Standing) and self._standings.take(box.box_id) is not RateLimit.Verdict.PASS:
            self._refuse(identity, message.epoch, message.sequence, wire.RefusalReason.RATE_LIMITED)
            return None
        return Incoming(identity, key, box, message, hashlib.sha256(payload).hexdigest())

    def _give(self, identity: bytes, box_id: int, want: wire.Want) -> None:
        """A piece of a public bundle, as long as there is enough of the line; otherwise the box asks again later."""
        may = self._pieces.take(box_id) is RateLimit.Verdict.PASS
        content = self._bundles.piece(want.release, want.piece) if may else None
        if content is None:
            self.tallies.drop("piece_not_given")
            return
        try:
            piece = wire.Piece(release=want.release, piece=want.piece, content=content)
            self._router.send_multipart([identity, wire.encode(piece)], zmq.NOBLOCK)
        except zmq.Again:
            self.tallies.drop("reply_not_sent")

    def _store(self, batch: list[Incoming]) -> list[tuple[Incoming, Answer]]:
        """Store a batch in one transaction. Where that fails, each message alone, so that one cannot keep the others
        out."""
        try:
            replies = self._commit(batch)
        except (SQLAlchemyError, StoreError, InvalidError) as error:
            _log.warning("the store did not take %d message(s): %s", len(batch), type(error).__name__)
            replies = (
                [self._store_alone(incoming) for incoming in batch] if len(batch) > 1 else [_unavailable(batch[0])]
            )
        for incoming, reply in zip(batch, replies, strict=True):
            kind = type(incoming.message).__name__.lower()
            if isinstance(reply, wire.Refusal):
                self.tallies.drop(reply.reason.name)
            else:
                self.tallies.forwarded += 1
                self.tallies.taken[kind] = self.tallies.taken.get(kind, 0) + 1
        return list(zip(batch, replies, strict=True))

    def _store_alone(self, incoming: Incoming) -> Answer:
        try:
            return self._commit([incoming])[0]
        except (SQLAlchemyError, StoreError, InvalidError):
            return _unavailable(incoming)

    def _commit(self, batch: list[Incoming]) -> list[Answer]:
        with write(self._engine) as connection:
            boxes: dict[int, Box] = {
                box.box_id: box for box in read_boxes(connection, sorted({incoming.box.box_id for incoming in batch}))
            }
            return store_batch(connection, batch, boxes, self._now(), self.tallies, self._files.by_wire_code)

    def _refuse(self, identity: bytes, epoch: int, sequence: int, reason: wire.RefusalReason) -> None:
        self.tallies.drop(reason.name)
        self._reply(identity, wire.Refusal(epoch=epoch, sequence=sequence, reason=reason))

    def _reply(self, identity: bytes, reply: Answer) -> None:
        """Answer; a peer that is gone or does not read gets nothing and will send again."""
        try:
            self._router.send_multipart([identity, pad(wire.encode(reply), REPLY_BYTES)], zmq.NOBLOCK)
        except zmq.Again:
            self.tallies.drop("reply_not_sent")


def _unavailable(incoming: Incoming) -> wire.Refusal:
    message = incoming.message
    return wire.Refusal(epoch=message.epoch, sequence=message.sequence, reason=wire.RefusalReason.STORE_UNAVAILABLE)


def _endpoint(socket: zmq.Socket[bytes]) -> str:
    """The address that a socket is bound to, with the port that it got."""
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).decode("ascii").rstrip("\x00")
