"""The script that installs the first release, and the Debian package around a bundle, as far as no root is needed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.deploy.bundle import write_bundle
from edge.deploy.installer import installer_text
from edge.deploy.package import write_package
from pipeline.errors import KeyFileError
from pipeline.keys import KeyPair, new_keys

DISTRIBUTION_PYTHON = Path("/usr/bin/python3")


@pytest.fixture
def keys() -> KeyPair:
    return new_keys("server")


def small_bundle(folder: Path, keys: KeyPair) -> Path:
    (folder / "content").mkdir()
    (folder / "content/requirements.lock").write_text("")
    write_bundle(folder / "content", folder / "b.tar", "1.2", platform.machine(), keys)
    return folder / "b.tar"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The installer, with a home of its own and on the distribution's Python where there is one."""
    text = installer_text().replace('HOME = Path("/opt/hailong")', f'HOME = Path("{tmp_path}/home")')
    assert str(tmp_path) in text
    if DISTRIBUTION_PYTHON.exists():
        text = text.replace("exec python3", f"exec {DISTRIBUTION_PYTHON}")
    path = tmp_path / "install.sh"
    path.write_text(text, encoding="utf-8")
    return path


def run(script: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(["sh", str(script), *arguments], capture_output=True, text=True, cwd=script.parent)
    return done.returncode, done.stdout + done.stderr


def test_it_needs_nothing_of_ours(script: Path, keys: KeyPair) -> None:
    """It runs on Python's own library, isolated, and says how it is used."""
    assert run(script) == (
        2,
        "usage: sh install.sh BUNDLE.tar TRUST_KEY [EDGE_TOML]\n"
        "TRUST_KEY: the public signing key (40 characters) of whoever made the bundle\n",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="it asks for root first")
def test_nothing_of_a_stranger_s_bundle_is_run_or_written(script: Path, keys: KeyPair, tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path, keys)
    code, said = run(script, str(bundle), new_keys("server").signing_public_z85, "edge.toml")
    assert (code, "was not signed by the trusted key" in said) == (1, True)
    code, said = run(script, str(bundle), "no key", "edge.toml")
    assert (code, "not 40 characters" in said) == (1, True)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_package_carries_what_was_signed(tmp_path: Path, keys: KeyPair) -> None:
    bundle = small_bundle(tmp_path, keys)
    package = write_package(bundle, keys.signing_public_z85, tmp_path)
    assert package.name.startswith("hailong-edge_1.2_")
    out = tmp_path / "out"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(out)], check=True)
    share = out / "usr/share/hailong-edge"
    assert (share / "hailong-edge.tar").read_bytes() == bundle.read_bytes()
    assert (share / "install.sh").read_text("utf-8") == installer_text()
    assert (share / "trust.key").read_text() == keys.signing_public_z85 + "\n"
    control = (out / "DEBIAN/control").read_text()
    assert "Depends: python3 (>= 3." in control
    assert "python3-venv" in control
    assert "Recommends: chrony | time-daemon\n" in control, "a box releases nothing until its clock is trusted"
    for name in ("postinst", "prerm", "postrm"):
        assert (out / "DEBIAN" / name).stat().st_mode & 0o777 == 0o755
        subprocess.run(["sh", "-n", str(out / "DEBIAN" / name)], check=True)
    shutil.rmtree(out)
    with pytest.raises(KeyFileError, match="not signed by the trusted key"):
        write_package(bundle, new_keys("server").signing_public_z85, tmp_path)
