"""Back the store up into one file, while the server runs.

The file holds the whole store: ratings, releases, users with their password hashes. Keep it as safe as the server.
With --with-keys it also holds the server's secret keys: without them every box has to enrol again after a restore.

    hailong server backup hailong-2026-11-22.zip --with-keys
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from server.core.config import add_store_arguments, load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server backup`."""
    parser.add_argument("file", type=Path, help="the ZIP file to write; never over an existing one")
    parser.add_argument("--with-keys", action="store_true", help="take the server's secret keys along")
    parser.add_argument("--json", action="store_true", help="print rows by table as JSON")
    add_store_arguments(parser)


def report_table(table: str, rows: int) -> None:
    """Progress on standard error."""
    print(f"  {table}: {rows:,} rows", file=sys.stderr)


def run(args: argparse.Namespace) -> int:
    """Write the backup."""
    from server.store.archive import backup
    from server.store.engine import connect

    config = load_config(args)
    engine = connect(config.store_url)
    counts = backup(engine, args.file, config.keys_dir if args.with_keys else None, report_table)
    engine.dispose()
    if args.json:
        print(json.dumps({"file": str(args.file), "rows": counts}))
    else:
        print(f"{args.file}: {sum(counts.values()):,} rows of {len(counts)} tables")
    return 0
