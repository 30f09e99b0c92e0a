"""Backups in the age format (age-encryption.org/v1): sealed for recipients' public keys, or under a passphrase.

The open form lies in memory alone (`memfd`), on the way in as on the way out: no temporary file holds a telephone
number. A sealed backup can be opened with `age -d` as well.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import InvalidError, StoreError
from pipeline.language import Message

MAGIC = b"age-encryption.org/v1"
MIN_PASSPHRASE = 12


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """For whom a backup is sealed: age recipients (`age1...`), or who knows a passphrase. One of the two."""

    recipients: tuple[str, ...] = ()
    passphrase: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Opener:
    """What opens a backup: the text of an age identity file (`AGE-SECRET-KEY-1...`), or the passphrase."""

    identities: tuple[str, ...] = ()
    passphrase: str = ""


def memory_file() -> BinaryIO:
    """A file that lies in memory and vanishes with its last handle."""
    return os.fdopen(os.memfd_create("hailong-backup", os.MFD_CLOEXEC), "w+b")


def seal(plain: BinaryIO, out: BinaryIO, for_whom: Seal) -> None:
    """Write the sealed form of a file. Raises `InvalidError` for a recipient that is none."""
    import pyrage

    plain.seek(0)
    if for_whom.passphrase:
        out.write(pyrage.passphrase.encrypt(plain.read(), for_whom.passphrase))
        return
    try:
        keys = [pyrage.x25519.Recipient.from_str(text) for text in for_whom.recipients]
    except pyrage.RecipientError:
        raise InvalidError(
            Message("That is no age recipient."), Message("It begins with age1: make one with age-keygen.")
        ) from None
    pyrage.encrypt_io(plain, out, keys)


def is_sealed(path: Path) -> bool:
    """Whether a file is in the age format. Raises `StoreError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise StoreError(
            Message("{path} cannot be read ({strerror}).", path=path, strerror=error.strerror),
            Message("Name the backup's file."),
        ) from None


def opened(path: Path, opener: Opener | None) -> BinaryIO:
    """A backup's plain bytes, in memory where it was sealed. Raises `StoreError` where it does not open."""
    if not is_sealed(path):
        return path.open("rb")
    if opener is None or not (opener.identities or opener.passphrase):
        raise StoreError(
            Message("{path} is sealed.", path=path), Message("Give --identity FILE or --passphrase-file FILE.")
        )
    import pyrage

    plain = memory_file()
    try:
        if opener.passphrase:
            plain.write(pyrage.passphrase.decrypt(path.read_bytes(), opener.passphrase))
        else:
            keys = [pyrage.x25519.Identity.from_str(text) for text in opener.identities]
            with path.open("rb") as file:
                pyrage.decrypt_io(file, plain, keys)
    except (pyrage.DecryptError, pyrage.IdentityError, OSError):  # OSError: a part was cut off or altered
        plain.close()
        raise StoreError(
            Message("{path} does not open.", path=path),
            Message("The key or passphrase is another, or the file is damaged."),
        ) from None
    plain.seek(0)
    return plain


def read_passphrase(path: Path) -> str:
    """The first line of a file. Raises `InvalidError` for one that is short, `StoreError` where it cannot be read."""
    try:
        text = path.read_text("utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError):
        raise StoreError(
            Message("{path} cannot be read.", path=path), Message("Write the passphrase into its first line.")
        ) from None
    if len(text) < MIN_PASSPHRASE:
        raise InvalidError(
            Message("The passphrase is short."),
            Message("Use {min_passphrase} characters or more.", min_passphrase=MIN_PASSPHRASE),
        )
    return text


def read_identities(path: Path) -> tuple[str, ...]:
    """The identities in a file of `age-keygen`. Raises `StoreError`."""
    try:
        lines: Sequence[str] = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise StoreError(
            Message("{path} cannot be read.", path=path), Message("Name the file that age-keygen wrote.")
        ) from None
    return tuple(line.strip() for line in lines if line.strip().startswith("AGE-SECRET-KEY-"))
