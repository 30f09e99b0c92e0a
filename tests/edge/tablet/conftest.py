"""A tablet over real HTTP, at a counter whose visits the test makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from edge.capture.queue_events import QueueEvents
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Counter
from edge.tablet.serve import TabletServer
from edge.tablet.texts import NoticeFacts
from pipeline import wire
from pipeline.errors import StoreError
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
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", follow_redirects=True, timeout=120) as client:
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
