"""Go back to the release before the present one.

  hailong edge rollback

Configuration, keys, running months and outbox stay as they are. Called again, it returns to the newer release.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.releases import Layout, roll_back, systemctl

    layout = Layout(args.root)
    layout.trust()
    release = roll_back(layout)
    systemctl(layout, "restart", "hailong-edge")
    print(json.dumps({"release": release.name}) if args.json else f"Now running {release.name}.")
    return 0
