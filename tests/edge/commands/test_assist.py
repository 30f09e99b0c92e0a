"""`hailong edge assist` as a technician runs it, and what it does to a box by the commands that the documents name."""

from __future__ import annotations

import hashlib
import re
import signal
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from edge.assistant.hands import MachineHands
from edge.commands.assist import own_addresses, require_closed
from edge.config import load_config
from edge.delivery.enrolment import load_enrolment
from edge.deploy.releases import draft_path
from hailong.cli import main
from pipeline.errors import ConfigError
from pipeline.keys import KeyPair
from server.boxes import registry as boxes
from server.boxes.ingest import Ingest
from tests.delivery.conftest import Place
from tests.edge.commands.test_check import CONFIG, ingest, place, server_keys

__all__ = ["ingest", "place", "server_keys"]
pytestmark = pytest.mark.slow
_MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from hailong.cli import main; sys.exit(main())"
)
"""A run of the tests in the background ignores Ctrl-C, and its children do; somebody at a console does not."""


@contextmanager
def assisting(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The command at work, and what it has printed."""
    command = [sys.executable, "-c", _MAIN, "edge", "assist", "--config", str(folder / "edge.toml"), "--port", "0"]
    running = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )
    assert running.stdout is not None
    said: dict[str, str] = {}
    try:
        wanted = {"Open", "Code"} | ({"The browser warns of its certificate, which begins with"} if options else set())
        while wanted - set(said):
            line = running.stdout.readline()
            assert line, running.communicate(timeout=30)
            found = re.match(r"(Open|Code|The browser warns.*with):? (.+)", line)
            if found is not None:
                said[found[1]] = found[2]
        yield running, said
    finally:
        running.kill()
        running.communicate(timeout=30)


def test_it_is_there_while_the_command_runs_and_keeps_what_was_answered(tmp_path: Path) -> None:
    with assisting(tmp_path) as (running, said):
        with httpx.Client(base_url=said["Open"], follow_redirects=True, timeout=120) as client:
            page = client.post("/enter", data={"code": said["Code"]})
            token = re.search(r'name="token" value="([^"]+)"', page.text)
            assert token is not None
            form = {"token": token[1], "agency_label": "Sở Tư pháp", "clerks": "2", "clerks_meet": "no"}
            answer = client.post("/step/place", data=form, follow_redirects=False)
            assert answer.headers["location"] == "/step/devices"
        running.send_signal(signal.SIGINT)
        _out, err = running.communicate(timeout=30)
        assert running.returncode == 130
        assert err == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(said["Open"], timeout=120)
    assert tomllib.loads(draft_path(tmp_path / "edge.toml").read_text("utf-8"))["assistant"] == {"done": ["place"]}


def test_on_a_network_it_speaks_tls_with_the_certificate_that_is_printed(tmp_path: Path) -> None:
    host = next(iter(own_addresses()), None)
    if host is None:
        pytest.skip("this machine has no address but its own loopback's")
    with assisting(tmp_path, "--host", host, "--network-closed") as (_running, said):
        port = httpx.URL(said["Open"]).port
        assert said["Open"] == f"https://{host}:{port}/"
        assert port is not None
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, port)))).hexdigest()
        printed = said["The browser warns of its certificate, which begins with"]
        assert printed.replace(":", "").lower() == digest[:32]
        with httpx.Client(verify=False, base_url=said["Open"], timeout=120) as client:
            answer = client.post("/enter", data={"code": said["Code"]})
        assert "Secure" in answer.headers["set-cookie"]
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{host}:{port}/", timeout=120)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("10.0.0.2", "Others may reach 10.0.0.2"),
        ("0.0.0.0", "one address of this machine"),
        ("::", "one address of this machine"),
        ("box.local", "one address of this machine"),
    ],
)
def test_an_address_that_others_reach_has_to_be_stated_closed(
    host: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edge", "assist", "--config", str(tmp_path / "edge.toml"), "--host", host]) == 1
    assert said in capsys.readouterr().err
    if said.startswith("one"):
        with pytest.raises(ConfigError, match="by its numbers"):
            require_closed(host, True)


def test_a_box_is_enrolled_and_checked_by_the_commands_themselves(
    tmp_path: Path, store: Engine, place: Place, server_keys: KeyPair, ingest: Ingest
) -> None:
    """At a real server, in processes of their own; what they say is what the page shows, in Vietnamese."""
    hands = MachineHands(tmp_path / "edge.toml")
    key = server_keys.curve_public_z85
    text = CONFIG.format(address=ingest.endpoint, enrol=ingest.enrol_endpoint, key=key)
    values = tomllib.loads(text)
    hands.write(values)
    assert hands.is_written(values)
    assert not hands.is_enrolled()
    box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 1", demo=True)
    code = boxes.issue_code(store, place.province_id, box_id, 1e9)  # long run out
    with pytest.raises(ConfigError) as told:
        hands.enrol(code, "vi")
    assert str(told.value).startswith("Máy chủ không chấp nhận mã này.")
    hands.enrol(boxes.issue_code(store, place.province_id, box_id, time.time()), "vi")
    assert hands.is_enrolled()
    assert load_enrolment(load_config(tmp_path / "edge.toml")).epoch == 1
    rows = {row.where: row for row in hands.check("vi")}
    assert (rows["đăng ký"].state, rows["máy chủ"].state) == ("ok", "ok")
    assert "nhận ra thiết bị này" in rows["máy chủ"].text
    assert hands.start("vi") == f"hailong edge run --config {tmp_path / 'edge.toml'}"
    (tablet,) = hands.tablets()
    assert (tablet.code, tablet.paired) == ("", False)


def test_a_tablet_of_the_network_has_a_code(tmp_path: Path) -> None:
    text = CONFIG.format(address="tcp://127.0.0.1:1", enrol="", key="0" * 40)
    values = tomllib.loads(text)
    values["tablet"] = {"host": "10.0.0.2", "network_closed": True}
    hands = MachineHands(tmp_path / "edge.toml")
    hands.write(values)
    hands.start("vi")
    (tablet,) = hands.tablets()
    assert tablet.address == "http://10.0.0.2:8090/"
    assert re.fullmatch("[A-Z2-9]{4}-[A-Z2-9]{4}", tablet.code)


def test_a_command_that_fails_otherwise_is_told_in_its_own_words(tmp_path: Path) -> None:
    hands = MachineHands(tmp_path / "edge.toml")
    with pytest.raises(ConfigError, match=r"edge\.toml"):
        hands.enrol("A" * 26, "vi")
    (row,) = hands.check("vi")
    assert row.state == "wrong"
