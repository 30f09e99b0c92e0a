"""The life of a box on a bare Debian 12 that was booted by its own systemd: `make test-field`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hailong.demo_media import film_file, scripts
from pipeline.keys import new_keys
from pipeline.wire import BoxState, UpdateState
from tests.field.container import SERVER, Container, missing
from tests.field.world import Bundles, FieldServer, die_at_start, die_at_work, guide_with, need_a_floor, tell, wait_for

pytestmark = [pytest.mark.field, pytest.mark.timeout(3_600)]
CONFIG = "/etc/hailong/edge.toml"
DEMO = """
[box]
data_dir = "/var/lib/hailong"
agency_label = "Sở Tư pháp"
demo = true
[camera]
source = "/var/lib/hailong/film.mp4"
loop = true
[notice]
confirmed = true
contact = "Văn phòng"
[legal]
basis = "consent"
[privacy]
demo = true
clerks_per_box = 2
demo_pulse_s = 10
[server]
address = "{address}"
public_key = "{key}"
interval_s = 1.0
record = "/var/lib/hailong/wire.record"
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Container]:
    if why := missing():
        pytest.skip(f"no container on this machine: {why}")
    with Container("box") as container:
        yield container


def state(box: Container) -> str:
    return box.run("systemctl", "show", "hailong-edge", "--property=ActiveState,SubState,StatusText")


def check(box: Container) -> dict[str, dict[str, str]]:
    """`edge check` as root, outside the service: what it finds, by what."""
    said = box.run("hailong", "edge", "check", "--config", CONFIG, "--json", check=False)
    return {found["what"]: found for found in json.loads(said.splitlines()[-1])["findings"]}


def test_the_life_of_a_box(box: Container, tmp_path: Path) -> None:
    bundles = Bundles(tmp_path)
    trust = bundles.trust
    tell(f"bundle: {bundles.made['bytes'] / 1e6:.0f} MB, {bundles.made['files']} files")
    debian = (box.root / "etc/debian_version").read_text().strip()
    python = box.run("/usr/bin/python3", "--version").strip()
    systemd = box.run("systemctl", "--version").splitlines()[0]
    tell(f"booted: Debian {debian}, {python}, {systemd}")
    (tmp_path / "server").mkdir()
    server = FieldServer(tmp_path / "server")
    with server.running(box):
        install(box, server, bundles, trust, tmp_path)
        first_steps(box, server)
        nothing_is_silent(box)
        the_key_by_a_credential(box)
        releases_arrive(box, server, tmp_path)
        updates(box, bundles, trust)
        offered(box, server, bundles, trust, tmp_path)
        the_power_is_cut_in_an_update(box, bundles)
        restarts(box, server)
        uninstall(box)


def install(box: Container, server: FieldServer, bundles: Bundles, trust: str, tmp_path: Path) -> None:
    config = guide_with(
        address=f'"tcp://{SERVER}:5870"', public_key=f'"{server.key}"', source='"none"', interval_s="2.0"
    )
    (tmp_path / "edge.toml").write_text(config, encoding="utf-8")
    for source, name in (
        (tmp_path / "edge.toml", "edge.toml"),
        (bundles.first, "b.tar"),
        (bundles.installer, "install.sh"),
    ):
        box.put(source, f"/srv/{name}")
    box.put(bundles.another("7.7.7", keys=new_keys("server")), "/srv/stranger.tar")
    said = box.run("sh", "/srv/install.sh", "/srv/stranger.tar", trust, "/srv/edge.toml", check=False)
    assert "was not signed by the trusted key" in said
    assert box.run("find", "/opt/hailong", "-type", "f").strip() == "", "nothing was unpacked"
    tell(f"a stranger's bundle: {said.strip().splitlines()[-1]}")
    said = box.run("sh", "/srv/install.sh", "/srv/b.tar", trust, "/srv/edge.toml")
    assert "Installed 0." in said
    tell(said.strip().replace("\n", "\n" + 11 * " "))
    assert box.run("stat", "--format=%a %U", CONFIG).split() == ["600", "hailong"]
    verified = box.run("systemd-analyze", "verify", "hailong-edge.service", check=False)
    assert "hailong-edge" not in verified, verified


