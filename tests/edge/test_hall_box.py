"""A hall's box whole, but for its cameras: tablets, queue system, pools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from edge.box import Box
from edge.commands.run import _begin_anew
from edge.config import EdgeConfig, load_config
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Counter
from edge.tablet.pairing import Pairing
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
from pipeline.keys import KEY_FILE_NAME, new_keys, save_keys, z85_encode
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import EVIDENCE, PULSE
from tests.edge.test_config import KEY, write

TOKEN = "queue-token-0123456789"
HALL = f"""
[box]
data_dir = "data"
agency_label = "Trung tâm"
demo = true

[server]
address = "tcp://127.0.0.1:9"
public_key = "{KEY}"

[legal]
basis = "consent"

[tablet]
port = 0
form = "one"

[queue]
enabled = true
token_file = "queue.token"

[privacy]
demo = true
at_rest = "plain_demo"

[[privacy.pools]]
number = 1
agency = "tu-phap"
[[privacy.pools]]
number = 2
agency = "y-te"
clerks = 2

[[counter]]
name = "1"
agency = "tu-phap"
queue_id = "A1"
[[counter]]
name = "2"
agency = "tu-phap"
[[counter]]
name = "3"
label = "Quầy 3"
agency = "y-te"
agency_label = "Sở Y tế"
tablet = {{ port = 0 }}
"""


def enrolled(folder: Path, text: str = HALL) -> EdgeConfig:
    """The configuration of a box that looks enrolled."""
    config = load_config(write(folder, text))
    save_keys(new_keys("box"), config.keys_dir)
    assert (config.keys_dir / KEY_FILE_NAME).exists()
    signing = z85_encode(bytes(range(32)))
    text = f'epoch = 1\nserver_public = "{KEY}"\nserver_signing = "{signing}"\nepoch_identity = ""\n'
    (config.box.data_dir / "enrolment.toml").write_text(text, "ascii")
    token = folder / "queue.token"
    token.write_text(TOKEN, "ascii")
    token.chmod(0o600)
    return config


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box.open(enrolled(tmp_path))
    found.start()
    yield found
    found.stop(for_good=False)


@pytest.fixture
def client(box: Box) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{box.tablet.port}", follow_redirects=True, timeout=120) as found:
        yield found


def token_of(page: str) -> str:
    found = re.search(r'name="page_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def rate(client: httpx.Client, base: str) -> httpx.Response:
    """Begin a sheet at a counter's page and answer its one question."""
    begun = client.post(f"{base}/begin", data={"page_token": token_of(client.get(f"{base}/").text)})
    sheet = begun.url.path
    assert sheet.startswith(f"{base}/sheet/")
    return client.post(f"{sheet}/answer", data={"slot": "0", "value": "5"})


def test_each_counter_has_its_page_and_its_ratings_go_to_its_agency_s_pool(box: Box, client: httpx.Client) -> None:
    kept: list[int] = []
    box.outbox.add_sheet = lambda row, day, pool=1: kept.append(pool)  # type: ignore[method-assign]
    assert [f'"/quay/{name}/"' in client.get("/").text for name in ("1", "2", "3")] == [True, True, False]
    assert client.get("/quay/1").url.path == "/quay/1/"
    assert client.get("/quay/9/").status_code == 404
    assert rate(client, "/quay/1").url.path == "/quay/1/thanks"
    assert rate(client, "/quay/2").url.path == "/quay/2/thanks"
    own = f"http://127.0.0.1:{box.own_tablets['3'].port}"
    with httpx.Client(base_url=own, follow_redirects=True, timeout=120) as third:
        assert "Sở Y tế" in third.get("/").text
        assert "Quầy 3" in third.get("/").text
        assert rate(third, "").url.path == "/thanks"
    assert kept == [1, 1, 2]
    assert [counter.tallies.forwarded for counter in box.counters.values()] == [1, 1, 1]


def test_one_tablet_can_neither_rate_nor_opt_out_at_another_counter(box: Box, client: httpx.Client) -> None:
    """Its page's token and its sheet's are another counter's."""
    token = token_of(client.get("/quay/1/").text)
    assert client.post("/quay/2/begin", data={"page_token": token}).url.path == "/quay/2/"
    sheet = client.post("/quay/1/begin", data={"page_token": token}).url.path.removeprefix("/quay/1")
    assert client.post(f"/quay/2{sheet}/answer", data={"slot": "0", "value": "1"}).url.path == "/quay/2/over"
    opted: list[str] = []
    for name, counter in box.counters.items():
        counter.opt_out = lambda name=name: opted.append(name)  # type: ignore[method-assign, misc]
    client.post("/quay/2/opt-out", data={"page_token": token})
    assert opted == []
    client.post("/quay/1/opt-out", data={"page_token": token})
    assert opted == ["1"]
    assert box.counters["2"].tallies.forwarded == 0


