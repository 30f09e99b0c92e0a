"""Decommission a box: stop it, wipe its keys, running months and files, remove the software.

  hailong edge uninstall --yes

What was closed but not yet taken by the server would be lost: where such releases wait, the command refuses unless
`--lose-unsent` is given. Revoke the box at the
server afterwards (`hailong-server revoke`). Overwriting does not reach blocks that flash memory has set aside; see
the decisions on the running month.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
from pathlib import Path

from pipeline.language import Message, in_language
from pipeline.language.console import console_language


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="a box under another root")
    parser.add_argument("--yes", action="store_true", help="really do it")
    parser.add_argument("--lose-unsent", action="store_true", help="even if closed releases wait to be sent")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def waiting(*folders: Path) -> int:
    """Messages and answer sheets in the outboxes under these folders that the server has not yet acknowledged: those
    of the box's data, and of its folder in memory, where a box that was killed left its newest sheets."""
    count = 0
    for folder in folders:
        for path in folder.rglob("outbox.sqlite3"):
            count += _count(path, "SELECT count(*) FROM message WHERE payload IS NOT NULL AND refused = 0")
            count += _count(path, "SELECT count(*) FROM sheet")
        for path in folder.rglob("hailong-sheets-*"):
            count += _count(path, "SELECT count(*) FROM sheet")
    return count


def _count(path: Path, query: str) -> int:
    import sqlite3

    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        return int(store.execute(query).fetchone()[0])


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import subprocess

    from edge.deploy.releases import Layout, draft_path, kept_path, wipe, wipe_file
    from edge.deploy.service import has_systemd, is_wanted, systemctl
    from edge.deploy.unit import USER
    from pipeline.errors import ConfigError

    layout = Layout(args.root)
    layout.trust()
    if not args.yes:
        raise ConfigError(Message("This removes the box's keys and months for good."), Message("Add --yes."))
    was_running = is_wanted(layout)
    timer = layout.updater.with_suffix(".timer")
    if timer.exists():
        systemctl(layout, "stop", timer.name, layout.updater.name)
    systemctl(layout, "stop", "hailong-edge")
    unsent = waiting(layout.data, layout.runtime)
    if unsent and not args.lose_unsent:
        if was_running:
            systemctl(layout, "start", "--no-block", "hailong-edge")
        raise ConfigError(
            Message("{unsent} releases and answer sheets have not been taken by the server.", unsent=unsent),
            Message("Let the box run until they are, or add --lose-unsent."),
        )
    systemctl(layout, "disable", "hailong-edge")
    wiped = sum(wipe(folder) for folder in (layout.data, layout.runtime, layout.trial) if folder.exists())
    secret = [layout.config, layout.previous_config, layout.next_config, layout.credential]
    secret += [kept_path(layout.config), draft_path(layout.config)]
    wiped += sum(wipe_file(path) for path in secret if path.exists())
    for path in (layout.unit, layout.journal, layout.command, layout.updater, timer):
        path.unlink(missing_ok=True)
    shutil.rmtree(layout.drop_ins, ignore_errors=True)
    removed = Message("Removed. {count} files wiped. Now: {command}", count=wiped, command="hailong-server revoke")
    last_words = in_language(removed, console_language())  # the catalogues go with the software
    shutil.rmtree(layout.home)
    systemctl(layout, "daemon-reload")
    if has_systemd(layout):
        subprocess.run(["userdel", USER], capture_output=True)
    result = {"files_wiped": wiped, "unsent_lost": unsent}
    if args.json:
        print(json.dumps(result))
    else:
        print(last_words)
    return 0
