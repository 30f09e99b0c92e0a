"""Update a box from a bundle that the trusted key signed.

  hailong edge update --bundle hailong-edge.tar

The new release is built beside the present one and must find the box's configuration sound (`edge check --offline`)
before it takes its place in one
step. If it does not, or does not come up, the box stays with, or returns to, the release that it had.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the bundle")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--skip-check", action="store_true", help="take it even if a device is missing just now")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.releases import Layout, activate, build, prune, roll_back, run_in, systemctl, write_unit
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    release = build(layout, args.bundle, layout.trust(), lambda text: print(text, file=sys.stderr))
    if layout.current.exists() and layout.current.resolve() == release.resolve():
        print(json.dumps({"release": release.name, "changed": False}) if args.json else f"{release.name} is in use.")
        return 0
    if not args.skip_check:
        done = run_in(release, ["edge", "check", "--config", str(layout.config)])
        if done.returncode:
            raise ConfigError(
                f"Release {release.name} does not accept this box: {(done.stdout + done.stderr).strip()[-600:]}",
                "The box goes on with its present release.",
            )
    activate(layout, release)
    write_unit(layout)
    systemctl(layout, "daemon-reload")
    try:
        systemctl(layout, "restart", "hailong-edge")
    except ConfigError:
        before = roll_back(layout)
        systemctl(layout, "restart", "hailong-edge")
        raise ConfigError(f"Release {release.name} did not come up.", f"The box is back on {before.name}.") from None
    prune(layout)
    print(json.dumps({"release": release.name, "changed": True}) if args.json else f"Now running {release.name}.")
    return 0
