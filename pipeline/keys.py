"""Keys of boxes and servers: X25519 for CURVE, Ed25519 for signatures, in files that only their owner can read.

A key pair file is TOML of four Z85 strings (ZeroMQ RFC 32) and a role. CURVE's keys are X25519 keys (RFC 7748), so
they are made here without a socket library. Nothing in this module prints, logs or puts into an error a secret.
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipeline.errors import KeyFileError
from pipeline.language import Message
from pipeline.z85 import decode_z85, encode_z85

Role = Literal["box", "server"]
KEY_FILE_NAME = "secret.keys"
PUBLIC_FILE_NAME = "public.keys"
KEY_BYTES = 32


def z85_encode(data: bytes) -> str:
    """Z85 text of `data` (a multiple of 4 bytes)."""
    return encode_z85(data)


def z85_decode(text: str) -> bytes:
    """Bytes of a Z85 text. Raises `KeyFileError`, which does not show the text."""
    try:
        return decode_z85(text)
    except ValueError:
        raise KeyFileError(
            Message("A key is not Z85 text."), Message("A public key is 40 characters, copied whole, without spaces.")
        ) from None


def public_key_bytes(text: str) -> bytes:
    """The 32 bytes of a public key in Z85. Raises `KeyFileError`."""
    data = z85_decode(text)
    if len(data) != KEY_BYTES:
        raise KeyFileError(
            Message("A public key does not have 32 bytes."), Message("It is 40 characters of Z85, copied whole.")
        )
    return data


@dataclass(frozen=True, slots=True)
class KeyPair:
    """CURVE and signing keys of one box or server, each 32 bytes. Its `repr` shows no secret."""

    role: Role
    curve_public: bytes
    curve_secret: bytes
    signing_public: bytes
    signing_secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(role={self.role!r}, curve_public={self.curve_public_z85!r})"

    @property
    def curve_public_z85(self) -> str:
        """The CURVE public key as it stands in configurations (40 characters)."""
        return z85_encode(self.curve_public)

    @property
    def signing_public_z85(self) -> str:
        """The Ed25519 public key as it stands in configurations (40 characters)."""
        return z85_encode(self.signing_public)

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature (64 bytes, RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self.signing_secret).sign(data)


def verify(signing_public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is that of `data` under an Ed25519 public key of 32 bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(signing_public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def new_keys(role: Role) -> KeyPair:
    """Fresh keys from the operating system's generator."""
    curve = X25519PrivateKey.generate()
    signing = Ed25519PrivateKey.generate()
    raw, private, bare = Encoding.Raw, PrivateFormat.Raw, NoEncryption()
    return KeyPair(
        role=role,
        curve_public=curve.public_key().public_bytes(raw, PublicFormat.Raw),
        curve_secret=curve.private_bytes(raw, private, bare),
        signing_public=signing.public_key().public_bytes(raw, PublicFormat.Raw),
        signing_secret=signing.private_bytes(raw, private, bare),
    )


def save_keys(keys: KeyPair, folder: Path, name: str = KEY_FILE_NAME, replace: bool = False) -> Path:
    """Write the secret file (mode 0600) and `public.keys` (0644) into `folder` (made with mode 0700); returns the
    secret file.

    Raises `KeyFileError` where there are keys already and `replace` is false."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    if path.exists() and not replace:
        raise KeyFileError(
            Message("There are keys already: {path}.", path=path), Message("Keep them, or move them away first.")
        )
    secret = (
        f'role = "{keys.role}"\n'
        f'curve_public = "{keys.curve_public_z85}"\ncurve_secret = "{z85_encode(keys.curve_secret)}"\n'
        f'signing_public = "{keys.signing_public_z85}"\nsigning_secret = "{z85_encode(keys.signing_secret)}"\n'
    )
    _write(path, secret, 0o600)
    if name == KEY_FILE_NAME:
        write_public(keys, folder)
    return path


def write_public(keys: KeyPair, folder: Path) -> None:
    """Write `public.keys`, the half of the keys that may be shown to anybody."""
    public = (
        f'role = "{keys.role}"\ncurve_public = "{keys.curve_public_z85}"\n'
        f'signing_public = "{keys.signing_public_z85}"\n'
    )
    _write(folder / PUBLIC_FILE_NAME, public, 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    """Write through a neighbour and a rename, so that a crash leaves the old file or the new one."""
    neighbour = path.with_name(path.name + ".part")
    neighbour.unlink(missing_ok=True)
    handle = os.open(neighbour, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    neighbour.rename(path)


def load_keys(path: Path, role: Role) -> KeyPair:
    """Read a secret file. Raises `KeyFileError` where it is missing, malformed, of another role, or readable by
    others."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeyFileError(
            Message("There are no keys at {path}.", path=path),
            Message("Make them: hailong keys new --role {role}.", role=role),
        ) from None
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(
            Message("The keys at {path} cannot be read.", path=path), Message("Check the file's owner.")
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            Message("The keys at {path} can be read by others.", path=path),
            Message("Run: chmod 600 {path} (and consider new keys).", path=path),
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise KeyFileError(
            Message("The keys at {path} are damaged.", path=path), Message("Make new ones and enrol again.")
        ) from None
    names = ("curve_public", "curve_secret", "signing_public", "signing_secret")
    if set(values) != {"role", *names} or not all(isinstance(values[name], str) for name in names):
        raise KeyFileError(
            Message("The keys at {path} are damaged.", path=path), Message("Make new ones and enrol again.")
        )
    if values["role"] != role:
        raise KeyFileError(
            Message("The keys at {path} are not those of a {role}.", path=path, role=role),
            Message("Make keys for it: hailong keys new --role {role}.", role=role),
        )
    keys = KeyPair(role, *(public_key_bytes(values[name]) for name in names))
    _check_pairs(keys, path)
    return keys


def _check_pairs(keys: KeyPair, path: Path) -> None:
    raw = Encoding.Raw
    curve = X25519PrivateKey.from_private_bytes(keys.curve_secret).public_key().public_bytes(raw, PublicFormat.Raw)
    signing = Ed25519PrivateKey.from_private_bytes(keys.signing_secret).public_key().public_bytes(raw, PublicFormat.Raw)
    if (curve, signing) != (keys.curve_public, keys.signing_public):
        raise KeyFileError(
            Message("The public and secret keys at {path} do not belong together.", path=path),
            Message("Make new ones and enrol again."),
        )


def load_public(path: Path) -> dict[str, str]:
    """Read `public.keys`: role, curve_public, signing_public (Z85)."""
    try:
        values = tomllib.loads(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise KeyFileError(
            Message("The public keys at {path} cannot be read.", path=path), Message("Make them: hailong keys new.")
        ) from None
    for name in ("curve_public", "signing_public"):
        public_key_bytes(str(values.get(name, "")))
    return cast(dict[str, str], values)
