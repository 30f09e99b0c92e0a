"""What the server's Debian package holds; its life on a booted Debian is in tests/field."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hailong.server_package import _DATA, write_package
from pipeline.errors import ConfigError

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb on this machine")


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "hailong-0.1.0-py3-none-any.whl").write_bytes(b"own")
    (folder / "wheels" / "other-2.0-py3-none-any.whl").write_bytes(b"other")
    (folder / "requirements.lock").write_text("other==2.0 --hash=sha256:00\n", encoding="utf-8")
    return folder


def test_a_package_holds_wheels_unit_command_and_scripts(content: Path, tmp_path: Path) -> None:
    package = write_package(content, "manylinux_2_36_x86_64", "3.11", tmp_path)
    assert package.name == "hailong-server_0.1.0_amd64.deb"
    listed = subprocess.run(["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True).stdout
    modes = {line.split()[-1]: line.split()[:2] for line in listed.splitlines()}
    assert modes["./usr/bin/hailong-server"] == ["-rwxr-xr-x", "root/root"]
    assert modes["./lib/systemd/system/hailong-server.service"] == ["-rw-r--r--", "root/root"]
    assert {
        "./usr/share/hailong-server/wheels/other-2.0-py3-none-any.whl",
        "./usr/share/hailong-server/requirements.lock",
    } <= set(modes)
    told = subprocess.run(["dpkg-deb", "-f", str(package)], capture_output=True, text=True, check=True).stdout
    assert "Depends: python3 (>= 3.11), python3 (<< 3.12)" in told
    subprocess.run(["dpkg-deb", "-e", str(package), str(tmp_path / "scripts")], check=True)
    postinst = (tmp_path / "scripts" / "postinst").read_text(encoding="utf-8")
    assert "releases/0.1.0-" in postinst
    assert "@" not in postinst.replace("$@", "")


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm", "hailong-server"])
def test_scripts_are_sound_shell(name: str) -> None:
    subprocess.run(["sh", "-n", str(_DATA / name)], check=True)


def test_the_unit_is_known_to_systemd_and_tight() -> None:
    unit = (_DATA / "hailong-server.service").read_text(encoding="utf-8")
    for needed in (
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=\n",
        "ProtectSystem=strict",
        "StateDirectoryMode=0700",
    ):
        assert needed in unit
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(_DATA / "hailong-server.service")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "OK" in done.stdout.strip().splitlines()[-1], done.stdout[-400:] + done.stderr[-400:]


def test_a_platform_without_a_debian_is_refused(content: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No Debian architecture"):
        write_package(content, "riscv64", "3.11", tmp_path)
