"""Verify the store: after a crash, a restore, a move, or because you do not trust it.

Checks the data base's file (SQLite), that every row leads where it says, the log of changes of every province, and that
no import was cut off; prints a digest of all rows. With --against, compares every table with a backup: a restored store
is the original where both digests are equal, on SQLite and on PostgreSQL.

    hailong server verify
    hailong server verify --against hailong-2026-11-22.zip.age --identity key.txt

Exit code 0 where all holds, 1 where something does not. The server may run meanwhile: one view of the store is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.language import Message, Number
from pipeline.language.console import say
from server.commands.options import LOG_OF_CHANGES, add_opener_arguments, how_it_holds, opener_of, report_table
from server.core.config import add_store_arguments, load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server verify`."""
    parser.add_argument("--against", type=Path, metavar="BACKUP", help="a backup that the store must equal")
    add_opener_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Verify, and say what does not hold."""
    from server.retention.verify import as_json, verify_store
    from server.store.archive import read_manifest
    from server.store.engine import connect

    manifest = read_manifest(args.against, opener_of(args)) if args.against else None
    engine = connect(load_config(args).store_url)
    verdict = verify_store(engine, None if args.json else _report)
    engine.dispose()
    if manifest is not None:
        verdict.compare(manifest)
    if args.json:
        print(as_json(verdict))
        return 0 if verdict.holds else 1
    for problem in verdict.problems:
        say(Message("DOES NOT HOLD: {problem}", problem=problem))
    rows = sum(found["rows"] for found in verdict.tables.values())
    say(
        Message(
            "{rows} rows of {tables} tables, version {version}. Digest {digest}",
            rows=Number(rows),
            tables=len(verdict.tables),
            version=verdict.version,
            digest=verdict.digest,
        )
    )
    for code, found in verdict.provinces.items():
        log = LOG_OF_CHANGES.with_params(entries=Number(found["changes"]), head=found["head"])
        say(Message("{province}: {problem}", province=code, problem=log))
    say(how_it_holds(verdict))
    return 0 if verdict.holds else 1


def _report(table: str, rows: int) -> None:
    if rows >= 100_000:
        report_table(table, rows)
