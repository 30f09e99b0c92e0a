"""By what an imported sheet is known again, as the store has it: sealed under a key that lies outside of it.

The number that a form program gave a sheet, or its row in the file, leads to the program's own record, which has times
and more. So the store has neither in the clear: AES-SIV (RFC 5297) under `sheets.secret`, the same for the same sheet
of a province, so that a repeated import finds it. A printed form's code stays as it is: its form is in the store
beside it.

Chains of before this was so hold the clear form, and their digests stand in the log of changes for good. Their rows
are marked: the audit opens them, and nothing had to be chained anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy import Connection, Engine, or_

from pipeline.errors import StoreError
from pipeline.language import Message
from server.core.provinces import all_provinces
from server.core.scope import Scope
from server.ratings.store import seal_origin
from server.store.engine import read, write
from server.store.tables.paper import paper_forms
from server.store.tables.rating_chains import rating_chains
from server.store.tables.ratings import ratings

SHEET = "sheet:"
"""How a sealed origin begins that is chained as it stands."""
BEFORE = "was:"
"""How one begins whose chain has the clear form."""
FORM = "form:"
"""How the clear form of a form's code begins; of a row in a file: `file:`."""
_OPEN = (FORM, "file:")
_BATCH = 2_000
KEY_BYTES = 32


class OriginKey:
    """Seals the origins of a province's sheets under the server's key [32 bytes]."""

    def __init__(self, key: bytes, province_id: int) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"A key of {KEY_BYTES} bytes is needed.")
        self._siv = AESSIV(hashlib.sha512(b"origins of sheets" + key).digest())
        self._of = [str(province_id).encode()]

    def seal(self, origin: str) -> str:
        """The body of the sealed form, the same for the same origin."""
        return base64.urlsafe_b64encode(self._siv.encrypt(origin.encode(), self._of)).decode()

    def open(self, sealed: str) -> str:
        """The clear form of what `seal_open_origins` sealed, anything else as it is. Raises `ValueError` where it was
        altered, or is under another key."""
        if not sealed.startswith(BEFORE):
            return sealed
        try:
            return self._siv.decrypt(base64.urlsafe_b64decode(sealed.removeprefix(BEFORE)), self._of).decode()
        except (InvalidTag, binascii.Error, UnicodeDecodeError):
            raise ValueError(sealed) from None


def check_origin_key(connection: Connection, scope: Scope, key: OriginKey) -> None:
    """Raises `StoreError` where the newest sealed origin of a province is under another key: its sheets would not be
    known again, and a file that was imported before would count twice."""
    sealed = or_(*(ratings.c.origin.like(f"{start}%") for start in (SHEET, BEFORE)))
    query = scope.select(ratings, ratings.c.origin).where(sealed).order_by(ratings.c.id.desc()).limit(1)
    newest = connection.execute(query).scalar()
    if newest is None:
        return
    try:
        key.open(BEFORE + _as_new(newest).removeprefix(SHEET))
    except ValueError:
        raise StoreError(
            Message("sheets.secret is not the key under which this province's sheets were imported before."),
            Message(
                "Restore it from a backup made with --with-keys. If it is lost, sheets of before are not known again: "
                "hailong server import ratings FILE --key-lost, for files that were never imported."
            ),
        ) from None


class Origins:
    """Origins of the sheets of one file. `printed`: codes of the province's own forms."""

    def __init__(self, key: OriginKey, printed: Collection[str]) -> None:
        self._key, self._printed = key, printed

    def of_form(self, code: str) -> str:
        """Of a sheet with a form's code, or a form program's number."""
        return FORM + code if code in self._printed else SHEET + self._key.seal(FORM + code)

    def of_row(self, batch: str, row: str) -> str:
        """Of a sheet that is known by its row in a file or delivery."""
        return SHEET + self._key.seal(f"file:{batch}:{row}")


def printed_codes(connection: Connection, scope: Scope) -> frozenset[str]:
    """Codes of the province's own forms."""
    return frozenset(connection.execute(scope.select(paper_forms, paper_forms.c.code)).scalars())


def find_origins(connection: Connection, scope: Scope, origins: Iterable[str], *columns: str) -> dict[str, Any]:
    """What the store holds of some origins, marked as old or not: `columns` by origin."""
    wanted = list(origins)
    if not wanted:
        return {}
    also = [BEFORE + one.removeprefix(SHEET) for one in wanted if one.startswith(SHEET)]
    query = scope.select(ratings, ratings.c.origin, *(ratings.c[name] for name in columns))
    rows = connection.execute(query.where(ratings.c.origin.in_([*wanted, *also]))).mappings()
    return {_as_new(row["origin"]): dict(row) for row in rows}


def _as_new(origin: str) -> str:
    return SHEET + origin.removeprefix(BEFORE) if origin.startswith(BEFORE) else origin


def seal_open_origins(engine: Engine, key_of: Callable[[], bytes]) -> int:
    """Seal what versions before 0035 kept in the clear; how many. Run where a store may have become newer: at every
    start, after an upgrade, after a restore. `key_of`: gives the key, and is called only where there is something."""
    with read(engine) as connection:
        found = [
            one.province_id for one in all_provinces(connection) if _open_rows(connection, Scope(one.province_id), 1)
        ]
    count = 0
    for province_id in found:
        scope, key = Scope(province_id), OriginKey(key_of(), province_id)
        with write(engine) as connection:
            chained = {
                (row.source, row.received_day, row.channel) for row in connection.execute(scope.select(rating_chains))
            }
            after = 0
            while rows := _open_rows(connection, scope, _BATCH, after):
                count += len(rows)
                after = rows[-1]["id"]
                for row in rows:
                    mark = BEFORE if (row["source"], row["received_day"], row["channel"]) in chained else SHEET
                    seal_origin(connection, scope, row["id"], mark + key.seal(row["origin"]))
    return count


def _open_rows(connection: Connection, scope: Scope, most: int, after: int = 0) -> list[Mapping[str, Any]]:
    names = ("id", "origin", "source", "received_day", "channel")
    own = scope.select(paper_forms, FORM + paper_forms.c.code)
    query = scope.select(ratings, *(ratings.c[name] for name in names)).where(
        ratings.c.id > after,
        or_(*(ratings.c.origin.like(f"{start}%") for start in _OPEN)),
        ratings.c.origin.not_in(own),
    )
    return [dict(row) for row in connection.execute(query.order_by(ratings.c.id).limit(most)).mappings()]
