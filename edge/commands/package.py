"""Make a Debian package (.deb) of a signed bundle, for `apt install`.

  hailong edge bundle --keys signing/ --out hailong-edge.tar
  hailong edge package --bundle hailong-edge.tar --trust KEY --out .

On the box `apt install ./hailong-edge_0.1.0_amd64.deb` brings Python and PortAudio along, builds the release and prints
the next steps; a newer package is an update, watched and returned if it fails; `apt purge hailong-edge` wipes the box.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the bundle")
    parser.add_argument("--trust", required=True, metavar="KEY", help="public signing key, 40 characters")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the package (this one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import hashlib

    from edge.deploy.package import write_package

    package = write_package(args.bundle, args.trust, args.out)
    with package.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    print(json.dumps({"package": str(package), "sha256": digest}) if args.json else f"{digest}  {package}")
    return 0
