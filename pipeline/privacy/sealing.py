"""Where a running month lies between two ends of a process: sealed by a key that is not on the disk (ADR 0004).

The file has a constant size and is written at fixed times, so that neither its size nor its time of writing tells of
a visit.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pipeline.errors import ConfigError, KeyFileError, StoreError
from pipeline.language import Message
from pipeline.privacy.policy import AtRest

PLAIN_BYTES = 16_384
_KEY_BYTES = 32
_NONCE_BYTES = 12
_LENGTH_BYTES = 4
CREDENTIAL_NAME = "month_key"
"""`LoadCredentialEncrypted=month_key:...` of the systemd unit; made by `systemd-creds encrypt --with-key=tpm2`."""


class Sealer:
    """Seals and opens one file. `path`: the sealed file, on the disk. Raises `ConfigError` where the key has no safe
    place."""

    def __init__(self, path: Path, at_rest: AtRest, memory_folder: Path | None = None) -> None:
        self._path = path
        self._at_rest = at_rest
        self._key_path = self._find_key_path(memory_folder)
        self._key = self._load_key()

    def seal(self, data: bytes, context: bytes, pools: int = 1) -> None:
        """Write `data` (at most 16 KiB for each pool, less 4 bytes) under the key, bound to `context`; replaces the
        file atomically. Its size depends on the number of pools alone."""
        size = PLAIN_BYTES * pools
        if len(data) > size - _LENGTH_BYTES:
            raise StoreError(Message("The running month does not fit its sealed file."))
        plain = len(data).to_bytes(_LENGTH_BYTES, "big") + data + bytes(size - _LENGTH_BYTES - len(data))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        try:
            _replace(self._path, nonce + ChaCha20Poly1305(self._key).encrypt(nonce, plain, context))
        except OSError as error:
            raise StoreError(
                Message("The running month cannot be kept ({name}).", name=type(error).__name__),
                Message("Free space on the box's disk."),
            ) from None

    def open(self, context: bytes) -> bytes | None:
        """What was sealed; None where there is nothing, or where the key that sealed it is gone (the machine was
        restarted) or the file is damaged."""
        try:
            sealed = self._path.read_bytes()
            plain = ChaCha20Poly1305(self._key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except FileNotFoundError:
            return None
        except (InvalidTag, ValueError):
            return None
        return plain[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES], "big")]

    @property
    def has_file(self) -> bool:
        """Whether a sealed file lies there, openable or not."""
        return self._path.exists()

    def rotate(self) -> None:
        """A new key, where the key is ours to make: what was sealed before can no longer be opened by anybody. Seal
        again at once."""
        if self._key_path is not None:
            self._key = secrets.token_bytes(_KEY_BYTES)
            _replace(self._key_path, self._key)

    def wipe(self) -> None:
        """Decommissioning: delete the key, then the file."""
        self._key = secrets.token_bytes(_KEY_BYTES)
        for path in (self._key_path, self._path):
            if path is not None:
                path.unlink(missing_ok=True)

    def _find_key_path(self, memory_folder: Path | None) -> Path | None:
        """None for a credential, which systemd keeps."""
        if self._at_rest is AtRest.CREDENTIAL:
            return None
        if self._at_rest is AtRest.PLAIN_DEMO:
            return self._path.with_suffix(".demo-key")
        name = "hailong-month-" + hashlib.sha256(str(self._path.resolve()).encode()).hexdigest()[:16]
        found = find_memory_folder((memory_folder,) if memory_folder else memory_folders())
        if found is not None:
            return found / name
        raise ConfigError(
            Message("No file system in memory was found for the running month's key."),
            Message("Give the service a RuntimeDirectory on tmpfs, or set at_rest to credential (a demo: plain_demo)."),
        )

    def _load_key(self) -> bytes:
        if self._key_path is None:
            folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
            try:
                secret = (Path(folder) / CREDENTIAL_NAME).read_bytes() if folder else b""
            except OSError:
                secret = b""
            if len(secret) < _KEY_BYTES:
                raise KeyFileError(
                    Message("The service was given no month_key credential of at least 32 bytes."),
                    Message(
                        "Make it with systemd-creds encrypt --with-key=tpm2 and name it in LoadCredentialEncrypted=."
                    ),
                )
            return hashlib.sha256(b"hailong running month\0" + secret).digest()
        try:
            key = self._key_path.read_bytes()
        except FileNotFoundError:
            key = b""
        if len(key) == _KEY_BYTES:
            return key
        key = secrets.token_bytes(_KEY_BYTES)
        _replace(self._key_path, key)
        return key


def memory_folders() -> list[Path]:
    """Folders that may lie in memory, best first: the service's runtime directory, then shared memory."""
    runtime = [Path(folder) for folder in os.environ.get("RUNTIME_DIRECTORY", "").split(":") if folder]
    return [*runtime, Path("/run/hailong"), Path("/dev/shm")]  # noqa: S108  (only a key of 32 bytes, mode 0600)


def find_memory_folder(folders: Iterable[Path]) -> Path | None:
    """The first of these that lies in memory and can be written to, None where none does."""
    return next((folder for folder in folders if in_memory(folder) and os.access(folder, os.W_OK)), None)


def in_memory(folder: Path) -> bool:
    """Whether the folder lies on tmpfs or ramfs, by the kernel's list of mounts."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        target = str(folder.resolve(strict=True))
    except OSError:
        return False
    best, kind = "", ""
    for line in lines:
        _, point, fs_type, *_ = line.split(" ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fs_type
    return kind in ("tmpfs", "ramfs")


def _replace(path: Path, data: bytes) -> None:
    neighbour = path.with_name(path.name + ".part")
    handle = os.open(neighbour, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    neighbour.replace(path)
