"""Sheets and visits that change at the same moment: the real counter and the real engine on two threads."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

import pytest

from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, Networks, load_networks
from edge.perception.settings import EngineSettings
from edge.tablet.counter import Begin, Counter, Sheet
from pipeline import wire
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
from pipeline.records import ClosedVisit, Outcome


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(NetworkOptions(demo=True))


@dataclass
class Place:
    """A counter with its engine, visits by the queue system; the n-th call is for service group n."""

    networks: Networks
    visits: list[ClosedVisit] = field(default_factory=list)
    rows: list[wire.RatingRow] = field(default_factory=list)
    interrupted: bool = False
    """The next visit begins while a sheet is being handed on."""
    calls: int = 0
    caller: threading.Thread | None = None

    def __post_init__(self) -> None:
        settings = EngineSettings(visits_by="queue", has_camera=False)
        self.engine = Engine(
            settings, self.networks, self.visits.append, lambda number: self.counter.note_visit(number)
        )
        questionnaire = make_questionnaire(load_instrument("2640"), "one")
        self.counter = Counter(questionnaire, self.engine, self.deliver, 30)

    def call(self) -> None:
        self.calls += 1
        self.counter.queue_started(self.calls)

    def deliver(self, row: wire.RatingRow) -> None:
        self.rows.append(row)
        if self.interrupted:
            before = self.engine.open_visit
            self.caller = threading.Thread(target=self.engine.visit_started, args=(9, 0.0))
            self.caller.start()
            while self.engine._visits.number == before and self.caller.is_alive():
                time.sleep(0.001)  # it ends the visit, then waits for the counter's lock, which is held here

    def begin(self) -> Sheet:
        sheet = self.counter.begin()
        assert isinstance(sheet, Sheet)
        return sheet

    def rate(self, sheet: Sheet, value: int) -> bool:
        return self.counter.answer(sheet.token, 0, value) is not None and self.counter.complete(sheet.token)


def test_a_rating_that_meets_the_next_call_is_kept_and_not_given_to_the_next_visit(networks: Networks) -> None:
    place = Place(networks)
    place.call()
    sheet = place.begin()
    place.counter.answer(sheet.token, 0, 5)
    place.interrupted = True
    assert place.counter.complete(sheet.token)
    assert place.caller is not None
    place.caller.join()
    place.interrupted = False
    place.engine.visit_ended(1e9)
    assert [visit.outcome for visit in place.visits] == [Outcome.SATISFIED, Outcome.NOT_RATED]
    assert [(row.answers[0], row.service_group) for row in place.rows] == [(5, 1)], "the rating itself is not lost"
    place.call()
    assert place.rate(place.begin(), 5), "and the one rating of the next visit is not used up"


def test_a_touch_that_meets_the_next_call_begins_no_sheet(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(networks)
    place.call()
    shown = place.engine.screen_shown

    def show_and_call(number: int | None = None) -> None:
        shown(number)
        monkeypatch.setattr(place.engine, "screen_shown", shown)
        place.call()

    monkeypatch.setattr(place.engine, "screen_shown", show_and_call)
    assert place.counter.begin() is Begin.NEXT_VISIT
    visit = place.engine._visits.visit
    assert visit is not None
    assert visit.takes_evidence, "the next visit goes on"
    assert not visit.shows_screen
    assert place.rate(place.begin(), 5)
    place.engine.visit_ended(1e9)
    assert [visit.outcome for visit in place.visits] == [Outcome.NOT_RATED, Outcome.SATISFIED]


def test_calls_and_ratings_at_random_moments_never_mix(networks: Networks) -> None:
    """Citizens of odd visits are satisfied, those of even ones are not; whatever the moment, no other pair exists."""
    place = Place(networks)
    place.call()
    over = threading.Event()

    def call() -> None:
        chance = random.Random(7)
        for _ in range(60):
            time.sleep(chance.random() * 0.01)
            place.call()
        over.set()

    caller = threading.Thread(target=call)
    caller.start()
    given = 0
    while not over.is_set():
        sheet = place.counter.begin()
        if isinstance(sheet, Sheet) and place.rate(sheet, 5 if sheet.visit % 2 else 1):
            given += 1
    caller.join()
    place.engine.visit_ended(1e9)
    place.visits.sort(key=lambda visit: visit.service_group)  # a visit that is rated is counted before others
    assert len(place.visits) == place.calls == 61
    expected = (Outcome.NOT_SATISFIED, Outcome.SATISFIED)
    for number, visit in enumerate(place.visits, 1):
        assert visit.service_group == number
        assert visit.outcome in (Outcome.NOT_RATED, expected[number % 2]), number
    assert len(place.rows) == given > 10
    assert [row.answers[0] for row in place.rows] == [5 if row.service_group % 2 else 1 for row in place.rows]
    assert len({row.service_group for row in place.rows}) == given, "one visit, one rating"
