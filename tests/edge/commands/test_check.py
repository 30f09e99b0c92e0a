"""`hailong edge check` says in words what is wrong; `hailong edge run` then starts nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from edge.box import Box
from edge.commands.check import check
from edge.config import load_config
from edge.delivery.enrolment import enrol, load_enrolment, own_keys
from edge.tablet.serve import TabletServer
from hailong.cli import main
from pipeline.calendar import day_date, today
from pipeline.errors import ConfigError, HailongError, SourceError, StoreError
from pipeline.keys import KeyPair, new_keys
from pipeline.language import Message
from pipeline.wire import BoxState
from server.boxes import registry as boxes
from server.boxes.ingest import Ingest
from tests.children import child
from tests.delivery.conftest import LOCAL, Place, make_place, wait_for
from tests.edge.clips import write_film
from tests.ports import free_port

_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"
CONFIG = """
[box]
data_dir = "data"
agency_label = "Sở Tư pháp"
demo = true
[camera]
source = "none"
[legal]
basis = "consent"

[privacy]
demo = true
clerks_per_box = 2
at_rest = "plain_demo"
[tablet]
port = 0
[server]
address = "{address}"
enrol_address = "{enrol}"
public_key = "{key}"
interval_s = 0.2
"""


@pytest.fixture
def place(store: Engine) -> Place:
    return make_place(store)


@pytest.fixture
def server_keys() -> KeyPair:
    return new_keys("server")


@pytest.fixture
def ingest(store: Engine, place: Place, server_keys: KeyPair) -> Iterator[Ingest]:
    door = Ingest(store, server_keys, LOCAL)
    door.start()
    yield door
    door.stop()


@pytest.fixture
def config_path(tmp_path: Path, store: Engine, place: Place, server_keys: KeyPair, ingest: Ingest) -> Path:
    """Of a box that is enrolled."""
    path = tmp_path / "edge.toml"
    key = server_keys.curve_public_z85
    path.write_text(CONFIG.format(address=ingest.endpoint, enrol=ingest.enrol_endpoint, key=key), "utf-8")
    box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 1", demo=True)
    enrol(load_config(path), boxes.issue_code(store, place.province_id, box_id, time.time()))
    return path


def states(path: Path) -> dict[str, str]:
    return {finding.what: finding.state for finding in check(path)}


STATE_ACTIVITY = f"""basis = "state_activity"
decision_number = "45/QĐ-UBND"
decision_date = 2026-06-01
office = "Văn phòng"
complaints = "0207 3822 222"
last_check = {day_date(today())}"""


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_box_that_can_start(config_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edge", "check", "--config", str(config_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert {each["what"]: each["state"] for each in found["findings"]} == {
        "configuration": "warning",  # a demo
        "legal basis": "ok",
        "unit": "skipped",
        "privacy": "ok",
        "clock": "ok",
        "disk": "ok",
        "record": "skipped",
        "keys": "ok",
        "enrolment": "ok",
        "tablet": "ok",
        "tablet port": "ok",
        "queue port": "skipped",
        "models": "skipped",
        "camera": "skipped",
        "microphone": "skipped",
        "server": "ok",
    }


@pytest.mark.slow
def test_a_server_that_is_down_and_one_with_another_key(config_path: Path, ingest: Ingest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    change(config_path, ingest.endpoint, f"tcp://127.0.0.1:{free}")
    (found,) = [finding for finding in check(config_path) if finding.what == "server"]
    assert found.state == "wrong"
    assert "takes no connection" in found.fix


@pytest.mark.slow
def test_a_revoked_box_is_told(config_path: Path, store: Engine, place: Place, ingest: Ingest) -> None:
    boxes.revoke(store, place.province_id, 1)
    ingest.registry.refresh()
    (found,) = [finding for finding in check(config_path) if finding.what == "server"]
    assert found.state == "wrong"
    assert "revoked" in found.fix


@pytest.mark.parametrize(
    ("old", "new", "what", "said"),
    [
        ("clerks_per_box = 2", "clerks_per_box = 1", "privacy", "that person's score"),
        ('[camera]\nsource = "none"', "[camera]\nsource = 63", "camera", "no camera 63"),
        ('[camera]\nsource = "none"', '[camera]\nsource = "nothing.mp4"', "camera", "nothing.mp4"),
        ("[tablet]\nport = 0", '[tablet]\nport = 0\ninstrument = "9999"', "tablet", "no instrument 9999"),
        (
            "[tablet]\nport = 0",
            '[tablet]\nport = 0\n[queue]\nenabled = true\ntoken_file = "t"',
            "tablet",
            "cannot be read",
        ),
        ("agency_label", "agency_lable", "configuration", "Did you mean 'agency_label'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_starts(old: str, new: str, what: str, said: str, config_path: Path) -> None:
    change(config_path, old, new)
    findings = [finding for finding in check(config_path, offline=True) if finding.state == "wrong"]
    assert [finding.what for finding in findings] == [what]
    assert said in findings[0].text
    if what != "camera":
        with pytest.raises(HailongError, match=said):
            Box.open(load_config(config_path))


def test_a_poor_picture_is_a_note_and_no_fault(config_path: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "dark.mp4", [np.full((480, 640, 3), 8, np.uint8)] * 5)
    change(config_path, '[camera]\nsource = "none"', f'[camera]\nsource = "{film}"')
    (told,) = [finding for finding in check(config_path, offline=True) if finding.what == "camera"]
    assert told.state == "warning"
    assert "too dark" in told.fix
    found = [finding for finding in check(config_path, offline=True, face="") if finding.what == "face"]
    assert [(face.state, face.text) for face in found] == [("warning", "no face in view")]
    assert "sit at the citizen's place" in found[0].fix


def test_a_taken_port_leaves_nothing_open(config_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        change(config_path, "[tablet]\nport = 0", f"[tablet]\nport = {listener.getsockname()[1]}")
        assert states(config_path)["tablet port"] == "wrong"
        with pytest.raises(ConfigError, match="cannot be served"):
            Box.open(load_config(config_path))
    box = Box.open(load_config(config_path))  # files were closed: the same box opens now
    box.stop()


def test_a_box_at_work_keeps_its_port_and_says_how_it_is(config_path: Path) -> None:
    """Its own port in use is no reason to refuse it; a failure that it tells is one."""
    change(config_path, "[tablet]\nport = 0", f"[tablet]\nport = {free_port()}")
    box = Box.open(load_config(config_path))
    box.start()
    try:
        assert wait_for(lambda: box.sender.is_heard)
        found = {finding.what: finding for finding in check(config_path)}
        assert found["tablet port"].text == "held by the box that is at work"
        assert (found["running box"].state, "the server answers" in found["running box"].text) == ("ok", True)
        box.health.failed("a test", BoxState.DISK_FULL)(True)
        (told,) = [finding for finding in check(config_path, offline=True) if finding.what == "running box"]
        assert (told.state, "DISK_FULL" in told.text) == ("wrong", True)
        (told,) = [finding for finding in check(config_path, True, beside=True) if finding.what == "running box"]
        assert told.state == "warning", "a new release is not refused for what it may mend"
    finally:
        box.stop(flush_s=20)


def test_a_stranger_at_the_tablet_s_port_is_no_box(config_path: Path) -> None:
    app = Starlette(routes=[Route("/status", lambda _request: JSONResponse({"state": "OK"}))])
    stranger = TabletServer(app, "127.0.0.1", 0)
    stranger.start()
    try:
        change(config_path, "[tablet]\nport = 0", f"[tablet]\nport = {stranger.port}")
        assert states(config_path)["tablet port"] == "wrong"
        assert "running box" not in states(config_path)
    finally:
        stranger.close()


def test_a_record_that_cannot_be_written_is_refused_before_anything_starts(config_path: Path) -> None:
    """Under a unit the folder of edge.toml is read-only: every burst failed for ever, and nothing said so."""
    change(config_path, "interval_s = 0.2", f'interval_s = 0.2\nrecord = "{config_path.parent}"')
    assert states(config_path)["record"] == "wrong"
    for refused in (Box.open, Box.check):
        with pytest.raises(ConfigError, match=r"record: .* cannot be written"):
            refused(load_config(config_path))


def test_a_record_that_is_lost_later_stops_nothing_and_is_told(config_path: Path) -> None:
    folder = config_path.parent / "records"
    folder.mkdir()
    change(config_path, "interval_s = 0.2", f'interval_s = 0.2\nrecord = "{folder}/wire.record"')
    box = Box.open(load_config(config_path))
    box.start()
    try:
        assert wait_for(lambda: box.sender.is_heard and (folder / "wire.record").stat().st_size > 0)
        shutil.rmtree(folder)
        assert wait_for(lambda: "record of messages cannot be written" in str(box.status()["problem"]))
        assert wait_for(lambda: box.health.state is BoxState.DISK_FULL), "the heartbeat tells it"
        sent = box.sender.tallies.forwarded
        assert wait_for(lambda: box.sender.tallies.forwarded > sent + 2), "bursts go on"
        folder.mkdir()
        assert wait_for(lambda: box.status()["problem"] == "" and box.health.state is not BoxState.DISK_FULL)
    finally:
        box.stop(flush_s=20)


def is_failing(box: Box, parts: str) -> bool:
    return box.status()["failing"] == parts


def test_bursts_and_turns_that_fail_are_told(config_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails for ever on a thread of its own: `/status` and so `edge check` tell it, and the heartbeat does."""
    change(config_path, "[tablet]\nport = 0", f"[tablet]\nport = {free_port()}")
    box = Box.open(load_config(config_path))
    box.start()
    try:
        assert wait_for(lambda: box.sender.is_heard)
        for part, broken, name in (("sender", box.outbox, "waiting"), ("scheduler", box.curator, "close_due")):
            with monkeypatch.context() as patch:
                patch.setattr(broken, name, lambda _argument: 1 / 0)
                assert wait_for(partial(is_failing, box, part))
                assert box._heartbeat().state is BoxState.STARTING
                (told,) = [each for each in check(config_path, offline=True) if each.what == "running box"]
                assert (told.state, f"failing: {part}" in told.text) == ("wrong", True)
            assert wait_for(partial(is_failing, box, ""), timeout_s=30)
        full = StoreError(Message("The outbox cannot be read."), Message("Free space."))

        def fail(*_arguments: object) -> None:
            raise full

        with monkeypatch.context() as patch:
            patch.setattr(box.outbox, "waiting", fail)
            assert wait_for(lambda: str(full) in str(box.status()["problem"]))
            assert box.health.state is BoxState.DISK_FULL
        assert wait_for(lambda: box.status()["problem"] == "" and box.health.state is not BoxState.DISK_FULL)
    finally:
        box.stop(flush_s=20)