def first_steps(box: Container, server: FieldServer) -> None:
    """As printed by the installation."""
    box.run("hailong", "keys", "enroll", "--config", CONFIG, "--code", server.enrol("--label", "quầy 1", "--demo"))
    owners = box.run("find", "/var/lib/hailong", "-printf", "%u %m %p\n")
    assert all(line.startswith("hailong ") for line in owners.splitlines()), owners
    tell("enrolled; the keys are the service's")
    found = check(box)
    wrong = [each for each in found.values() if each["state"] == "wrong"]
    assert not wrong, wrong
    assert found["unit"]["state"] == found["server"]["state"] == "ok"
    box.run("systemctl", "enable", "--now", "hailong-edge")
    tell(f"started: {' '.join(state(box).split())}")
    wait_for("the server answers", lambda: "the server answers" in state(box))
    wait_for("the server hears heartbeats", server.heartbeat)
    found = check(box)
    port = found["tablet port"]
    assert (port["state"], port["text"]) == ("ok", "held by the box that is at work")
    tell(f"edge check beside the box at work: {found['running box']['text']}")
    exposure = box.run("systemd-analyze", "security", "hailong-edge.service", check=False).strip().splitlines()[-1]
    tell(f"systemd-analyze security: {exposure.strip()}")


def nothing_is_silent(box: Container) -> None:
    """The record of the guide of 0.1.0 lay under /etc, which a service may not write: it silenced a box."""
    box.run("sed", "-i", 's|^record = .*|record = "wire.record"|', CONFIG)
    said = box.run("hailong", "edge", "apply", check=False)
    assert "cannot be written" in said
    assert check(box)["record"]["state"] == "wrong"
    tell("a record under /etc: " + next(line.strip() for line in said.splitlines() if "cannot be written" in line))
    box.run("sed", "-i", "/^record = /d", CONFIG)
    box.run("hailong", "edge", "apply")
    # a server elsewhere: the unit's allow-list does not have it; the box says so instead of being unheard
    box.run("sed", "-i", f"s|{SERVER}:5870|198.51.100.7:5870|", CONFIG)
    assert check(box)["unit"]["state"] == "wrong"
    box.run("systemctl", "reload", "hailong-edge")
    wait_for(
        "the journal tells why",
        lambda: "hailong edge apply" in box.run("journalctl", "--namespace=hailong", "-n", "20"),
    )
    box.run("sed", "-i", f"s|198.51.100.7:5870|{SERVER}:5870|", CONFIG)
    box.run("hailong", "edge", "apply")
    tell("a setting that the unit depends on: told by edge check and by the journal, taken by edge apply")


def the_key_by_a_credential(box: Container) -> None:
    """The running month's key comes from systemd, sealed by the machine's own key (here there is no TPM to seal it)."""
    box.run("sed", "-i", 's|^at_rest = .*|at_rest = "credential"|', CONFIG)
    said = box.run("hailong", "edge", "check", "--config", CONFIG, check=False)
    assert "systemd-creds encrypt" in said, "a credential that is missing is told, with what to do"
    box.run("mkdir", "-p", "/etc/credstore.encrypted")
    seal = "head -c 32 /dev/urandom | systemd-creds encrypt --with-key=host --name=month_key - {}"
    box.run("sh", "-c", seal.format("/etc/credstore.encrypted/month_key"))
    assert check(box)["unit"]["state"] == "wrong"
    box.run("hailong", "edge", "apply")
    assert "LoadCredentialEncrypted=month_key" in box.run("systemctl", "cat", "hailong-edge")
    found = check(box)
    assert found["privacy"]["state"] == found["unit"]["state"] == "ok", "root's check has the service's credential"
    tell("at_rest = credential: taken by edge apply; edge check outside the service is right")


