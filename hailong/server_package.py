"""Make a Debian package (.deb) of the server, for `apt install`, with every wheel that it needs inside.

  hailong server package --out .
  hailong server package --python 3.13 --out .          for Debian 13

On the server `apt install ./hailong-server_0.1.0_amd64.deb` brings Python along, builds the release from the wheels by
their hashes and without a network, makes the system user, the data folder and the service, and prints the next steps.
A newer package is an upgrade: the store is backed up, brought to the new version, the service is watched, and all of it
goes back if it does not answer. `apt remove` stops the server; `apt purge` takes software and service away, and leaves
the data folder: a province's ratings are records, and no package manager destroys them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from pipeline.language.console import say

NAME = "hailong-server"
_DATA = Path(__file__).parent / "debian_server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    root = Path(__file__).parents[1]
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the package (this one)")
    parser.add_argument("--source", type=Path, default=root, metavar="DIR", help="the project's checkout")
    parser.add_argument("--lock", type=Path, metavar="FILE", help="what to install (requirements/server.lock)")
    parser.add_argument("--platform", metavar="TAG", help="such as manylinux_2_36_x86_64 (default: as this machine)")
    parser.add_argument("--python", metavar="X.Y", help="Python of the server's Debian: 3.11 (12), 3.13 (13)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Build the package."""
    from edge.deploy.bundle import Target, collect_wheels

    target = Target(args.platform, args.python) if args.python else Target(args.platform)
    lock = args.lock or args.source / "requirements" / "server.lock"
    with tempfile.TemporaryDirectory() as place:
        content = Path(place)
        collect_wheels(content, args.source, lock, target, partial(say, aside=True))
        package = write_package(content, target.name, target.python, args.out)
    with package.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    print(json.dumps({"package": str(package), "sha256": digest}) if args.json else f"{digest}  {package}")
    return 0


def write_package(content: Path, platform: str, python: str, folder: Path, version: str = "") -> Path:
    """The package of `content` (`wheels/`, `requirements.lock`; left as it is) in `folder`; returns the package.
    `version`: where it is not that of the wheel.

    Raises `ConfigError` where there is no `dpkg-deb`, or it refuses."""
    from edge.deploy.package import build_package, control_fields

    (own,) = (content / "wheels").glob("hailong-*.whl")
    version = version or own.name.split("-")[1]
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "tree"
        share = tree / "usr/share" / NAME
        shutil.copytree(content, share, copy_function=shutil.copyfile)
        for name, target, mode in (
            ("hailong-server.service", "lib/systemd/system/hailong-server.service", 0o644),
            ("hailong-server-backup.service", "lib/systemd/system/hailong-server-backup.service", 0o644),
            ("hailong-server-backup.timer", "lib/systemd/system/hailong-server-backup.timer", 0o644),
            ("hailong-server", "usr/bin/hailong-server", 0o755),
        ):
            (tree / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_DATA / name, tree / target)
            (tree / target).chmod(mode)
        scripts = {name: (_DATA / name).read_text(encoding="utf-8") for name in ("postinst", "prerm", "postrm")}
        scripts["postinst"] = scripts["postinst"].replace("@VERSION@", version)
        control = (_DATA / "control").read_text(encoding="utf-8")
        return build_package(tree, control, control_fields(NAME, version, platform, python), scripts, folder)
