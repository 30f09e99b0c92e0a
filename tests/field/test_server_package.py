"""The server's Debian package: install, start, upgrade, an upgrade that is refused, purge, in a booted Debian 12."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.deploy.bundle import Target, collect_wheels
from hailong.server_package import write_package
from tests.field.container import Container, missing
from tests.field.test_package import apt
from tests.field.world import ROOT, _change_member, _link, tell, wait_for

pytestmark = [pytest.mark.field, pytest.mark.timeout(1_800)]

ALIVE = "http://127.0.0.1:8080/api/v1/alive"


@pytest.fixture
def machine() -> Iterator[Container]:
    if why := missing():
        pytest.skip(f"no container on this machine: {why}")
    with Container("server") as container:
        yield container


def alive(machine: Container) -> bool:
    """Whether the pages answer, asked from inside."""
    program = f"import urllib.request; print(urllib.request.urlopen('{ALIVE}', timeout=2).status)"
    return machine.run("python3", "-c", program, check=False).strip() == "200"


def digest(machine: Container) -> str:
    """What the store holds, by `hailong server verify`."""
    return machine.run("hailong-server", "verify", "--json")


def test_the_life_of_a_server_s_package(machine: Container, tmp_path: Path) -> None:
    target, content = Target(), tmp_path / "content"
    content.mkdir()
    collect_wheels(content, ROOT, ROOT / "requirements/server.lock", target, tell)
    broken = tmp_path / "broken"
    shutil.copytree(content, broken, copy_function=_link)
    (wheel,) = (broken / "wheels").glob("hailong-*.whl")
    _change_member(wheel, "server/commands/run.py", lambda text: text.replace(
        "    config = load_config(args)\n", '    raise RuntimeError("a broken release")\n', 1
    ))  # fmt: skip
    packages = [
        write_package(files, target.name, target.python, tmp_path, version)
        for files, version in ((content, "0.1.0"), (content, "8.0"), (broken, "8.1"))
    ]
    for package in packages:
        machine.put(package, f"/srv/{package.name}")
    first, second, third = (f"/srv/{package.name}" for package in packages)
    tell(f"{packages[0].name}: {packages[0].stat().st_size / 1e6:.0f} MB")

    said = apt(machine, "install", first)
    assert "hailong-server init" in said
    tell("apt install: the software is there, the next steps are printed")
    made = machine.run("hailong-server", "init", "--province", "thu", "--name", "Tỉnh Thử")
    assert "thu" in made
    machine.run("systemctl", "enable", "--now", "hailong-server")
    wait_for("the pages answer", lambda: alive(machine))
    exposure = machine.run("systemd-analyze", "security", "--no-pager", "hailong-server", check=False)
    tell(f"init, enable --now: the pages answer; {exposure.strip().splitlines()[-1].lstrip('→ ')}")
    mode = machine.run("stat", "-c", "%a %U", "/var/lib/hailong-server", "/var/lib/hailong-server/store.sqlite")
    assert mode.split() == ["700", "hailong-server", "600", "hailong-server"]
    before = digest(machine)

    said = apt(machine, "install", second)
    assert "now running 8.0-" in said
    assert alive(machine)
    assert digest(machine) == before, "an upgrade changes nothing of what the store holds"
    assert "before-upgrade" not in machine.run("ls", "/var/lib/hailong-server")
    tell(next(line for line in said.splitlines() if "now running" in line))

    said = apt(machine, "install", third, check=False)
    assert "going back to 8.0-" in said
    wait_for("the server is back", lambda: alive(machine))
    assert "8.0-" in machine.run("readlink", "/opt/hailong-server/current")
    assert digest(machine) == before, "what came back is what was there"
    tell(next(line for line in said.splitlines() if "going back" in line))

    said = apt(machine, "purge", "hailong-server", check=False)
    assert "stay in /var/lib/hailong-server" in said
    assert "No such file" in machine.run("ls", "/opt/hailong-server", check=False)
    assert "store.sqlite" in machine.run("ls", "/var/lib/hailong-server")
    tell("apt purge: software and service are gone, the province's records stay and where they are is said")
