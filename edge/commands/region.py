"""Draw the citizen's region with the mouse: a page on this machine's own address shows one picture of a counter's
camera, and gives back the line for edge.toml.

The picture is taken once, after you have confirmed on the page that nobody but the staff is before the camera and that
they agree. It is in memory only, shown to that one browser, and gone when the command ends: nothing is stored or sent.
From elsewhere: ssh -L PORT:127.0.0.1:PORT BOX.

  hailong edge region --config edge.toml --counter 3
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

WAIT_S = 600.0
"""The command ends by itself after so long."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument("--counter", metavar="NAME", default="", help="of a hall: at which counter")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port of the page (default: a free one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object: the region")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.config import load_config
    from edge.region_page import RegionPage
    from edge.tablet.serve import TabletServer
    from pipeline.errors import ConfigError
    from pipeline.language import Message

    config = load_config(args.config)
    counter = config.counter_named(args.counter)
    if counter.camera.source == "none":
        raise ConfigError(
            Message("Counter {name} has no camera.", name=counter.name), Message("Name it in its [counter.camera].")
        )
    page = RegionPage(counter, config.tablet.language)
    server = TabletServer(page.app(), "127.0.0.1", args.port, "region")
    server.start()
    try:
        print(f"http://127.0.0.1:{server.port}/", file=sys.stderr, flush=True)
        region = page.wait(WAIT_S)
    finally:
        server.close()
        page.forget()
    if region is None:
        raise ConfigError(Message("No region was drawn."), Message("Open the page that the command names."))
    if args.json:
        print(json.dumps({"counter": counter.name, "region": region}))
    else:
        print(f"region = {json.dumps(region)}")
    return 0
