"""Enrol this box at its server by a one-time code.

The server's operator runs `hailong server enroll` and reads out the code; it works once and for a day. The box makes
its keys where it has none. If the connection breaks, run the same command again with the same code. As root on an
installed box it runs as the box's service does, so that the keys are the service's.

  hailong keys enroll --config /etc/hailong/edge.toml --code ABCD-EFGH-...     the first time
  hailong keys enroll --config /etc/hailong/edge.toml --code ... --rotate      a new key for an enrolled box
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipeline.language import Message
from pipeline.language.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument(
        "--code", required=True, help="the one-time code (26 letters and digits); -: read it from standard input"
    )
    parser.add_argument(
        "--rotate", action="store_true", help="make a new key; the old one is let in until the new one is used"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.config import load_config
    from edge.delivery.enrolment import enrol, own_keys
    from edge.deploy.service import run_as_service

    config = load_config(args.config)
    again = ["keys", "enroll", "--config", str(args.config.resolve()), "--code", args.code]
    done = run_as_service(args.config, again + ["--rotate"] * args.rotate + ["--json"] * args.json)
    if done is not None:
        return done
    code = sys.stdin.readline().strip() if args.code == "-" else args.code
    found = enrol(config, code, rotate=args.rotate)
    key = own_keys(config).curve_public_z85
    if args.json:
        print(json.dumps({"epoch": found.epoch, "public_key": key}))
    else:
        say(Message("Enrolled. Epoch {epoch}, public key {key}.", epoch=found.epoch, key=key))
        say(Message("Next: {command}", command=f"hailong edge check --config {args.config}"))
    return 0
