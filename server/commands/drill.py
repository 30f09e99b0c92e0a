"""Rehearse a restore: open a backup, fill a store in memory from it, bring it to this version, and verify it.

Nothing of the running server is touched, and nothing is written to a disk. A backup that was never restored is a hope:
do it every month, on another machine than the server, with the identity that is kept elsewhere.

    hailong server drill /backup/hailong-2026-11-29.zip.age --identity key.txt

Exit code 0 where the backup restores and all of it holds, 1 where not.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from pipeline.language import Joined, Message, Number
from pipeline.language.console import say, spoken
from server.commands.options import add_opener_arguments, how_it_holds, opener_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server drill`."""
    parser.add_argument("file", type=Path, help="the backup")
    add_opener_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Restore into memory, verify, tell."""
    from pipeline.errors import StoreError
    from server.core.temporary import IN_MEMORY, TemporaryFolder
    from server.retention.verify import verify_store
    from server.store.archive import restore
    from server.store.engine import connect

    if not IN_MEMORY.is_dir():
        raise StoreError(Message("There is no file system in memory."), Message("Rehearse on a Linux machine."))
    begun_s = time.monotonic()
    opener = opener_of(args)
    with TemporaryFolder("drill", IN_MEMORY) as folder:
        engine = connect(f"sqlite:///{folder}/store.sqlite")
        try:
            counts = restore(engine, args.file, opener=opener)
            verdict = verify_store(engine, None)
        finally:
            engine.dispose()
    rows, seconds = sum(counts.values()), time.monotonic() - begun_s
    if args.json:
        found = {"holds": verdict.holds, "rows": rows, "seconds": round(seconds, 1)}
        print(json.dumps(found | spoken("problems", verdict.problems), ensure_ascii=False))
        return 0 if verdict.holds else 1
    for problem in verdict.problems:
        say(Message("DOES NOT HOLD: {problem}", problem=problem))
    restored = Message(
        "{rows} rows of {tables} tables restored in {seconds} s.",
        rows=Number(rows),
        tables=len(counts),
        seconds=Number(seconds, 1),
    )
    say(Joined((restored, how_it_holds(verdict)), " "))
    return 0 if verdict.holds else 1
