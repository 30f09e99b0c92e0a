"""Fetching a release that the server offers, in pieces, into the box's data folder. Nothing of it is run here.

The server is not trusted: what it says of a release is a hint. The bundle's first members are its manifest and the
signature; once they are there, they are checked by the key that the box was installed with, and by what the box had,
before the rest is asked for. What a dishonest server can do is to fill a bounded file in vain, once a night.
"""

from __future__ import annotations

import logging
import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec
import zmq

from edge.config import ServerSection
from edge.delivery.sender import _open_record, open_dealer
from edge.deploy.archive import MAX_BUNDLE_BYTES, MAX_MANIFEST_BYTES, BundleError, for_catalogues, peek, version_order
from edge.deploy.building import manifest_of, release_name, require_fit
from edge.deploy.releases import Layout
from pipeline import wire
from pipeline.errors import ConfigError, WireError
from pipeline.framing import REPLY_BYTES, pad, unpad
from pipeline.keys import KeyPair, public_key_bytes, verify
from pipeline.language import Message
from pipeline.wire import PIECE_BYTES, Machine, UpdateState

_log = logging.getLogger(__name__)
ANSWER_S = 15.0
_PAUSE_S = 0.05
"""Between a piece and the next question: a province's line is not filled by one box."""
_BUSY_S = 5.0
MAX_SILENT = 24
"""So often a piece is asked for again, of a server that has enough to do."""
MIN_FREE_BYTES = 400 * 1024 * 1024
"""The box's own files must not want for room."""
ROOM = 4
"""Bundle, its content and the release built of it: so many times a bundle's size."""
_HEAD_BYTES = MAX_MANIFEST_BYTES + 4_096


def release_id(name: str) -> int:
    """The number of a release, from its folder's name ("8.1-70f2a0e0"); 0 for what is none."""
    try:
        return int(name.rpartition("-")[2], 16) if name else 0
    except ValueError:
        return 0


def standing(layout: Layout, epoch: int, state: UpdateState, about: int) -> wire.Standing:
    """What this box has, and how it stands with a release."""
    running = manifest_of(layout.current)
    version = (0, 0, 0, 0) if running is None else version_order(running.version)
    return wire.Standing(
        version=3,
        epoch=epoch,
        sequence=0,
        nonce=secrets.randbits(64),
        state=state,
        about=about,
        running=0 if running is None else release_id(release_name(running)),
        software=(version[0], version[1], version[2], version[3]),
        machine=Machine.AARCH64 if platform.machine() == "aarch64" else Machine.X86_64,
        python_minor=sys.version_info.minor,
    )


class Door:
    """A connection to the box's server for questions about updates: one question, one answer. `answer_s`: how long it
    is waited for."""

    def __init__(self, server: ServerSection, keys: KeyPair, answer_s: float | None = None) -> None:
        self._server, self._keys = server, keys
        self._answer_s = ANSWER_S if answer_s is None else answer_s
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def __enter__(self) -> Door:
        key = public_key_bytes(self._server.public_key)
        self._socket = open_dealer(self._context, self._server.address, key, self._keys)
        return self

    def __exit__(self, *_: tuple[type[BaseException], BaseException, TracebackType]) -> None:
        self._socket.close()
        self._context.term()

    def ask(self, mine: wire.Standing) -> wire.Offer:
        """What is offered to this box. Raises `ConfigError` where the server does not answer, or does not know of
        updates."""
        answer = self._answer(mine, lambda reply: isinstance(reply, (wire.Offer, wire.Refusal)))
        if answer is None:
            raise ConfigError(
                Message("The server does not answer at {address}.", address=self._server.address),
                Message("The box goes on with its present release."),
            )
        if not isinstance(answer, wire.Offer):
            raise ConfigError(
                Message("The server does not tell this box of updates."),
                Message("It may be older than the box, or have forgotten it."),
            )
        return answer

    def piece(self, mine: wire.Standing, release: int, number: int) -> bytes | None:
        """One piece of a release's bundle, None where the server gives none now."""

        def fits(reply: wire.Reply) -> bool:
            return isinstance(reply, wire.Piece) and (reply.release, reply.piece) == (release, number)

        want = wire.Want(3, mine.epoch, 0, secrets.randbits(64), release, number)
        answer = self._answer(want, fits)
        return answer.content if isinstance(answer, wire.Piece) else None

    def _answer(self, question: wire.Standing | wire.Want, fits: Callable[[wire.Reply], bool]) -> wire.Reply | None:
        """The first answer that fits; what else comes (a late piece) is passed over."""
        end_s = time.monotonic() + self._answer_s
        frame = pad(wire.encode(question))
        while True:
            left_ms = int((end_s - time.monotonic()) * 1000)
            if left_ms <= 0:
                return None
            if self._socket.poll(left_ms, zmq.POLLOUT):
                self._socket.send(frame)
                break
        if self._server.record is not None:
            with _open_record(self._server.record) as file:
                file.write(frame)
        while (left_ms := int((end_s - time.monotonic()) * 1000)) > 0:
            if not self._socket.poll(left_ms):
                return None
            data = self._socket.recv()
            try:
                reply = wire.decode_reply(unpad(data, REPLY_BYTES) if len(data) == REPLY_BYTES else data)
            except WireError:
                continue
            if fits(reply):
                return reply
        return None


