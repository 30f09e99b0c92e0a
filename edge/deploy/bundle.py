"""Offline, signed bundles of a box's software: what is in one, how it is made and how it is checked.

A bundle is a tar file with `manifest.json` (version, platform, sha256 of every other file), `manifest.sig` (Ed25519
over the manifest's bytes), `wheels/`,
`requirements.lock`, `cache/` (third-party weights, as `hailong models fetch` laid them) and `install.sh` for a
machine that has no Hài Lòng yet.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import ConfigError, KeyFileError
from pipeline.keys import KeyPair, verify

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
_MAX_BUNDLE_BYTES = 4 * 2**30

INSTALL_SH = """#!/bin/sh
# First installation of a box from this folder, without a network.
# Before it, compare the bundle's sha256 with the one that was published.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bundle=${1:?usage: install.sh BUNDLE.tar TRUST_KEY EDGE_TOML}
trust=${2:?the public signing key (40 characters) of whoever made the bundle}
config=${3:?the box\\047s edge.toml}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
pip() { "$work/venv/bin/python" -m pip install --quiet --no-index "$@"; }
pip --find-links "$here/wheels" --require-hashes -r "$here/requirements.lock"
pip --no-deps "$here"/wheels/hailong-*.whl
"$work/venv/bin/hailong" edge install --bundle "$bundle" --trust "$trust" --config "$config"
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle claims to hold. `files`: sha256 by path."""

    version: str
    platform: str
    python: str
    files: dict[str, str]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def write_bundle(content: Path, out: Path, version: str, platform: str, keys: KeyPair) -> Manifest:
    """Write the manifest of a folder, sign it, and pack the folder into `out`; the same content gives the same
    bytes."""
    for name in (MANIFEST, SIGNATURE):
        (content / name).unlink(missing_ok=True)
    files = {str(path.relative_to(content)): _digest(path) for path in _files(content)}
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    manifest = Manifest(version, platform, python, files)
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()
    (content / MANIFEST).write_bytes(text)
    (content / SIGNATURE).write_bytes(keys.sign(text))

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = 0
        return entry

    with tarfile.open(out, "w") as archive:
        for path in _files(content):
            archive.add(path, str(path.relative_to(content)), filter=plain)
    return manifest


def open_bundle(bundle: Path, trust: bytes, folder: Path) -> Manifest:
    """Unpack a bundle into the empty `folder` and check it: signature by `trust` (Ed25519 public key), every file,
    no file more.

    Raises `ConfigError` where the file is no bundle or was altered, `KeyFileError` where somebody else signed it."""
    try:
        if bundle.stat().st_size > _MAX_BUNDLE_BYTES:
            raise ConfigError(f"{bundle} is too large for a bundle.")
        with tarfile.open(bundle, "r:") as archive:
            archive.extractall(folder, filter="data")
        text = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNATURE).read_bytes()
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(f"{bundle} is not a bundle: {error}.", "Copy it anew and compare its sha256.") from error
    if not verify(trust, signature, text):
        raise KeyFileError(f"{bundle} was not signed by the trusted key.", "Do not install it; ask whoever sent it.")
    manifest = Manifest(**json.loads(text))
    found = {str(path.relative_to(folder)) for path in _files(folder)} - {MANIFEST, SIGNATURE}
    wrong = sorted(found ^ set(manifest.files)) or [
        name for name, digest in manifest.files.items() if _digest(folder / name) != digest
    ]
    if wrong:
        raise ConfigError(f"{bundle} does not hold what its manifest says: {', '.join(wrong[:5])}.", "Copy it anew.")
    return manifest


def collect(content: Path, source: Path, lock: Path, platform: str | None, say: Callable[[str], None]) -> None:
    """Fill `content` with wheels, lock, weights and `install.sh`. `source`: the project's checkout.

    Raises `ConfigError` where a wheel cannot be had for the platform."""
    from models.catalogue import cache_folder

    wheels = content / "wheels"
    wheels.mkdir(parents=True)
    shutil.copyfile(lock, content / "requirements.lock")
    say("fetching wheels")
    command = ["download", "--quiet", "--require-hashes", "--only-binary=:all:", "-r", str(lock), "-d", str(wheels)]
    if platform is not None:
        command += [f"--platform={platform}", "--no-deps"]
    _pip(command)
    say("building the project's own wheel")
    with tempfile.TemporaryDirectory() as folder:
        # built from a copy: a build leaves files in its tree, and the next one would take up what is no longer there
        copy = Path(folder) / "source"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "docs"))
        _pip(["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(copy)])
    say("adding weights")
    models = cache_folder() / "models"
    if not models.is_dir():
        raise ConfigError("No third-party weights in the cache.", "Run `hailong models fetch` first.")
    shutil.copytree(models, content / "cache" / "models", ignore=shutil.ignore_patterns("whisper_base"))
    script = content / "install.sh"
    script.write_text(INSTALL_SH, encoding="utf-8")
    script.chmod(0o755)


def _pip(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], capture_output=True, text=True
    )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "see pip's own output")
        raise ConfigError(f"pip could not do `{arguments[0]}`: {reason}")