def test_keys_that_others_can_read(config_path: Path) -> None:
    (config_path.parent / "data" / "keys" / "secret.keys").chmod(0o644)
    found = states(config_path)
    assert found["keys"] == found["server"] == "wrong"


def test_a_box_that_is_not_enrolled(config_path: Path) -> None:
    (config_path.parent / "data" / "enrolment.toml").unlink()
    assert states(config_path)["enrolment"] == "wrong"
    with pytest.raises(ConfigError, match="has not been enrolled"):
        Box.open(load_config(config_path))


def test_a_box_enrolled_at_another_server(config_path: Path, server_keys: KeyPair) -> None:
    change(config_path, server_keys.curve_public_z85, new_keys("server").curve_public_z85)
    with pytest.raises(ConfigError, match="enrolled at a server with another key"):
        load_enrolment(load_config(config_path))


def test_the_box_at_work_and_its_key_rotated(config_path: Path, store: Engine, place: Place, ingest: Ingest) -> None:
    config = load_config(config_path)
    box = Box.open(config)
    box.start()
    assert wait_for(lambda: box.sender.is_heard and box.curator.is_anchored)
    totals = box.stop(flush_s=20)
    assert totals["waiting"] == 0
    assert totals["acknowledged"] >= 3  # a tree head, a pulse, the evidence
    before = own_keys(config)
    code = boxes.issue_code(store, place.province_id, 1, time.time())
    assert main(["keys", "enroll", "--config", str(config_path), "--code", code, "--rotate", "--json"]) == 0
    after = own_keys(config)
    assert after.curve_public != before.curve_public
    assert after.signing_public == before.signing_public
    again = Box.open(config)
    again.start()
    assert wait_for(lambda: again.sender.is_heard)
    again.stop(flush_s=20)
    assert ingest.registry.lookup(after.curve_public_z85) is not None
    ingest.registry.refresh()
    assert ingest.registry.lookup(before.curve_public_z85) is None
    assert load_enrolment(config).epoch == 1


