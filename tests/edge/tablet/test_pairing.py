"""Only the paired tablet sees or changes a visit."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from edge.capture.queue_events import QueueEvents
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Counter
from edge.tablet.pairing import COOKIE, MAX_TRIES, Pairing
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
from tests.edge.tablet.conftest import TOKEN, Visits

PAGES = TabletPages("Sở Tư pháp", "Quầy 3", "vi", 30, True, False, "", "")


def make_client(pairing: Pairing | None, visits: Visits | None = None) -> TestClient:
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), visits or Visits(), lambda row: None, 30)
    counter.note_visit(1)
    return TestClient(
        make_app(CounterTablet(PAGES, counter, pairing), QueueEvents({"1": counter}, TOKEN)), "http://10.0.0.5"
    )


@pytest.fixture
def pairing(tmp_path: Path) -> Pairing:
    return Pairing(tmp_path)


def test_a_stranger_sees_no_visit_and_opts_nobody_out(pairing: Pairing) -> None:
    """Before, whoever reached the page could."""
    pairing.ensure_code()
    visits = Visits()
    stranger = make_client(pairing, visits)
    assert stranger.get("/", follow_redirects=False).headers["location"] == "/pair"
    for path in ("/opt-out", "/thanks", "/already", "/over", "/sheet/x"):
        assert stranger.get(path).status_code == 401, path
    for path in ("/opt-out", "/begin", "/sheet/x/answer", "/sheet/x/send", "/sheet/x/cancel", "/sheet/x/stay"):
        assert stranger.post(path).status_code == 401, path
    assert visits.calls == []


def test_every_page_is_closed_but_those_that_tell_nothing_of_visits(pairing: Pairing) -> None:
    visits = Visits()
    stranger = make_client(pairing, visits)
    pages = {}
    for has_opted_out in (False, True):
        visits.has_opted_out = has_opted_out
        pages[has_opted_out] = [
            stranger.get(path).text for path in ("/notice", "/notice/print", "/machine", "/models", "/pair")
        ]
    assert pages[False] == pages[True]
    open_paths = {
        route.path
        for route in stranger.app.routes  # type: ignore[attr-defined]
        if stranger.get(route.path.replace("{token:str}", "x"), follow_redirects=False).status_code not in (401, 303)
    }
    assert open_paths == {
        "/pair",
        "/notice",
        "/notice/print",
        "/machine",
        "/machine/aloud",
        "/models",
        "/language",
        "/text-size",
        "/status",
        "/visit/start",
        "/visit/end",
    }


def test_the_code_pairs_once(pairing: Pairing) -> None:
    code = pairing.ensure_code()
    assert pairing.ensure_code() == code
    tablet = make_client(pairing)
    assert tablet.post("/pair", data={"code": "AAAA-AAAA"}).status_code == 403
    page = tablet.post("/pair", data={"code": f" {code.lower().replace('-', ' ')} "})
    assert page.status_code == 200
    assert "Tôi không đồng ý phân tích" in page.text
    assert tablet.get("/opt-out").status_code == 410
    assert pairing.code == ""
    assert pairing.ensure_code() == ""
    assert make_client(pairing).post("/pair", data={"code": code}).status_code == 403
    cookie = next(each for each in tablet.cookies.jar if each.name == COOKIE)
    assert len(cookie.value or "") >= 43
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert Pairing(pairing._token_path.parent).knows(cookie.value or ""), "a restart keeps it"
    assert (cookie.value or "") not in pairing._token_path.read_text(), "of the secret a hash is kept"


def test_another_tablet_takes_the_place_of_the_first(pairing: Pairing) -> None:
    first, second = make_client(pairing), make_client(pairing)
    first.post("/pair", data={"code": pairing.ensure_code()})
    code = pairing.new_code()
    assert first.get("/").status_code == 200
    second.post("/pair", data={"code": code})
    assert second.get("/").url.path == "/"
    assert first.get("/").url.path == "/pair"


def test_a_code_is_not_guessed(pairing: Pairing) -> None:
    code = pairing.ensure_code()
    for _ in range(MAX_TRIES):
        assert pairing.pair("ZZZZ-ZZZZ") is None
    assert pairing.pair(code) is None
    fresh = pairing.new_code()
    assert pairing.pair("") is None
    assert pairing.pair(fresh + "A") is None
    assert pairing.pair(fresh)


def test_files_are_the_box_s_alone(pairing: Pairing) -> None:
    pairing.pair(pairing.ensure_code())
    pairing.new_code()
    assert [path.stat().st_mode & 0o777 for path in sorted(pairing._code_path.parent.iterdir())] == [0o600, 0o600]


def test_queue_events_keep_their_own_token(pairing: Pairing) -> None:
    client = make_client(pairing)
    assert client.post("/visit/start").status_code == 401
    assert client.post("/visit/start", headers={"X-Queue-Token": TOKEN}).status_code == 204
