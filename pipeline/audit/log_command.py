"""Verify a box's transparency log offline: inclusion, consistency, signatures; a cut, altered or forked log is named
as what it is.

The heads that count are those that somebody else kept: the server's store (SQLite), its export as JSON lines, or a
record of the sender.

Examples:
  hailong audit log release.sqlite3 --heads server.sqlite --box 1 --key KEY   against what the server saw
  hailong audit log release.sqlite3 --prove 17 > proof.json                   a proof for somebody without the log
  hailong audit log --check-proof proof.json --key KEY                        what that person runs
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipeline.audit.log import audit_log
from pipeline.audit.proof import check_proof, make_proof
from pipeline.audit.verdict import report
from pipeline.errors import ConfigError
from pipeline.keys import public_key_bytes
from pipeline.language import Message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit log`."""
    add = parser.add_argument
    add("store", nargs="?", type=Path, help="the box's release.sqlite3")
    add("--heads", action="append", type=Path, default=[], help="heads that somebody else kept (may be repeated)")
    add("--box", type=int, help="the box's number in the server's store")
    add("--key", help="the box's signing key as enrolled (Z85, 40 characters)")
    add("--prove", type=int, metavar="LEAF", help="print an inclusion proof of this leaf as JSON, and do nothing else")
    add("--epoch", type=int, help="epoch for --prove (default: the last)")
    add("--check-proof", type=Path, metavar="FILE", help="check such a proof, without the log")
    add("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    key = None if args.key is None else public_key_bytes(args.key)
    if args.check_proof is not None:
        return report(check_proof(args.check_proof, key), args.json)
    if args.store is None:
        raise ConfigError(Message("Which log?"), Message("Name the box's release.sqlite3."))
    if args.prove is not None:
        json.dump(make_proof(args.store, args.prove, args.epoch), sys.stdout)
        print()
        return 0
    return report(audit_log(args.store, args.heads, key, args.box), args.json)
