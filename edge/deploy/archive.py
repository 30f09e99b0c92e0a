"""Reading a bundle from a stranger's hands: nothing of it is used before the trusted key's signature was found good.

A bundle is a tar file (POSIX ustar) of regular files and nothing else: first `manifest.json`, second `manifest.sig`
(Ed25519 over the manifest's bytes), then exactly the files that the manifest names, in the order of their names. The
signature is checked from the archive's own first two members, before one byte is written; every later header is then
held against the signed list. There is no member that could be a link, a device, a folder, an extended header, a
duplicate or one file more, as there is no code that would know what to do with it. `tarfile` is not used: what it does
with a hostile archive depends on Python's version (the one of Debian 12 has no extraction filters).

Needs nothing but Python's own library, since it is part of the installer too (`edge.deploy.installer`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MAX_BUNDLE_BYTES = 4 * 2**30
MAX_MANIFEST_BYTES = 2**20
MAX_FILES = 10_000
SIGNATURE_BYTES = 64
_BLOCK = 512
_PIECE = 2**20
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,60}")
_PART = re.compile(r"[A-Za-z0-9_+=!-][A-Za-z0-9._+=!-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Verify = Callable[[bytes, bytes, bytes], bool]
"""Whether (public key of 32 bytes, signature of 64 bytes, data) belong together (Ed25519, RFC 8032)."""


def for_catalogues(text: str) -> str:
    """Marks a sentence for the catalogues of languages, which are not there yet where a bundle is unpacked first."""
    return text


_AGAIN = for_catalogues("Copy it anew and compare its sha256.")


class BundleError(Exception):
    """A bundle that cannot be used. `text`, `fix`: what is wrong and what to do, in English with a place for `bundle`
    and for the `params`; `edge.deploy.bundle.told` says them in the reader's language."""

    def __init__(self, text: str, fix: str = _AGAIN, **params: object) -> None:
        super().__init__(text.format(bundle="the bundle", **params))
        self.text, self.fix, self.params = text, fix, params

    def in_english(self, bundle: object) -> str:
        """What is wrong with it and what to do, for the installer, which has no catalogue."""
        return " ".join(text.format(bundle=bundle, **self.params) for text in (self.text, self.fix))


class UntrustedError(BundleError):
    """A bundle that the trusted key did not sign."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle claims to hold. `python`: "3.11"; `files`: sha256 (hex) by path."""

    version: str
    platform: str
    python: str
    files: dict[str, str]


def version_order(version: str) -> tuple[int, ...]:
    """A version as numbers that sort as versions do: "1.10" after "1.9", "1.0" as "1". Raises `BundleError`."""
    if not _VERSION.fullmatch(version):
        raise BundleError(
            for_catalogues("{bundle} has the version {version}, which is not numbers and dots."),
            version=repr(version[:40]),
        )
    numbers = [int(part) for part in version.split(".")]
    return (*numbers, *(0 for _ in range(4 - len(numbers))))


def parse_manifest(text: bytes) -> Manifest:
    """A signed manifest, checked all the same: whoever signs may err. Raises `BundleError`."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise BundleError(for_catalogues("{bundle} has a manifest that is not JSON.")) from None
    if not isinstance(values, dict) or set(values) != {"version", "platform", "python", "files"}:
        raise BundleError(for_catalogues("{bundle} has a manifest without its fields."))
    files = values["files"]
    if not isinstance(files, dict) or not 1 <= len(files) <= MAX_FILES:
        raise BundleError(for_catalogues("{bundle} has a manifest that names no files, or too many."))
    for name in ("version", "platform", "python"):
        if not isinstance(values[name], str) or not _WORD.fullmatch(values[name]):
            raise BundleError(for_catalogues("{bundle} has a manifest whose {name} is not one."), name=name)
    version_order(values["version"])
    for path, digest in files.items():
        parts = path.split("/")
        if len(path) > 240 or len(parts) > 6 or not all(_PART.fullmatch(part) for part in parts):
            raise BundleError(
                for_catalogues("{bundle} has a manifest with a path that no bundle has: {path}."), path=repr(path[:80])
            )
        if parts[0] in (MANIFEST, SIGNATURE) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise BundleError(for_catalogues("{bundle} has a manifest whose entry of {path} is not one."), path=path)
    return Manifest(values["version"], values["platform"], values["python"], files)


def unpack(bundle: Path, trust: bytes, folder: Path, verify: Verify) -> Manifest:
    """Check a bundle's signature by `trust` (Ed25519, 32 bytes), then write its files into the empty `folder`, each
    with mode 0600. Only after this has returned may anything in the folder be used: a file whose content is not the
    signed one is noticed once it is written.

    Raises `UntrustedError` where somebody else signed it, `BundleError` where it is no bundle or was altered."""
    try:
        with _open(bundle) as file:
            return _Reader(file, os.fstat(file.fileno()).st_size).unpack(trust, folder, verify)
    except OSError as error:
        raise BundleError(
            for_catalogues("{bundle} cannot be read or unpacked ({reason})."), reason=error.strerror
        ) from None


def peek(bundle: Path, trust: bytes, verify: Verify) -> Manifest:
    """The manifest of a bundle whose signature by `trust` holds, from the file's beginning: the rest of it may not be
    there yet, and nothing is said of it.

    Raises `UntrustedError` where somebody else signed it, `BundleError` where its beginning is no bundle's."""
    try:
        with _open(bundle) as file:
            return _Reader(file, os.fstat(file.fileno()).st_size).manifest(trust, verify)
    except OSError as error:
        raise BundleError(for_catalogues("{bundle} cannot be read ({reason})."), reason=error.strerror) from None


