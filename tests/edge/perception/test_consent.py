"""Where consent is asked, nothing is looked at or listened to without a yes, and a yes is one citizen's alone."""

from __future__ import annotations

from collections import Counter as Counted
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.perception.networks import NetworkOptions, Networks, load_networks
from pipeline.records import AbstainReason, Chunk, ClosedVisit, Frame, Level, Outcome
from pipeline.release_kind import EVIDENCE, NOT_AGREED, table_of
from tests.edge.clips import voice
from tests.edge.perception.test_engine import BY_QUEUE, HAPPY, HAPPY_TOO, SETTINGS, Counter, reads

TOUCH = replace(SETTINGS, asks_consent=True, consent_gap_s=1.5)
CALLED = replace(BY_QUEUE, asks_consent=True, consent_gap_s=1.5)
SECOND = voice("voice_ly")[:16_000]
EMPTY = np.zeros((36, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(NetworkOptions(demo=True))


def looked(counter: Counter) -> tuple[int, int, int]:
    """Pictures looked at, faces followed, pieces of sound listened to."""
    engine = counter.engine
    return engine.tallies.forwarded, engine.face_tallies.forwarded, engine.sound_tallies.forwarded


def test_without_a_touch_a_day_of_people_is_nothing(networks: Networks) -> None:
    counter = Counter(networks, TOUCH)
    for person in (HAPPY, HAPPY_TOO):
        counter.hear(SECOND).show(4, person).show(3)
    counter.engine.finish()
    assert looked(counter) == (0, 0, 0)
    assert counter.visits == []


def test_a_yes_is_this_visit_and_no_other(networks: Networks) -> None:
    counter = Counter(networks, TOUCH).show(4, HAPPY_TOO)
    assert looked(counter) == (0, 0, 0)
    counter.show(2)
    assert counter.engine.agree(counter.time_s)
    counter.hear(SECOND).show(5, HAPPY)
    assert not counter.engine.asks_consent
    assert counter.engine.sound_tallies.forwarded > 0
    counter.show(4)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)]
    after = looked(counter)
    counter.hear(SECOND).show(5, HAPPY_TOO)
    assert looked(counter) == after
    assert counter.engine.asks_consent
    assert not counter.engine.wants_sources


