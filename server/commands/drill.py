"""Rehearse a restore: open a backup, fill a store in memory from it, bring it to this version, and verify it.

Nothing of the running server is touched, and nothing is written to a disk. A backup that was never restored is a hope:
do it every month, on another machine than the server, with the identity that is kept elsewhere.

    hailong server drill /backup/hailong-2026-11-29.zip.age --identity key.txt

Exit code 0 where the backup restores and all of it holds, 1 where not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from server.commands.options import add_opener_arguments, opener_of

_MEMORY = Path("/dev/shm")  # noqa: S108


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server drill`."""
    parser.add_argument("file", type=Path, help="the backup")
    add_opener_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Restore into memory, verify, tell."""
    from pipeline.errors import StoreError
    from pipeline.language import Message
    from server.retention.verify import verify_store
    from server.store.archive import restore
    from server.store.engine import connect

    if not _MEMORY.is_dir():
        raise StoreError(Message("There is no file system in memory."), Message("Rehearse on a Linux machine."))
    begun_s = time.monotonic()
    opener = opener_of(args)
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="hailong-drill-") as folder:
        engine = connect(f"sqlite:///{folder}/store.sqlite")
        try:
            counts = restore(engine, args.file, opener=opener)
            verdict = verify_store(engine, None)
        finally:
            engine.dispose()
    rows, seconds = sum(counts.values()), time.monotonic() - begun_s
    if args.json:
        found = {"holds": verdict.holds, "rows": rows, "seconds": round(seconds, 1), "problems": verdict.problems}
        print(json.dumps(found, ensure_ascii=False))
        return 0 if verdict.holds else 1
    for problem in verdict.problems:
        print(f"DOES NOT HOLD  {problem}")
    held = "All holds" if verdict.holds else f"{len(verdict.problems)} problems"
    print(f"{rows:,} rows of {len(counts)} tables restored in {seconds:.1f} s. {held}.")
    return 0 if verdict.holds else 1
