"""What the audits read: a box's release store, its outbox, a record of what the sender handed to the socket, and tree
heads.

Data bases are copied before they are opened: an audit changes nothing, and may run beside a running box.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipeline import wire
from pipeline.errors import StoreError, WireError
from pipeline.framing import FRAME_BYTES, unpad
from pipeline.language import Message
from pipeline.transparency.heads import from_words, words

_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class StoredLog:
    """The release store as it lies on the disk, unread: leaves (number, data) and heads by epoch."""

    leaves: dict[int, list[tuple[int, bytes]]]
    heads: list[wire.TreeHead]
    charges: list[tuple[int, int, bool, int, int, int]]
    """(epoch, pool, evidence, period kind, index, epsilon in thousandths)."""


def read_store(path: Path) -> StoredLog:
    """A box's `release.sqlite3`. Raises `StoreError`."""
    with _copy(path) as database:
        leaves: dict[int, list[tuple[int, bytes]]] = {}
        for epoch, number, data in database.execute("SELECT epoch, number, data FROM leaf ORDER BY epoch, number"):
            leaves.setdefault(epoch, []).append((number, bytes(data)))
        heads = [
            wire.decode(payload) for (payload,) in database.execute("SELECT payload FROM head ORDER BY epoch, size")
        ]
        rows = database.execute("SELECT epoch, 1, evidence, period, number, epsilon_milli FROM charge").fetchall()
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'pool_charge'").fetchone():
            rows += database.execute("SELECT epoch, pool, evidence, period, number, epsilon_milli FROM pool_charge")
    charges = [(epoch, pool, evidence, *charge) for epoch, pool, evidence, *charge in rows]
    return StoredLog(leaves, [head for head in heads if isinstance(head, wire.TreeHead)], charges)


def read_outbox(path: Path) -> list[tuple[str, bytes]]:
    """(place, payload) of every message in a box's `outbox.sqlite3` that is not acknowledged yet. Raises
    `StoreError`."""
    with _copy(path) as database:
        rows = database.execute("SELECT epoch, sequence, payload FROM message WHERE payload IS NOT NULL").fetchall()
    return [(f"{path.name} {epoch}/{sequence}", bytes(payload)) for epoch, sequence, payload in rows]


def read_record(path: Path) -> Iterator[tuple[str, bytes]]:
    """(place, frame) of everything that the sender handed to the socket (`[server] record`): frames of one size, end
    to end."""
    with _open(path) as file:
        for number in range(2**31):
            frame = file.read(FRAME_BYTES)
            if not frame:
                return
            yield f"{path.name} frame {number}", frame


def is_database(path: Path) -> bool:
    """Whether the file is an SQLite data base."""
    with _open(path) as file:
        return bool(file.read(len(_SQLITE)) == _SQLITE)


def read_heads(path: Path, box: int | None = None) -> list[wire.TreeHead]:
    """Tree heads that somebody else kept: the server's store (SQLite; `box`: its number there), JSON lines with epoch,
    size, root and signature in hex (and the box's number), or a record of the sender. Raises `StoreError`."""
    if is_database(path):
        with _copy(path) as database:
            where = "" if box is None else " WHERE box_id = ?"
            rows = database.execute(
                f"SELECT epoch, size, root, signature FROM tree_heads{where} ORDER BY id",  # noqa: S608
                () if box is None else (box,),
            ).fetchall()
        return [head_from_hex(*row) for row in rows]
    if path.suffix in (".json", ".jsonl", ".ndjson"):
        try:
            entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            return [
                head_from_hex(entry["epoch"], entry["size"], entry["root"], entry["signature"])
                for entry in entries
                if box is None or entry.get("box", box) == box
            ]
        except (ValueError, RecursionError, KeyError, TypeError):
            raise StoreError(
                Message("{name} does not hold tree heads.", name=path.name),
                Message('One JSON object a line: {"epoch", "size", "root", "signature"}, the last two in hex.'),
            ) from None
    heads = []
    for _, frame in read_record(path):
        try:
            message = wire.decode(unpad(frame))
        except WireError:
            continue  # shown by `hailong audit wire`
        if isinstance(message, wire.TreeHead):
            heads.append(message)
    return heads


def head_from_hex(epoch: int, size: int, root: str, signature: str) -> wire.TreeHead:
    """A head from its numbers and hex. Raises `StoreError`."""
    values = words(bytes.fromhex(root)), words(bytes.fromhex(signature))
    try:
        return msgspec.convert(
            {
                "version": 1,
                "epoch": epoch,
                "sequence": 0,
                "nonce": 0,
                "size": size,
                "root": values[0],
                "signature": values[1],
                "kind": "tree_head",
            },
            wire.TreeHead,
        )
    except msgspec.ValidationError:
        raise StoreError(
            Message("A tree head has a root or a signature of the wrong length."), Message("Export the heads again.")
        ) from None


def head_line(head: wire.TreeHead) -> str:
    """One head as a JSON line, as `read_heads` takes it."""
    return json.dumps(
        {
            "epoch": head.epoch,
            "size": head.size,
            "root": from_words(head.root).hex(),
            "signature": from_words(head.signature).hex(),
        }
    )


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise StoreError(
            Message("{path} cannot be read ({name}).", path=path, name=type(error).__name__),
            Message("Check the path and the file's owner."),
        ) from None
    with file:
        yield file


@contextmanager
def _copy(path: Path) -> Iterator[sqlite3.Connection]:
    if not is_database(path):
        raise StoreError(
            Message("{path} is not an SQLite data base.", path=path),
            Message("Name the box's release.sqlite3 or outbox.sqlite3."),
        )
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copyfile(source, Path(folder) / source.name)
        database = sqlite3.connect(Path(folder) / path.name)
        try:
            yield database
        except sqlite3.Error as error:
            raise StoreError(
                Message(
                    "{path} cannot be read as expected ({name}: {error}).",
                    path=path,
                    name=type(error).__name__,
                    error=error,
                ),
                Message("Name a file of this version."),
            ) from None
        finally:
            database.close()
