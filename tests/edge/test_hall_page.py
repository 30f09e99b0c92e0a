"""The technician's pages: how every counter is, and the region that is drawn over one picture."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from edge.box import Box
from edge.config import load_config
from edge.hall_page import hall_state, make_hall_app
from edge.perception.watched import Minute
from edge.region_page import RegionPage
from hailong.cli import main
from pipeline.errors import ConfigError
from pipeline.language import Message, in_language
from pipeline.records import Frame
from pipeline.wire import BoxState
from tests.edge.perception.test_hall import ACTIVITY
from tests.edge.test_config import write
from tests.edge.test_counters import HALL as WITH_CAMERAS
from tests.edge.test_hall_box import HALL, enrolled


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box.open(enrolled(tmp_path, HALL.replace("demo = true\n", "demo = true\ntechnician_port = 0\n", 1)))
    found.start()
    yield found
    found.stop(for_good=False)


def test_the_page_tells_of_every_counter_in_vietnamese_and_shows_no_picture(box: Box) -> None:
    assert box.technician is not None
    with httpx.Client(base_url=f"http://127.0.0.1:{box.technician.port}", timeout=120) as client:
        page = client.get("/")
        english = client.get("/?language=en")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert all(each in page.text for each in ("Quầy 3", "Sở Y tế", "/quay/1/", "/quay/2/"))
    assert in_language(Message("The counters of this box"), "vi") in page.text
    assert "The counters of this box" in english.text
    assert "<img" not in page.text


def test_what_is_lost_stands_in_the_counter_s_row_in_words(box: Box) -> None:
    state = hall_state(box)
    assert [(each.name, each.pool) for each in state.counters] == [("1", 1), ("2", 1), ("3", 2)]
    assert {str(each.camera) for each in state.counters} == {"none is named"}
    assert [each.problem for each in state.counters] == ["", "", ""]
    assert state.provider == ""


def test_a_poor_picture_stands_beside_its_camera(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """With eight cameras nobody knew of which one the box's page spoke."""
    poor = SimpleNamespace(notices=["strip", "dark"], told={}, minute=Minute())
    monkeypatch.setattr(box, "watched", lambda name: poor if name == "2" else None)
    state = hall_state(box)
    assert [len(each.notices) for each in state.counters] == [0, 2, 0]
    page = TestClient(make_hall_app(lambda: state, "en"), base_url="http://127.0.0.1").get("/").text
    rows = page.split("<tr>")[2:]
    assert ["strip" in row and "too dark" in row for row in rows] == [False, True, False]


def test_a_region_is_drawn_over_a_grid(tmp_path: Path) -> None:
    from edge.hall_page import CounterState

    (first, *_) = load_config(write(tmp_path, WITH_CAMERAS)).counters
    word = Message("works")
    state = CounterState("1", "1", "", 1, "", word, word, word, word, region=first.camera.region)
    assert state.polygon == "0.000,0.000 16.000,0.000 16.000,9.000 0.000,9.000"


def test_under_consent_the_page_does_not_tell_whether_a_camera_is_open(tmp_path: Path) -> None:
    """Which would tell who agreed."""
    from edge.delivery.health import Health
    from edge.hall_page import _source_state
    from edge.perception.engine import Engine
    from edge.perception.settings import EngineSettings
    from edge.perception.watched import Watched
    from tests.edge.perception.test_hall import _blind

    config = load_config(write(tmp_path, WITH_CAMERAS))
    engine = Engine(EngineSettings(asks_consent=True), _blind(), lambda visit: None)
    watched = Watched(config.counters[0], engine, Health(), alone=False, tell_at_once=False)
    before = _source_state(watched, "rtsp://10.0.0.1/", BoxState.CAMERA_LOST, asks=True)
    assert watched.camera is not None
    watched.camera.note_lost(Message("gone"))
    assert _source_state(watched, "rtsp://10.0.0.1/", BoxState.CAMERA_LOST, asks=True) == before
    watched.tell_of_day(7)
    assert _source_state(watched, "rtsp://10.0.0.1/", BoxState.CAMERA_LOST, asks=True) == "lost"
    assert watched.told == {BoxState.CAMERA_LOST: "gone"}


# -- the region


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A camera that is looked through once."""
    opened: list[str] = []

    def check(self: object) -> Frame:
        opened.append(str(getattr(self, "source")))  # noqa: B009
        return Frame(np.full((36, 64, 3), 200, np.uint8), 0.0)

    monkeypatch.setattr("edge.capture.camera.Camera.check", check)
    return opened


def test_a_picture_is_taken_once_it_is_confirmed_and_goes_with_the_region(tmp_path: Path, camera: list[str]) -> None:
    page = RegionPage(load_config(write(tmp_path, WITH_CAMERAS)).counters[1], "vi")
    client = TestClient(page.app(), "http://127.0.0.1")
    found = re.search(r'name="token" value="([^"]+)"', client.get("/").text)
    assert found is not None
    token = found[1]
    for form in ({}, {"token": token}, {"token": token, "nobody": "yes"}, {"nobody": "yes", "staff": "yes"}):
        assert client.post("/picture", data=form).status_code == 403
    assert client.get(f"/picture/{token}").status_code == 404
    assert camera == []
    confirmed = client.post("/picture", data={"token": token, "nobody": "yes", "staff": "yes"})
    assert "/static/region.js" in confirmed.text
    assert camera == ["rtsp://10.0.0.2/"]
    assert client.get(f"/picture/{token}").content[:2] == b"\xff\xd8"
    assert client.get("/picture/another").status_code == 404
    for wrong in ("", "[]", "[[0, 0], [1, 1]]", "[[0, 0], [1, 2], [1, 1]]", '{"a": 1}', "[[0, 0], [1], [1, 1]]"):
        assert client.post("/region", data={"token": token, "region": wrong}).status_code == 422
    drawn = "[[0.10001, 0.2], [0.9, 0.2], [0.9, 1]]"
    assert client.post("/region", data={"token": "x", "region": drawn}).status_code == 403
    assert client.post("/region", data={"token": token, "region": drawn}).status_code == 200
    assert page.wait(0) == [[0.1, 0.2], [0.9, 0.2], [0.9, 1.0]]
    assert client.get(f"/picture/{token}").status_code == 404, "the picture is gone"


def test_the_command_prints_the_line_for_the_file(
    tmp_path: Path, camera: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, WITH_CAMERAS.replace('basis = "consent"', ACTIVITY))
    monkeypatch.setattr(
        "edge.region_page.RegionPage.wait", lambda _self, _seconds: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    )
    threads = threading.active_count()
    assert main(["edge", "region", "--config", str(path), "--counter", "2"]) == 0
    assert capsys.readouterr().out == "region = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]\n"
    assert threading.active_count() == threads
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="no counter '9'"):
        load_config(path).counter_named("9")
    with pytest.raises(ConfigError, match="no counter ''"):
        load_config(path).counter_named("")
    assert sorted(tmp_path.rglob("*")) == before
