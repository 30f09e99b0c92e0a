"""Make the keys of a box or a server: X25519 for the encrypted connection (CURVE), Ed25519 for signatures.

The secret file has mode 0600 and never leaves the machine; public.keys beside it may be shown to anybody. Keys that
exist are never overwritten. `hailong keys enroll` makes a box's keys by itself where there are none.

  hailong keys new --role server --out /var/lib/hailong-server/keys
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.keys import new_keys, save_keys
from pipeline.language import Message
from pipeline.language.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--role", choices=("box", "server"), required=True, help="whose keys these are")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the key files (made, mode 0700)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    keys = new_keys(args.role)
    path = save_keys(keys, args.out)
    if args.json:
        print(
            json.dumps({"file": str(path), "public_key": keys.curve_public_z85, "signing_key": keys.signing_public_z85})
        )
    else:
        words = Message("Keys of a box: {path} (mode 0600; keep it on this machine).")
        if args.role == "server":
            words = Message("Keys of a server: {path} (mode 0600; keep it on this machine).")
        say(words.with_params(path=path))
        say(Message("Public key: {key}", key=keys.curve_public_z85))
    return 0