def _open(bundle: Path) -> BinaryIO:
    """Whoever owns the folder may put a pipe or a device in the file's place, on which a reader would wait for ever."""
    number = os.open(bundle, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise BundleError(for_catalogues("{bundle} is not a file."))
    return os.fdopen(number, "rb")


def _number(field: bytes) -> int:
    digits = field.rstrip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise ValueError("not an octal number")
    return int(digits, 8)


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        if size > MAX_BUNDLE_BYTES:
            raise BundleError(for_catalogues("{bundle} is too large for a bundle."))
        self._file = file
        self._left = size

    def manifest(self, trust: bytes, verify: Verify) -> Manifest:
        text = self._small(MANIFEST, MAX_MANIFEST_BYTES)
        signature = self._small(SIGNATURE, SIGNATURE_BYTES)
        if not verify(trust, signature, text):
            raise UntrustedError(
                for_catalogues("{bundle} was not signed by the trusted key."),
                for_catalogues("Do not install it; ask whoever sent it."),
            )
        return parse_manifest(text)

    def unpack(self, trust: bytes, folder: Path, verify: Verify) -> Manifest:
        manifest = self.manifest(trust, verify)
        folders = {folder}
        for path, digest in sorted(manifest.files.items()):
            size = self._header(path)
            target = folder / path
            for parent in reversed(target.relative_to(folder).parents):
                if folder / parent not in folders:
                    (folder / parent).mkdir(mode=0o700)
                    folders.add(folder / parent)
            if self._copy(target, size) != digest:
                raise BundleError(for_catalogues("{bundle} does not hold what its manifest says: {path}."), path=path)
        self._end()
        return manifest

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise BundleError(for_catalogues("{bundle} is cut."))
        self._left -= count
        return data

    def _header(self, expected: str) -> int:
        """Read the next header, which must be that of the regular file `expected`; returns its size in bytes."""
        block = self._take(_BLOCK)
        try:
            total, size = (_number(field) for field in (block[148:156], block[124:136]))
            name, prefix = (field.rstrip(b"\0").decode("ascii") for field in (block[:100], block[345:500]))
        except ValueError:
            raise BundleError(for_catalogues("{bundle} has no file where {name} should be."), name=expected) from None
        found = f"{prefix}/{name}" if prefix else name
        regular = block[156:157] in (b"0", b"\0") and block[257:263] == b"ustar\0" and not block[157:257].rstrip(b"\0")
        if total != sum(block[:148]) + sum(block[156:]) + 8 * 32 or found != expected or not regular:
            raise BundleError(for_catalogues("{bundle} has something else where {name} should be."), name=expected)
        if size > self._left:
            raise BundleError(for_catalogues("{bundle} is cut."))
        return size

    def _padding(self, size: int) -> None:
        if self._take(-size % _BLOCK).strip(b"\0"):
            raise BundleError(for_catalogues("{bundle} holds something between its files."))

    def _small(self, name: str, most: int) -> bytes:
        size = self._header(name)
        if size > most:
            raise BundleError(for_catalogues("{bundle} has a file that is too large: {name}."), name=name)
        data = self._take(size)
        self._padding(size)
        return data

    def _copy(self, target: Path, size: int) -> str:
        """Write a new file; returns the sha256 of what was written."""
        digest = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
            left = size
            while left:
                piece = self._take(min(left, _PIECE))
                digest.update(piece)
                file.write(piece)
                left -= len(piece)
        self._padding(size)
        return digest.hexdigest()

    def _end(self) -> None:
        while piece := self._file.read(_PIECE):
            if piece.strip(b"\0"):
                raise BundleError(for_catalogues("{bundle} holds more than its manifest names."))
