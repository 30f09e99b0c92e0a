"""The tablet's page over real HTTP, and the queue system's events."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.testclient import TestClient

from edge.capture.queue_events import QueueEvents, make_queue_app
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Begin, Counter
from edge.tablet.serve import TabletServer
from edge.tablet.texts import NoticeFacts
from models.catalogue import all_cards
from pipeline import wire
from pipeline.errors import ConfigError, StoreError
from pipeline.instruments.flags import RatingFlag
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import Form, make_questionnaire
from pipeline.language import Message
from tests.edge.test_legal import STATE

FORM = "application/x-www-form-urlencoded"
TOKEN = "a-shared-token-of-the-queue"


class Visits:
    """Stands for the engine: the order of calls is what matters here."""

    def __init__(self) -> None:
        self.open_visit: int | None = 1
        self.has_opted_out = False
        self.asks_consent = False
        self.calls: list[str] = []

    def agree(self, time_s: float) -> bool:
        self.calls.append("agree")
        self.asks_consent = self.open_visit is None
        return self.open_visit is not None

    def opt_out(self) -> None:
        self.calls.append("opt_out")
        self.has_opted_out = True

    def screen_shown(self, number: int) -> None:
        if number != self.open_visit:
            raise RuntimeError
        self.calls.append("shown")

    def screen_left(self, number: int) -> None:
        self.calls.append("left")

    def rated(self, overall: int, number: int) -> bool:
        if number == self.open_visit:
            self.calls.append(f"rated {overall}")
        return number == self.open_visit

    def visit_started(self, service_group: int, time_s: float) -> None:
        self.calls.append(f"started {service_group}")

    def visit_ended(self, time_s: float) -> None:
        self.calls.append("ended")


@dataclass
class Tablet:
    counter: Counter
    visits: Visits
    client: httpx.Client
    rows: list[wire.RatingRow] = field(default_factory=list)
    now_s: float = 1000.0
    disk_full: bool = False

    def deliver(self, row: wire.RatingRow) -> None:
        if self.disk_full:
            raise StoreError(Message("The disk is full."))
        self.rows.append(row)

    def next_visit(self) -> None:
        assert self.visits.open_visit is not None
        self.visits.open_visit += 1
        self.visits.has_opted_out = False
        self.counter.note_visit(self.visits.open_visit)

    def page_token(self) -> str:
        return find(r'name="page_token" value="([^"]+)"', self.client.get("/").text)

    def begin(self) -> httpx.Response:
        return self.client.post("/begin", data={"page_token": self.page_token()})

    def touch(self, value: int) -> httpx.Response:
        """A face on the first page."""
        return self.client.post("/begin", data={"page_token": self.page_token(), "value": str(value)})

    def wait(self, s: float) -> None:
        """Time goes by; the box looks every second for sheets that were left."""
        self.now_s += s
        self.counter.keep_due()

    def answer(self, page: httpx.Response, value: int, slot: str | None = None) -> httpx.Response:
        self.now_s += 2.0
        slot = find(r'name="slot" value="(\d+)"', page.text) if slot is None else slot
        return self.client.post(f"{page.url}/answer", data={"slot": slot, "value": str(value)})


def find(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    assert match is not None, page
    return match[1]


TOLD: dict[str, str | bool] = {
    "state": "CAMERA_LOST",
    "server_answers": False,
    "problem": "",
    "failing": "",
    "notices": "dark strip something_new",
}


def make_tablet(form: Form) -> Iterator[Tablet]:
    visits = Visits()
    tablet = Tablet.__new__(Tablet)
    counter = Counter(
        make_questionnaire(load_instrument("2640"), form),
        visits,
        lambda row: tablet.deliver(row),
        30,
        clock=lambda: tablet.now_s,
    )
    counter.note_visit(1)
    facts = NoticeFacts("Sở Tư pháp", "Tầng 1", "https://example.vn/giai-thich", STATE)
    pages = TabletPages("Sở Tư pháp", "Quầy 3", "vi", 30, True, False, facts.url, facts.contact, facts)
    server = TabletServer(
        make_app(CounterTablet(pages, counter), QueueEvents({"1": counter}, TOKEN), lambda: TOLD), "127.0.0.1", 0
    )
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", follow_redirects=True) as client:
        tablet.__init__(counter, visits, client)  # type: ignore[misc]
        yield tablet
    server.close()


@pytest.fixture
def short() -> Iterator[Tablet]:
    yield from make_tablet("short")


@pytest.fixture
def one() -> Iterator[Tablet]:
    yield from make_tablet("one")


@pytest.fixture
def kiosk() -> Iterator[Tablet]:
    yield from make_tablet("kiosk")


def test_the_engine_knows_before_the_first_question_shows(one: Tablet) -> None:
    page = one.begin()
    assert one.visits.calls == ["shown"]
    assert "Câu 1/1" in page.text
    page = one.answer(page, 5)
    assert page.url.path == "/thanks"
    assert one.visits.calls == ["shown", "rated 5"]
    assert [(row.answers[0], row.reasons, row.flag, row.instrument) for row in one.rows] == [(5, 0, 0, 201)]


def test_nine_questions_and_reasons_at_three_or_below(kiosk: Tablet) -> None:
    page = kiosk.begin()
    for number in range(1, 10):
        assert f"Câu {number}/9" in page.text
        page = kiosk.answer(page, 3)
    assert "chưa hài lòng" in page.text
    assert kiosk.rows == []
    page = kiosk.client.post(f"{page.url}/send", data={"reason": ["0", "3", "15", "x"]})
    assert page.url.path == "/thanks"
    (row,) = kiosk.rows
    assert sum(1 for answer in row.answers if answer == 3) == 9
    assert row.answers[0] == 3
    assert row.reasons == 0b1001  # bit 15 is no reason of this instrument
    assert kiosk.visits.calls == ["shown", "rated 3"]


def test_an_optional_question_may_be_skipped_and_another_may_not(kiosk: Tablet) -> None:
    page = kiosk.touch(4)
    assert kiosk.answer(page, 0).status_code == 400
    for _ in range(7):
        assert "Không áp dụng" not in page.text
        page = kiosk.answer(page, 4)
    assert "Không áp dụng" in page.text
    page = kiosk.answer(page, 0)
    assert page.url.path == "/thanks"
    assert sum(1 for answer in kiosk.rows[0].answers if answer) == 8


def test_going_back_asks_again(short: Tablet) -> None:
    page = short.begin()
    page = short.answer(page, 1)
    assert "Câu 2/5" in page.text
    page = short.client.post(f"{page.url}/back")
    assert "Câu 1/5" in page.text
    for _ in range(5):
        page = short.answer(page, 5)
    assert short.rows[0].answers[0] == 5


def test_the_first_touch_on_a_face_is_the_overall_answer(one: Tablet) -> None:
    assert one.touch(5).url.path == "/thanks"
    assert one.visits.calls == ["shown", "rated 5"]
    assert [row.answers[0] for row in one.rows] == [5]
    assert one.rows[0].flag == RatingFlag.NONE, "one touch is as fast as can be, and no sign of a machine"


@pytest.mark.parametrize("value", ["0", "6", "x", "5 ", "²"])
def test_a_touch_on_no_face_answers_nothing(one: Tablet, value: str) -> None:
    page = one.client.post("/begin", data={"page_token": one.page_token(), "value": value})
    assert "Câu 1/1" in page.text
    one.wait(40.0)
    assert one.rows == []


def test_what_was_touched_first_is_kept_on_time_out_and_nothing_else(short: Tablet) -> None:
    """An overall-only answer, and counted as that: the other answers of a sheet that was left go nowhere."""
    page = short.touch(2)
    assert "Câu 2/5" in page.text
    assert "Đánh giá của Ông/Bà: Không hài lòng" in html.unescape(page.text)
    page = short.answer(page, 4)
    assert "Câu 3/5" in page.text
    short.wait(30.0)
    assert short.rows == [], "the page still asks whether somebody is there"
    short.wait(4.0)
    (row,) = short.rows
    assert (row.answers[0], sum(row.answers), row.reasons, row.flag) == (2, 2, 0, 0)
    assert short.visits.calls == ["shown", "rated 2"]
    assert short.answer(page, 5, slot="1").url.path == "/over"
    assert short.touch(5).url.path == "/already"
    short.wait(100.0)
    assert len(short.rows) == 1


def test_the_page_tells_that_nobody_is_there_any_more(short: Tablet) -> None:
    page = short.touch(4)
    assert short.client.post(f"{page.url}/left").url.path == "/"
    assert [row.answers[0] for row in short.rows] == [4]
    page = short.client.post(f"{page.url}/left")
    assert page.url.path == "/"
    assert len(short.rows) == 1


def test_a_sheet_without_a_touch_goes_nowhere(short: Tablet) -> None:
    page = short.begin()
    short.wait(34.0)
    assert short.answer(page, 1).url.path == "/over"
    assert short.rows == []
    assert short.counter.tallies.dropped == {"timed_out": 1}
    assert short.visits.calls == ["shown", "left"]


def test_a_touch_that_is_taken_back_is_not_kept(short: Tablet) -> None:
    page = short.client.post(f"{short.touch(1).url}/back")
    assert "Câu 1/5" in page.text
    short.wait(34.0)
    assert short.rows == []
    page = short.touch(2)
    assert "Rút lại đánh giá" in page.text
    assert short.client.post(f"{page.url}/cancel").url.path == "/"
    short.wait(34.0)
    assert short.rows == []


def test_the_next_visit_neither_loses_nor_hurries_what_was_left(short: Tablet) -> None:
    """When the visit before is counted must not depend on whoever comes next (ADR 0140)."""
    short.client.post("/visit/start", content=b'{"service_group": 7}', headers={"X-Queue-Token": TOKEN})
    short.next_visit()
    short.touch(2)
    short.client.post("/visit/start", content=b'{"service_group": 8}', headers={"X-Queue-Token": TOKEN})
    short.next_visit()
    short.wait(20.0)
    assert short.rows == []
    page = short.touch(5)
    assert "Câu 2/5" in page.text, "the next one's sheet is open beside it"
    short.wait(14.0)
    assert [(row.answers[0], row.service_group) for row in short.rows] == [(2, 7)]
    assert "rated 2" not in short.visits.calls, "its visit is over; the rating itself is not lost"
    for _ in range(4):
        page = short.answer(page, 5)
    assert [(row.answers[0], row.service_group) for row in short.rows] == [(2, 7), (5, 8)]


def test_what_is_left_while_the_disk_is_full_waits(short: Tablet) -> None:
    short.disk_full = True
    short.touch(4)
    short.wait(34.0)
    for _ in range(2):
        short.next_visit()
        short.touch(3)
        short.wait(34.0)
    assert short.rows == []
    short.disk_full = False
    short.wait(1.0)
    assert [row.answers[0] for row in short.rows] == [4, 3, 3]


def test_that_is_enough_sends_what_has_been_answered(short: Tablet) -> None:
    page = short.answer(short.touch(4), 2)
    assert "Đủ rồi, gửi luôn" in page.text
    assert short.client.post(f"{page.url}/send", data={"early": "yes"}).url.path == "/thanks"
    assert sorted(short.rows[0].answers)[-3:] == [0, 2, 4]
    assert short.visits.calls == ["shown", "rated 4"]


def test_a_box_that_stops_keeps_what_was_touched(short: Tablet) -> None:
    short.touch(4)
    short.counter.keep_due(all_of_them=True)
    assert [row.answers[0] for row in short.rows] == [4]


def test_a_touch_keeps_the_sheet(short: Tablet) -> None:
    page = short.begin()
    for _ in range(3):
        short.now_s += 25.0
        assert short.client.post(f"{page.url}/stay").status_code == 204
    assert "Câu 2/5" in short.answer(page, 4).text
    short.now_s += 40.0
    assert short.client.post(f"{page.url}/stay").status_code == 410


def test_one_visit_one_rating(one: Tablet) -> None:
    one.answer(one.begin(), 4)
    page = one.begin()
    assert page.url.path == "/already"
    one.next_visit()
    assert one.answer(one.begin(), 2).status_code == 200
    assert [row.answers[0] for row in one.rows] == [4]  # the second waits for its reasons


def test_a_sheet_dies_with_its_visit(short: Tablet) -> None:
    page = short.begin()
    short.next_visit()
    assert short.answer(page, 4).url.path == "/over"
    assert short.rows == []


def test_a_rating_after_the_visit_ended_is_sent_but_not_paired(one: Tablet) -> None:
    page = one.begin()
    one.visits.open_visit = None
    one.answer(page, 4)
    assert len(one.rows) == 1
    assert one.visits.calls == ["shown"]


def test_a_sheet_completes_once(one: Tablet) -> None:
    page = one.begin()
    one.answer(page, 4)
    assert one.answer(page, 5, slot="0").url.path == "/over"
    assert len(one.rows) == 1


def test_cancelling_forgets(short: Tablet) -> None:
    page = short.answer(short.begin(), 4)
    assert short.client.post(f"{page.url}/cancel").url.path == "/"
    assert short.client.get(str(page.url)).url.path == "/over"
    assert short.rows == []
    assert short.visits.calls == ["shown", "left"]


def test_opt_out_is_one_touch_and_rating_stays_possible(one: Tablet) -> None:
    page = one.client.post("/opt-out", data={"page_token": one.page_token(), "path": "/"})
    assert one.visits.calls == ["opt_out"]
    assert "Đã dừng phân tích cho lượt này" in page.text
    assert "Tôi không đồng ý phân tích" not in page.text
    assert one.answer(one.begin(), 5).url.path == "/thanks"
    one.next_visit()
    assert "Tôi không đồng ý phân tích" in one.client.get("/").text


def test_opt_out_within_a_sheet_returns_to_it(short: Tablet) -> None:
    page = short.begin()
    back = short.client.post("/opt-out", data={"page_token": short.page_token(), "path": page.url.path})
    assert back.url == page.url
    assert short.visits.calls == ["shown", "opt_out"]


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
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "what-a-citizen-sent" not in caplog.text


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


def test_both_instruments_have_every_form() -> None:
    for code in ("1383", "2640"):
        for form, count in (("one", 1), ("short", 5), ("kiosk", 9)):
            questions = make_questionnaire(load_instrument(code), form).questions  # type: ignore[arg-type]
            assert len(questions) == count
            assert [question.slot for question in questions].index(0) == 0, "the first touch is the overall answer"
            assert [question.slot for question in questions].count(0) == 1


def test_every_model_s_card_is_on_a_page(one: Tablet) -> None:
    page = one.client.get("/models").text
    for card in all_cards().values():
        assert html.escape(card.title) in page or card.title.replace("'", "&#39;") in page
        for limit in card.limits:
            assert limit[:12].split("'")[0].split('"')[0] in page


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
