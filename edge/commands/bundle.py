"""Make an offline, signed bundle from this checkout (wheels, weights, lock file), and beside it the script that
installs it on a machine that has nothing yet.

  hailong keys new --role server --out signing/
  hailong edge bundle --keys signing/ --out hailong-edge.tar
  hailong edge bundle --keys signing/ --out arm.tar --platform manylinux_2_28_aarch64 --python 3.13

Publish both files' sha256 beside them: the script checks the bundle, but nothing checks the script. A box takes
updates only from the key that it was installed with. Boxes that recognise words need `--lock
requirements/edge-asr.lock`; its weights come along."""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

from pipeline.language import Message, Number
from pipeline.language.console import say

ROOT = Path(__file__).parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="folder of the signing keys")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the bundle to write")
    parser.add_argument("--source", type=Path, default=ROOT, metavar="DIR", help="the project's checkout")
    parser.add_argument("--lock", type=Path, metavar="FILE", help="lock file (default: requirements/edge.lock)")
    parser.add_argument(
        "--platform", metavar="TAG", help="another platform, such as manylinux_2_28_aarch64 (default: this machine's)"
    )
    parser.add_argument("--python", metavar="X.Y", help="the boxes' Python: 3.11 for Debian 12, 3.13 for 13")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import hashlib
    from importlib.metadata import version

    from edge.deploy.bundle import Target, collect, write_bundle
    from edge.deploy.installer import installer_text
    from pipeline.keys import KEY_FILE_NAME, load_keys

    keys = load_keys(args.keys / KEY_FILE_NAME, "server")
    lock = args.lock or args.source / "requirements/edge.lock"
    target = Target(args.platform, args.python or Target().python)
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder)
        collect(content, args.source, lock, target, partial(say, aside=True))
        say(Message("signing and packing"), aside=True)
        manifest = write_bundle(content, args.out, version("hailong"), target.name, keys, target.python)
    installer = args.out.with_name("install.sh")
    installer.write_text(installer_text(), encoding="utf-8")
    sha256 = {}
    for path in (args.out, installer):
        with path.open("rb") as file:
            sha256[path] = hashlib.file_digest(file, "sha256").hexdigest()
    result = {
        "bundle": str(args.out), "sha256": sha256[args.out], "installer": str(installer),
        "installer_sha256": sha256[installer], "version": manifest.version, "platform": target.name,
        "python": target.python, "files": len(manifest.files), "bytes": args.out.stat().st_size,
        "trust": keys.signing_public_z85,
    }  # fmt: skip
    if args.json:
        print(json.dumps(result))
    else:
        say(
            Message(
                "{version} for {platform}, Python {python}: {size} MB",
                version=manifest.version,
                platform=target.name,
                python=target.python,
                size=Number(args.out.stat().st_size / 1e6),
            )
        )
        for path, digest in sha256.items():
            print(f"{digest}  {path}")
        say(Message("Boxes trust it by this key: {key}", key=keys.signing_public_z85))
    return 0
