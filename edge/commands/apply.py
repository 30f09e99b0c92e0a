"""Make the service fit its configuration, after a change of edge.toml (as root).

  hailong edge apply

The file is checked first; one that is wrong changes nothing. Then the service's unit is written for it (what devices,
addresses, credential and memory it may have), everything is opened within the new unit's walls, as `hailong edge check`
does, and a running box is restarted and watched until it is at work. What only the box itself reads
(`systemctl reload hailong-edge` is enough for it) may be applied so, too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.language import Message
from pipeline.language.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--unit-only", action="store_true", help="write the unit; check and restart nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.config import load_config
    from edge.deploy.releases import Layout, own_config, write_unit
    from edge.deploy.service import is_wanted, restart_and_watch, run_as_service, systemctl
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    layout.trust()
    load_config(layout.config)
    before = layout.unit.read_text(encoding="utf-8") if layout.unit.exists() else ""
    own_config(layout.config)
    write_unit(layout)
    systemctl(layout, "daemon-reload")
    changed = before != layout.unit.read_text(encoding="utf-8")
    restarted = False
    if not args.unit_only:
        if run_as_service(layout.config, ["edge", "check", "--beside", "--config", str(layout.config)]):
            raise ConfigError(Message("The box cannot work so: see above."), Message("A running box was left alone."))
        if is_wanted(layout):
            wrong = restart_and_watch(layout, watch_s=5.0)
            if wrong:
                raise ConfigError(
                    Message("The service did not come up: {wrong}.", wrong=wrong),
                    Message("See: journalctl --namespace hailong."),
                )
            restarted = True
    if args.json:
        print(json.dumps({"unit_changed": changed, "restarted": restarted}))
    else:
        say(Message("The unit was written anew.") if changed else Message("The unit fits already."))
        if restarted:
            say(Message("The box is at work with its configuration."))
    return 0
