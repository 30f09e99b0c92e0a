"""What reaches the tablet's page from outside, the queue system's events, and what it tells a technician."""

from __future__ import annotations

import contextlib
import html
import re
import socket
from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from edge.capture.queue_calls import BURST_OF_A_COUNTER
from edge.capture.queue_events import QueueEvents, make_queue_app
from edge.tablet import connections, serve
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Begin, Counter
from edge.tablet.serve import TabletServer
from models.catalogue import all_cards
from pipeline import prompt_heads, wire
from pipeline.errors import ConfigError
from pipeline.instruments.flags import RatingFlag
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
from pipeline.language import Message, in_language
from pipeline.listening import Room
from tests.edge.tablet.conftest import FORM, TOKEN, TOLD, Tablet


@pytest.mark.parametrize("address", ["/begin", "/opt-out"])
@pytest.mark.parametrize(
    ("headers", "data"),
    [({}, {}), ({}, {"page_token": "guessed"}), ({"Sec-Fetch-Site": "cross-site"}, None)],
)
def test_another_site_s_page_can_do_nothing(
    address: str, headers: dict[str, str], data: dict[str, str] | None, one: Tablet
) -> None:
    data = {"page_token": one.page_token()} if data is None else data
    one.client.post(address, data=data, headers=headers)
    assert one.visits.calls == []


def test_a_full_disk_is_told_and_the_sheet_can_be_sent_again(one: Tablet) -> None:
    page = one.begin()
    one.disk_full = True
    failed = one.answer(page, 4)
    assert failed.status_code == 503
    assert "Chưa lưu được" in failed.text
    one.disk_full = False
    sent = one.client.post(f"{page.url}/send", data={})
    assert sent.url.path == "/thanks"
    assert len(one.rows) == 1


def test_an_impossible_speed_is_flagged(short: Tablet) -> None:
    page = short.touch(5)
    for _ in range(4):
        short.now_s -= 1.9
        page = short.answer(page, 5)
    assert short.rows[0].flag == RatingFlag.TOO_FAST


def test_without_known_visits_a_burst_is_flagged() -> None:
    rows: list[wire.RatingRow] = []
    now = [0.0]
    counter = Counter(
        make_questionnaire(load_instrument("2640"), "one"), None, rows.append, 30, lambda: False, lambda: now[0]
    )
    for gap_s in (0.0, 2.0, 60.0):
        now[0] += gap_s
        sheet = counter.begin()
        assert not isinstance(sheet, Begin)
        now[0] += 1.0
        counter.answer(sheet.token, 0, 5)
        assert counter.complete(sheet.token)
    assert [row.flag for row in rows] == [0, RatingFlag.BURST, 0]


def test_both_languages_and_the_notice(one: Tablet) -> None:
    assert 'lang="vi"' in one.client.get("/").text
    page = one.client.post("/language", data={"path": "/notice", "language": "en"})
    assert page.url.path == "/notice"
    assert "No picture, sound, word" in page.text
    assert "<svg" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    printed = one.client.get("/notice/print").text
    assert "Quyền của Ông/Bà" in printed
    assert "Your choice" in printed
    sheets = printed.split("<section")[1:]
    assert [sheet.count("<svg") for sheet in sheets] == [1, 1], "each language is a sheet of its own on the wall"
    assert one.client.post("/language", data={"path": "//elsewhere.example"}).url.path == "/"


def test_no_page_asks_for_anything_elsewhere(one: Tablet) -> None:
    for path in ("/", "/notice", "/models", "/notice/print", "/thanks", "/static/tablet.css", "/static/tablet.js"):
        found = re.findall(r'(?:src|href)="(https?:)?//', one.client.get(path).text) + re.findall(
            r"url\(|@import", one.client.get(path).text
        )
        assert found == [], path


