"""Go back to the release before the present one (as root).

  hailong edge rollback

Keys, running months and outbox stay as they are, and the configuration, too, unless the present release came with one
of its own (`hailong edge update --config`): then each has its own again. Where the release before does not come up, the
box stays with the present one, which may have written a leaf of the transparency log that the one before does not know.
Called again, it returns to the newer release.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.language import NOTHING, Message, Sentence
from pipeline.language.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.releases import Layout, rely_on, roll_back, run_in
    from edge.deploy.service import is_wanted, restart_and_watch
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    layout.trust()
    wanted = is_wanted(layout)
    before = layout.current.resolve()

    def turn() -> tuple[Path, Sentence]:
        release = roll_back(layout)
        run_in(release, ["edge", "apply", "--unit-only", "--root", str(layout.root)])  # 0.1.0 has none: its unit stays
        return release, restart_and_watch(layout, watch_s=5.0) if wanted else NOTHING

    release, wrong = turn()
    if wrong:
        _, still = turn()
        raise ConfigError(
            Message("{name} does not come up: {wrong}.", name=release.name, wrong=wrong),
            Message("{name} does not come up either: {wrong}.", name=before.name, wrong=still)
            if still
            else Message("The box is back on {name} and at work.", name=before.name),
        )
    rely_on(layout, release)
    if args.json:
        print(json.dumps({"release": release.name, "running": wanted}))
    else:
        words = Message("Now running {name}.") if wanted else Message("In place, not started: {name}.")
        say(words.with_params(name=release.name))
    return 0
