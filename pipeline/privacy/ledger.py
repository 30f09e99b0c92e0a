"""The curator's file: charges, leaves of the transparency log, and what waits to be handed to the outbox, changed
together or not at all.

SQLite with a write-ahead log and `synchronous=FULL`. Everything in it has its noise already: a running month lies
elsewhere (`pipeline.privacy.sealing`).

`charge` holds pool 1 alone, as before there were pools, so that the release before this one can be brought back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import finalize

import msgspec

from pipeline import wire
from pipeline.errors import BudgetError, LogError, StoreError
from pipeline.language import Message
from pipeline.release_kind import Release, ReleaseKind, kind_of
from pipeline.transparency.leaves import EpochLeaf, Leaf, RefusalLeaf, ReleaseLeaf, decode_leaf, encode_leaf
from pipeline.transparency.merkle import Frontier, leaf_hash, tree_root

_SCHEMA = """
CREATE TABLE IF NOT EXISTS epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS leaf (epoch INTEGER NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY
(epoch, number)) WITHOUT ROWID; CREATE TABLE IF NOT EXISTS charge (
    epoch INTEGER NOT NULL, evidence INTEGER NOT NULL, period INTEGER NOT NULL, number INTEGER NOT NULL, epsilon_milli
    INTEGER NOT NULL, PRIMARY KEY (epoch, evidence, period, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pool_charge (
    epoch INTEGER NOT NULL, pool INTEGER NOT NULL CHECK (pool > 1), evidence INTEGER NOT NULL, period INTEGER NOT NULL,
    number INTEGER NOT NULL, epsilon_milli INTEGER NOT NULL, PRIMARY KEY (epoch, pool, evidence, period, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS head (epoch INTEGER NOT NULL, size INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY
(epoch, size)) WITHOUT ROWID; CREATE TABLE IF NOT EXISTS staged (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT
NOT NULL UNIQUE, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS server (epoch INTEGER PRIMARY KEY, reads INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Staged:
    """A message on its way from the curator to the outbox. `build` fits `edge.delivery.outbox.Outbox.put`; the nonce is
    the one that was logged."""

    number: int
    key: str
    message: Release | wire.TreeHead

    def build(self, epoch: int, sequence: int, nonce: int) -> wire.Message:
        """The message under the outbox's sequence number. `nonce` is not used: the release has had one since its
        noise was drawn."""
        return msgspec.structs.replace(self.message, epoch=epoch, sequence=sequence)


class ReleaseStore:
    """Raises `StoreError` where the file cannot be read or written."""

    def __init__(self, path: Path, epoch: int, identity: bytes = b"") -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
            finalize(self, self._db.close).atexit = False  # where it is let go, opened whole or not
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            path.chmod(0o600)
            self.is_new_epoch = self._begin_epoch(epoch, identity)
        except sqlite3.Error as error:
            raise self._error(error) from None
        self.epoch = epoch
        self._hashes = [leaf_hash(data) for data in self._leaf_data()]
        self._frontier = Frontier(self._hashes)

    def _begin_epoch(self, epoch: int, identity: bytes) -> bool:
        row = self._db.execute("SELECT epoch FROM epoch").fetchone()
        if row is not None and row[0] == epoch:
            self._check_identity(epoch, identity)
            return False
        if row is not None and row[0] > epoch:
            raise StoreError(
                Message("The release store belongs to a later epoch than this box's enrolment."),
                Message("Enrol the box again: hailong keys enroll."),
            )
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO epoch VALUES (1, ?)", (epoch,))
            self._db.execute("DELETE FROM staged")  # of the epoch before: the server may have had it already
        return True

    def _check_identity(self, epoch: int, identity: bytes) -> None:
        """An epoch of the same number at another server, or under another row, is another one: what this disk has
        counted and released is not its."""
        row = self._db.execute("SELECT data FROM leaf WHERE epoch = ? AND number = 0", (epoch,)).fetchone()
        first = None if row is None else decode_leaf(bytes(row[0]))
        if isinstance(first, EpochLeaf) and first.identity != identity:
            raise StoreError(
                Message(
                    "The release store belongs to another epoch of the same number: this disk was enrolled elsewhere."
                ),
                Message("Enrol the box again: hailong keys enroll."),
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; the tree in memory follows the file."""
        size = getattr(self, "size", 0)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if hasattr(self, "_hashes") and self.size != size:
                del self._hashes[size:]
                self._frontier = Frontier(self._hashes)
            if isinstance(error, sqlite3.Error):
                raise self._error(error) from None
            raise

    @property
    def size(self) -> int:
        """Leaves in this epoch's log."""
        return len(self._hashes)

    def root(self, size: int | None = None) -> bytes:
        """Root of this epoch's log, at its whole size or at an earlier one."""
        return self._frontier.root() if size is None else tree_root(self._hashes[:size])

    def append(self, leaf: Leaf) -> None:
        """Append a leaf; inside a transaction."""
        data = encode_leaf(leaf)
        self._db.execute("INSERT INTO leaf VALUES (?, ?, ?)", (self.epoch, self.size, data))
        self._hashes.append(leaf_hash(data))
        self._frontier.append(self._hashes[-1])

    def charge(self, kind: ReleaseKind, period: wire.PeriodKind, index: int, epsilon_milli: int, pool: int = 1) -> None:
        """Enter a release into the ledger; inside a transaction. Raises `BudgetError` where the pool's period has been
        released."""
        if self.is_charged(kind, period, index, pool):
            raise BudgetError(
                Message("This period has been released already."),
                Message("Nothing was released; the first release stands."),
            )
        release = (kind.on_disk, int(period), index, epsilon_milli)
        if pool == 1:
            self._db.execute("INSERT INTO charge VALUES (?, ?, ?, ?, ?)", (self.epoch, *release))
        else:
            self._db.execute("INSERT INTO pool_charge VALUES (?, ?, ?, ?, ?, ?)", (self.epoch, pool, *release))

    def is_charged(self, kind: ReleaseKind, period: wire.PeriodKind, index: int, pool: int = 1) -> bool:
        """Whether the pool's period has been released in this epoch."""
        window = "epoch = ? AND evidence = ? AND period = ? AND number = ?"
        row = self._db.execute(
            f"SELECT 1 FROM charge WHERE ? = 1 AND {window}"  # noqa: S608
            f" UNION ALL SELECT 1 FROM pool_charge WHERE pool = ? AND {window}",
            (pool, self.epoch, kind.on_disk, int(period), index) * 2,
        ).fetchone()
        return row is not None

    def keep_server_reads(self, version: int) -> None:
        """Remember the newest version of the schema that the epoch's server takes; written where it changes."""
        if version != self.server_reads():
            with self.transaction():
                self._db.execute("INSERT OR REPLACE INTO server VALUES (?, ?)", (self.epoch, version))

    def server_reads(self) -> int:
        """The version that was kept last in this epoch; 0 if there is none."""
        row = self._db.execute("SELECT reads FROM server WHERE epoch = ?", (self.epoch,)).fetchone()
        return 0 if row is None else int(row[0])

    def stage(self, key: str, message: wire.Message) -> None:
        """Let a message wait for the outbox; inside a transaction."""
        self._db.execute("INSERT INTO staged (key, payload) VALUES (?, ?)", (key, wire.encode(message)))

    def stage_head(self, head: wire.TreeHead) -> None:
        """Keep a head and let it wait for the outbox; inside a transaction."""
        self._db.execute("INSERT INTO head VALUES (?, ?, ?)", (self.epoch, head.size, wire.encode(head)))
        self.stage(f"head:{head.epoch}:{head.size}", head)

    def head_size(self) -> int:
        """Size of the last signed head of this epoch; 0 if there is none."""
        (size,) = self._db.execute("SELECT coalesce(max(size), 0) FROM head WHERE epoch = ?", (self.epoch,)).fetchone()
        return int(size)

    def staged(self) -> list[Staged]:
        """What waits for the outbox, oldest first."""
        try:
            rows = self._db.execute("SELECT number, key, payload FROM staged ORDER BY number").fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from None
        return [Staged(number, key, wire.decode(payload)) for number, key, payload in rows]  # type: ignore[arg-type]

    def unstage(self, number: int) -> None:
        """The outbox has it."""
        with self.transaction():
            self._db.execute("DELETE FROM staged WHERE number = ?", (number,))

    def leaves(self) -> list[Leaf]:
        """This epoch's leaves in order. Raises `LogError` where one cannot be read."""
        return [decode_leaf(data) for data in self._leaf_data()]

    def last_indices(self) -> dict[tuple[ReleaseKind, wire.PeriodKind], int]:
        """The highest index, by kind and length of period, that was released or refused, of whatever pool: pools run in
        step."""
        last: dict[tuple[ReleaseKind, wire.PeriodKind], int] = {}
        for leaf in self.leaves():
            if isinstance(leaf, (ReleaseLeaf, RefusalLeaf)):
                key = (leaf.kind, leaf.period)
                last[key] = max(last.get(key, -1), leaf.index if isinstance(leaf, ReleaseLeaf) else leaf.last)
        return last

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _leaf_data(self) -> list[bytes]:
        rows = self._db.execute(
            "SELECT number, data FROM leaf WHERE epoch = (SELECT epoch FROM epoch) ORDER BY number"
        ).fetchall()
        if [number for number, _ in rows] != list(range(len(rows))):
            raise LogError(
                Message("The box's log lacks a leaf."), Message("Take the box out of service: hailong audit log.")
            )
        return [bytes(data) for _, data in rows]

    def _error(self, error: sqlite3.Error) -> StoreError:
        full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
        return StoreError(
            Message(
                "The release store {name} cannot be written ({name_2}): nothing was released.",
                name=self._path.name,
                name_2=type(error).__name__,
            ),
            Message("Free space on the box's disk.") if full else Message("Check the file's owner and the disk."),
        )


def release_key(message: Release) -> str:
    """Under which the outbox takes a release once; of pool 1 as before there were pools."""
    key = f"{kind_of(message).name}:{int(message.period)}:{message.index}"
    return key if message.pool == 1 else f"{key}:{message.pool}"


def highest_epoch(path: Path) -> int:
    """The epoch of a release store, 0 where there is none or it cannot be read."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=10.0)) as db:
            row = db.execute("SELECT epoch FROM epoch").fetchone()
    except sqlite3.Error:
        return 0
    return 0 if row is None else int(row[0])
