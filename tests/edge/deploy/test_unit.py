"""The unit allows what the configuration needs and no more, and is known to fit or not to fit it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge.config import EdgeConfig, load_config, parse_config
from edge.deploy import service, unit
from edge.deploy.notify import StatusNotice, notify
from edge.deploy.releases import Layout
from edge.deploy.unit import NEEDS_VARIABLE, Needs, allowed_addresses, require_fitting_unit, unit_text, written_for
from pipeline.errors import ConfigError
from pipeline.keys import new_keys

GUIDE = Path(__file__).parents[3] / "docs/guide/edge.toml"
KEY = new_keys("server").curve_public_z85


def config(**sections: dict[str, object]) -> EdgeConfig:
    values: dict[str, dict[str, object]] = {
        "box": {"data_dir": "/var/lib/hailong", "agency_label": "Sở Tư pháp", "clerks_meet": True},
        "camera": {"source": "none"},
        "legal": {"basis": "consent"},
        "privacy": {"clerks_per_box": 3},
        "server": {"address": "tcp://192.0.2.10:5870", "public_key": KEY},
    }
    for name, section in sections.items():
        values.setdefault(name, {}).update(section)
    return parse_config(values, "", Path("edge.toml"))


REGION = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_libraries_may_do_what_they_abort_without() -> None:
    """libzmq calls sched_setscheduler for its threads and aborts if it may not; ONNX Runtime reads /proc/cpuinfo."""
    text = unit_text(config())
    taken, given = text.index("~@privileged @resources"), text.index("SystemCallFilter=sched_setscheduler")
    assert taken < given, "a later line of an allow-list gives back what an earlier one took"
    assert "RestrictRealtime=yes" in lines(text)
    assert "ProcSubset" not in text


def test_active_means_at_work() -> None:
    assert {"Type=notify", "NotifyAccess=main", "Restart=always"} <= set(lines(unit_text(config())))


@pytest.mark.parametrize(
    "line",
    [
        "Environment=PYTHONMALLOC=malloc",
        "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0",
        "MemorySwapMax=0",
        "LimitCORE=0",
    ],
)
def test_memory_is_overwritten_when_freed_and_goes_to_no_disk(line: str) -> None:
    """`edge.perception.scrub` reaches small objects only where they come from the C library's heap, past its cache."""
    assert line in lines(unit_text(config()))


def test_what_is_named_by_an_address_alone_is_reached() -> None:
    text = lines(unit_text(config(camera={"source": "rtsp://u:p@192.0.2.20:554/s", "region": REGION})))
    at = text.index("IPAddressDeny=any")
    expected = ["IPAddressAllow=localhost", "IPAddressAllow=192.0.2.10", "IPAddressAllow=192.0.2.20"]
    assert text[at + 1 : at + 4] == expected


@pytest.mark.parametrize(
    "sections",
    [
        {"server": {"address": "tcp://score.example.vn:5870"}},
        {"server": {"enrol_address": "tcp://enrol.example.vn:5871"}},
        {"camera": {"source": "rtsp://camera.local/s", "region": REGION}},
        {"tablet": {"host": "198.51.100.99", "network_closed": True}},
    ],
)
def test_a_name_or_an_unknown_network_gives_no_list_that_would_silence_the_box(
    sections: dict[str, dict[str, object]],
) -> None:
    text = unit_text(config(**sections))
    assert "IPAddressDeny" not in text
    assert "# No allow-list of addresses" in text


def test_the_network_of_the_tablet_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "_networks_of", lambda host: {"10.1.2.3": ["10.1.2.0/24"]}[host])
    needs = Needs.of(config(tablet={"host": "10.1.2.3", "network_closed": True}))
    assert allowed_addresses(needs) == ["10.1.2.0/24", "192.0.2.10"]
    assert unit._networks_of.__name__ == "<lambda>"


def test_networks_are_those_of_the_machine() -> None:
    assert unit._networks_of("127.0.0.1") == ["127.0.0.0/8"]
    assert unit._networks_of("198.51.100.99") == []
    assert unit._networks_of("a-name") == []


