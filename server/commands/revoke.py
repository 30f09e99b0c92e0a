"""Revoke a box's key: from its next message on nothing of it is taken. What it sent before stays. The running server
needs no restart.

  hailong server revoke --box 7

To let it in again: `hailong server enroll --box 7`.
"""

from __future__ import annotations

import argparse
import json

from pipeline.language import Message
from pipeline.language.console import say
from server.core.config import add_province_argument, add_store_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_store_arguments(parser)
    add_province_argument(parser)
    parser.add_argument("--box", type=int, required=True, metavar="ID", help="see: hailong server enroll --list")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from server.boxes import registry as boxes
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.store.engine import read

    store = open_store(load_config(args))
    with read(store) as connection:
        province = find_province(connection, args.province)
    boxes.revoke(store, province.province_id, args.box)
    if args.json:
        print(json.dumps({"box": args.box, "revoked": True}))
    else:
        say(Message("Box {number} is revoked.", number=args.box))
    return 0