def test_a_tablet_is_paired_with_one_counter(tmp_path: Path) -> None:
    """On a network, each counter has a code and a secret of its own; a secret opens no other counter's page."""
    questionnaire = make_questionnaire(load_instrument("2640"), "one")
    pairings = [Pairing(tmp_path, name) for name in ("1", "2")]
    tablets = [
        CounterTablet(
            TabletPages("Sở Tư pháp", name, "vi", 30, False, False, "", "", base=f"/quay/{name}"),
            Counter(questionnaire, None, lambda row: None, 30),
            pairing,
        )
        for name, pairing in zip(("1", "2"), pairings, strict=True)
    ]
    codes = [pairing.ensure_code() for pairing in pairings]
    assert codes[0] != codes[1]
    client = TestClient(make_app(tablets), "http://10.0.0.5", follow_redirects=False)
    assert client.get("/quay/1/").headers["location"] == "/quay/1/pair"
    assert client.post("/quay/1/pair", data={"code": codes[1]}).status_code == 403
    paired = client.post("/quay/1/pair", data={"code": codes[0]})
    assert (paired.status_code, paired.headers["location"]) == (303, "/quay/1/")
    assert "Path=/quay/1/" in paired.headers["set-cookie"]
    assert client.get("/quay/1/").status_code == 200
    assert client.get("/quay/2/").headers["location"] == "/quay/2/pair"
    secret = paired.cookies["tablet"]
    for cookies in ({"tablet": secret},):  # carried over by hand, too
        answer = TestClient(make_app(tablets), "http://10.0.0.5", cookies=cookies).post("/quay/2/begin")
        assert answer.status_code == 401
    assert client.get("/quay/2/notice").status_code == 200, "the notice is for everybody"


def test_the_queue_system_names_the_counter(box: Box, client: httpx.Client) -> None:
    assert box.events is not None
    called: list[tuple[str, int]] = []
    for name, counter in box.counters.items():
        counter.queue_started = lambda group, name=name: called.append((name, group))  # type: ignore[method-assign, misc]
    headers = {"X-Queue-Token": TOKEN}

    def call(path: str, **body: object) -> int:
        return client.post(path, json=body, headers=headers).status_code

    assert call("/visit/start", counter="A1", service_group=3) == 204
    assert call("/visit/start", counter="2", service_group=4) == 204
    assert call("/visit/start", counter="1", service_group=5) == 404, "the queue system calls it A1"
    assert call("/visit/start", service_group=5) == 404, "which one, is not to be guessed"
    assert call("/visit/end", counter="B7") == 404
    assert call("/visit/end", counter="A1") == 204
    assert call("/visit/start", counter="A1", ticket="007") == 422
    assert called == [("1", 3), ("2", 4)]
    assert box.events.tallies.dropped == {"queue_counter": 3, "queue_malformed": 1}


def test_a_visit_falls_into_exactly_one_pool(box: Box) -> None:
    """Whatever it is, and wherever: one cell of one pool's table of each kind, and nothing anywhere of its counter."""
    visit = ClosedVisit(Level.HIGH, Outcome.SATISFIED)
    for name, times in (("1", 2), ("2", 3), ("3", 4)):
        for _ in range(times):
            box._on_visit(name, visit)
    for kind in (PULSE, EVIDENCE):
        period = box.curator._current[kind]
        assert period is not None
        assert {pool: int(sum(table)) for pool, table in period.tables.items()} == {1: 5, 2: 4}
    assert box.outbox._pools == {1, 2}


def test_a_reload_adds_and_removes_counters_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    """What SIGHUP does; a counter that is moved to another pool counts where it was until the running evidence ends."""
    box = Box.open(enrolled(tmp_path))
    box.start()
    path = tmp_path / "edge.toml"
    fourth = '[[counter]]\nname = "4"\nagency = "y-te"\n'
    path.write_text(HALL.replace('name = "2"\nagency = "tu-phap"', 'name = "2"\nagency = "so-la"') + fourth, "utf-8")
    assert _begin_anew(box, path, as_json=True) is box
    path.write_text(HALL.replace('name = "2"\nagency = "tu-phap"', 'name = "2"\nagency = "y-te"') + fourth, "utf-8")
    box = _begin_anew(box, path, as_json=True)
    try:
        # pool 1 has one clerk now
        assert list(box.counters) == ["1", "2", "3"]
        path.write_text(
            path.read_text("utf-8").replace('agency = "tu-phap"\n[[', 'agency = "tu-phap"\nclerks = 2\n[['), "utf-8"
        )
        anew = _begin_anew(box, path, as_json=True)
        assert anew is not box
        box = anew
        assert list(box.counters) == ["1", "2", "3", "4"]
        box._on_visit("2", ClosedVisit(Level.HIGH, Outcome.SATISFIED))
        evidence = box.curator._current[EVIDENCE]
        assert evidence is not None
        assert {pool: int(sum(table)) for pool, table in evidence.tables.items()} == {1: 1, 2: 0}
    finally:
        box.stop(for_good=False)
