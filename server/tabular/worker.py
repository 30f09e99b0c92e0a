"""The reading process: `python -m server.tabular.worker`, its job as JSON on standard input.

A hostile or broken file meets bounds on memory and time here, away from the server's transactions, threads and memory.
What it finds goes to a file; on standard output stand the share read and the outcome, a JSON line each.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path

import msgspec

from server.tabular.records import Bounds, Outcome, Part, RefusedError

EVERY_ROWS = 5_000


class Job(msgspec.Struct):
    """What to read, where to, and within what."""

    path: bytes
    suffix: str
    spool: bytes
    known: list[str]
    rows: int
    columns: int
    cells: int
    sheets: int
    memory_bytes: int
    seconds: float


def main() -> int:
    """Read one file; 0 also where it was refused: the outcome says so."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    resource.setrlimit(resource.RLIMIT_AS, (job.memory_bytes, job.memory_bytes))
    seconds = int(job.seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    outcome = run(job)
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    sys.stdout.flush()
    return 0


def _end_with_the_server() -> None:
    sys.stdin.buffer.read()
    os._exit(3)


def run(job: Job) -> Outcome:
    """Read the job's file into its spool."""
    from server.tabular.parse import parse

    bounds = Bounds(job.rows, job.columns, job.cells, job.sheets, job.memory_bytes, job.seconds)
    encoder, sent = msgspec.msgpack.Encoder(), 0
    try:
        with Path(os.fsdecode(job.spool)).open("wb") as spool:

            def send(message: Part) -> None:
                nonlocal sent
                data = encoder.encode(message)
                spool.write(len(data).to_bytes(4, "little") + data)
                sent += 1
                if sent % EVERY_ROWS == 0:
                    done = getattr(message, "done", 0.0)
                    sys.stdout.buffer.write(b"%.4f\n" % done)
                    sys.stdout.flush()

            return parse(Path(os.fsdecode(job.path)), job.suffix, frozenset(job.known), bounds, send)
    except RefusedError as refusal:
        return Outcome(refused=refusal.code, detail=refusal.detail)
    except MemoryError:
        return Outcome(refused="memory", detail=str(job.memory_bytes >> 20))


if __name__ == "__main__":
    sys.exit(main())
