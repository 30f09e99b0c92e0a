"""The Debian package of a box: `apt install`, start, upgrade, purge, in a booted Debian 12 and in a Debian 13."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.deploy.package import write_package
from edge.perception.scrub import LAST_BYTES
from tests.edge.deploy.test_deploy import SMALL
from tests.field.container import SERVER, Container, missing
from tests.field.test_box import CONFIG, state
from tests.field.world import AT_WORK, Bundles, FieldServer, die_at_start, guide_with, tell, wait_for
from tests.privacy.test_memory import LOOK, SIZES

pytestmark = [pytest.mark.field, pytest.mark.timeout(3_600)]


PYTHON = {"bookworm": "3.11", "trixie": "3.13"}


@pytest.fixture(params=list(PYTHON))
def box(request: pytest.FixtureRequest) -> Iterator[Container]:
    if why := missing():
        pytest.skip(f"no container on this machine: {why}")
    with Container(f"package-{request.param}", request.param) as container:
        yield container


def apt(box: Container, *words: str, check: bool = True) -> str:
    """apt-get without a network: what a package needs is there already."""
    return box.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "--quiet", *words, check=check)


def freed_memory_is_overwritten(box: Container) -> None:
    """By this Debian's C library, in the environment that the unit gave to the box that is at work."""
    journal = box.run("journalctl", "--namespace=hailong", "--unit=hailong-edge", "--output=cat")
    assert journal.strip(), "it is the journal that the box writes to"
    assert "freed memory is not overwritten" not in journal, journal
    pid = box.run("systemctl", "show", "hailong-edge", "--property=MainPID", "--value").strip()
    environment = box.run("cat", f"/proc/{pid}/environ").strip("\0").split("\0")
    python = "/opt/hailong/current/venv/bin/python"
    overwrites, *left = box.run("env", "-i", *environment, python, "-c", LOOK).split()
    assert overwrites == "True"
    assert max(map(int, left)) <= LAST_BYTES, dict(zip(SIZES, left, strict=True))
    library = box.run("ldd", "--version").splitlines()[0]
    tell(f"freed memory, {library}: of pieces of {', '.join(map(str, SIZES))} bytes stay {', '.join(left)}")
    emptied = [each for each in environment if not each.startswith("GLIBC_TUNABLES=")]
    assert box.run("env", "-i", *emptied, python, "-c", LOOK).startswith("False"), "without the unit's setting it shows"


def test_the_life_of_a_package(box: Container, tmp_path: Path) -> None:
    bundles = Bundles(tmp_path, PYTHON[box.suite])
    trust = bundles.trust
    debian = (box.root / "etc/debian_version").read_text().strip()
    versions = [box.run(name, "--version").splitlines()[0] for name in ("/usr/bin/python3", "systemctl")]
    tell(f"booted: Debian {debian}, {', '.join(versions)}")
    # the third lacks packages, which the check within the service's walls finds before the switch
    whole: set[str] = set() if box.suite == "bookworm" else AT_WORK
    packages = [
        write_package(bundle, trust, tmp_path)
        for bundle in (
            bundles.first,
            bundles.another("8.0", packages=whole),
            bundles.another("8.1", die_at_start, packages=SMALL),
        )
    ]
    for package in packages:
        box.put(package, f"/srv/{package.name}")
    tell(f"{packages[0].name}: {packages[0].stat().st_size / 1e6:.0f} MB")
    (tmp_path / "server").mkdir()
    server = FieldServer(tmp_path / "server")
    with server.running(box):
        said = apt(box, "install", "--no-install-recommends", f"/srv/{packages[0].name}")
        assert "write /etc/hailong/edge.toml" in said
        assert "cp /usr/share/hailong-edge/edge.toml" in said, "the guide came with the package"
        box.run("test", "-s", "/usr/share/hailong-edge/edge.toml")
        tell("apt install: the software is there, the next steps are printed")
        config = guide_with(
            address=f'"tcp://{SERVER}:5870"',
            public_key=f'"{server.key}"',
            source='"none"',
            interval_s="2.0",
            demo="true",
        )
        (tmp_path / "edge.toml").write_text(config, encoding="utf-8")
        box.put(tmp_path / "edge.toml", CONFIG)
        box.run("hailong", "keys", "enroll", "--config", CONFIG, "--code", server.enrol("--label", "quầy 1", "--demo"))
        box.run("hailong", "edge", "apply")
        box.run("systemctl", "enable", "--now", "hailong-edge")
        wait_for("the server hears heartbeats", server.heartbeat)
        tell(f"apply, enable --now: {' '.join(state(box).split())}")
        wait_for("a table is stored, as docs/vi/thiet-bi.md says, without a camera", server.releases, 120)
        tell("a table of a box without a camera is stored")
        freed_memory_is_overwritten(box)
        said = apt(box, "install", "--no-install-recommends", f"/srv/{packages[1].name}")
        assert "Now running 8.0-" in said
        tell(next(line for line in said.splitlines() if "Now running" in line))
        said = apt(box, "install", "--no-install-recommends", f"/srv/{packages[2].name}", check=False)
        assert "does not accept this box" in said
        assert "8.0-" in box.run("readlink", "/opt/hailong/current")
        wait_for("the box is at work", lambda: "the server answers" in state(box))
        tell(next(line for line in said.splitlines() if "does not accept" in line))
        said = apt(box, "purge", "hailong-edge")
        assert "files wiped" in said, said
        left = box.run(
            "find", "/opt/hailong", CONFIG, "/var/lib/hailong", "/run/hailong", "/usr/local/bin/hailong", check=False
        )
        assert all("No such file" in line for line in left.splitlines()), left
        tell("apt purge: software, keys, months and configuration are gone")
