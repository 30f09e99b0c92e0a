"""Keys of 32 bytes that this server keeps outside its store: what signs cookies, what makes the tokens of receipts,
what the gateways' keys and the users' second factors are sealed under, what signs the alerts that go out,
under what imported sheets are known again.

A file each beside the server's own keys (0600 in a folder of 0700), so that `hailong server backup --with-keys` takes
them along, sealed; or a systemd credential of the same name (`LoadCredentialEncrypted=gateways.secret`), which goes
before the file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ConfigError, StoreError
from pipeline.language import Message
from server.core.config import ServerConfig, own_folder

COOKIE_KEY = "cookie.secret"
RECEIPT_KEY = "receipts.secret"
GATEWAY_KEY = "gateways.secret"
FACTOR_KEY = "factors.secret"
CLIENT_SECRET = "oidc.secret"  # noqa: S105


ALERT_KEY = "alerts.secret"
SHEET_KEY = "sheets.secret"
BYTES = 32
_LOST: Mapping[str, Message] = {
    COOKIE_KEY: Message("Delete it: everybody has to log in again, nothing else is lost."),
    RECEIPT_KEY: Message("Delete it: dossiers that have a link may get a second one, nothing else is lost."),
    GATEWAY_KEY: Message("Delete it, then give every gateway a new key on its round's page."),
    FACTOR_KEY: Message("Delete it, then reset every user's second factor: `hailong server reset-password`."),
    ALERT_KEY: Message("Delete it, then give every receiver of a webhook the new secret: `hailong server alerts`."),
    SHEET_KEY: Message(
        "Restore it from a backup made with --with-keys: without it imported sheets are not known again."
    ),
}


def read_secret(config: ServerConfig, name: str) -> bytes:
    """The key [32 bytes] of a name, made at the first use. Raises `StoreError` for one of another length."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(given) / name if given else config.keys_dir / name
    if not path.exists():
        path = config.keys_dir / name
        if not path.exists():
            _make(config, path)
    secret = path.read_bytes()
    if len(secret) != BYTES:
        raise StoreError(Message("{path} is damaged.", path=path), _LOST[name])
    return secret


def read_client_secret(config: ServerConfig) -> str:
    """What this server proves itself with to the provider of log-ins, as the provider gave it. Raises `ConfigError`."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(given) / CLIENT_SECRET if given else config.keys_dir / CLIENT_SECRET
    if not path.exists():
        path = config.keys_dir / CLIENT_SECRET
    if not path.exists():
        raise ConfigError(
            Message("There is no {path}.", path=path),
            Message("Write the secret that the provider gave into it (0600), or set [oidc] client_auth to none."),
        )
    if path.parent == config.keys_dir and path.stat().st_mode & 0o077:
        raise ConfigError(Message("Others may read {path}.", path=path), Message("chmod 600 {path}", path=path))
    return path.read_text(encoding="utf-8").strip()


def _make(config: ServerConfig, path: Path) -> None:
    own_folder(config.data_dir)
    own_folder(path.parent)
    before = config.data_dir / path.name  # where it lay before keys had one folder
    if before.exists():
        before.replace(path)
        return
    owner = config.data_dir.stat()
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(BYTES))
        if os.getuid() == 0:  # made by a command of root: the service has to read it
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.chown(path.parent, owner.st_uid, owner.st_gid)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)  # whole or not there; another process may have been quicker, and then its key holds
    except FileExistsError:
        pass
    finally:
        part.unlink()
