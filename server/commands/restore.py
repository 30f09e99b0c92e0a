"""Restore a backup into an empty store, on SQLite or PostgreSQL, whichever it was made on.

A backup of an older version is restored at that version and then upgraded. A store that is not empty is refused, unless
--replace is given: then everything in it gives way to the backup, in one transaction, whatever version it is of. That
is the way back from an upgrade: stop the server first.

    hailong server restore hailong-2026-11-22.zip.age --identity key.txt --store postgresql://hailong@localhost/hailong
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.errors import InvalidError
from pipeline.language import Message, Number
from pipeline.language.console import say
from server.commands.options import add_opener_arguments, opener_of, report_table
from server.core.config import add_store_arguments, load_config, own_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server restore`."""
    parser.add_argument("file", type=Path, help="the backup")
    parser.add_argument("--with-keys", action="store_true", help="restore the server's keys too, where it holds them")
    parser.add_argument("--replace", action="store_true", help="in the place of everything that the store holds now")
    add_opener_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print rows by table as JSON")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Restore the backup."""
    from server.channels.gateway.sealed_keys import seal_open_keys
    from server.core.secret_keys import GATEWAY_KEY, SHEET_KEY, read_secret
    from server.ratings.origins import seal_open_origins
    from server.store.archive import manifest_of, restore
    from server.store.engine import connect
    from server.store.sealing import opened

    if args.replace and args.with_keys:
        raise InvalidError(
            Message("The server has its keys."), Message("Leave --with-keys out, or restore into a new folder.")
        )
    config = load_config(args)
    with opened(args.file, opener_of(args)) as plain:
        manifest = manifest_of(plain, args.file)
        own_folder(config.data_dir)
        engine = connect(config.store_url)
        keys = config.keys_dir if args.with_keys else None
        counts = restore(engine, args.file, keys, report_table, plain=plain, replace=args.replace)
    seal_open_keys(engine, lambda: read_secret(config, GATEWAY_KEY))
    seal_open_origins(engine, lambda: read_secret(config, SHEET_KEY))
    engine.dispose()
    if args.json:
        print(json.dumps({"file": str(args.file), "version": manifest["version"], "rows": counts}))
    else:
        rows = Number(sum(counts.values()))
        say(Message("{rows} rows restored from version {version}", rows=rows, version=manifest["version"]))
        if not manifest["keys"] and not args.replace:
            say(
                Message(
                    "The backup holds no keys: run `hailong server init`, enrol the boxes anew, renew the gateways' "
                    "keys."
                )
            )
    return 0
