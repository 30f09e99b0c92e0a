"""Recompute from the log what a visit can have cost, and compare it with the stated budget.

With a record of the sender or the outbox, every release that was sent must stand in the log, noise and all.

Example:
  hailong audit budget release.sqlite3 --sent sent.frames
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.audit.budget import audit_budget
from pipeline.audit.verdict import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit budget`."""
    parser.add_argument("store", type=Path, help="the box's release.sqlite3")
    parser.add_argument(
        "--sent", action="append", type=Path, default=[], help="record of the sender, or outbox (may be repeated)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    return report(audit_budget(args.store, args.sent), args.json)