def releases_arrive(box: Container, server: FieldServer, tmp_path: Path) -> None:
    """A demonstration's seconds: a film is looked at with the real networks, and pulses reach the server's store."""
    box.put(film_file(scripts()[0]), "/var/lib/hailong/film.mp4")
    box.run("chown", "hailong:hailong", "/var/lib/hailong/film.mp4")
    config = DEMO.format(address=f"tcp://{SERVER}:5870", key=server.key)
    (tmp_path / "demo.toml").write_text(config, encoding="utf-8")
    box.put(tmp_path / "demo.toml", CONFIG)
    tell(box.run("hailong", "edge", "apply").strip().splitlines()[-1])
    wait_for("a release is stored at the server", server.releases, 120)
    heartbeat = server.heartbeat()
    assert heartbeat is not None
    tell(f"{server.releases()} releases are stored at the server; the box's state there: {BoxState(heartbeat[0]).name}")
    assert heartbeat[0] == BoxState.OK
    box.run("hailong", "audit", "wire", "--demo", "/var/lib/hailong/wire.record")


def updates(box: Container, bundles: Bundles, trust: str) -> None:
    """Of a box without a camera: the releases have what such a one needs, and are built in less time."""
    box.run("sed", "-i", '/^loop = /d; s|^source = .*|source = "none"|', CONFIG)
    box.run("hailong", "edge", "apply")
    before = box.run("readlink", "/opt/hailong/current").strip()
    box.put(bundles.another("8.0"), "/srv/8.tar")
    said = box.run("hailong", "edge", "update", "--bundle", "/srv/8.tar", "--watch-s", "10")
    assert "Now running 8.0-" in said
    tell(said.strip().splitlines()[-1])
    good = box.run("readlink", "/opt/hailong/current").strip()
    for version, change in (("8.1", die_at_start), ("8.2", die_at_work)):
        box.put(bundles.another(version, change), f"/srv/{version}.tar")
        said = box.run(
            "hailong",
            "edge",
            "update",
            "--bundle",
            f"/srv/{version}.tar",
            "--watch-s",
            "15",
            "--skip-check",
            check=False,
        )
        assert "was taken back" in said, said
        assert "at work" in said
        assert box.run("readlink", "/opt/hailong/current").strip() == good
        assert box.run("readlink", "/opt/hailong/previous").strip() == before
        assert "SubState=running" in state(box)
        tell(said.strip().splitlines()[-1])
    box.put(bundles.first, "/srv/old.tar")
    said = box.run("hailong", "edge", "update", "--bundle", "/srv/old.tar", check=False)
    assert "older than this box's 8.0" in said
    tell(said.strip().splitlines()[-1])
    a_setting_becomes_obligatory(box, bundles, trust, good)


def a_setting_becomes_obligatory(box: Container, bundles: Bundles, trust: str, good: str) -> None:
    """As `[legal] basis` did: the old release does not know the setting, the new one does not start without it."""
    box.put(bundles.another("8.3", need_a_floor, module="edge/config.py"), "/srv/8.3.tar")
    said = box.run("hailong", "edge", "update", "--bundle", "/srv/8.3.tar", check=False)
    assert "floor" in said
    assert "goes on with its present release" in said
    assert box.run("readlink", "/opt/hailong/current").strip() == good
    assert "SubState=running" in state(box)
    tell(said.strip()[-700:].replace("\n", "\n" + 11 * " "))
    old = box.run("cat", CONFIG)
    box.run("sh", "-c", f"sed 's/^agency_label/floor = 1\\n&/' {CONFIG} > {CONFIG}.new")
    said = box.run("sh", "/srv/install.sh", "/srv/8.3.tar", trust, f"{CONFIG}.new")
    assert "Now running 8.3-" in said
    assert "floor = 1" in box.run("cat", CONFIG)
    tell(said.strip().splitlines()[-1])
    owners = box.run("stat", "--format=%a %U", CONFIG, f"{CONFIG}.previous").split()
    assert owners == ["600", "hailong", "600", "hailong"]
    said = box.run("hailong", "edge", "rollback")
    assert box.run("readlink", "/opt/hailong/current").strip() == good
    assert box.run("cat", CONFIG) == old
    wait_for("the box is at work", lambda: "the server answers" in state(box))
    tell(said.strip().splitlines()[-1])


