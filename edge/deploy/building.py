"""Building a release from a bundle, beside the others, under its final name. It is complete only with its manifest,
which is written last; what a crash left unfinished is removed by the next attempt.

Needs nothing but Python's own library, since it is part of the installer too (`edge.deploy.installer`).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from edge.deploy.archive import (
    MANIFEST,
    BundleError,
    Manifest,
    Verify,
    for_catalogues,
    parse_manifest,
    unpack,
    version_order,
)


def build_release(home: Path, bundle: Path, trust: bytes, verify: Verify, say: Callable[[str, str], None]) -> Path:
    """Check a bundle and build its release under `home`/releases; returns its folder. Releases in use are untouched.

    Raises `BundleError`, also where the bundle is older than a release that this box has or had before its present
    one: whoever holds an old bundle could bring its mistakes back. The way back is `hailong edge rollback`."""
    releases = home / "releases"
    releases.mkdir(parents=True, exist_ok=True)
    for left in releases.iterdir():
        if not (left / MANIFEST).exists():
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=home) as name:
        content = Path(name)
        say("checking the bundle's signature and files", "")
        manifest = unpack(bundle, trust, content, verify)
        require_fit(manifest, home)
        release = releases / release_name(manifest)
        if release.exists():
            return release
        say("building release {name}", release.name)
        release.mkdir()
        build_environment(release / "venv", content)
        shutil.move(content / "cache", release / "cache")
        for path in ((release / "cache"), *(release / "cache").rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)  # the service reads them as another user
        os.sync()  # a power cut must not leave the manifest of files that are not there
        (release / MANIFEST).write_text(_text(manifest), encoding="utf-8")
        for path, mode in ((home, 0o755), (releases, 0o755), (release, 0o755), (release / MANIFEST, 0o644)):
            path.chmod(mode)  # whatever umask root has
    return release


def release_name(manifest: Manifest) -> str:
    """What the folder of a release is called: its version, and the first 32 bits of its manifest's digest in hex."""
    return f"{manifest.version}-{sha256(_text(manifest).encode()).hexdigest()[:8]}"


def _text(manifest: Manifest) -> str:
    return json.dumps(asdict(manifest), sort_keys=True)


def manifest_of(release: Path) -> Manifest | None:
    """A release's manifest, None where there is no such release."""
    try:
        return parse_manifest((release / MANIFEST).read_bytes())
    except (OSError, BundleError):
        return None


def require_fit(manifest: Manifest, home: Path) -> None:
    """Raises `BundleError` where a release is for another machine, or older than what this box had."""
    _check_machine(manifest)
    _check_version(manifest, home)


def _check_machine(manifest: Manifest) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if manifest.python != here:
        raise BundleError(
            for_catalogues("{bundle} is for Python {python}, this machine has {here}."),
            for_catalogues("Ask for a bundle for it (hailong edge bundle --python {here})."),
            python=manifest.python,
            here=here,
        )
    machine = platform.machine()
    if not manifest.platform.endswith(machine):
        raise BundleError(
            for_catalogues("{bundle} is for {platform}, this machine is {here}."),
            for_catalogues("Ask for a bundle for it."),
            platform=manifest.platform,
            here=machine,
        )


def _check_version(manifest: Manifest, home: Path) -> None:
    """The releases in use and before are the floor: one of them is always the newest that the box ever had."""
    for link in ("current", "previous"):
        had = manifest_of(home / link)
        if had is not None and version_order(manifest.version) < version_order(had.version):
            raise BundleError(
                for_catalogues("{bundle} has version {version}, older than this box's {had}."),
                for_catalogues("A box takes no older version; `hailong edge rollback` returns to the release before."),
                version=manifest.version,
                had=had.version,
            )


def build_environment(venv: Path, content: Path) -> None:
    """A virtual environment from a verified bundle's wheels alone, by their hashes. Raises `BundleError`."""
    wheels = content / "wheels"
    python = str(venv / "bin/python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    steps = (
        [sys.executable, "-m", "venv", str(venv)],
        [*install, "--find-links", str(wheels), "--require-hashes", "-r", str(content / "requirements.lock")],
        [*install, "--no-deps", *(str(path) for path in sorted(wheels.glob("hailong-*.whl")))],
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environment["PIP_CONFIG_FILE"] = os.devnull
    old = os.umask(0o022)  # the service reads it as another user
    try:
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, env=environment)
            if done.returncode:
                said = (done.stderr or done.stdout).strip().splitlines() or ["-"]
                no_venv = for_catalogues("On Debian: apt install python3-venv.")
                raise BundleError(
                    for_catalogues("{bundle} could not be built into a release."),
                    no_venv if step is steps[0] else "{said}",
                    said=said[-1][:300],
                )
    finally:
        os.umask(old)
