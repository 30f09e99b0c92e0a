"""Keys that the store holds in a form that its copies do not betray: AES-256-GCM under a key of `core.secret_keys`.

The seal names what it belongs to, so that one cannot be put in another's place.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEALED = "v1."
"""How the sealed form begins."""
_NONCE_BYTES = 12


def seal(secret: bytes, owner: str, key: bytes) -> str:
    """The sealed form of `owner`'s secret under `key` [32 bytes]; of one of 32 bytes: 83 characters."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return SEALED + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret, owner.encode())).decode()


def unseal(sealed: str, owner: str, key: bytes) -> bytes | None:
    """The secret; None where it is not sealed, was altered, or was sealed under another key or for another owner."""
    if not sealed.startswith(SEALED):
        return None
    try:
        raw = base64.b64decode(sealed.removeprefix(SEALED), validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
    except (InvalidTag, ValueError, binascii.Error):
        return None
