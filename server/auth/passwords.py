"""Passwords: Argon2id by argon2-cffi (RFC 9106, its low-memory profile), length over rules (NIST SP 800-63B).

Letters are composed first (NFC): one keyboard sends `ế` as one character, another as two or three, and whoever has set
a password at one machine logs in at another."""

from __future__ import annotations

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from pipeline.errors import InvalidError
from pipeline.language import Message

MIN_LENGTH = 12
MAX_LENGTH = 200
_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def hash_password(password: str) -> str:
    """The Argon2id hash. Raises `InvalidError` for a password that is too short or too long."""
    password = _composed(password)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidError(
            Message(
                "A password has {min_length} to {max_length} characters.", min_length=MIN_LENGTH, max_length=MAX_LENGTH
            )
        )
    return _hasher.hash(password)


def password_fits(password_hash: str, password: str) -> bool:
    """Whether a password belongs to a hash; takes the same time for an unknown user's stand-in hash."""
    for given in dict.fromkeys((_composed(password), password)):  # as typed: a hash from before they were composed
        try:
            return _hasher.verify(password_hash, given[:MAX_LENGTH])
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            continue
    return False


def _composed(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def new_password() -> str:
    """A random password that can be read aloud: 4 groups of 5, 98 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def stand_in_hash() -> str:
    """A hash that no password fits, for user names that do not exist."""
    return _hasher.hash(secrets.token_urlsafe(24))
