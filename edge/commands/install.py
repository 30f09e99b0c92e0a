"""Install a box from an offline, signed bundle (Debian, as root).

  hailong edge install --bundle hailong-edge.tar --trust KEY --config edge.toml

KEY is the public signing key of whoever made the bundle; later updates must be signed by it, too. Nothing is started
before `hailong edge check` found the
configuration sound: run it, then `systemctl enable --now hailong-edge`. Software goes to /opt/hailong, the
configuration to /etc/hailong, data to
/var/lib/hailong. On a machine without Hài Lòng, unpack the bundle and run its install.sh.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the bundle")
    parser.add_argument("--trust", required=True, metavar="KEY", help="public signing key, 40 characters")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="install under another root")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import subprocess

    from edge.config import load_config
    from edge.deploy.releases import Layout, activate, build, systemctl, write_unit
    from pipeline.errors import ConfigError
    from pipeline.keys import public_key_bytes

    layout = Layout(args.root)
    if layout.current.exists():
        raise ConfigError(f"A box is installed under {args.root} already.", "Use `hailong edge update`.")
    load_config(args.config)
    trust = public_key_bytes(args.trust)
    release = build(layout, args.bundle, trust, lambda text: print(text, file=sys.stderr))
    (layout.home / "trust.key").write_text(args.trust + "\n", encoding="ascii")
    layout.config.parent.mkdir(parents=True, exist_ok=True)
    if args.config.resolve() != layout.config.resolve():
        shutil.copyfile(args.config, layout.config)
    layout.config.chmod(0o600)  # a camera's password stands in it
    layout.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    activate(layout, release)
    write_unit(layout)
    if args.root == Path("/"):
        subprocess.run(["useradd", "--system", "--home-dir", str(layout.data), "hailong"], capture_output=True)
        subprocess.run(["chown", "-R", "hailong:hailong", str(layout.data)], check=True)
    systemctl(layout, "daemon-reload")
    if args.json:
        print(json.dumps({"release": release.name, "config": str(layout.config), "unit": str(layout.unit)}))
    else:
        print(f"Installed {release.name}. Next:")
        print(f"  hailong keys enroll --config {layout.config} --code CODE")
        print(f"  hailong edge check --config {layout.config}")
        print("  systemctl enable --now hailong-edge")
    return 0
