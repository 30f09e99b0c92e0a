"""Check that every recorded message of a box fits the closed schema; whatever does not is shown.

Give it the record of what the sender handed to the socket ([server] record = "..." in the box's configuration), the
box's outbox.sqlite3, or both.

Example:
  hailong audit wire /var/lib/hailong/sent.frames /var/lib/hailong/outbox.sqlite3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.audit.verdict import report
from pipeline.audit.wire_records import audit_wire


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit wire`."""
    parser.add_argument("files", nargs="*", type=Path, help="records of the sender, or outbox files")
    parser.add_argument("--dump", action="append", type=Path, default=[], help="the same, as an option")
    parser.add_argument("--demo", action="store_true", help="allow the periods of a demo")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    return report(audit_wire([*args.files, *args.dump], args.demo), args.json)
