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
        print(f"Keys of a {args.role}: {path} (mode 0600; keep it on this machine).")
        print(f"Public key: {keys.curve_public_z85}")
    return 0
