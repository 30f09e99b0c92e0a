"""The server's Debian package: install, start, upgrade, an upgrade that is refused, purge, in a booted Debian 12."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge.deploy.bundle import Target, collect_wheels
from hailong.server_package import write_package
from server.store.upgrade import newest_version
from tests.field.container import Container, missing
from tests.field.test_package import apt
from tests.field.world import ROOT, _change_member, _link, tell, wait_for

pytestmark = [pytest.mark.field, pytest.mark.timeout(3_600)]

KEPT = "/srv/releases"
"""Where what was built outlives a purge."""
ALIVE = "http://127.0.0.1:8080/api/v1/alive"


# the new release has one table more, as an upgrade may; the broken one another, and ends at its start
_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, None, None


def upgrade():
    op.create_table({table!r}, sa.Column("id", sa.Integer, primary_key=True), sa.Column("words", sa.String(9)))
    op.execute("INSERT INTO {table} VALUES (1, 'new')")
"""
_DATABASE = """
set -e
su postgres -s /bin/sh -c 'createuser hailong-server'
su postgres -s /bin/sh -c 'createdb --owner hailong-server --encoding UTF8 --template template0 hailong'
su postgres -s /bin/sh -c 'psql --quiet hailong -c "CREATE TABLE somebody_else (id integer)"'
echo 'store = "postgresql:///hailong"' > /var/lib/hailong-server/server.toml
chown hailong-server /var/lib/hailong-server/server.toml
"""


def _instead(new: str, _old: str) -> str:
    return new


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """0.1.0, a newer one, and one that is broken."""
    if why := missing():
        pytest.skip(f"no container on this machine: {why}")
    folder = tmp_path_factory.mktemp("packages")
    target, content = Target(), folder / "content"
    content.mkdir()
    collect_wheels(content, ROOT, ROOT / "requirements/server.lock", target, tell)
    made = [write_package(content, target.name, target.python, folder, "0.1.0")]
    newest = newest_version()
    for version, revision, before in (("8.0", "9001", newest), ("8.1", "9002", "9001")):
        new = folder / version
        shutil.copytree(content, new, copy_function=_link)
        content = new
        (wheel,) = (new / "wheels").glob("hailong-*.whl")
        migration = _MIGRATION.format(revision=revision, before=before, table=f"newer_{revision}")
        _change_member(wheel, f"server/store/migrations/versions/v{revision}_new.py", partial(_instead, migration))
    _change_member(wheel, "server/commands/run.py", lambda text: text.replace(
        "    config = load_config(args)\n", '    raise RuntimeError("a broken release")\n', 1
    ))  # fmt: skip
    made += [write_package(folder / name, target.name, target.python, folder, name) for name in ("8.0", "8.1")]
    tell(f"{made[0].name}: {made[0].stat().st_size / 1e6:.0f} MB")
    return made


@pytest.fixture(scope="module")
def machine(packages: list[Path]) -> Iterator[Container]:
    with Container("server", more=("postgresql",)) as container:
        for package in packages:
            container.put(package, f"/srv/{package.name}")
        yield container


def alive(machine: Container) -> bool:
    """Whether the pages answer, asked from inside."""
    program = f"import urllib.request; print(urllib.request.urlopen('{ALIVE}', timeout=2).status)"
    return machine.run("python3", "-c", program, check=False).strip() == "200"


def store(machine: Container) -> dict[str, Any]:
    """What the store holds, by `hailong server verify`."""
    found: dict[str, Any] = json.loads(machine.run("hailong-server", "verify", "--json"))
    return found


def already_built(machine: Container, version: str) -> None:
    """Environments are built by the first of the two lives, each of which is a minute; the second finds them."""
    built = f"for each in {KEPT}/{version}-*; do cp -al $each /opt/hailong-server/releases/; done"
    machine.run("sh", "-c", f"test ! -d {KEPT} || {{ mkdir -p /opt/hailong-server/releases && {built}; }}")