def test_without_a_notice_nothing_is_analysed(config_path: Path, tmp_path: Path) -> None:
    """A source is named, even one that does not exist: it is not opened."""
    change(config_path, '[camera]\nsource = "none"', "[camera]\nsource = 63")
    box = Box.open(load_config(config_path))
    assert box.analysis is None
    box.stop()


@pytest.mark.slow
def test_a_camera_that_is_not_there_yet_does_not_keep_the_box_from_starting(config_path: Path) -> None:
    """It may be slower than the box after a power cut; ratings go on. A file that is missing is a mistake."""
    change(
        config_path,
        '[camera]\nsource = "none"',
        '[notice]\nconfirmed = true\ncontact = "Văn phòng"\n[camera]\nsource = 63',
    )
    change(config_path, 'basis = "consent"', STATE_ACTIVITY)
    box = Box.open(load_config(config_path))
    box.start()
    assert wait_for(lambda: box.sender.is_heard)
    assert box.health.state is BoxState.CAMERA_LOST
    assert httpx.get(f"http://127.0.0.1:{box.tablet.port}/status", timeout=120).json()["state"] == "CAMERA_LOST"
    box.stop(flush_s=20)
    change(config_path, "source = 63", 'source = "nothing.mp4"')
    for basis in (STATE_ACTIVITY, 'basis = "consent"'):
        with pytest.raises(SourceError):
            Box.open(load_config(config_path))
        change(config_path, STATE_ACTIVITY, basis)