def offered(box: Container, server: FieldServer, bundles: Bundles, trust: str, tmp_path: Path) -> None:
    """The server says when; the service's user fetches, within the service's walls; root takes. By the unit that the
    timer starts, at another hour."""
    release = server.offer(bundles.another("8.4"), trust)
    updater = "hailong-edge-update"
    call = "ExecStart=/opt/hailong/steady/venv/bin/hailong edge update --offered --now --watch-s 10"
    (tmp_path / "now.conf").write_text(f"[Service]\nExecStart=\n{call}\n")
    box.put(tmp_path / "now.conf", f"/etc/systemd/system/{updater}.service.d/now.conf")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", updater, check=False)
    said = box.run("journalctl", "--namespace=hailong", "-u", updater, "-n", "20", "-o", "cat")
    assert box.run("readlink", "/opt/hailong/current").strip() == f"releases/8.4-{release}", said
    box.run("rm", "-r", f"/etc/systemd/system/{updater}.service.d")
    box.run("systemctl", "daemon-reload")
    assert box.run("readlink", "/opt/hailong/steady").strip() == f"releases/8.4-{release}"
    assert server.standing() == (release, int(UpdateState.TAKEN), release)
    assert "No such file" in box.run("ls", "/var/lib/hailong/offered", check=False)
    assert "hailong-edge-update.timer" in box.run("systemctl", "list-timers", "--no-pager")
    tell(f"offered by the server: {said.strip().splitlines()[-1]}")


def the_power_is_cut_in_an_update(box: Container, bundles: Bundles) -> None:
    """A release that ends six seconds after its start is watched, and the power is cut then."""
    good = box.run("readlink", "/opt/hailong/current").strip()
    box.put(bundles.another("8.5", die_at_work), "/srv/8.5.tar")
    update = ["hailong", "edge", "update", "--bundle", "/srv/8.5.tar", "--skip-check"]
    # two updates at once are refused: the timer's own may come at any minute
    box.run("systemctl", "stop", "hailong-edge-update.timer", "hailong-edge-update.service")
    box.run("systemd-run", "--unit=update-by-hand", *update)
    try:
        wait_for("8.5 takes its place", lambda: "8.5-" in box.run("readlink", "/opt/hailong/current"), 300)
    except AssertionError:
        tell(box.run("journalctl", "--unit=update-by-hand", "--namespace=*", "-n", "40", "-o", "cat", check=False))
        raise
    box.cut_power()
    box.boot()
    assert "8.5-" in box.run("readlink", "/opt/hailong/current")
    box.run("systemctl", "start", "hailong-edge-update.service")  # as the timer does, three minutes after the start
    assert box.run("readlink", "/opt/hailong/current").strip() == good
    wait_for("the box is at work", lambda: "the server answers" in state(box))
    said = box.run("journalctl", "--namespace=hailong", "-u", "hailong-edge-update", "-n", "20", "-o", "cat")
    tell(next(line for line in said.splitlines() if "was taken back" in line))


def restarts(box: Container, server: FieldServer) -> None:
    """The machine is started anew, in order and by a power cut: the box comes up by itself."""
    for way in (box.halt, box.cut_power):
        way()
        box.boot()
        wait_for("the box is at work again", lambda: "the server answers" in state(box), 90)
        tell(f"after {way.__name__}: {' '.join(state(box).split())}")


def uninstall(box: Container) -> None:
    said = box.run("hailong", "edge", "uninstall", "--yes", "--lose-unsent")
    tell(said.strip())
    left = box.run(
        "find", "/opt/hailong", "/etc/hailong/edge.toml", "/var/lib/hailong", "/run/hailong", "/usr/local/bin/hailong",
        "/etc/systemd/system/hailong-edge.service", check=False,
    )  # fmt: skip
    assert all("No such file" in line for line in left.splitlines()), left
