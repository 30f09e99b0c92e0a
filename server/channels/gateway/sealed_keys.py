"""The gateways' keys as the store has them: sealed (AES-256-GCM) under a key that lies outside of it.

Whoever signs under a gateway's key is that gateway, so a copy of the store, of its log or of a backup must not hold
one. The seal names its gateway, so that one cannot be put in another's place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import Connection, Engine, select, update

from server.core.scope import Scope
from server.core.sealed import SEALED, seal, unseal
from server.store.engine import read, write
from server.store.tables.gateways import gateways

_OPEN = re.compile(r"[0-9a-f]{64}")


def seal_key(secret: str, code: str, key: bytes) -> str:
    """The sealed form of a gateway's key (hex of 32 bytes) under `key` [32 bytes]: 83 characters."""
    return seal(bytes.fromhex(secret), _of(code), key)


def open_key(sealed: str, code: str, key: bytes) -> str | None:
    """The gateway's key (hex); None where it is not sealed, or was under another key or for another gateway."""
    secret = unseal(sealed, _of(code), key)
    return None if secret is None else secret.hex()


def _of(code: str) -> str:
    return f"gateway {code}"


def seal_open_keys(engine: Engine, key_of: Callable[[], bytes]) -> int:
    """Seal what versions before 0017 kept in the clear; how many. Run at every start: a restored backup may be old.
    `key_of`: gives the key, and is called only where there is something to seal."""
    with read(engine) as connection:
        if not _open_keys(connection):
            return 0
    key = key_of()
    with write(engine) as connection:
        rows = _open_keys(connection)
        for number, province_id, code, secret in rows:
            mine = (Scope(province_id).where(gateways), gateways.c.id == number)
            connection.execute(update(gateways).where(*mine).values(secret=seal_key(secret, code, key)))
    return len(rows)


def _open_keys(connection: Connection) -> list[tuple[int, int, str, str]]:
    columns = (gateways.c.id, gateways.c.province_id, gateways.c.code, gateways.c.secret)
    rows = connection.execute(select(*columns).where(gateways.c.secret.not_like(f"{SEALED}%")))
    return [(row[0], row[1], row[2], row[3]) for row in rows if _OPEN.fullmatch(row[3])]
