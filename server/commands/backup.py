"""Back the store up into one file, while the server runs.

The file holds the whole store: ratings, telephone numbers, users with their password hashes. It is sealed in the age
format for the recipients named (age-keygen makes a pair; the secret half is kept elsewhere), or under a passphrase.
With --with-keys it also holds the server's secret keys: without them every box has to enrol again after a restore.

    hailong server backup hailong-2026-11-22.zip.age --with-keys --recipient age1...
    hailong server backup /backup --keep 30 --with-keys --recipient age1...     a file named by its day; 30 are kept
"""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from pathlib import Path

from pipeline.errors import InvalidError
from pipeline.language import Message, Number
from pipeline.language.console import say
from server.commands.options import report_table
from server.core.config import add_store_arguments, load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server backup`."""
    parser.add_argument("file", type=Path, help="the file to write, or a folder; never over an existing file")
    parser.add_argument("--keep", type=int, metavar="N", help="in a folder: remove all but the newest N afterwards")
    parser.add_argument("--with-keys", action="store_true", help="take the server's secret keys along")
    sealed = parser.add_mutually_exclusive_group(required=True)
    sealed.add_argument("--recipient", action="append", default=[], metavar="AGE1...", help="who may open it (repeat)")
    sealed.add_argument("--passphrase-file", type=Path, metavar="FILE", help="seal under the passphrase in it")
    sealed.add_argument("--unencrypted", action="store_true", help="not sealed: whoever has the file reads everything")
    parser.add_argument("--json", action="store_true", help="print rows by table as JSON")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the backup."""
    from pipeline.calendar import now_s
    from server.store.archive import backup
    from server.store.engine import connect
    from server.store.sealing import Seal, read_passphrase

    for_whom = None
    if not args.unencrypted:
        secret = read_passphrase(args.passphrase_file) if args.passphrase_file else ""
        for_whom = Seal(tuple(args.recipient), secret)
    elif args.with_keys:
        raise InvalidError(
            Message("Secret keys are never written in the clear."), Message("Name a --recipient or --passphrase-file.")
        )
    if args.keep is not None and (args.keep < 1 or not args.file.is_dir()):
        raise InvalidError(Message("--keep is of a folder, and 1 or more."), Message("Name a folder that exists."))
    path = args.file / _name_of_today(sealed=for_whom is not None) if args.file.is_dir() else args.file
    config = load_config(args)
    engine = connect(config.store_url)
    counts = backup(engine, path, config.keys_dir if args.with_keys else None, report_table, for_whom=for_whom)
    engine.dispose()
    with suppress(OSError):  # a folder of another user: the backup is made, `server.alerts` cannot know
        config.backup_mark.write_text(f"{now_s()}\n", encoding="ascii")
    if args.keep is not None:
        for old in sorted(args.file.glob(_PATTERN))[: -args.keep]:
            old.unlink()
    if args.json:
        print(json.dumps({"file": str(path), "rows": counts}))
    else:
        rows = Number(sum(counts.values()))
        say(Message("{path}: {rows} rows of {tables} tables", path=path, rows=rows, tables=len(counts)))
    return 0


_PATTERN = "hailong-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].zip*"
"""Names in a folder; their order is that of their days."""


def _name_of_today(*, sealed: bool) -> str:
    from pipeline.calendar import day_date, today

    return f"hailong-{day_date(today()).isoformat()}.zip{'.age' if sealed else ''}"
