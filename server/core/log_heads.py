"""What a third party keeps to check the logs later: the newest signed tree head of every box, and the head of the
chain of changes. They go with every export.

`hailong audit log release.sqlite3 --heads heads.jsonl --box N --key KEY` checks a box's own log against them, without
this server (`docs/server.md`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func

from pipeline.calendar import day_date, today
from pipeline.keys import z85_encode
from server.core.changes import verify_changes
from server.core.scope import Scope
from server.store.tables.boxes import boxes
from server.store.tables.releases import tree_heads


def newest_heads(connection: Connection, scope: Scope, *, verified: bool = False) -> list[Row[Any]]:
    """The newest head that every box has sent, or (`verified`) the newest whose signature holds, by the box's label."""
    newest = scope.select(tree_heads, func.max(tree_heads.c.id)).group_by(tree_heads.c.box_id)
    if verified:
        newest = newest.where(tree_heads.c.verified)
    query = scope.select(tree_heads, tree_heads, boxes.c.label, boxes.c.log_key)
    query = query.join(boxes, boxes.c.id == tree_heads.c.box_id).where(tree_heads.c.id.in_(newest))
    return list(connection.execute(query.order_by(boxes.c.label)))


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
            "key": z85_encode(bytes.fromhex(row.log_key)) if row.log_key else "",
            "received": day_date(row.received_day).isoformat(),
        }
        for row in newest_heads(connection, Scope(province_id), verified=True)
    ]


def changes_head(connection: Connection, province_id: int) -> dict[str, Any]:
    """Where the log of changes stands: entries, and the chain's value after the last. Raises `LogError`."""
    entries, head = verify_changes(connection, province_id)
    return {"entries": entries, "head": head, "day": day_date(today()).isoformat()}


def write_heads(connection: Connection, province_id: int, folder: Path) -> list[Path]:
    """`heads.jsonl` (one box a line) and `changes.json` in a folder; their paths."""
    lines = [json.dumps(head, ensure_ascii=False) for head in box_heads(connection, province_id)]
    heads, changes = folder / "heads.jsonl", folder / "changes.json"
    heads.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    changes.write_text(json.dumps(changes_head(connection, province_id)) + "\n", encoding="utf-8")
    return [heads, changes]
