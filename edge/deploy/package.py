"""A Debian package around a signed bundle: `apt install ./hailong-edge_0.1.0_amd64.deb` (by `dpkg-deb`).

The package carries the bundle, the installer's text and the key that signs; its scripts do what the documented commands
do, by the same code: the first configuration builds the release, a later one is an update, watched, and returned if it
fails, which fails the package. It comes with `/etc/hailong/edge.toml.new` where that lies there. A purge is `hailong
edge uninstall`. A package that is removed but not purged leaves the software, stopped, for the purge to wipe the box's
keys and months with.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from edge.deploy.bundle import open_bundle
from edge.deploy.installer import installer_text
from pipeline.errors import ConfigError
from pipeline.keys import public_key_bytes
from pipeline.language import Message

NAME = "hailong-edge"
_SHARE = f"usr/share/{NAME}"
_GUIDE = Path(__file__).parents[2] / "docs/guide/edge.toml"
"""Every setting with its meaning, to begin from; in a checkout, where packages are made."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

CONTROL = """Package: {name}
Version: {version}
Architecture: {architecture}
Maintainer: Hai Long
Section: misc
Priority: optional
Depends: python3 (>= {python}), python3 (<< {next_python}), python3-venv, libportaudio2, systemd
Recommends: chrony | time-daemon
Suggests: espeak-ng
Description: Hai Long edge box
 Tells whether citizens are content with a public counter, from visits that are looked at in memory only; what leaves
 the box has differential-privacy noise.
"""

POSTINST = """#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
share=/{share}
# the file for a new box, or the one that waits for this release; a box that has one keeps it otherwise
config=/etc/hailong/edge.toml
if [ -e /opt/hailong/current ]; then config=$config.new; fi
if [ -e "$config" ]; then set -- "$config"; else set --; fi
updated=$(readlink /opt/hailong/current || true)
sh "$share/install.sh" "$share/hailong-edge.tar" "$(cat "$share/trust.key")" "$@"
if [ -z "$updated" ] && [ ! -e /etc/hailong/edge.toml ] && [ -e "$share/edge.toml" ]; then
  echo "Mẫu để viết tệp / to begin from: cp $share/edge.toml /etc/hailong/edge.toml"
fi
[ -z "$updated" ] || [ ! -e /etc/hailong/edge.toml ] || systemctl enable --quiet hailong-edge || true
"""

PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now hailong-edge || true; fi
"""

POSTRM = """#!/bin/sh
set -e
if [ "$1" = purge ] && [ -x /opt/hailong/current/venv/bin/hailong ]; then
  /opt/hailong/current/venv/bin/hailong edge uninstall --yes --lose-unsent
fi
"""


def write_package(bundle: Path, trust: str, folder: Path) -> Path:
    """Check a bundle and write its package into `folder`; returns the package. `trust`: the signer's public key (Z85).

    Raises `ConfigError`, `KeyFileError`; also where there is no `dpkg-deb`."""
    with tempfile.TemporaryDirectory() as place:
        content, tree = Path(place) / "content", Path(place) / "tree"
        content.mkdir()
        manifest = open_bundle(bundle, public_key_bytes(trust), content)
        shutil.rmtree(content)
        share = tree / _SHARE
        share.mkdir(parents=True)
        shutil.copyfile(bundle, share / "hailong-edge.tar")
        (share / "install.sh").write_text(installer_text(), encoding="utf-8")
        (share / "trust.key").write_text(trust + "\n", encoding="ascii")
        if _GUIDE.exists():
            shutil.copyfile(_GUIDE, share / "edge.toml")
        scripts = {"postinst": POSTINST.format(share=_SHARE), "prerm": PRERM, "postrm": POSTRM}
        fields = control_fields(NAME, manifest.version, manifest.platform, manifest.python)
        return build_package(tree, CONTROL, fields, scripts, folder)


def control_fields(name: str, version: str, platform: str, python: str) -> dict[str, str]:
    """What a control file says, for software that a bundle's `platform` and `python` ("3.11") fit.

    Raises `ConfigError` for a platform of which Debian has none."""
    found = [debian for machine, debian in _ARCHITECTURES.items() if platform.endswith(machine)]
    if not found:
        raise ConfigError(Message("No Debian architecture is known for {platform}.", platform=platform))
    major, minor = python.split(".")
    following = f"{major}.{int(minor) + 1}"
    return {
        "name": name, "version": version, "architecture": found[0], "python": python, "next_python": following,
    }  # fmt: skip


def build_package(tree: Path, control: str, fields: dict[str, str], scripts: dict[str, str], folder: Path) -> Path:
    """Add control file and maintainer's scripts to a package's `tree`, and build it into `folder`; returns the package.

    Raises `ConfigError` where there is no `dpkg-deb`, or it refuses."""
    if shutil.which("dpkg-deb") is None:
        raise ConfigError(Message("There is no dpkg-deb on this machine."), Message("Build the package on Debian."))
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(control.format(**fields), encoding="utf-8")
    for name, text in scripts.items():
        (tree / "DEBIAN" / name).write_text(text, "utf-8")
        (tree / "DEBIAN" / name).chmod(0o755)
    out = folder / f"{fields['name']}_{fields['version']}_{fields['architecture']}.deb"
    # wheels are packed already
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(Message("dpkg-deb: {stderr}", stderr=done.stderr.strip()[-300:]))
    return out
