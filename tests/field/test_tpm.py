"""The running month's key in a TPM: install, seal, power cut, another TPM, the right one back. The TPM is `swtpm`,
which systemd reaches by its own TPM2 library; the container's systemd, its credentials and the box are the real ones.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.transparency.leaves import CountsLostLeaf, decode_leaf
from tests.field.container import SERVER, Container, missing
from tests.field.test_box import CONFIG, check, state
from tests.field.world import Bundles, FieldServer, guide_with, tell, wait_for

pytestmark = [pytest.mark.field, pytest.mark.timeout(3_600)]
DEVICE = "swtpm:host=127.0.0.1,port=2321"
CREDENTIAL = "/etc/credstore.encrypted/month_key"


# TPM2_Shutdown(TPM_SU_CLEAR), and its answer: success
_SHUTDOWN = """
import socket
with socket.create_connection(("127.0.0.1", 2321), 10) as door:
    door.sendall(bytes.fromhex("80010000000c000001450000"))
    assert door.recv(10)[6:] == bytes(4)
"""


class Tpm:
    """A TPM of the machine in the container; each `number` is another chip. There is no resource manager before it, as
    the kernel's /dev/tpmrm0 is on a machine: it has room for three sessions, each use by systemd leaves one, and only
    putting it in anew makes room. It is shut down before it is taken out, as the kernel does, unless the power was
    cut: a TPM counts every cut as a failed try of what it has opened since its start, and this one locks at three."""

    def __init__(self, box: Container, folder: Path) -> None:
        self._box, self._folder = box, folder
        self._process: subprocess.Popen[bytes] | None = None

    def plug_in(self, number: int, cut: bool = False) -> None:
        """Take out the one that is there, and put in this one. `cut`: the machine's power was cut before."""
        self.take_out(cut)
        chip = self._folder / f"chip-{number}"
        chip.mkdir(exist_ok=True)
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={chip}", "--flags", "not-need-init,startup-clear"]
        command += ["--server", "type=tcp,port=2321,bindaddr=127.0.0.1,disconnect"]
        command += ["--ctrl", "type=tcp,port=2322,bindaddr=127.0.0.1"]
        self._process = subprocess.Popen(self._box.beside(*command))
        time.sleep(1.0)
        assert self._process.poll() is None

    def take_out(self, cut: bool = False) -> None:
        if self._process is not None:
            if not cut:
                subprocess.run(self._box.beside(sys.executable, "-c", _SHUTDOWN), check=True, timeout=30)
            self._process.kill()
            self._process.wait(10)
            self._process = None


def months_lost(box: Container) -> int:
    """How often the box's log says that a running month could not be opened again; the box is stopped for it."""
    box.run("systemctl", "stop", "hailong-edge")
    with contextlib.closing(sqlite3.connect(box.root / "var/lib/hailong/release.sqlite3")) as log:
        found = [decode_leaf(data) for (data,) in log.execute("SELECT data FROM leaf")]
    box.run("systemctl", "start", "hailong-edge")
    assert found
    return sum(isinstance(leaf, CountsLostLeaf) for leaf in found)


@pytest.fixture
def box() -> Iterator[Container]:
    if why := missing():
        pytest.skip(f"no container on this machine: {why}")
    if shutil.which("swtpm") is None:
        pytest.skip("no TPM on this machine: there is no swtpm (apt install swtpm)")
    libraries = ("libtss2-esys-3.0.2-0", "libtss2-rc0", "libtss2-tcti-swtpm0")
    with Container("tpm", more=libraries, environment={"SYSTEMD_TPM2_DEVICE": DEVICE}) as container:
        yield container


def test_the_month_s_key_is_in_the_tpm(box: Container, tmp_path: Path) -> None:
    bundles = Bundles(tmp_path)
    (tmp_path / "server").mkdir()
    server, tpm = FieldServer(tmp_path / "server"), Tpm(box, tmp_path)
    config = guide_with(
        address=f'"tcp://{SERVER}:5870"', public_key=f'"{server.key}"', source='"none"', interval_s="2.0",
        at_rest='"credential"', seal_interval_s="1",
    )  # fmt: skip
    (tmp_path / "edge.toml").write_text(config, encoding="utf-8")
    tpm.plug_in(1)
    try:
        with server.running(box):
            for source, name in (
                (tmp_path / "edge.toml", "edge.toml"),
                (bundles.first, "b.tar"),
                (bundles.installer, "install.sh"),
            ):
                box.put(source, f"/srv/{name}")
            box.run("sh", "/srv/install.sh", "/srv/b.tar", bundles.trust, "/srv/edge.toml")
            said = box.run("hailong", "edge", "check", "--config", CONFIG, check=False)
            assert "--with-key=tpm2" in said, "a credential that is missing is told, with what to do"
            box.run("mkdir", "-p", str(Path(CREDENTIAL).parent))
            seal = f"head -c 32 /dev/urandom | systemd-creds encrypt --with-key=tpm2 --name=month_key - {CREDENTIAL}"
            box.run("env", f"SYSTEMD_TPM2_DEVICE={DEVICE}", "sh", "-c", seal)
            tell("the key was sealed by the TPM, as the message says")
            box.run("hailong", "keys", "enroll", "--config", CONFIG, "--code", server.enrol("--label", "quầy 1"))
            box.run("hailong", "edge", "apply")
            tpm.plug_in(1)
            box.run("systemctl", "enable", "--now", "hailong-edge")
            wait_for("the server answers", lambda: "the server answers" in state(box))
            assert check(box)["privacy"]["state"] == "ok"
            wait_for("the month is sealed", (box.root / "var/lib/hailong/release.sealed").exists)
            tell(f"at work with it: {' '.join(state(box).split())}")
            box.cut_power()
            tpm.plug_in(1, cut=True)
            box.boot()
            wait_for("the box is at work again", lambda: "the server answers" in state(box), 90)
            assert months_lost(box) == 0, "the month of before the power cut was opened"
            tell("after a power cut: at work, and the month of before was opened")
            box.cut_power()
            tpm.plug_in(2, cut=True)
            box.boot()
            wait_for("systemd refuses", lambda: "ActiveState=activating" in state(box) or "failed" in state(box), 90)
            said = box.run("hailong", "edge", "check", "--config", CONFIG, check=False)
            assert "systemd cannot set the service up (exit code 243)" in said, said
            tell("with another TPM: " + next(line.strip() for line in said.splitlines() if "systemd cannot" in line))
            tpm.plug_in(1)
            box.run("systemctl", "restart", "hailong-edge")
            wait_for("the box is at work again", lambda: "the server answers" in state(box), 90)
            assert months_lost(box) == 0
            tell("with its own again: at work, and no month was lost")
    finally:
        tpm.take_out(cut=True)
