"""Make an offline, signed bundle from this checkout: wheels, weights, lock file, installer.

  hailong keys new --role server --out signing/
  hailong edge bundle --keys signing/ --out hailong-edge.tar

Publish the bundle's sha256 beside it. A box takes updates only from the key that it was installed with.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

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
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import hashlib
    import platform
    from importlib.metadata import version

    from edge.deploy.bundle import collect, write_bundle
    from pipeline.keys import KEY_FILE_NAME, load_keys

    keys = load_keys(args.keys / KEY_FILE_NAME, "server")
    lock = args.lock or args.source / "requirements/edge.lock"
    name = args.platform or platform.machine()
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder)
        collect(content, args.source, lock, args.platform, lambda text: print(text, file=sys.stderr))
        print("signing and packing", file=sys.stderr)
        manifest = write_bundle(content, args.out, version("hailong"), name, keys)
    with args.out.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    result = {
        "bundle": str(args.out), "sha256": digest, "version": manifest.version, "platform": name,
        "files": len(manifest.files), "bytes": args.out.stat().st_size, "trust": keys.signing_public_z85,
    }  # fmt: skip
    if args.json:
        print(json.dumps(result))
    else:
        print(f"{args.out}: version {manifest.version} for {name}, {result['bytes'] / 1e6:.0f} MB, sha256 {digest}")
        print(f"Boxes trust it by this key: {keys.signing_public_z85}")
    return 0
