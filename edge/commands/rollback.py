"""Go back to the release before the present one (as root).

  hailong edge rollback

Configuration, keys, running months and outbox stay as they are. Called again, it returns to the newer release.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.language import Message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.releases import Layout, roll_back, run_in
    from edge.deploy.service import is_wanted, restart_and_watch
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    layout.trust()
    wanted = is_wanted(layout)
    release = roll_back(layout)
    run_in(release, ["edge", "apply", "--unit-only", "--root", str(layout.root)])  # 0.1.0 has none: its unit stays
    wrong = restart_and_watch(layout, watch_s=5.0) if wanted else ""
    if wrong:
        raise ConfigError(
            Message("{name} is in place, but does not come up: {wrong}.", name=release.name, wrong=wrong),
            Message("Call rollback again."),
        )
    running = "Now running" if wanted else "In place, not started:"
    print(json.dumps({"release": release.name, "running": wanted}) if args.json else f"{running} {release.name}.")
    return 0