@pytest.mark.slow
def test_under_consent_a_camera_that_fails_at_a_touch_is_told_with_the_next_day(config_path: Path) -> None:
    """At once, heartbeats and the journal would tell when somebody agreed."""
    change(
        config_path,
        '[camera]\nsource = "none"',
        '[notice]\nconfirmed = true\ncontact = "Văn phòng"\n[camera]\nsource = 63',
    )
    box = Box.open(load_config(config_path))
    box.start()
    assert box.analysis is not None
    watched = box.analysis.counters["1"]
    assert box.counters["1"].agree()
    assert wait_for(lambda: watched.camera_lost)
    assert not box.health.holds(BoxState.CAMERA_LOST)
    watched.tell_of_day(0)
    assert box.health.holds(BoxState.CAMERA_LOST)
    box.stop(flush_s=20)


def test_commands_of_the_server(
    config_path: Path, store: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path, server_keys: KeyPair
) -> None:
    from pipeline.keys import save_keys

    save_keys(server_keys, tmp_path / "server" / "keys")
    where = ["--data-dir", str(tmp_path / "server"), "--store", store.url.render_as_string(hide_password=False)]
    assert main(["server", "enroll", *where, "--agency", "so-tu-phap", "--label", "quầy 2", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["server_public_key"] == server_keys.curve_public_z85
    assert main(["server", "revoke", *where, "--box", "1"]) == 0
    capsys.readouterr()
    assert main(["server", "enroll", *where, "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["boxes"]
    assert [(box["label"], box["state"]) for box in listed] == [("quầy 1", "revoked"), ("quầy 2", "not enrolled")]
    assert main(["server", "revoke", *where, "--box", "99"]) == 1
    assert main(["server", "enroll", *where, "--agency", "nowhere", "--label", "x"]) == 1
    assert "no agency 'nowhere'" in capsys.readouterr().err


def test_a_configuration_is_read_anew_or_left_as_it_was(config_path: Path, tmp_path: Path) -> None:
    """A typing error, a port that is taken, a server that the box was not enrolled at: each leaves the box at work."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", _MAIN, "edge", "run", "--config", str(config_path), "--json", "--flush-s", "0"]
    with log.open("w") as errors, child(command, errors) as box:
        try:
            assert box.stdout is not None
            good = config_path.read_text("utf-8")

            def ready() -> str:
                assert box.stdout is not None
                told = json.loads(box.stdout.readline())
                return httpx.get(str(told["tablet"]), timeout=120).text

            def reload(text: str, expected: str) -> None:
                config_path.write_text(text, "utf-8")
                os.kill(box.pid, signal.SIGHUP)
                wait_for(lambda: expected in log.read_text("utf-8"))

            assert "Sở Tư pháp" in ready()
            reload(good.replace("clerks_per_box", "clerks_per_bix"), "'privacy.clerks_per_bix' is not known")
            reload(good.replace("clerks_per_box = 2", "clerks_per_box = 1"), "the one before stays: ")
            reload(
                good.replace("public_key = ", f'public_key = "{new_keys("server").curve_public_z85}" #'), "another key"
            )
            reload(good, "has not changed")
            reload(good.replace("Sở Tư pháp", "Sở Y tế"), "was read anew")
            assert "Sở Y tế" in ready()
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
                reload(good.replace("port = 0", f"port = {port}"), "cannot be opened with the configuration")
                assert "Sở Y tế" in ready()
        finally:
            box.send_signal(signal.SIGTERM)
            totals = json.loads(box.stdout.read() if box.stdout else "")
        assert box.wait(20) == 0
    assert totals["refused"] == 0
    assert "Traceback" not in log.read_text("utf-8")


def test_the_check_speaks_vietnamese_where_the_terminal_does(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a word of English in what is found, but for names and codes; the JSON keeps its own words."""
    monkeypatch.setenv("LC_ALL", "vi_VN.UTF-8")
    main(["edge", "check", "--config", str(config_path), "--offline"])
    said = capsys.readouterr().out
    for words in ("đạt", "cấu hình", "còn ", "Thiết bị"):
        assert words in said
    for english in ("is valid", "can be served", "The box", "free at", "none is", "not asked", "note ", "WRONG"):
        assert english not in said, english
    main(["edge", "check", "--config", str(config_path), "--offline", "--json"])
    assert "configuration" in {each["what"] for each in json.loads(capsys.readouterr().out)["findings"]}
