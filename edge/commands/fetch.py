"""Tell the server which release this box has, and fetch the one that it offers. `hailong edge update --offered` calls
it, as the service's user; by hand it shows what is offered.

  hailong edge fetch --config edge.toml            ask
  hailong edge fetch --config edge.toml --fetch    ask, and fetch the bundle into the data folder; it is not installed

The bundle is asked for in pieces, one after the other, and goes on where it was broken off. Its manifest comes first,
and nothing more is fetched unless the key that this box was installed with signed it, and it fits this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.language import Message, of_environment, translator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--fetch", action="store_true", help="fetch what is offered")
    parser.add_argument("--forget", action="store_true", help="remove what was fetched")
    parser.add_argument("--now", action="store_true", help="whatever the hour, and what was tried before, too")
    parser.add_argument("--state", type=int, default=0, metavar="N", help="how the box stands with a release")
    parser.add_argument("--about", default="", metavar="RELEASE", help="which release that is")
    parser.add_argument("--not-again", action="append", default=[], metavar="RELEASE", help="one not to fetch again")
    parser.add_argument("--silent", action="store_true", help="print nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def call(words: Sequence[str]) -> int:
    """Run the command within this process."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.config import load_config
    from edge.delivery.enrolment import load_enrolment, own_keys
    from edge.delivery.offered import Door, Store, fetch, release_id, standing
    from edge.deploy.releases import Layout
    from pipeline.wire import UpdateState

    config, layout = load_config(args.config), Layout(args.root)
    store = Store(config.box.data_dir / "offered", layout)
    if args.forget:
        store.clear()
    mine = standing(layout, load_enrolment(config).epoch, UpdateState(args.state), release_id(args.about))
    with Door(config.server, own_keys(config)) as door:
        offer = door.ask(mine)
        found = {"release": f"{offer.release:08x}" if offer.release else None, "size": offer.size, "fetched": False}
        not_again = {0} if args.now else {0, *map(release_id, args.not_again)}
        if not args.fetch or offer.release in not_again or offer.release == mine.running:
            if not args.forget and (not offer.release or offer.release == mine.running):
                store.clear()
        else:
            update = config.update
            goes_on = (lambda: True) if args.now else (lambda: update.is_quiet(time.time()))
            found["fetched"] = fetch(door, store, offer, mine, goes_on)
    if args.json:
        print(json.dumps(found))
    elif not args.silent:
        said = Message("Nothing is offered to this box.")
        if offer.release:
            said = Message(
                "Release {release} is offered, {size} MB.", release=found["release"], size=offer.size // 10**6
            )
        print(translator(of_environment(os.environ))(said))
    return 0
