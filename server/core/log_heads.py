"""What a third party keeps to check the logs later: the newest signed tree head of every box, and the head of the
chain of changes. They go with every export.

`hailong audit log release.sqlite3 --heads heads.jsonl --box N --key KEY` checks a box's own log against them, without
this server (`docs/server.md`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func

from pipeline.calendar import day_date, today
from pipeline.errors import InvalidError, KeyFileError, LogError
from pipeline.keys import KeyPair, verify, z85_decode, z85_encode
from pipeline.language import Message
from server.core.changes import verify_changes
from server.core.provinces import province_by_id
from server.core.scope import Scope
from server.store.tables.boxes import boxes
from server.store.tables.changes import changes
from server.store.tables.releases import tree_heads


def newest_heads(connection: Connection, scope: Scope, *, verified: bool = False) -> list[Row[Any]]:
    """The newest head that every box has sent, or (`verified`) the newest whose signature holds, by the box's label."""
    newest = scope.select(tree_heads, func.max(tree_heads.c.id)).group_by(tree_heads.c.box_id)
    if verified:
        newest = newest.where(tree_heads.c.verified)
    query = scope.select(tree_heads, tree_heads, boxes.c.label, boxes.c.log_key.label("box_log_key"))
    query = query.join(boxes, boxes.c.id == tree_heads.c.box_id).where(tree_heads.c.id.in_(newest))
    return list(connection.execute(query.order_by(boxes.c.label)))


def _key_of(row: Row[Any]) -> str:
    """The log's key that a head was signed with, in Z85: its own, or of before it was kept beside heads, the box's."""
    key = row.log_key or row.box_log_key
    return z85_encode(bytes.fromhex(key)) if key else ""


def box_heads(connection: Connection, province_id: int) -> list[dict[str, Any]]:
    """The newest head of every box whose signature holds: numbers, root and signature in hex, the box's key in Z85."""
    return [
        {
            "box": row.box_id,
            "label": row.label,
            "epoch": row.epoch,
            "size": row.size,
            "root": row.root,
            "signature": row.signature,
            "key": _key_of(row),
            "received": day_date(row.received_day).isoformat(),
        }
        for row in newest_heads(connection, Scope(province_id), verified=True)
    ]


@dataclass(frozen=True, slots=True)
class ChangesHead:
    """Where a province's log of changes stood: number of entries, the chain's value after the last, the day.

    `signature`: Ed25519 by the server's key over `text`, hex; empty where the server has no keys here."""

    province: str
    entries: int
    head: str
    day: str
    signature: str = ""
    key: str = ""

    @property
    def text(self) -> bytes:
        """What is signed."""
        return f"hailong changes head\n{self.province}\n{self.entries}\n{self.head}\n{self.day}\n".encode()

    def signed(self, keys: KeyPair | None) -> ChangesHead:
        """The head with the server's signature."""
        if keys is None:
            return self
        return replace(self, signature=keys.sign(self.text).hex(), key=keys.signing_public_z85)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def changes_head(connection: Connection, province_id: int, keys: KeyPair | None = None) -> ChangesHead:
    """Where the log of changes stands, signed where there are keys. Raises `LogError`."""
    entries, head = verify_changes(connection, province_id)
    code = province_by_id(connection, province_id).code
    return ChangesHead(code, entries, head, day_date(today()).isoformat()).signed(keys)


def read_head(path: Path, key: str | None = None) -> ChangesHead:
    """A head that was kept. `key`: the server's signing key (Z85), with which its signature must hold.

    Raises `InvalidError` for a file that is none, or a signature that does not hold."""
    try:
        found = ChangesHead(**json.loads(path.read_text(encoding="utf-8")))
        genuine = key is None or verify(z85_decode(key), bytes.fromhex(found.signature), found.text)
    except (OSError, ValueError, RecursionError, TypeError, KeyFileError):
        raise InvalidError(
            Message("{path} is no head of a log of changes.", path=path), Message("Give changes.json of an export.")
        ) from None
    if not genuine:
        raise InvalidError(
            Message("The signature of {path} is not that key's.", path=path),
            Message("Ask for the server's signing key."),
        )
    return found


def check_head(connection: Connection, scope: Scope, kept: ChangesHead) -> None:
    """Raises `LogError` unless the log still passes through a head that was kept."""
    query = scope.select(changes, changes.c.chain).where(changes.c.position == kept.entries)
    if kept.entries and connection.execute(query).scalar() != kept.head:
        raise LogError(
            Message(
                "The log of changes was rewritten: entry {number} is not the one that was kept.", number=kept.entries
            ),
            Message("Compare with a backup."),
        )


def write_heads(connection: Connection, province_id: int, folder: Path, keys: KeyPair | None = None) -> list[Path]:
    """`heads.jsonl` (one box a line) and `changes.json` in a folder; their paths."""
    lines = [json.dumps(head, ensure_ascii=False) for head in box_heads(connection, province_id)]
    heads, kept = folder / "heads.jsonl", folder / "changes.json"
    heads.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    kept.write_text(json.dumps(changes_head(connection, province_id, keys).to_dict()) + "\n", encoding="utf-8")
    return [heads, kept]
