"""What waits in the outbox goes to the server: at fixed times, in bursts of a fixed number of messages of one size,
until it is acknowledged.

A burst always has `slots` messages: first a greeting or a heartbeat, then what waits, then heartbeats for the slots
that are left. So the network shows neither whether nor how much there was to send. Whoever does not answer is
connected anew (the zguide's Paranoid Pirate); a server that refuses for the time being is left alone for a growing,
jittered number of bursts.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import zmq

from edge.delivery.outbox import Outbox
from edge.worker import Worker
from pipeline import wire
from pipeline.errors import ConfigError, LogError, StoreError, WireError
from pipeline.framing import REPLY_BYTES, pad, unpad
from pipeline.keys import KeyPair
from pipeline.language import Message
from pipeline.records import Tallies

_log = logging.getLogger(__name__)
FINAL = frozenset(
    {
        wire.RefusalReason.MALFORMED,
        wire.RefusalReason.CONFLICT,
        wire.RefusalReason.EPOCH_RETIRED,
        wire.RefusalReason.DEMO_ONLY,
    }
)
"""A message refused for one of these is set aside; for any other reason it is sent again later."""
_POLL_MS = 100
_STOP_S = 30.0
_MAX_SIGNED_FILE = 270_000
_GREET_EVERY = 288
"""A greeting again after so many bursts (a day, by default): new instruments come, a forked log is noticed."""
_PUT_OFF_BURSTS = 12
_MAX_PUT_OFF = 10_000
_SILENT_BURSTS = 3
_SILENT_S = 5.0
"""A connection on which nothing came for so many bursts, and for so long, is given up."""
_MAX_SKIPPED_BURSTS = 64
_RECORD_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """`address`: tcp://host:port; `server_public`: its CURVE key, 32 bytes; a burst of `slots` messages every
    `interval_s`.

    `asks_reads`: whether the server is asked what it reads, which it tells a box whose legal basis is consent.
    `record`: a file to which every frame is appended as it is handed to the socket (4,096 bytes each), for `hailong
    audit wire`."""

    address: str
    server_public: bytes
    interval_s: float
    slots: int = 4
    record: Path | None = None
    asks_reads: bool = False


class Sender:
    """One box's way to its server, on a thread of its own: `start`, `stop`.

    `heartbeat`: called for every heartbeat sent. `on_anchor`: called with the server's answer to the greeting; a
    `LogError` from it is logged and the box goes on counting without releasing. `on_file`: called with a signed
    public file. `on_reads`: called with the newest version of the schema that the server takes, 0 where it does not
    say. `on_failed`: called when the thread fails, and when it is at work again. `on_trouble`: called with
    whether the outbox or the record cannot be read or written, after every attempt."""

    def __init__(
        self,
        settings: SenderSettings,
        keys: KeyPair,
        outbox: Outbox,
        heartbeat: Callable[[], wire.Heartbeat],
        on_anchor: Callable[[wire.Anchor], None] = lambda _anchor: None,
        on_file: Callable[[wire.SignedFile], object] = lambda _file: None,
        on_failed: Callable[[bool], None] = lambda _failed: None,
        on_trouble: Callable[[bool], None] = lambda _cannot_write: None,
        on_reads: Callable[[int], None] = lambda _version: None,
    ) -> None:
        self.settings = settings
        self.tallies = Tallies()
        self._keys = keys
        self._outbox = outbox
        self._heartbeat = heartbeat
        self._on_anchor = on_anchor
        self._on_file = on_file
        self._on_trouble = on_trouble
        self._on_reads = on_reads
        self._asks_next = self._asked = False
        """Whether the next burst asks what the server reads, and whether an answer to that is awaited."""
        self._problem = self._record_problem = ""
        self._hurry_s: float | None = None
        self._greeted = False
        self._put_off: dict[tuple[int, int], int] = {}
        """(epoch, sequence) of what is of a pool that the server does not know yet -> bursts until it is offered again:
        it must not keep the other pools' messages back."""
        self._skip = 0
        self._backoff = 1
        self._silent = 0
        self._asked_s = 0.0
        self._last_reply_s: float | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._next_s = 0.0
        self._worker = Worker("sender", self._turn, on_failed=on_failed, on_error=self._after_error)

    def start(self) -> None:
        """Begin to send. The first burst comes at once: the server hears that the box is there."""
        self._next_s = time.monotonic()
        self._worker.start()

    def stop(self) -> None:
        """End the thread; what waits stays in the outbox."""
        if self._worker.stop(_STOP_S):
            self._close_socket()
            self._context.term()

    def flush_demo(self, timeout_s: float) -> bool:
        """Demo only: send without regard to the schedule until nothing waits; false where the time did not suffice."""
        self._hurry_s = min(0.2, self.settings.interval_s)
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s and not self._worker.stopping:
            if self._outbox.totals()["waiting"] == 0:
                return True
            time.sleep(0.05)
        return self._outbox.totals()["waiting"] == 0

    @property
    def problem(self) -> str:
        """Why nothing, or not everything, is sent or recorded now; empty where nothing is wrong. A server that does
        not answer is none (`is_heard`)."""
        return self._problem or self._record_problem

    @property
    def is_heard(self) -> bool:
        """Whether the server has answered within the last three bursts."""
        if self._last_reply_s is None:
            return False
        return time.monotonic() - self._last_reply_s < 3 * self.settings.interval_s + 5.0

    def _turn(self) -> None:
        try:
            self._receive()
            now_s = time.monotonic()
            if now_s >= self._next_s or (self._hurry_s is not None and self._next_s - now_s > self._hurry_s):
                interval_s = self.settings.interval_s if self._hurry_s is None else self._hurry_s
                # the grid stays where it is: a burst that came late does not move the following ones
                self._next_s += interval_s * max(1, int((now_s - self._next_s) / interval_s) + 1)
                if self._hurry_s is not None:
                    self._next_s = now_s + interval_s
                self._burst()
                self._problem = ""
                self._on_trouble(bool(self._record_problem))
        except StoreError as error:
            self.tallies.drop("outbox_failed")
            _log.warning("%s", error)
            self._problem = str(error)
            self._on_trouble(True)
            self._worker.wait(1.0)

    def _after_error(self) -> None:
        """What waits stays in the outbox; the connection is made anew."""
        self.tallies.drop("internal_error")
        self._close_socket()

    def _burst(self) -> None:
        if self._skip > 0 and self._hurry_s is None:
            self._skip -= 1
            self.tallies.drop("burst_skipped")
            return
        silent_s = time.monotonic() - self._asked_s
        if self._silent >= _SILENT_BURSTS and silent_s >= _SILENT_S:
            self.tallies.drop("reconnected")
            self._close_socket()
        if self._socket is None:
            self._open_socket()
        if self._silent == 0:
            self._asked_s = time.monotonic()
        self._silent += 1
        for payload in self._payloads():
            if not self._send(pad(payload)):
                return
        self.tallies.forwarded += 1

    def _payloads(self) -> list[bytes]:
        """The burst's messages: always `slots` of them."""
        heartbeat = self._heartbeat()
        first: wire.Message = heartbeat
        if not self._greeted or self.tallies.forwarded % _GREET_EVERY == 0:
            first = wire.Hello(version=1, epoch=self._outbox.epoch, sequence=0, nonce=secrets.randbits(64))
        elif self._asks_next:
            self._asks_next, self._asked = False, True
            first = wire.Reads(version=4, epoch=self._outbox.epoch, sequence=0, nonce=secrets.randbits(64))
        self._put_off = {number: left - 1 for number, left in self._put_off.items() if left > 1}
        waiting = [payload for _, _, payload in self._outbox.waiting(self.settings.slots - 1, self._put_off)]
        fill = self.settings.slots - 1 - len(waiting)
        beats = [msgspec.structs.replace(heartbeat, nonce=secrets.randbits(64)) for _ in range(fill)]
        return [wire.encode(first), *waiting, *map(wire.encode, beats)]

    def _send(self, frame: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:  # not connected, or the server does not read: nothing is queued behind the outbox's back
            self.tallies.drop("not_connected")
            return False
        if self.settings.record is not None:
            self._record(self.settings.record, frame)
        return True

    def _record(self, path: Path, frame: bytes) -> None:
        """A record that cannot be written ends no burst, but is told: the audit of what was sent would have a gap."""
        try:
            with _open_record(path) as file:
                if file.tell() < _RECORD_LIMIT_BYTES:
                    file.write(frame)
                else:
                    self.tallies.drop("record_full")
        except OSError as error:
            self.tallies.drop("record_failed")
            if not self._record_problem:
                _log.error("the record %s cannot be written (%s)", path, error.strerror)
            self._record_problem = f"The record of messages cannot be written ({error.strerror})."
        else:
            self._record_problem = ""

    def _receive(self) -> None:
        """Handle every answer that is there, waiting a moment for the first."""
        if self._socket is None:
            self._worker.wait(_POLL_MS / 1000)
            return
        if not self._socket.poll(_POLL_MS):
            return
        while self._socket is not None:
            try:
                frame = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._silent = 0
            self._last_reply_s = time.monotonic()
            self._handle(frame)

    def _handle(self, frame: bytes) -> None:
        try:
            reply = wire.decode_reply(unpad(frame, REPLY_BYTES) if len(frame) == REPLY_BYTES else frame)
        except WireError:
            self.tallies.drop("reply_malformed")
            return
        if isinstance(reply, wire.Ack):
            self._backoff = 1
            if reply.sequence:
                self._outbox.acknowledged(reply.epoch, reply.sequence)
        elif isinstance(reply, wire.Anchor):
            self._greeted = True
            self._asks_next = self.settings.asks_reads
            self._take_anchor(reply)
        elif isinstance(reply, wire.Reading) and self._asked:
            self._asked = False
            self._on_reads(reply.version)
        elif isinstance(reply, wire.SignedFile):
            self._on_file(reply)
        elif isinstance(reply, wire.Refusal):
            self._take_refusal(reply)
        else:  # the answer to a question that this connection never asks (`edge.delivery.offered`)
            self.tallies.drop("reply_malformed")

    def _take_anchor(self, anchor: wire.Anchor) -> None:
        try:
            self._on_anchor(anchor)
        except LogError as error:
            self.tallies.drop("anchor_refused")
            _log.error("%s", error)

    def _take_refusal(self, refusal: wire.Refusal) -> None:
        self.tallies.drop(f"refused_{refusal.reason.name.lower()}")
        if self._asked and refusal.reason is wire.RefusalReason.MALFORMED and not refusal.sequence:
            self._asked = False
            self._on_reads(0)  # a server from before there was such a question
        if refusal.reason in FINAL:
            if refusal.sequence and self._outbox.refused(refusal.epoch, refusal.sequence, refusal.reason):
                _log.error(
                    "the server refused message %d of epoch %d for good: %s",
                    refusal.sequence,
                    refusal.epoch,
                    refusal.reason.name,
                )
            return
        if refusal.reason is wire.RefusalReason.UNKNOWN_POOL:
            if refusal.sequence and len(self._put_off) < _MAX_PUT_OFF:
                self._put_off[refusal.epoch, refusal.sequence] = _PUT_OFF_BURSTS
            return
        if self._skip == 0:
            self._backoff = min(self._backoff * 2, _MAX_SKIPPED_BURSTS)
            self._skip = self._backoff // 2 + secrets.randbelow(self._backoff // 2 + 1)

    def _open_socket(self) -> None:
        socket = open_dealer(self._context, self.settings.address, self.settings.server_public, self._keys)
        self._socket = socket
        self._silent = 0
        self._greeted = self._asks_next = self._asked = False
        # IMMEDIATE refuses to queue before the handshake; give it a moment so that the first burst is not lost
        socket.poll(min(1_000, int(self.settings.interval_s * 500)), zmq.POLLOUT)

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def require_record(path: Path | None) -> None:
    """Refuse a record that cannot be written, before anything starts. Raises `ConfigError`."""
    if path is None:
        return
    try:
        _open_record(path).close()
    except OSError as error:
        raise ConfigError(
            Message("[server] record: {path} cannot be written ({strerror}).", path=path, strerror=error.strerror),
            Message("Name a file in the folder of [box] data_dir; a service may write nowhere else."),
        ) from None


def _open_record(path: Path) -> BinaryIO:
    # ratings stand in it: for the box's user alone
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def open_dealer(
    context: zmq.Context[zmq.Socket[bytes]], address: str, server_public: bytes, keys: KeyPair
) -> zmq.Socket[bytes]:
    """A DEALER that speaks CURVE to the server of that public key (32 bytes) and to nobody else.

    It queues nothing before it is connected, so that nothing waits outside the outbox."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 200
    socket.curve_serverkey = server_public
    socket.curve_publickey = keys.curve_public
    socket.curve_secretkey = keys.curve_secret
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 500)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 30_000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5_000)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 15_000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 45_000)
    socket.setsockopt(zmq.MAXMSGSIZE, _MAX_SIGNED_FILE)
    socket.sndhwm = 256
    socket.rcvhwm = 1_000
    socket.connect(address)
    return socket