def test_devices_and_credential_come_with_the_configuration() -> None:
    bare = unit_text(config())
    assert "DeviceAllow" not in bare
    assert "LoadCredentialEncrypted" not in bare
    assert "PrivateUsers=yes" in bare
    full = unit_text(
        config(
            camera={"source": 0, "region": REGION},
            microphone={"source": "default", "staff_not_heard": True},
            privacy={"at_rest": "credential"},
            models={"asr": True},
        )
    )
    assert {"DeviceAllow=char-video4linux rw", "DeviceAllow=char-alsa rw", "PrivateUsers=no", "MemoryMax=2G"} <= set(
        lines(full)
    )
    assert "LoadCredentialEncrypted=month_key:/etc/credstore.encrypted/month_key" in full


def test_a_box_starts_under_its_own_unit_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = config(), config(privacy={"at_rest": "credential"})
    monkeypatch.delenv(NEEDS_VARIABLE, raising=False)
    require_fitting_unit(other)  # outside a unit
    monkeypatch.setenv(NEEDS_VARIABLE, written_for(unit_text(plain)))
    require_fitting_unit(plain)
    require_fitting_unit(config(tablet={"idle_s": 60}))  # what only the box itself reads
    with pytest.raises(ConfigError, match="hailong edge apply"):
        require_fitting_unit(other)


def test_every_setting_that_the_unit_depends_on_moves_its_digest() -> None:
    changed = [
        config(),
        config(server={"address": "tcp://192.0.2.11:5870"}),
        config(server={"enrol_address": "tcp://192.0.2.12:5871"}),
        config(camera={"source": 0, "region": REGION}),
        config(camera={"source": "rtsp://192.0.2.20/s", "region": REGION}),
        config(privacy={"at_rest": "credential"}),
        config(models={"asr": True}),
        config(tablet={"host": "10.1.2.3", "network_closed": True}),
        config(queue={"enabled": True, "token_file": "t", "port": 8091, "host": "10.1.2.4"}),
    ]
    assert len({Needs.of(each).digest() for each in changed}) == len(changed)
    assert len({written_for(unit_text(each)) for each in changed}) == len(changed)


def test_the_walls_of_a_command_are_the_service_s(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.config.parent.mkdir(parents=True)
    layout.config.write_text(GUIDE.read_text("utf-8"), "utf-8")
    layout.drop_ins.mkdir(parents=True)
    (layout.drop_ins / "tablet.conf").write_text("# more\n[Service]\nIPAddressAllow=198.51.100.0/24\n")
    walls = service.walls(layout, layout.config)
    names = {wall.partition("=")[0] for wall in walls}
    assert {"User", "StateDirectory", "RuntimeDirectoryPreserve", "SystemCallFilter", "MemoryMax"} <= names
    assert "IPAddressAllow=198.51.100.0/24" in walls
    assert not names & {"ExecStart", "Type", "Restart", "WantedBy", "Description", "LogNamespace"}


def test_the_guide_s_own_file_can_be_served_by_a_unit() -> None:
    """Its record lay beside it under /etc, which a service may not write: every burst failed for ever."""
    found = load_config(GUIDE)
    assert found.server.record is not None
    assert found.server.record.is_relative_to(found.box.data_dir)
    assert f"StateDirectory={found.box.data_dir.name}" in lines(unit_text(found))


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(door))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(door))
        notify("READY=1", "STATUS=at work")
        assert systemd.recv(1000) == b"READY=1\nSTATUS=at work"
        notice = StatusNotice()
        well: dict[str, str | bool] = {"state": "OK", "server_answers": True, "problem": "", "failing": ""}
        for status in (well, dict(well), {**well, "state": "CAMERA_LOST"}, {**well, "failing": "scheduler"}):
            notice.publish(status)
        systemd.settimeout(0.1)
        said = [systemd.recv(1000) for _ in range(3)]
        assert said == [
            b"STATUS=state OK; the server answers.",
            b"STATUS=state CAMERA_LOST; the server answers.",
            b"STATUS=state OK; the server answers. failing: scheduler.",
        ]
        with pytest.raises(TimeoutError):
            systemd.recv(1000)
    notify("READY=1")  # nobody listens any more
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
