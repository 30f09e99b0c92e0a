"""A file, read once in a process of its own, as a table that can be gone through any number of times.

`opened(path, known)` starts the process, waits for it within its bounds, and hands out the raw rows from a temporary
file that is deleted at the end. No transaction is open meanwhile: the caller opens one when all rows are checked.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.errors import InvalidError
from pipeline.language import Message
from server.core.temporary import TemporaryFolder
from server.tabular.records import Bounds, Outcome, Part, RefusedError

AT_ONCE = 2
"""Files read at the same time: each may cost a processor and a gigabyte."""
WAIT_S = 20.0
TURNS = 4
"""How many times its bound of processor time a file may take by the clock: on a busy machine it waits for its turn."""
_places = threading.BoundedSemaphore(AT_ONCE)
Progress = Callable[[float], None]

_SAVE_CSV = Message("Save it as CSV and import that.")
_SPLIT = Message("Split it into several files.")
_SAVE_AGAIN = Message("Open it and save it again.")
REFUSALS: dict[str, tuple[Message, Message]] = {
    "not_csv": (
        Message("{name} is a spreadsheet or an archive, no CSV."),
        Message("If it is XLSX, name it .xlsx; else save it as XLSX or CSV."),
    ),
    "unknown_code": (
        Message("{name} is not UTF-8, and its code cannot be told for certain."),
        Message("Save it as CSV UTF-8, or as XLSX."),
    ),
    "old_xls": (
        Message("{name} is in the old XLS format."),
        Message("Save it as XLSX or CSV and import that."),
    ),
    "not_json": (
        Message("{name} is no JSON, or holds a name twice."),
        Message("Save the portal's answer again, as it is."),
    ),
    "page": (
        Message("{name} is one page of an answer that has more ({detail})."),
        Message("Ask the portal for all of it at once, or save its pages as one."),
    ),
    "not_xlsx": (Message("{name} is no XLSX file, or is damaged."), _SAVE_AGAIN),
    "strict": (
        Message("{name} was saved as “Strict Open XML”."),
        Message("Save it as “Excel Workbook (*.xlsx)”."),
    ),
    "disorder": (
        Message("{name} holds rows or cells twice, or out of their order (row {detail})."),
        _SAVE_AGAIN,
    ),
    "twice": (
        Message("{name} holds a part twice ({detail}): two programs would read two tables."),
        _SAVE_AGAIN,
    ),
    "no_part": (
        Message("{name} names a worksheet that is not in it ({detail})."),
        _SAVE_AGAIN,
    ),
    "locked": (
        Message("{name} is locked with a password, or in the old XLS format."),
        Message("Save it without a password, as XLSX."),
    ),
    "formula": (
        Message("{name} holds formulas without values."),
        Message("Open it in Excel and save it."),
    ),
    "too_many_rows": (Message("{name} has more than {detail} rows."), _SPLIT),
    "too_many_columns": (
        Message("{name} has a row of more than {detail} cells."),
        Message("Delete what stands beside the table."),
    ),
    "too_many_cells": (Message("{name} has more than {detail} cells."), _SPLIT),
    "too_many_sheets": (
        Message("{name} has more than {detail} worksheets."),
        _SPLIT,
    ),
    "unpacks_too_large": (
        Message("{name} unpacks to more than {detail} GiB."),
        _SPLIT,
    ),
    "ratio": (
        Message("{name} unpacks to more than {detail} times its size."),
        _SAVE_CSV,
    ),
    "part_too_large": (
        Message("{name} has a part that is too large ({detail})."),
        _SAVE_CSV,
    ),
    "memory": (Message("{name} needs more than {detail} MiB to read."), _SPLIT),
    "time": (Message("{name} takes more than {detail} s to read."), _SPLIT),
    "ended": (
        Message("{name} could not be read: the reading process ended ({detail})."),
        _SAVE_CSV,
    ),
    "busy": (
        Message("Other files are being read."),
        Message("Try again in a minute."),
    ),
}
"""Why a file is not read, and the way out."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """What the file holds, on disk. `outcome`: its encoding and separator."""

    spool: Path
    outcome: Outcome

    def messages(self) -> Iterator[Part]:
        """Sheets and rows, in order; each call begins anew."""
        decoder = msgspec.msgpack.Decoder(Part)
        with self.spool.open("rb") as file:
            while head := file.read(4):
                yield decoder.decode(file.read(int.from_bytes(head, "little")))


def refusal(error: RefusedError, name: str) -> InvalidError:
    """The refusal in words."""
    text, fix = REFUSALS[error.code]
    return InvalidError(text.with_params(name=name, detail=error.detail), fix)


def no_file(path: Path) -> InvalidError:
    """The refusal of a path that leads nowhere."""
    return InvalidError(Message("There is no file {path}.", path=path), Message("Check the path."))


@contextmanager
def opened(
    path: Path, known: Collection[str], bounds: Bounds | None = None, progress: Progress = lambda share: None
) -> Iterator[RawTable]:
    """The file as a table. `known`: plain names of columns, to find a CSV's separator. `progress`: gets the share read.

    Raises `InvalidError` where the file cannot be read, or not within its bounds."""
    if not path.is_file():
        raise no_file(path)
    bounds = bounds or Bounds.for_size(path.stat().st_size)
    with TemporaryFolder("table") as folder:
        spool = folder / "rows"
        try:
            with _a_place():
                outcome = _run(path, spool, known, bounds, progress)
        except RefusedError as error:
            raise refusal(error, path.name) from None
        yield RawTable(spool, outcome)


@contextmanager
def _a_place() -> Iterator[None]:
    if not _places.acquire(timeout=WAIT_S):
        raise RefusedError("busy")
    try:
        yield
    finally:
        _places.release()


def _run(path: Path, spool: Path, known: Collection[str], bounds: Bounds, progress: Progress) -> Outcome:
    job = {
        "path": os.fsencode(path.resolve()),  # a name need not be text
        "suffix": path.suffix.lower().encode("utf-8", "replace").decode(),
        "spool": os.fsencode(spool),
        "known": sorted(known),
        "rows": bounds.rows,
        "columns": bounds.columns,
        "cells": bounds.cells,
        "sheets": bounds.sheets,
        "memory_bytes": bounds.memory_bytes,
        "seconds": bounds.seconds,
    }
    root = str(Path(__file__).parents[2])  # this very program's, wherever it was started
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "OPENBLAS_NUM_THREADS": "1",  # threads cost address space
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "server.tabular.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback would hold cells
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.flush()
        last = _listen(process.pid, process.stdout.fileno(), bounds, progress)
    except BrokenPipeError:
        last = b""
    finally:
        process.kill()  # it has said its last word, or may not go on
        process.wait()
        process.stdin.close()
        process.stdout.close()
    if not last.startswith(b"{"):
        raise RefusedError("ended", f"code {process.returncode}")
    outcome = msgspec.json.decode(last, type=Outcome)
    if outcome.refused:
        raise RefusedError(outcome.refused, outcome.detail)
    return outcome


def _spent_s(pid: int) -> float:
    """Processor time of a process that is ours and not yet waited for, in seconds (proc(5), utime and stime)."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _listen(pid: int, handle: int, bounds: Bounds, progress: Progress) -> bytes:
    """The last line that the process writes."""
    buffer, deadline, share = b"", time.monotonic() + TURNS * bounds.seconds, 0.0
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or _spent_s(pid) > bounds.seconds:
                raise RefusedError("time", round(bounds.seconds))
            progress(share)  # whoever has been told to stop says so here, however long nothing new is said
            if not selector.select(min(left, bounds.seconds, 1.0)):
                continue
            data = os.read(handle, 65_536)
            if not data:
                return buffer
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    return line
                progress(share := float(line))