@pytest.mark.parametrize("on_postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_the_life_of_a_server_s_package(machine: Container, packages: list[Path], on_postgresql: bool) -> None:
    """First on SQLite; then, purged and its records put away, on PostgreSQL."""
    first, second, third = (f"/srv/{package.name}" for package in packages)
    machine.run("rm", "-rf", "/var/lib/hailong-server")
    already_built(machine, "0.1.0")
    said = apt(machine, "install", first)
    assert "hailong-server init" in said
    tell("apt install: the software is there, the next steps are printed")
    if on_postgresql:
        machine.run("sh", "-c", _DATABASE)
    made = machine.run("hailong-server", "init", "--province", "thu", "--name", "Tỉnh Thử")
    assert "thu" in made
    assert "Next: systemctl enable --now hailong-server" in made
    (machine.root / "srv/mine").mkdir(mode=0o700, exist_ok=True)
    (machine.root / "srv/mine/agencies.csv").write_text("mã,tên,cấp\nso-tu-phap,Sở Tư pháp,tinh\n", encoding="utf-8")
    said = machine.run("hailong-server", "import", "agencies", "/srv/mine/agencies.csv", check=False)
    assert "copy it to /srv" in said, said
    machine.run("mv", "/srv/mine/agencies.csv", "/srv/agencies.csv")
    assert "added 1" in machine.run("hailong-server", "import", "agencies", "/srv/agencies.csv")
    machine.run("systemctl", "enable", "--now", "hailong-server")
    wait_for("the pages answer", lambda: alive(machine))
    exposure = machine.run("systemd-analyze", "security", "--no-pager", "hailong-server", check=False)
    tell(f"init, enable --now: the pages answer; {exposure.strip().splitlines()[-1].lstrip('→ ')}")
    if not on_postgresql:
        mode = machine.run("stat", "-c", "%a %U", "/var/lib/hailong-server", "/var/lib/hailong-server/store.sqlite")
        assert mode.split() == ["700", "hailong-server", "600", "hailong-server"]
    before = store(machine)

    already_built(machine, "8.0")
    said = apt(machine, "install", second)
    assert "now running 8.0-" in said
    assert alive(machine)
    upgraded = store(machine)
    assert {**upgraded["tables"], "newer_9001": None} == {**before["tables"], "newer_9001": None}, (
        "nothing else changed"
    )
    nothing_is_left(machine)
    tell(next(line for line in said.splitlines() if "now running" in line))

    already_built(machine, "8.1")
    said = apt(machine, "install", third, check=False)
    assert "going back to 8.0-" in said
    wait_for("the server is back", lambda: alive(machine))
    assert "8.0-" in machine.run("readlink", "/opt/hailong-server/current")
    assert store(machine) == upgraded, "what came back is what was there"
    nothing_is_left(machine)
    tell(next(line for line in said.splitlines() if "going back" in line))
    tell("the store is at the version of before, its digest is the same, and no backup is left behind")
    if on_postgresql:
        assert "somebody_else" in machine.run("su", "postgres", "-s", "/bin/sh", "-c", "psql hailong -c '\\d'")

    machine.run("sh", "-c", f"test -d {KEPT} || cp -al /opt/hailong-server/releases {KEPT}")
    said = apt(machine, "purge", "hailong-server", check=False)
    assert "stay in /var/lib/hailong-server" in said
    assert "No such file" in machine.run("ls", "/opt/hailong-server", check=False)
    assert "keys" in machine.run("ls", "/var/lib/hailong-server")
    tell("apt purge: software and service are gone, the province's records stay and where they are is said")


def nothing_is_left(machine: Container) -> None:
    """No second copy of the store, and no secret that opens one."""
    assert "before-upgrade" not in machine.run("ls", "/var/lib/hailong-server")
    assert "No such file" in machine.run("ls", "/run/hailong-server.upgrade", check=False)
