"""What a box and a server say to each other once, when a box is enrolled.

The server's operator prints a code (128 random bits, valid once, for a short time). The box sends it over CURVE to
the server whose public key it was given with the code; the key that made the connection is the key that is enrolled.
The server keeps only a hash of the code.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from pipeline.errors import WireError
from pipeline.language import Message

CODE_BYTES = 16
NONCE_BYTES = 16
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Enrol(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="enrol", omit_defaults=True):
    """From a box: its code, its epoch, and the public half of its signing key.

    Version 2 asks for the epoch's identity, and tells how far this disk has counted, wherever it was enrolled."""

    version: Annotated[int, Meta(ge=1, le=2)]
    code: Annotated[bytes, Meta(min_length=CODE_BYTES, max_length=CODE_BYTES)]
    epoch: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    """The epoch of the box's outbox, 0 where it has none: then it gets a new one."""
    signing_public: Annotated[bytes, Meta(min_length=32, max_length=32)]
    floor: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    """The highest epoch that stands on this disk, at whatever server: the new one is higher."""


class Enrolled(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="enrolled", omit_defaults=True
):
    """From the server, after its commit: the epoch that the box's messages bear, and the server's signing key; in
    answer to version 2 what the epoch's identity is made of (`epoch_identity`)."""

    epoch: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    signing_public: Annotated[bytes, Meta(min_length=32, max_length=32)]
    box: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    nonce: Annotated[bytes, Meta(max_length=NONCE_BYTES)] = b""


class NotEnrolled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="not_enrolled"):
    """From the server: the code is unknown, used by another key or too old (which of these is not told), or try
    later."""

    later: bool = False


encode = msgspec.msgpack.Encoder().encode
_enrol = msgspec.msgpack.Decoder(Enrol)
Answer = Enrolled | NotEnrolled
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def decode_enrol(data: bytes) -> Enrol:
    """Decode a box's request; raises `WireError`."""
    try:
        return _enrol.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        raise WireError(Message("An enrolment request does not fit the schema.")) from None


def decode_answer(data: bytes) -> Answer:
    """Decode the server's answer; raises `WireError`."""
    try:
        return _answer.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        raise WireError(Message("The server's answer to the enrolment does not fit the schema.")) from None


def epoch_identity(server_public: bytes, box: int, nonce: bytes) -> bytes:
    """What an epoch is, 32 bytes: the server's CURVE key, its number for the box, and 128 random bits that the server
    drew for this epoch. Two epochs of one number are never taken for each other: on a disk that was enrolled under
    another row or at another server, what was counted before cannot be released again."""
    return hashlib.sha256(b"hailong epoch 1\0" + server_public + box.to_bytes(8, "big") + nonce).digest()


def new_nonce() -> bytes:
    """The server's random bits for an epoch."""
    return secrets.token_bytes(NONCE_BYTES)


def next_epoch(current: int, floor: int) -> int:
    """Number of a box's new epoch: above the row's, and above whatever stands on the disk."""
    return max(current, floor) + 1


def new_code() -> bytes:
    """A fresh code."""
    return secrets.token_bytes(CODE_BYTES)


def code_text(code: bytes) -> str:
    """The code as people read it out: groups of four letters and digits, without 0, 1, 8, 9."""
    text = base64.b32encode(code).decode().rstrip("=")
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def parse_code(text: str) -> bytes:
    """The code from what a person typed (case, spaces and hyphens do not matter). Raises `WireError`."""
    letters = [letter for letter in text.upper() if letter not in " -"]
    if len(letters) != 26 or any(letter not in _ALPHABET for letter in letters):
        raise WireError(
            Message("That is not an enrolment code."), Message("It is 26 letters and digits (2-7) in groups of four.")
        )
    return base64.b32decode("".join(letters) + "======")


def code_hash(code: bytes) -> str:
    """What the server keeps of a code (hex SHA-256; the code has 128 random bits, so no salt is needed)."""
    return hashlib.sha256(b"hailong enrolment\0" + code).hexdigest()


def enrolment_address(address: str) -> str:
    """Where a server enrols boxes, given where it takes their messages: the port after it. A free port (0, *) stays
    so."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + 1}" if port.isdigit() and int(port) else address
