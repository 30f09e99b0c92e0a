"""The first-run assistant on a bare Debian 12: `apt install`, `hailong edge assist`, and a clerk's forms."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.deploy.package import write_package
from tests.field.container import SERVER, Container, missing
from tests.field.test_box import CONFIG, state
from tests.field.test_package import apt
from tests.field.world import Bundles, FieldServer, tell, wait_for

pytestmark = [pytest.mark.field, pytest.mark.timeout(3_600)]


@pytest.fixture
def box() -> Iterator[Container]:
    if why := missing():
        pytest.skip(f"no container on this machine: {why}")
    with Container("assist") as container:
        yield container


def test_a_box_is_set_up_by_pages_alone(box: Container, tmp_path: Path) -> None:
    bundles = Bundles(tmp_path)
    package = write_package(bundles.first, bundles.trust, tmp_path)
    box.put(package, f"/srv/{package.name}")
    box.put(Path(__file__).with_name("clerk.py"), "/srv/clerk.py")
    (tmp_path / "server").mkdir()
    server = FieldServer(tmp_path / "server")
    with server.running(box):
        said = apt(box, "install", "--no-install-recommends", f"/srv/{package.name}")
        assert "hailong edge assist" in said
        tell("apt install: the next steps name the assistant")
        code = server.enrol("--label", "quầy 1", "--demo")
        said = box.run("python3", "/srv/clerk.py", f"tcp://{SERVER}:5870", server.key, code, SERVER)
        for line in said.splitlines():
            tell(line)
        assert "Thiết bị đang chạy" in said
        assert "Connection refused" in said
        assert code not in said
        assert re.search(r"rồi gõ mã [A-Z2-9]{4}-[A-Z2-9]{4}", said), "the tablet's code, which the service made"
        begun_s = time.time()
        wait_for("the server hears heartbeats", lambda: (server.heartbeat() or (0, 0))[1] > begun_s - 600)
        tell(f"at work: {' '.join(state(box).split())}")
        assert box.run("systemctl", "is-enabled", "hailong-edge").strip() == "enabled"
        assert box.run("stat", "--format=%a %U", CONFIG).strip() == "600 hailong"
        assert "owned" not in box.run("find", "/var/lib/hailong", "-user", "root", "-printf", "owned %p\n")
        assert "No such file" in box.run("stat", f"{CONFIG}.draft", check=False), "the draft is wiped"
        journal = box.run("journalctl", "--no-pager", "--quiet")
        assert code not in journal, "the one-time code goes by standard input"
        apt(box, "purge", "hailong-edge")
        left = box.run("find", "/etc/hailong", "-type", "f", check=False)
        assert all("No such file" in line for line in left.splitlines()), left
