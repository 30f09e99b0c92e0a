"""Install a box from an offline, signed bundle (Debian, as root).

  hailong edge install --bundle hailong-edge.tar --trust KEY --config edge.toml

On a machine without Hài Lòng: sh install.sh hailong-edge.tar KEY edge.toml, the script that is published beside the
bundle. KEY is the public signing key of whoever made the bundle; later updates must be signed by it, too. Software goes
to /opt/hailong and `hailong` onto the path, the configuration to /etc/hailong/edge.toml (for the service's user alone),
data to /var/lib/hailong. Without --config the software alone is installed; write /etc/hailong/edge.toml afterwards.
Nothing is started: the next steps are printed.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

from pipeline.language import Message
from pipeline.language.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the bundle")
    parser.add_argument("--trust", required=True, metavar="KEY", help="public signing key, 40 characters")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the box's edge.toml")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="install under another root")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import subprocess

    from edge.config import load_config
    from edge.deploy.releases import Layout, activate, build, link_command, own_config, write_unit
    from edge.deploy.service import systemctl
    from edge.deploy.unit import USER
    from pipeline.errors import ConfigError
    from pipeline.keys import public_key_bytes

    layout = Layout(args.root)
    if layout.current.exists():
        raise ConfigError(
            Message("A box is installed under {root} already.", root=args.root), Message("Use `hailong edge update`.")
        )
    if args.config is not None:
        load_config(args.config)
    trust = public_key_bytes(args.trust)
    release = build(layout, args.bundle, trust, partial(say, aside=True))
    (layout.home / "trust.key").write_text(args.trust + "\n", encoding="ascii")
    (layout.home / "trust.key").chmod(0o644)
    layout.config.parent.mkdir(parents=True, exist_ok=True)
    if args.config is not None and args.config.resolve() != layout.config.resolve():
        layout.config.touch(mode=0o600)  # before the content: a camera's password stands in it
        layout.config.chmod(0o600)
        shutil.copyfile(args.config, layout.config)
    if args.root == Path("/"):
        subprocess.run(["useradd", "--system", "--home-dir", str(layout.data), USER], capture_output=True)
    else:
        layout.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    activate(layout, release)
    link_command(layout)
    if args.config is not None:
        own_config(layout.config)
        write_unit(layout)
    systemctl(layout, "daemon-reload")
    if args.json:
        print(json.dumps({"release": release.name, "config": str(layout.config), "unit": str(layout.unit)}))
    else:
        say(Message("Installed {name}. Next, as root:", name=release.name))
        assist = "hailong edge assist"
        words = Message("{command}    # by pages, step by step, for whoever is at the counter; or by hand:")
        say(words.with_params(command=assist), indent=2)
        if args.config is None:
            words = Message("write {path}; docs/guide/edge.toml names every setting ([legal] basis has no default)")
            say(words.with_params(path=layout.config), indent=2)
        print(f"  hailong keys enroll --config {layout.config} --code CODE")
        print("  hailong edge apply" if args.config is None else f"  hailong edge check --config {layout.config}")
        print("  systemctl enable --now hailong-edge")
        say(Message("After a change of {path}: {command}", path=layout.config, command="hailong edge apply"))
    return 0
