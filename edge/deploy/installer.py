"""The first installation, on a machine that has nothing of Hài Lòng yet: `install.sh`, published beside the bundle. On
a box that has a release it begins an update, by the new release's own program: the old one may not know its settings.

`hailong edge bundle` writes the script from this module and the three that it imports (`installer_text`), so that what
reads a bundle here and in `hailong edge update` is the same code. It needs Python's own library and the libcrypto that
Python itself uses; of the bundle it runs nothing before the signature and every file were found good.
"""

from __future__ import annotations

import ast
import ctypes
import os
import subprocess
import sys
from pathlib import Path

from edge.deploy.archive import BundleError, for_catalogues
from edge.deploy.building import build_release
from pipeline.z85 import decode_z85

HOME = Path("/opt/hailong")
_ED25519 = 1087
"""EVP_PKEY_ED25519 of OpenSSL."""


def verify_by_libcrypto(key: bytes, signature: bytes, data: bytes) -> bool:
    """Ed25519 by OpenSSL's own functions (EVP_DigestVerify), for a Python without the package `cryptography`."""
    try:
        crypto = ctypes.CDLL("libcrypto.so.3")
    except OSError:
        raise BundleError(
            for_catalogues("{bundle} cannot be checked without libcrypto.so.3."),
            for_catalogues("On Debian: apt install libssl3."),
        ) from None
    crypto.EVP_PKEY_new_raw_public_key.restype = crypto.EVP_MD_CTX_new.restype = ctypes.c_void_p
    made = crypto.EVP_PKEY_new_raw_public_key(_ED25519, None, key, ctypes.c_size_t(len(key)))
    if not made:
        return False
    public, context = ctypes.c_void_p(made), ctypes.c_void_p(crypto.EVP_MD_CTX_new())
    try:
        if crypto.EVP_DigestVerifyInit(context, None, None, None, public) != 1:
            return False
        lengths = ctypes.c_size_t(len(signature)), ctypes.c_size_t(len(data))
        return bool(crypto.EVP_DigestVerify(context, signature, lengths[0], data, lengths[1]) == 1)
    finally:
        crypto.EVP_MD_CTX_free(context)
        crypto.EVP_PKEY_free(public)


def _told(text: str, name: str) -> None:
    print(text.replace("{name}", name), flush=True)


def main(arguments: list[str]) -> int:
    """`install.sh BUNDLE.tar TRUST_KEY [EDGE_TOML]`, as root. `EDGE_TOML`: the box's configuration; on a box that has
    one, what takes its place together with the release."""
    if len(arguments) not in (2, 3):
        print("usage: sh install.sh BUNDLE.tar TRUST_KEY [EDGE_TOML]", file=sys.stderr)
        print("TRUST_KEY: the public signing key (40 characters) of whoever made the bundle", file=sys.stderr)
        return 2
    bundle, trust, *config = arguments
    if os.geteuid() != 0:
        print("install.sh: run it as root", file=sys.stderr)
        return 1
    known = HOME / "trust.key"
    if known.exists() and known.read_text(encoding="ascii").strip() != trust:
        print("install.sh: this box trusts another key; nothing was changed", file=sys.stderr)
        return 1
    try:
        key = decode_z85(trust)
        release = build_release(HOME, Path(bundle), key, verify_by_libcrypto, _told)
    except ValueError:
        print("install.sh: the trusted key is not 40 characters of Z85, copied whole", file=sys.stderr)
        return 1
    except BundleError as error:
        print(f"install.sh: {error.in_english(bundle)}", file=sys.stderr)
        return 1
    command = [str(release / "venv/bin/hailong"), "edge"]
    command += ["update"] if (HOME / "current").exists() else ["install", "--trust", trust]
    return subprocess.run([*command, "--bundle", bundle, *(f"--config={path}" for path in config)]).returncode


def installer_text() -> str:
    """The script: a shell that hands Python the text of these four modules."""
    sources = []
    for module in ("pipeline/z85.py", "edge/deploy/archive.py", "edge/deploy/building.py", "edge/deploy/installer.py"):
        text = (Path(__file__).parents[2] / module).read_text(encoding="utf-8")
        left_out = {
            number
            for node in ast.parse(text).body
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in ("pipeline", "edge", "__future__")
            for number in range(node.lineno, 1 + (node.end_lineno or node.lineno))
        }
        lines = enumerate(text.splitlines(), start=1)
        sources += ["", f"# ---- {module}", "", *(line for number, line in lines if number not in left_out)]
    return "\n".join([_HEAD, *sources, "", "sys.exit(main(sys.argv[1:]))", "END_OF_INSTALLER", ""])


_HEAD = """#!/bin/sh
# Installs or updates a Hai Long box, without a network: sh install.sh BUNDLE.tar TRUST_KEY [EDGE_TOML]
# Compare this script's sha256 with the one that was published before you run it; it checks the bundle itself.
set -eu
command -v python3 >/dev/null || { echo "install.sh needs Python: apt install python3 python3-venv" >&2; exit 1; }
exec python3 -I - "$@" <<'END_OF_INSTALLER'
from __future__ import annotations
"""