class Store:
    """What was fetched: `RELEASE.part` while it comes, `bundle.tar` when it is whole."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout
        self.bundle = folder / "bundle.tar"

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def part(self, release: int) -> Path:
        """The file of a release that comes; what there is of others is removed."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mine = self.folder / f"{release:08x}.part"
        for path in self.folder.iterdir():
            if path != mine:
                path.unlink()
        mine.touch(mode=0o600)
        whole = mine.stat().st_size // PIECE_BYTES * PIECE_BYTES
        os.truncate(mine, whole)
        return mine

    def has_room(self, more: int) -> bool:
        """Whether `more` bytes leave enough for the box."""
        return shutil.disk_usage(self.folder).free - more >= MIN_FREE_BYTES

    def whole(self, part: Path) -> None:
        """The last piece has come."""
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(self.bundle)


def fetch(
    door: Door,
    store: Store,
    offer: wire.Offer,
    mine: wire.Standing,
    goes_on: Callable[[], bool],
    busy_s: float = _BUSY_S,
) -> bool:
    """Fetch a bundle, or go on with one; returns whether it is whole. `goes_on`: asked before every piece. What the
    trusted key did not sign, what does not fit this machine, and what there is no room for, is not fetched; the
    server is told of the last two.

    Raises `ConfigError` where the server does not answer any more; what has come is kept."""
    try:
        return _fetch(door, store, offer, mine, goes_on, busy_s)
    except BundleError as error:
        store.clear()
        _log.error("the offered release %08x: %s", offer.release, error)
        door.ask(msgspec.structs.replace(mine, state=UpdateState.REFUSED, about=offer.release))
    except OSError as error:
        store.clear()
        _log.error("the offered release %08x was not fetched: %s", offer.release, error.strerror)
        door.ask(msgspec.structs.replace(mine, state=UpdateState.NO_ROOM, about=offer.release))
    return False


def _fetch(
    door: Door, store: Store, offer: wire.Offer, mine: wire.Standing, goes_on: Callable[[], bool], busy_s: float
) -> bool:
    if not 0 < offer.size <= MAX_BUNDLE_BYTES:
        raise BundleError(for_catalogues("{bundle} is offered with a size that no bundle has."))
    part = store.part(offer.release)
    have = part.stat().st_size
    if not store.has_room(ROOM * offer.size - have):
        raise OSError(28, "no room for it")
    door.ask(msgspec.structs.replace(mine, state=UpdateState.FETCHING, about=offer.release))
    silent = 0
    checked = False
    with part.open("ab") as file:
        while have < offer.size:
            if not goes_on():
                return False
            content = door.piece(mine, offer.release, have // PIECE_BYTES)
            if content is None:
                silent += 1
                if silent > MAX_SILENT:
                    raise ConfigError(Message("The server gives no more of the offered release."))
                time.sleep(busy_s * (1 + secrets.randbelow(100) / 100))
                continue
            silent = 0
            if len(content) != min(PIECE_BYTES, offer.size - have) or not store.has_room(len(content)):
                if not store.has_room(0):
                    raise OSError(28, "no room")
                raise BundleError(for_catalogues("{bundle} came in a piece of another size."))
            file.write(content)
            file.flush()
            have += len(content)
            if not checked and have >= min(_HEAD_BYTES, offer.size):
                _require_ours(part, store.layout, offer.release)
                checked = True
            time.sleep(min(_PAUSE_S, busy_s))
    if not checked:
        _require_ours(part, store.layout, offer.release)
    store.whole(part)
    return True


def _require_ours(part: Path, layout: Layout, release: int) -> None:
    """Raises `BundleError` where the bundle that comes is not signed by the trusted key, not the release that was
    offered, or none that this box may take."""
    manifest = peek(part, layout.trust(), verify)
    if release_id(release_name(manifest)) != release:
        raise BundleError(for_catalogues("{bundle} is another release than the one that was offered."))
    require_fit(manifest, layout.home)