@pytest.mark.parametrize(
    ("path", "token", "body", "status", "calls"),
    [
        ("/visit/start", TOKEN, b'{"service_group": 3}', 204, ["started 3"]),
        ("/visit/start", TOKEN, b"", 204, ["started 0"]),
        ("/visit/end", TOKEN, b"", 204, ["ended"]),
        ("/visit/start", "wrong", b'{"service_group": 3}', 401, []),
        ("/visit/end", "", b"", 401, []),
        ("/visit/start", TOKEN, b'{"service_group": 256}', 422, []),
        ("/visit/start", TOKEN, b'{"service_group": "3"}', 422, []),
        ("/visit/start", TOKEN, b'{"ticket": "A007"}', 422, []),
        ("/visit/start", TOKEN, b"not json", 422, []),
        ("/visit/start", TOKEN, b"x" * 5000, 413, []),
    ],
)
def test_queue_events(path: str, token: str, body: bytes, status: int, calls: list[str], one: Tablet) -> None:
    answer = one.client.post(path, content=body, headers={"X-Queue-Token": token})
    assert answer.status_code == status
    assert one.visits.calls == calls


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8090", 200),
        ("[::1]:8090", 200),
        ("localhost:8090", 200),
        ("hop-3.local", 200),
        ("quay3", 200),
        ("tablet.example.vn:8090", 200),
        ("attacker.example:8090", 421),
        ("127.0.0.1.attacker.example", 421),
        ("local.attacker.example", 421),
    ],
)
def test_under_a_stranger_s_name_there_is_no_box(host: str, status: int) -> None:
    """A page of that name could otherwise be made to reach this address, with the browser's blessing."""
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda _row: None, 30)
    pages = TabletPages("A", "", "vi", 30, False, False, "", "")
    app = make_app(CounterTablet(pages, counter), QueueEvents({"1": counter}, TOKEN), host="tablet.example.vn")
    client = TestClient(app, follow_redirects=False)
    assert client.get("/", headers={"Host": host}).status_code == status
    assert client.post("/visit/end", headers={"Host": host, "X-Queue-Token": TOKEN}).status_code in (204, status)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_body_is_refused_unread(one: Tablet, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20_000):
            yield b"a" * 1_000

    body = pieces() if chunked else b"a" * 2_000_000
    with contextlib.suppress(httpx.WriteError):  # the connection may be closed while the rest still comes
        answer = one.client.post("/begin", content=body, headers={"content-type": FORM})
        assert answer.status_code == 413
    assert one.visits.calls == []
    assert one.client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"reason=%C2%B2", FORM),
        ("reason=²&reason=١&reason=1".encode(), FORM),
        (b"reason=\xff\xfe&reason=%ff", FORM),
        (b"reason=" + b"9" * 5_000, FORM),
        (b"&&&=&=;", FORM),
        (b"", "multipart/form-data"),
        (
            b"--x\r\nContent-Disposition: form-data; name=reason; filename=a\r\n\r\n1\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
    ],
)
def test_odd_forms_break_nothing(one: Tablet, content: bytes, kind: str) -> None:
    page = one.answer(one.begin(), 2)
    answers = [
        one.client.post(path, content=content, headers={"content-type": kind})
        for path in ("/language", "/begin", "/opt-out", f"{page.url.path}/answer", f"{page.url.path}/send")
    ]
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
    assert "opt_out" not in one.visits.calls
    assert len(one.rows) <= 1
    assert all(row.reasons in (0, 0b10) for row in one.rows)


def test_a_page_that_fails_is_told_once_and_without_words(
    one: Tablet, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(token: str) -> None:
        raise RuntimeError(f"no sheet {token}")

    monkeypatch.setattr(one.counter, "sheet", fails)
    for _ in range(3):
        assert one.client.get("/sheet/what-a-citizen-sent").status_code == 500
    ours = [record for record in caplog.records if record.name.startswith("edge.")]  # the test's client logs, too
    assert [record.levelname for record in ours] == ["ERROR"]
    assert "what-a-citizen-sent" not in ours[0].getMessage()


def test_queue_events_at_an_address_of_their_own() -> None:
    """There nobody rates or opts out, and at the tablet's no visit is started."""
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda _row: None, 30)
    pages = TabletPages("A", "", "vi", 30, False, False, "", "")
    events, tablet = (
        TestClient(make_queue_app(QueueEvents({"1": counter}, TOKEN))),
        TestClient(make_app(CounterTablet(pages, counter))),
    )
    own = {"X-Queue-Token": TOKEN, "Host": "127.0.0.1"}
    assert events.post("/visit/start", headers=own).status_code == 204
    assert events.post("/visit/start", headers={"Host": "127.0.0.1"}).status_code == 401
    assert {events.post(path, headers=own).status_code for path in ("/begin", "/opt-out", "/language")} == {404}
    assert tablet.post("/visit/start", headers=own).status_code == 404


def test_a_call_that_is_sent_again_begins_no_second_visit(one: Tablet) -> None:
    """A sender that had no answer in time sends again; the next call, and one after an end, are others."""
    own = {"X-Queue-Token": TOKEN}
    for event, group in (("start", 3), ("start", 3), ("start", 4), ("end", 0), ("end", 0), ("start", 4), ("start", 4)):
        body = b'{"service_group": %d}' % group if group else b""
        assert one.client.post(f"/visit/{event}", content=body, headers=own).status_code == 204
    assert one.visits.calls == ["started 3", "started 4", "ended", "started 4"]


def test_a_flood_of_calls_by_http_is_bounded_as_a_brokers_is(one: Tablet) -> None:
    own = {"X-Queue-Token": TOKEN}
    bodies = [b'{"service_group": %d}' % group for group in range(2 * BURST_OF_A_COUNTER)]
    answers = [one.client.post("/visit/start", content=body, headers=own).status_code for body in bodies]
    assert answers.count(429) >= BURST_OF_A_COUNTER - 3
    assert len(one.visits.calls) == answers.count(204)


def test_a_rating_bears_the_service_group_of_the_queue_event(one: Tablet) -> None:
    one.client.post("/visit/start", content=b'{"service_group": 7}', headers={"X-Queue-Token": TOKEN})
    one.next_visit()
    one.answer(one.begin(), 5)
    assert one.rows[0].service_group == 7


