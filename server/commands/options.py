"""Arguments and steps that the survey's commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.language import Message, Number, Plural, Sentence
from pipeline.language.console import say

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from server.retention.verify import StoreVerdict
    from server.store.sealing import Opener


NO_PROVINCE = Message("Nothing was checked: this store has no province. Name the right one (--data-dir or --store).")
"""What an audit of an empty store says; it does not hold."""
LOG_OF_CHANGES = Message("log of changes: {entries} entries, head {head}")
"""Of a province; its parameters are given where it is said."""


ONCE = Message("(shown once; change it at the first log-in)")
"""Beside a one-time password."""


def report_table(table: str, rows: int) -> None:
    """Progress on standard error."""
    say(Message("{table}: {rows} rows", table=table, rows=Number(rows)), indent=2, aside=True)


def how_it_holds(verdict: StoreVerdict) -> Sentence:
    """The last line about a store that was verified."""
    if verdict.holds:
        return Message("All holds.")
    return Plural("{count} problem.", "{count} problems.", count=len(verdict.problems))


def add_store(parser: argparse.ArgumentParser, *, province: bool = True) -> None:
    """`--data-dir` and `--store` as every server command has them (`--url` is the same), and `--province`."""
    from server.core.config import add_province_argument, add_store_arguments

    add_store_arguments(parser)
    parser.add_argument("--url", dest="store", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    if province:
        add_province_argument(parser)


def open_engine(args: argparse.Namespace, *, make: bool = False) -> Engine:
    """The store that the arguments name; the server's own instruments become known. `make`: make or upgrade it first.
    Raises `StoreError`, `ConfigError`."""
    from pipeline.instruments import use_folder
    from server.core.config import load_config, open_store, own_folder
    from server.store.engine import connect
    from server.store.upgrade import upgrade

    config = load_config(args)
    use_folder(config.data_dir / "instruments")
    if not make:
        return open_store(config)
    if not config.store:
        own_folder(config.data_dir)
    engine = connect(config.store_url)
    upgrade(engine)
    return engine


def province_id(connection: Connection, args: argparse.Namespace) -> int:
    """Id of the province that the arguments name, or of the only one. Raises `ConfigError`."""
    from server.core.provinces import find_province

    return find_province(connection, args.province).province_id


def add_opener_arguments(parser: argparse.ArgumentParser) -> None:
    """What opens a sealed backup: `--identity`, `--passphrase-file`."""
    parser.add_argument("--identity", type=Path, metavar="FILE", help="the age identity that opens a sealed backup")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="the passphrase that opens it")


def opener_of(args: argparse.Namespace) -> Opener:
    """What `add_opener_arguments` was given."""
    from server.store.sealing import Opener, read_identities, read_passphrase

    return Opener(
        read_identities(args.identity) if args.identity else (),
        read_passphrase(args.passphrase_file) if args.passphrase_file else "",
    )
