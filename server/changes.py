"""The server's tamper-evident log of changes: a hash chain by province.

chain_i = SHA-256(chain_{i-1} || canonical JSON of row i), chain_0 = 64 zeros. Whoever keeps the newest chain value
(it stands on the privacy page and in every report) sees any later change of an older row. The boxes' own logs are
Merkle trees; here one writer and short logs make a chain enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from pipeline.errors import LogError
from server.days import today
from server.store.tables.changes import changes

START = "0" * 64


def _chain(before: str, position: int, day: int, user_id: int | None, action: str, detail: str) -> str:
    row = json.dumps([position, day, user_id, action, detail], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(before.encode() + row.encode()).hexdigest()


def record_change(
    connection: Connection, province_id: int, user_id: int | None, action: str, detail: Mapping[str, Any]
) -> str:
    """Append a change, in the caller's transaction, and return the new head of the chain.

    `detail` never holds a name, a phone number or an answer; ids, codes and counts only."""
    query = select(changes.c.position, changes.c.chain).where(changes.c.province_id == province_id)
    last = connection.execute(query.order_by(changes.c.position.desc()).limit(1)).first()
    position, before = (last.position + 1, last.chain) if last else (1, START)
    text = json.dumps(dict(detail), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    day = today()
    head = _chain(before, position, day, user_id, action, text)
    row = {"position": position, "day": day, "user_id": user_id, "action": action, "detail": text, "chain": head}
    connection.execute(insert(changes).values(province_id=province_id, **row))
    return head


def verify_changes(connection: Connection, province_id: int) -> tuple[int, str]:
    """(number of entries, head) of a province's log. Raises `LogError` at the first entry that does not fit."""
    head, position = START, 0
    query = select(changes).where(changes.c.province_id == province_id).order_by(changes.c.position)
    for row in connection.execute(query):
        position += 1
        expected = _chain(head, position, row.day, row.user_id, row.action, row.detail)
        if row.position != position or row.chain != expected:
            raise LogError(f"The log of changes was altered at entry {position}.", "Compare with a backup.")
        head = expected
    return position, head
