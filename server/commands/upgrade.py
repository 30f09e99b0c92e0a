"""Bring the store to this program's version, in one transaction. Stop the server and make a backup first.

hailong server backup before-upgrade.zip && hailong server upgrade
"""

from __future__ import annotations

import argparse
import json

from pipeline.language import Message
from pipeline.language.console import say
from server.core.config import add_store_arguments, load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server upgrade`."""
    parser.add_argument("--json", action="store_true", help="print the versions as JSON")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Upgrade the store."""
    from pipeline.errors import StoreError
    from server.channels.gateway.sealed_keys import seal_open_keys
    from server.core.secret_keys import GATEWAY_KEY, SHEET_KEY, read_secret
    from server.ratings.origins import seal_open_origins
    from server.store.engine import connect
    from server.store.upgrade import store_version, upgrade

    config = load_config(args)
    engine = connect(config.store_url)
    before = store_version(engine)
    if before is None:
        raise StoreError(Message("The store is empty."), Message("Run `hailong server init`."))
    after = upgrade(engine)
    seal_open_keys(engine, lambda: read_secret(config, GATEWAY_KEY))
    seal_open_origins(engine, lambda: read_secret(config, SHEET_KEY))
    engine.dispose()
    if args.json:
        print(json.dumps({"before": before, "after": after}))
    else:
        say(
            Message("Version {before} -> {after}", before=before, after=after)
            if before != after
            else Message("The store has version {after} already.", after=after)
        )
    return 0
