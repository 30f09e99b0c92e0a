"""Instruments for boxes: public files under the server's Ed25519 signature (RFC 8032).

The signature covers the name as well as the content, under a prefix of its own, so that it can stand for nothing else
that the key signs.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.errors import WireError
from pipeline.instruments.instrument import MAX_BYTES, Instrument
from pipeline.instruments.reading import parse_instrument
from pipeline.language import Message
from pipeline.wire import SignedFile

_PREFIX = b"hailong signed file 1\x00"


def _signed_bytes(name: str, content: bytes) -> bytes:
    return _PREFIX + name.encode("ascii") + b"\x00" + content


def sign_file(name: str, content: bytes, key: Ed25519PrivateKey) -> SignedFile:
    """Sign an instrument's file for boxes. Raises `ConfigError` where the content is no instrument."""
    parse_instrument(content, name)
    return SignedFile(name=name, content=content, signature=key.sign(_signed_bytes(name, content)))


def open_signed(file: SignedFile, key: Ed25519PublicKey, *, at_least: Instrument | None = None) -> Instrument:
    """The instrument in a signed file.

    `at_least`: what the box holds; an older version of the same instrument is refused. Raises `WireError` for a
    wrong signature, an older version or a file too large, `ConfigError` for a content that is no instrument."""
    if len(file.content) > MAX_BYTES:
        raise WireError(Message("{name} is too large.", name=file.name), Message("The file was not taken."))
    try:
        key.verify(file.signature, _signed_bytes(file.name, file.content))
    except (InvalidSignature, UnicodeEncodeError):
        raise WireError(
            Message("The signature of '{name}' is not the server's.", name=file.name),
            Message("The file was not taken."),
        ) from None
    instrument = parse_instrument(file.content, file.name)
    if at_least is not None and instrument.code == at_least.code and instrument.version < at_least.version:
        raise WireError(
            Message("{name} is older than the version at work.", name=file.name), Message("The file was not taken.")
        )
    return instrument