def test_a_taken_port_is_told() -> None:
    pages = TabletPages("A", "", "vi", 30, False, False, "", "")
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda _row: None, 30)
    first = TabletServer(make_app(CounterTablet(pages, counter)), "127.0.0.1", 0)
    first.start()
    with pytest.raises(ConfigError, match="cannot be served"):
        TabletServer(make_app(CounterTablet(pages, counter)), "127.0.0.1", first.port)
    first.close()


def test_connections_that_say_nothing_stop_neither_the_page_nor_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 of them took every file of the process, and its journal got 8,000 tracebacks a second."""
    monkeypatch.setattr(connections, "ROOM", Room(60, 20))
    monkeypatch.setattr(serve, "ROOM", connections.ROOM)
    pages = TabletPages("A", "", "vi", 30, False, False, "", "")
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda _row: None, 30)
    server = TabletServer(make_app(CounterTablet(pages, counter)), "127.0.0.1", 0)
    server.start()
    idle = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(40)]
    try:
        assert sum(_is_closed(one) for one in idle[20:]) == 20
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=transport, timeout=60) as tablet:
            assert tablet.get(f"http://127.0.0.1:{server.port}/").status_code == 200
    finally:
        for one in idle:
            one.close()
        server.close()


def test_half_a_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_heads, "HEAD_S", 0.2)
    pages = TabletPages("A", "", "vi", 30, False, False, "", "")
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda _row: None, 30)
    server = TabletServer(make_app(CounterTablet(pages, counter)), "127.0.0.1", 0)
    server.start()
    for said in (b"", b"GET / HT"):
        with socket.create_connection(("127.0.0.1", server.port), 60) as one:
            one.sendall(said)
            assert _is_closed(one)
    server.close()


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_both_instruments_have_every_form() -> None:
    for code in ("1383", "2640"):
        for form, count in (("one", 1), ("short", 5), ("kiosk", 9)):
            questions = make_questionnaire(load_instrument(code), form).questions  # type: ignore[arg-type]
            assert len(questions) == count
            assert [question.slot for question in questions].index(0) == 0, "the first touch is the overall answer"
            assert [question.slot for question in questions].count(0) == 1


def test_every_model_s_card_is_on_a_page(one: Tablet) -> None:
    page = html.unescape(one.client.get("/models").text)
    for card in all_cards().values():
        for words in (card.title, card.intended_use, *card.limits, *card.not_for):
            assert in_language(Message(words), "vi") in page


def test_a_yes_is_said_by_the_page_of_the_tablet_alone(one: Tablet) -> None:
    """Not by the queue system, nor by a request that did not come from the page."""
    one.visits.asks_consent = True
    page = one.client.get("/").text
    assert "Máy quay và micrô đang tắt" in page
    assert page.count('class="choice"') == 3
    assert "trẻ em dưới 16 tuổi" in page
    headers = {"X-Queue-Token": TOKEN}
    for body in ('{"consent": true}', '{"service_group": 3, "consent": true}', '{"agree": 1}'):
        assert one.client.post("/visit/start", content=body, headers=headers).status_code == 422
    one.client.post("/visit/start", headers=headers)
    one.client.post("/consent", data={"page_token": "guessed"})
    one.client.get("/consent")
    assert "agree" not in one.visits.calls
    assert one.visits.asks_consent
    one.client.post("/consent", data={"page_token": one.page_token()})
    assert one.visits.calls[-1] == "agree"
    assert one.client.get("/consent").status_code == 204


def test_a_yes_that_is_nobodys_is_told(one: Tablet) -> None:
    one.visits.asks_consent, one.visits.open_visit = True, None
    page = one.client.post("/consent", data={"page_token": one.page_token()})
    assert page.url.path == "/not-yet"
    assert "Không có gì được phân tích" in page.text
    assert one.client.get("/consent").status_code == 410


def test_who_brings_a_child_is_not_analysed_under_either_basis(one: Tablet) -> None:
    assert "trẻ em dưới 16 tuổi" in one.client.get("/").text
    one.client.post("/opt-out", data={"page_token": one.page_token()})
    assert one.visits.has_opted_out


def test_the_state_is_json_for_programs_and_a_page_in_words_for_a_technician(one: Tablet) -> None:
    assert one.client.get("/status").json() == TOLD
    page = one.client.get("/status", headers={"accept": "text/html,*/*;q=0.8"}).text
    for words in ("Mất camera", "Máy chủ không trả lời", "Hình quá tối", "Hình là một dải"):
        assert words in page
    assert "something_new" not in page
    assert "chrony" not in page


def test_an_untrusted_clock_says_what_it_holds_up_and_what_to_do(one: Tablet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOLD, "state", "CLOCK_UNTRUSTED")
    page = one.client.get("/status", headers={"accept": "text/html,*/*;q=0.8"}).text
    for words in ("Đồng hồ", "không chốt kỳ nào", "chronyc tracking"):
        assert words in page
