"""What has to reach the server: stored before it is sent, identical at every resend, deleted on acknowledgement.

SQLite with a write-ahead log and `synchronous=FULL`: a message that `put` returned survives a power cut. A release
carries a key (kind, period, index), and the same key is never given a second sequence number, so that the curator of
releases may offer a release again after a crash ("put, then confirm"): no period is lost and none is sent twice. No
row holds a time.

Answer sheets first wait in a file in memory, which a crash of the box survives, and go to the disk at fixed times,
whether or not there are any: so the times of the disk's files tell nothing of when one was given. There all of them
are written anew, shuffled, and the log is cut: a page of SQLite and its write-ahead log would both tell the order in
which they came.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from weakref import finalize

import msgspec

from pipeline import wire
from pipeline.errors import StoreError
from pipeline.language import Message
from pipeline.records import Tallies

Builder = Callable[[int, int, int], wire.Message]
"""(epoch, sequence, nonce) -> the message."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS box (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message (
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, key TEXT NOT NULL, payload BLOB,
    refused INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (epoch, sequence), UNIQUE (epoch, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sheet (token INTEGER PRIMARY KEY, day INTEGER NOT NULL, row BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batch (day INTEGER PRIMARY KEY, number INTEGER NOT NULL);
"""
_IN_MEMORY = "CREATE TABLE IF NOT EXISTS sheet (token INTEGER PRIMARY KEY, day INTEGER NOT NULL, row BLOB NOT NULL)"
UNDATED = -1
"""Day of a sheet that came while the clock was not trusted; `date_sheets` gives it one."""
_BATCH_DAYS = 31
_FORGET_ONE = "DELETE FROM message WHERE epoch = ? AND sequence = ? AND settled = 1 AND payload IS NULL"
_PADDING = wire.RatingRow(instrument=0, service_group=0, answers=(0,) * wire.ANSWER_SLOTS, reasons=0, flag=0)
_sheets: msgspec.msgpack.Decoder[wire.RatingRow | dict[int, wire.RatingRow]] = msgspec.msgpack.Decoder(
    wire.RatingRow | dict[int, wire.RatingRow]
)


def _encode_sheet(row: wire.RatingRow, pool: int) -> bytes:
    """A sheet of a pool above 1 is {pool: row}; of pool 1 the bare row, as before there were pools, so that the release
    before this one can be brought back."""
    return wire.encode(row if pool == 1 else {pool: row})


def _decode_sheet(data: bytes) -> tuple[int, wire.RatingRow]:
    """(pool, row)."""
    sheet = _sheets.decode(data)
    return next(iter(sheet.items())) if isinstance(sheet, dict) else (1, sheet)


class Outbox:
    """The outbox of one box. Safe to use from several threads. Raises `StoreError` where the disk is full or the
    file damaged.

    `page_limit`: the largest size in pages of 4 KiB (a full disk in tests; in the field a bound on what an endless
    outage can fill). `memory`: a folder on a file system in memory, where sheets wait for `keep_sheets`; None: they go
    to the disk as they come, and the file's times tell when the last one did. `pools`: each gets its batches, whether
    or not it has sheets."""

    def __init__(
        self,
        path: Path,
        epoch: int,
        page_limit: int = 65_536,
        memory: Path | None = None,
        pools: Collection[int] = (1,),
    ) -> None:
        self.tallies = Tallies()
        self._pools = frozenset(pools)
        self._lock = threading.Lock()
        self._path = path
        self._not_kept = False
        """Whether the sheets in memory could not be written to the disk."""
        self._memory: sqlite3.Connection | None = None
        self._memory_path = Path() if memory is None else memory / _memory_name(path)
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
            finalize(self, self._db.close).atexit = False  # where it is let go, opened whole or not
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.execute(f"PRAGMA max_page_count={int(page_limit)}")
            self._db.executescript(_SCHEMA)
            self._begin_epoch(epoch)
        except sqlite3.Error as error:
            raise _store_error(path, error) from None
        path.chmod(0o600)
        if memory is not None:
            self._open_memory(self._memory_path)

    def _open_memory(self, path: Path) -> None:
        """Open the file in memory; what a killed box left there goes to the disk at once."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            self._memory = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
            finalize(self, self._memory.close).atexit = False
            self._memory.execute("PRAGMA synchronous=OFF")  # no disk is behind it
            self._memory.execute("PRAGMA secure_delete=ON")
            self._memory.execute(_IN_MEMORY)
        except (OSError, sqlite3.Error) as error:
            raise _store_error(path, error) from None
        self.keep_sheets()

    def _begin_epoch(self, epoch: int) -> None:
        """A replaced or restored box has a new epoch, which counts from 1; what waits from the old one is still
        sent."""
        with self._lock, self._db:
            row = self._db.execute("SELECT epoch FROM box").fetchone()
            if row is None:
                self._db.execute("INSERT INTO box VALUES (1, ?, 1)", (epoch,))
            elif row[0] < epoch:
                self._db.execute("UPDATE box SET epoch = ?, next = 1", (epoch,))
            elif row[0] > epoch:
                raise StoreError(
                    Message("The outbox belongs to a later epoch than this box's enrolment."),
                    Message("Enrol the box again: hailong keys enroll."),
                )
        self.epoch = epoch

    def put(self, key: str, build: Builder) -> wire.Message:
        """Store one message and return it. A `key` that was put before gives back what was stored then: nothing is
        drawn or sent twice.

        A message that was acknowledged already is not kept: `build` is called for it with its own sequence number
        and a nonce of 0."""
        return self.put_all([(key, build)])[0]

    def put_all(self, items: Sequence[tuple[str, Builder]]) -> list[wire.Message]:
        """Store several messages in one transaction: all or none."""
        with self._lock:
            try:
                with _Transaction(self._db):
                    return [self._put(key, build) for key, build in items]
            except sqlite3.Error as error:
                self.tallies.drop("store_failed")
                raise _store_error(self._path, error) from None

    def _put(self, key: str, build: Builder) -> wire.Message:
        found = self._db.execute(
            "SELECT sequence, payload FROM message WHERE epoch = ? AND key = ?", (self.epoch, key)
        ).fetchone()
        if found is not None:
            sequence, payload = found
            return wire.decode(payload) if payload is not None else build(self.epoch, sequence, 0)
        (sequence,) = self._db.execute("SELECT next FROM box").fetchone()
        message = build(self.epoch, sequence, secrets.randbits(64))
        payload = wire.encode(message)
        wire.decode(payload)  # what the server would refuse is never stored
        self._db.execute("UPDATE box SET next = next + 1")
        self._db.execute(
            "INSERT INTO message (epoch, sequence, key, payload) VALUES (?, ?, ?, ?)",
            (self.epoch, sequence, key, payload),
        )
        self.tallies.forwarded += 1
        return message

    def add_sheet(self, row: wire.RatingRow, day: int, pool: int = 1) -> None:
        """Keep one answer sheet of a pool's tablet until its day's batch is made. Once this has returned, the sheet
        survives the end of the process; the loss of power only after the next `keep_sheets`."""
        sheet = (secrets.randbits(63), day, _encode_sheet(row, pool))
        with self._lock:
            try:
                if self._memory is None:
                    self._lay_out([sheet])
                elif self._not_kept:
                    raise sqlite3.OperationalError("sheets that wait in memory could not be kept")
                else:
                    self._memory.execute("INSERT INTO sheet VALUES (?, ?, ?)", sheet)
            except sqlite3.Error as error:
                self.tallies.drop("sheet_not_stored")
                raise _store_error(self._path, error) from None

    def keep_sheets(self) -> None:
        """Write the sheets that wait in memory to the disk. Call it at fixed times: it writes whether or not there are
        any. A sheet keeps its token, so that one that was written before a crash is not written twice."""
        if self._memory is None:
            return
        with self._lock:
            self._keep_sheets(self._memory)

    def date_sheets(self, day: int) -> None:
        """The clock is trusted now: sheets that came while it was not are of this day, as far as anybody knows."""
        self.keep_sheets()
        with self._lock:
            try:
                self._db.execute("UPDATE sheet SET day = ? WHERE day = ?", (day, UNDATED))
            except sqlite3.Error as error:
                raise _store_error(self._path, error) from None

    def _keep_sheets(self, memory: sqlite3.Connection) -> None:
        self._not_kept = True
        try:
            waiting = memory.execute("SELECT token, day, row FROM sheet").fetchall()
            self._lay_out(waiting)
            memory.executemany("DELETE FROM sheet WHERE token = ?", [(token,) for token, _, _ in waiting])
        except sqlite3.Error as error:
            self.tallies.drop("store_failed")
            raise _store_error(self._path, error) from None
        self._not_kept = False

    def _lay_out(self, new: Sequence[tuple[int, int, bytes]]) -> None:
        """Write all sheets anew in a random order: within a page the newest row lies first, whatever its key."""
        with _Transaction(self._db):
            kept = self._db.execute("SELECT token, day, row FROM sheet").fetchall()
            sheets = list({token: (token, day, row) for token, day, row in [*kept, *new]}.values())
            secrets.SystemRandom().shuffle(sheets)
            self._db.execute("DELETE FROM sheet")
            self._db.executemany("INSERT INTO sheet VALUES (?, ?, ?)", sheets)
            self._db.execute("UPDATE box SET next = next")  # a page is written even where there is no sheet
        self._cut_log()

    def _cut_log(self) -> None:
        """Merge the write-ahead log and cut it to nothing. What was stored stays stored where this fails."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def make_batches(self, day: int) -> int:
        """Turn the waiting sheets of every day up to `day` into padded, shuffled batches; at least one for `day` and
        every pool, empty or not. Undated ones wait for `date_sheets`.

        Returns the number of batches. Rows and batches change in one transaction: a sheet is in exactly one of the
        two."""
        with self._lock:
            if self._memory is not None:
                self._keep_sheets(self._memory)
            try:
                with _Transaction(self._db):
                    days = {
                        found
                        for (found,) in self._db.execute(
                            "SELECT DISTINCT day FROM sheet WHERE day <= ? AND day <> ?", (day, UNDATED)
                        )
                    }
                    made = sum(self._batches_of_day(each) for each in sorted(days | {day}))
            except sqlite3.Error as error:
                self.tallies.drop("store_failed")
                raise _store_error(self._path, error) from None
            self._cut_log()
            return made

    def _batches_of_day(self, day: int) -> int:
        rows: dict[int, list[wire.RatingRow]] = {pool: [] for pool in self._pools}
        for (data,) in self._db.execute("SELECT row FROM sheet WHERE day = ?", (day,)):
            pool, row = _decode_sheet(data)
            rows.setdefault(pool, []).append(row)
        self._db.execute("DELETE FROM sheet WHERE day = ?", (day,))
        self._db.execute("DELETE FROM batch WHERE day < ?", (day - _BATCH_DAYS,))
        return sum(self._batches_of_pool(day, pool, rows[pool]) for pool in sorted(rows))

    def _batches_of_pool(self, day: int, pool: int, rows: list[wire.RatingRow]) -> int:
        secrets.SystemRandom().shuffle(rows)
        count = max(1, -(-len(rows) // wire.RATING_ROWS))
        for start in range(0, count * wire.RATING_ROWS, wire.RATING_ROWS):
            page = rows[start : start + wire.RATING_ROWS]
            padded = page + [_PADDING] * (wire.RATING_ROWS - len(page))
            secrets.SystemRandom().shuffle(padded)
            self._db.execute(
                "INSERT INTO batch VALUES (?, 1) ON CONFLICT (day) DO UPDATE SET number = number + 1", (day,)
            )
            (number,) = self._db.execute("SELECT number FROM batch WHERE day = ?", (day,)).fetchone()
            self._put(f"ratings:{day}:{number}", _ratings_builder(day, tuple(padded), pool))
        return count

    def waiting(self, limit: int, but: Collection[tuple[int, int]] = ()) -> list[tuple[int, int, bytes]]:
        """The oldest `limit` messages that are not acknowledged, as (epoch, sequence, payload); `but`: (epoch,
        sequence) of some that are left out."""
        with self._lock:
            try:
                found = self._db.execute(
                    "SELECT epoch, sequence, payload FROM message WHERE payload IS NOT NULL AND refused = 0"
                    " ORDER BY epoch, sequence LIMIT ?",
                    (limit + len(but),),
                ).fetchall()
                return [each for each in found if (each[0], each[1]) not in but][:limit]
            except sqlite3.Error as error:
                raise _store_error(self._path, error) from None

    def acknowledged(self, epoch: int, sequence: int) -> bool:
        """The server has committed it: forget the content, and the key too once it is settled.

        False where nothing waited under that number."""
        with self._lock:
            try:
                done = self._db.execute(
                    "UPDATE message SET payload = NULL"
                    " WHERE epoch = ? AND sequence = ? AND payload IS NOT NULL AND refused = 0",
                    (epoch, sequence),
                )
                self._db.execute(_FORGET_ONE, (epoch, sequence))
                return done.rowcount > 0
            except sqlite3.Error as error:
                raise _store_error(self._path, error) from None

    def settle(self, still_offered: Collection[str]) -> None:
        """The curator will offer nothing again but these keys: the others go with their acknowledgement."""
        with self._lock:
            try:
                unsettled = self._db.execute("SELECT epoch, sequence, key FROM message WHERE settled = 0").fetchall()
                with _Transaction(self._db):
                    for epoch, sequence, key in unsettled:
                        if key not in still_offered:
                            self._db.execute(
                                "UPDATE message SET settled = 1 WHERE epoch = ? AND sequence = ?", (epoch, sequence)
                            )
                            self._db.execute(_FORGET_ONE, (epoch, sequence))
            except sqlite3.Error as error:
                raise _store_error(self._path, error) from None

    def refused(self, epoch: int, sequence: int, reason: wire.RefusalReason) -> bool:
        """The server refused it for good: set it aside for a person to look at; it is not sent again."""
        with self._lock:
            try:
                done = self._db.execute(
                    "UPDATE message SET refused = ?"
                    " WHERE epoch = ? AND sequence = ? AND payload IS NOT NULL AND refused = 0",
                    (int(reason), epoch, sequence),
                )
                return done.rowcount > 0
            except sqlite3.Error as error:
                raise _store_error(self._path, error) from None

    def totals(self) -> dict[str, int]:
        """Counts of this epoch's messages: put, waiting, acknowledged, refused; of sheets waiting for their batch."""
        with self._lock:
            waiting, refused = self._db.execute(
                "SELECT coalesce(sum(payload IS NOT NULL AND refused = 0), 0), coalesce(sum(refused > 0), 0)"
                " FROM message WHERE epoch = ?",
                (self.epoch,),
            ).fetchone()
            (following,) = self._db.execute("SELECT next FROM box").fetchone()
            stores = [self._db] if self._memory is None else [self._db, self._memory]
            sheets = sum(store.execute("SELECT count(*) FROM sheet").fetchone()[0] for store in stores)
        put = following - 1
        return {
            "put": put,
            "waiting": waiting,
            "acknowledged": put - waiting - refused,
            "refused": refused,
            "sheets": sheets,
        }

    def next_sequence(self) -> int:
        """The number that the next message will bear (1 for a new epoch)."""
        with self._lock:
            (sequence,) = self._db.execute("SELECT next FROM box").fetchone()
        return int(sequence)

    def close(self) -> None:
        """Keep what waits in memory, if the disk takes it, and close; the write-ahead log is merged into the file."""
        with self._lock:
            if self._memory is not None:
                with contextlib.suppress(StoreError):
                    self._keep_sheets(self._memory)
                self._memory.close()
                if not self._not_kept:
                    self._memory_path.unlink(missing_ok=True)
            self._db.close()


class _Transaction:
    """BEGIN IMMEDIATE .. COMMIT, or ROLLBACK on any error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _ratings_builder(day: int, rows: tuple[wire.RatingRow, ...], pool: int) -> Builder:
    def build(epoch: int, sequence: int, nonce: int) -> wire.Message:
        header = {"epoch": epoch, "sequence": sequence, "nonce": nonce}
        return wire.Ratings(version=wire.version_of(pool), **header, day=day, rows=rows, pool=pool)

    return build


def _memory_name(path: Path) -> str:
    """The file in memory that belongs to an outbox: several boxes may share a folder."""
    return "hailong-sheets-" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]


def _store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    full = getattr(error, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR"}
    kind = type(error).__name__
    if full:
        return StoreError(
            Message("The disk is full: the outbox {name} cannot be written ({kind}).", name=path.name, kind=kind),
            Message("Free space on the box's disk; what is stored stays."),
        )
    return StoreError(
        Message("The outbox {name} cannot be read or written ({kind}).", name=path.name, kind=kind),
        Message("Check the file's owner and the disk."),
    )
