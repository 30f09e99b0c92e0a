"""Enrolling a box: its keys, its one-time code, and what it then knows of its server (`enrolment.toml` in its data
folder)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace

from edge.config import EdgeConfig
from pipeline import enrolment
from pipeline.errors import ConfigError, KeyFileError
from pipeline.framing import REPLY_BYTES, pad, unpad
from pipeline.keys import (
    KEY_FILE_NAME,
    KeyPair,
    load_keys,
    new_keys,
    public_key_bytes,
    save_keys,
    write_public,
    z85_encode,
)
from pipeline.language import Message
from pipeline.privacy.ledger import highest_epoch
from pipeline.privacy.release import refused_mark

_NEXT_KEYS = "next.keys"
_FILE = "enrolment.toml"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a box knows since it was enrolled. `server_signing`: Ed25519, 32 bytes, for signed public files."""

    epoch: int
    server_signing: bytes
    identity: bytes = b""
    """The epoch's (`pipeline.enrolment.epoch_identity`); empty where the server is of before there were identities."""


def load_enrolment(config: EdgeConfig) -> Enrolment:
    """Read `enrolment.toml`. Raises `ConfigError` where the box has not been enrolled at the configured server."""
    path = config.box.data_dir / _FILE
    try:
        values = tomllib.loads(path.read_text("ascii"))
        found = Enrolment(int(values["epoch"]), public_key_bytes(values["server_signing"]), _identity(values))
        server = str(values["server_public"])
    except FileNotFoundError:
        raise ConfigError(
            Message("This box has not been enrolled."), Message("Run: hailong keys enroll --config FILE --code CODE.")
        ) from None
    except (OSError, ValueError, KeyError, TypeError, KeyFileError):
        raise ConfigError(
            Message("The box's enrolment at {path} is damaged.", path=path),
            Message("Enrol it again: hailong keys enroll."),
        ) from None
    if server != config.server.public_key:
        raise ConfigError(
            Message("This box was enrolled at a server with another key."),
            Message("Correct [server] public_key, or enrol it at this server: hailong keys enroll."),
        )
    return found


def _identity(values: dict[str, object]) -> bytes:
    return bytes.fromhex(str(values.get("epoch_identity", "")))


def own_keys(config: EdgeConfig) -> KeyPair:
    """The box's keys. Raises `KeyFileError`."""
    return load_keys(config.keys_dir / KEY_FILE_NAME, "box")


def enrol(config: EdgeConfig, code: str, rotate: bool = False, timeout_s: float = 10.0) -> Enrolment:
    """Show the server a one-time code. Makes keys where there are none; `rotate` makes a new CURVE key.

    May be repeated with the same code after any interruption: a new key is in a file before the server hears of it.
    Raises `ConfigError` where the server does not answer or does not accept the code, `WireError` where that is no
    code."""
    secret = enrolment.parse_code(code)
    config.box.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = config.keys_dir / KEY_FILE_NAME
    waiting = config.keys_dir / _NEXT_KEYS
    if not path.exists():
        save_keys(new_keys("box"), config.keys_dir)
    keys = load_keys(path, "box")
    if rotate:
        if not waiting.exists():
            fresh = new_keys("box")  # the signing key stays: it is in the first leaf of the log
            keys = replace(keys, curve_public=fresh.curve_public, curve_secret=fresh.curve_secret)
            save_keys(keys, config.keys_dir, _NEXT_KEYS)
        keys = load_keys(waiting, "box")
    request = enrolment.Enrol(2, secret, _known_epoch(config), keys.signing_public, _floor(config))
    answer = _ask(config, keys, request, timeout_s)
    server = public_key_bytes(config.server.public_key)
    identity = enrolment.epoch_identity(server, answer.box, answer.nonce) if answer.nonce else b""
    text = (
        f'epoch = {answer.epoch}\nserver_public = "{config.server.public_key}"\n'
        f'server_signing = "{z85_encode(answer.signing_public)}"\nepoch_identity = "{identity.hex()}"\n'
    )
    part = config.box.data_dir / (_FILE + ".part")
    part.write_text(text, "ascii")
    part.rename(config.box.data_dir / _FILE)
    if rotate:
        waiting.rename(path)
        write_public(keys, config.keys_dir)
    return Enrolment(answer.epoch, answer.signing_public, identity)


def _known_epoch(config: EdgeConfig) -> int:
    """The epoch that the box may go on with: only where its outbox is still there, and its log was not refused."""
    store = config.box.data_dir / "release.sqlite3"
    if not (config.box.data_dir / "outbox.sqlite3").exists() or refused_mark(store).exists():
        return 0
    try:
        return load_enrolment(config).epoch
    except ConfigError:
        return 0


def _floor(config: EdgeConfig) -> int:
    """The highest epoch on this disk, at whatever server it was begun."""
    try:
        told = int(tomllib.loads((config.box.data_dir / _FILE).read_text("ascii"))["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        told = 0
    return max(told, highest_epoch(config.box.data_dir / "release.sqlite3"))


def _ask(config: EdgeConfig, keys: KeyPair, request: enrolment.Enrol, timeout_s: float) -> enrolment.Enrolled:
    import zmq

    address = config.server.enrolment_address()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.curve_serverkey = public_key_bytes(config.server.public_key)
    socket.curve_publickey = keys.curve_public
    socket.curve_secretkey = keys.curve_secret
    socket.connect(address)
    try:
        socket.send(pad(enrolment.encode(request), REPLY_BYTES))
        if not socket.poll(int(timeout_s * 1000)):
            raise ConfigError(
                Message("The server does not answer at {address}.", address=address),
                Message(
                    "Check that it runs, that the network lets this port through, and that [server] "
                    "public_key is its key."
                ),
            )
        answer = enrolment.decode_answer(unpad(socket.recv(), REPLY_BYTES))
    finally:
        socket.close()
        context.term()
    if isinstance(answer, enrolment.Enrolled):
        return answer
    if answer.later:
        raise ConfigError(
            Message("The server cannot enrol a box just now."), Message("Try again in a minute; the code stays valid.")
        )
    raise ConfigError(
        Message("The server does not accept this code."),
        Message("It may be used or older than a day: ask for a new one (hailong-server enroll)."),
    )