def test_who_sits_down_after_a_yes_is_not_read_on_it(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, in another place of the picture, too."""
    counter = Counter(networks, TOUCH)
    counter.engine.agree(0.0)
    counter.show(4, HAPPY)
    read = reads(networks, monkeypatch)
    counter.show(3, ("obama", 150, 220, 180))
    assert read == [0]
    assert not counter.engine.wants_sources
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)]


@pytest.mark.parametrize("settings_", [TOUCH, CALLED])
def test_a_camera_that_shows_nobody_ends_a_yes(networks: Networks, settings_: object) -> None:
    counter = Counter(networks, settings_)  # type: ignore[arg-type]
    counter.engine.visit_started(0, 0.0)
    assert counter.engine.agree(0.0)
    assert counter.engine.wants_sources
    counter.engine.tick(TOUCH.consent_opening_s + 0.1)
    assert not counter.engine.wants_sources


def test_no_and_a_child_are_an_abstained_visit_that_may_be_rated(networks: Networks) -> None:
    counter = Counter(networks, TOUCH)
    counter.engine.tick(1.0)
    counter.engine.opt_out()
    assert counter.engine.has_opted_out
    counter.show(2, HAPPY)
    counter.engine.screen_shown()
    assert counter.engine.rated(2)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_SATISFIED, agreed=False)]
    counter.engine.opt_out()
    counter.engine.tick(counter.time_s + TOUCH.rating_wait_s + 1)
    assert counter.visits[1:] == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, agreed=False)]
    assert counter.engine.last_level is not None
    assert counter.engine.last_level.reason is AbstainReason.OPTED_OUT
    assert looked(counter) == (0, 0, 0)


def test_a_yes_that_is_taken_back_forgets_and_closes(networks: Networks) -> None:
    counter = Counter(networks, TOUCH)
    counter.engine.agree(0.0)
    counter.show(4, HAPPY)
    counter.engine.opt_out()
    before = looked(counter)
    assert not counter.engine.wants_sources
    counter.show(3, HAPPY)
    assert looked(counter) == before
    counter.engine.tick(counter.time_s + 60)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, agreed=False)]


def test_by_the_queue_a_call_asks_anew_and_says_no_yes(networks: Networks) -> None:
    counter = Counter(networks, CALLED)
    assert not counter.engine.agree(0.0), "nobody was called: nobody's visit"
    counter.engine.visit_started(3, 0.0)
    counter.show(4, HAPPY)
    assert looked(counter) == (0, 0, 0)
    assert counter.engine.agree(counter.time_s)
    counter.show(4, HAPPY)
    counter.engine.visit_started(4, counter.time_s)
    assert counter.engine.asks_consent
    before = looked(counter)
    counter.show(3, HAPPY)
    assert looked(counter) == before
    counter.engine.visit_ended(counter.time_s)
    counter.engine.finish()
    assert {visit.service_group: visit.level for visit in counter.visits} == {3: Level.VERY_HIGH, 4: Level.ABSTAINED}
    assert {visit.service_group: visit.agreed for visit in counter.visits} == {3: True, 4: False}


def _calls(deeds: list[str]) -> list[ClosedVisit]:
    """A day of calls; each citizen does what is said, in the order of the letters: yes, no, a rating."""
    counter = Counter(_loaded(), CALLED)
    engine = counter.engine
    for group, deed in enumerate(deeds, start=1):
        time_s = 100.0 * group
        engine.visit_started(group, time_s)
        for step, letter in enumerate(deed, start=1):
            engine.tick(time_s + step)
            if letter == "y":
                engine.agree(time_s + step)
            elif letter == "n":
                engine.opt_out()
            else:
                engine.screen_shown()
                engine.rated(5 if letter == "+" else 1)
    engine.finish()
    return sorted(counter.visits, key=lambda visit: visit.service_group)


@pytest.mark.parametrize("deed", ["", "y", "n", "yn", "+", "-", "y+", "n-", "yn-", "ny"])
def test_what_one_citizen_chooses_moves_one_cell_of_one_table(deed: str) -> None:
    """Yes, no, neither, taken back, rated or not: the visits of the others stay what they are."""
    day = ["y", "", "n+", "y-", "yn"]
    before, after = _calls(day), _calls([*day[:2], deed, *day[3:]])
    assert [visit for visit in before if visit.service_group != 3] == [
        visit for visit in after if visit.service_group != 3
    ]
    (mine,) = [visit for visit in after if visit.service_group == 3]
    assert mine.agreed == (deed.startswith("y") and "n" not in deed)
    tables = Counted(table_of(visit, has_row=True) for visit in after)
    assert tables == {EVIDENCE: 2 + mine.agreed, NOT_AGREED: 3 - mine.agreed}


DEEDS = st.sampled_from(["frame", "chunk", "call", "end", "no", "screen", "rate", "tick", "long", "yes"])


@settings(deadline=None, max_examples=150)
@given(by_queue=st.booleans(), deeds=st.lists(DEEDS, max_size=40))
def test_whatever_happens_only_a_yes_opens_and_each_ends(by_queue: bool, deeds: list[str]) -> None:
    """Any order of events: a source is wanted only after a yes that neither a no, a call, an end nor a pause followed;
    and no visit is counted twice or lost."""
    counter = Counter(_loaded(), CALLED if by_queue else TOUCH)
    engine, time_s, open_yes = counter.engine, 0.0, False
    for deed in deeds:
        time_s += 100.0 if deed == "long" else 0.1
        if deed == "frame":
            engine.feed_frame(Frame(EMPTY, time_s))
        elif deed == "chunk":
            engine.feed_chunk(Chunk(np.zeros(1024, np.float32), time_s))
        elif deed == "call":
            engine.visit_started(1, time_s)
            open_yes = open_yes and not by_queue
        elif deed == "end":
            engine.visit_ended(time_s)
            open_yes = open_yes and not by_queue
        elif deed == "no":
            engine.opt_out()
            open_yes = False
        elif deed == "screen" and engine.visit_open:
            engine.screen_shown()
        elif deed == "rate" and engine.rated(5):
            open_yes = False
        elif deed in ("tick", "long"):
            engine.tick(time_s)
            open_yes = open_yes and deed == "tick"
        elif deed == "yes":
            open_yes = engine.agree(time_s)
        assert not engine.wants_sources or open_yes, deed
        if not open_yes:
            before = looked(counter)
            engine.feed_frame(Frame(EMPTY, time_s))
            engine.feed_chunk(Chunk(np.zeros(1024, np.float32), time_s))
            assert looked(counter) == before
    engine.finish()
    assert not engine.visit_open
    assert not engine.wants_sources


_LOADED: list[Networks] = []


def _loaded() -> Networks:
    if not _LOADED:
        _LOADED.append(load_networks(NetworkOptions(demo=True)))
    return _LOADED[0]
