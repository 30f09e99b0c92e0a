"""The engine with the real networks, fed real faces and voices."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, Networks, load_networks
from edge.perception.settings import EngineSettings
from pipeline.fusion import FusionParameters
from pipeline.records import AbstainReason, Chunk, ClosedVisit, Frame, Level, Outcome
from pipeline.visit import PresenceParameters
from tests.edge.clips import chunks, frames, scene, silence, voice

HAPPY = ("astronaut", 150, 60, 100)
HAPPY_TOO = ("obama", 150, 60, 100)
CLERK = ("biden", 160, 440, 80)
LEFT = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
SETTINGS = EngineSettings(
    region=LEFT,
    presence=PresenceParameters(start_after_s=0.5, end_after_s=1.5, away_after_s=1.0),
    fusion=FusionParameters(minimum_visit_s=2.0, minimum_evidence_s=1.0),
    rating_wait_s=4.0,
)
BY_QUEUE = EngineSettings(region=LEFT, visits_by="queue", fusion=SETTINGS.fusion, change_after_s=2.0)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(NetworkOptions(demo=True))


class Counter:
    """An engine, what it said, and a media clock."""

    def __init__(self, networks: Networks, settings: EngineSettings = SETTINGS) -> None:
        networks.voice.reset()
        self.visits: list[ClosedVisit] = []
        self.started = 0
        self.engine = Engine(settings, networks, self.visits.append, self._note)
        self.time_s = 0.0

    def _note(self, number: int) -> None:
        self.started = number

    def show(self, seconds: float, *people: tuple[str, int, int, int]) -> Counter:
        for frame in frames(scene(*people), seconds, self.time_s):
            self.engine.feed_frame(frame)
        self.time_s += seconds
        return self

    def hear(self, sound: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Counter:
        for chunk in chunks(sound, self.time_s):
            self.engine.feed_chunk(chunk)
        return self


def test_two_people_are_two_visits(networks: Networks) -> None:
    counter = Counter(networks).show(1).show(5, HAPPY).show(3).show(5, HAPPY_TOO).show(3)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)] * 2
    assert counter.started == 2
    assert not counter.engine.visit_open


def test_the_civil_servant_is_no_visit(networks: Networks) -> None:
    counter = Counter(networks).show(6, CLERK)
    counter.engine.finish()
    assert counter.visits == []
    assert counter.engine.face_tallies.forwarded == 0


def test_no_face_is_no_visit_and_no_error(networks: Networks) -> None:
    counter = Counter(networks).show(5)
    for shape in ((1, 1, 3), (2, 1000, 3), (720, 1280, 3)):
        counter.engine.feed_frame(Frame(np.zeros(shape, np.uint8), counter.time_s))
    counter.engine.finish()
    assert counter.visits == []


def test_of_several_faces_only_the_largest_is_read(networks: Networks) -> None:
    settings = EngineSettings(presence=SETTINGS.presence, fusion=SETTINGS.fusion)
    large_happy = Counter(networks, settings).show(5, ("astronaut", 200, 20, 60), ("biden", 100, 440, 80)).show(2)
    large_stern = Counter(networks, settings).show(5, ("astronaut", 90, 20, 60), ("biden", 250, 340, 60)).show(2)
    assert [visit.level for visit in large_happy.visits] == [Level.VERY_HIGH]
    assert [visit.level < Level.HIGH for visit in large_stern.visits] == [True]
    assert large_stern.engine.face_tallies.forwarded > 80, "both faces were followed, at full rate once a visit is open"


def test_a_passer_by_is_no_visit_and_a_glance_abstains(networks: Networks) -> None:
    counter = Counter(networks).show(0.7, HAPPY).show(3)
    assert counter.visits == []
    counter.show(1.8, HAPPY).show(3)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED)]
    assert counter.engine.last_level is not None
    assert counter.engine.last_level.reason is AbstainReason.TOO_SHORT


def test_the_level_is_that_of_before_the_rating_s_screen(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    counter.engine.screen_shown()
    before = counter.engine.tallies.forwarded
    counter.show(3, ("biden", 150, 60, 100))
    assert counter.engine.tallies.forwarded > before, "presence is still followed"
    assert counter.engine.rated(2)
    assert counter.engine.glimpse().fused is None, "and nothing is inferred from now on"
    assert counter.visits == []
    counter.show(2)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_SATISFIED)]


def test_a_touch_that_is_taken_back_chooses_no_level(networks: Networks) -> None:
    """Before, "rate" and "cancel" at the greeting fixed the greeting's level."""
    counter = Counter(networks).show(4, HAPPY)
    counter.engine.screen_shown()
    counter.engine.screen_left(1)
    counter.show(25, ("biden", 150, 60, 100)).show(2)
    (visit,) = counter.visits
    assert visit.level < Level.VERY_HIGH


def test_a_visit_waits_for_a_rating_begun_before_leaving(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    counter.engine.screen_shown()
    counter.show(3)
    assert counter.visits == []
    assert counter.engine.rated(5)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.SATISFIED)]
    assert not counter.engine.rated(5), "one visit, one rating"


def test_a_rating_that_never_comes_ends_the_wait(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    counter.engine.screen_shown()
    counter.show(6)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)]


def reads(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a face's affect is inferred; crops of nobody, which overwrite buffers, apart."""
    found = [0]
    infer = networks.eyes.face.infer

    def count(crops: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> object:
        found[0] += sum(bool(crop.any()) for crop in crops)
        return infer(crops)

    monkeypatch.setattr(networks.eyes.face, "infer", count)
    return found


def test_opting_out_stops_at_once_and_counts_as_abstained(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reads(networks, monkeypatch)
    counter = Counter(networks).show(4, HAPPY)
    assert read[0] > 8
    counter.engine.opt_out()
    read[0] = 0
    counter.hear(voice("voice_binh")).show(2.5, HAPPY)
    assert counter.engine.sound_tallies.forwarded == 0
    assert counter.engine.visit_open
    counter.show(5, HAPPY).show(0.5).show(5, HAPPY)
    assert read[0] == 0, "nothing is inferred of who stays, or has bent down for a paper"
    assert counter.started == 1
    assert counter.engine.rated(5), "rating is another matter than being analysed"
    counter.show(2)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.SATISFIED)]
    counter.show(4, HAPPY_TOO).show(2)
    assert counter.visits[1].level is Level.VERY_HIGH, "the next citizen is analysed again"


def test_whoever_is_there_at_a_restart_is_left_alone(networks: Networks) -> None:
    """Who had opted out is kept nowhere, so the new process cannot know."""
    counter = Counter(networks, replace(SETTINGS, empty_first=True)).show(4, HAPPY)
    counter.show(1).engine.tick(counter.time_s)
    counter.time_s += 5.0  # no pictures: nobody can say that the place was empty
    counter.show(0.3).show(4, HAPPY)
    assert counter.started == 0
    assert counter.engine.sound_tallies.forwarded == 0
    counter.show(2).show(4, HAPPY_TOO).show(2)
    assert [visit.level for visit in counter.visits] == [Level.VERY_HIGH]


def test_by_presence_no_event_of_the_queue_system_ends_an_opt_out(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(networks).show(2, HAPPY)
    counter.engine.opt_out()
    read = reads(networks, monkeypatch)
    counter.engine.visit_started(1, counter.time_s)
    counter.show(1, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    counter.engine.visit_started(1, counter.time_s)
    counter.show(1, HAPPY)
    assert read[0] == 0
    assert counter.started == 1
    assert counter.engine.has_opted_out


def test_opting_out_before_being_seen(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reads(networks, monkeypatch)
    counter = Counter(networks).show(1)
    counter.engine.opt_out()
    counter.engine.opt_out()
    counter.show(3, HAPPY)
    assert counter.started == 1, "whoever comes now is meant"
    counter.show(2)
    assert read[0] == 0
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED)]
    counter.engine.opt_out()
    counter.show(3)
    assert len(counter.visits) == 2, "a touch and nobody is an abstained visit"


def test_the_queue_system_starts_and_ends_visits(networks: Networks) -> None:
    counter = Counter(networks, BY_QUEUE).show(3, HAPPY)
    assert counter.engine.tallies.forwarded == 0, "nothing is looked at outside a visit"
    counter.engine.visit_started(7, counter.time_s)
    counter.show(4, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    counter.show(2, HAPPY)
    counter.show(2.5)
    looked_at = counter.engine.tallies.forwarded
    counter.show(2, HAPPY)
    assert counter.engine.tallies.forwarded == looked_at, "nor once the place was empty after one"
    counter.engine.visit_started(9, counter.time_s)
    counter.show(1)
    counter.engine.opt_out()
    counter.show(3, HAPPY).show(3)
    counter.engine.visit_started(4, counter.time_s)
    counter.engine.finish()
    assert counter.visits == [
        ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 7),
        ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, 9),
        ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, 4),
    ]
    assert counter.engine.last_level is not None
    assert counter.engine.last_level.reason is AbstainReason.TOO_SHORT, "of the last one: nobody came yet"


S, E = "start", "end"


@pytest.mark.parametrize(
    ("events", "seen"),
    [
        ([S], 1.0),
        ([E, S], 1.0),
        ([E, S, E, S], 1.0),
        ([S, S, S], 1.0),
        ([E], 0.0),  # the camera shows nobody, but not for long enough
    ],
)
def test_an_opt_out_survives_every_call_until_the_place_was_empty(
    networks: Networks, monkeypatch: pytest.MonkeyPatch, events: list[str], seen: float
) -> None:
    """Whoever calls the citizens, how often and when: the same one stays opted out, and is counted once."""
    read = reads(networks, monkeypatch)
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    counter.show(2, HAPPY)
    counter.engine.opt_out()
    read[0] = 0
    for event in events:
        counter.show(1.0, *[HAPPY] * bool(seen))
        if event == S:
            counter.engine.visit_started(0, counter.time_s)
        else:
            counter.engine.visit_ended(counter.time_s)
    assert counter.engine.has_opted_out
    counter.show(6, HAPPY)
    assert read[0] == 0
    counter.engine.visit_ended(counter.time_s)
    assert counter.engine.has_opted_out
    counter.show(3)
    assert not counter.engine.has_opted_out
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED)]
    counter.engine.visit_started(1, counter.time_s)
    counter.show(5, HAPPY_TOO)
    counter.engine.visit_ended(counter.time_s)
    assert counter.visits[1:] == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 1)], "the next one is analysed"


def test_without_a_camera_every_call_is_a_visit(networks: Networks) -> None:
    """Whether the same citizen is called again cannot be seen; the page says what runs, and offers the touch."""
    counter = Counter(networks, replace(BY_QUEUE, has_camera=False))
    counter.engine.visit_started(0, 0.0)
    counter.engine.opt_out()
    counter.engine.visit_started(1, 5.0)
    assert not counter.engine.has_opted_out
    counter.engine.visit_ended(9.0)
    counter.engine.finish()
    assert sorted(visit.service_group for visit in counter.visits) == [0, 1]


def test_a_call_after_an_hour_is_another_citizen_s(networks: Networks) -> None:
    """A region in which somebody is always seen must not end the day's visits."""
    counter = Counter(networks, replace(BY_QUEUE, longest_s=8.0))
    for group in range(1, 5):
        counter.engine.visit_started(group, counter.time_s)
        counter.show(4.5, HAPPY)
        counter.engine.visit_ended(counter.time_s)
    assert [visit.service_group for visit in counter.visits] == [1, 3]


def test_who_leaves_without_an_end_is_counted_all_the_same(networks: Networks) -> None:
    counter = Counter(networks, replace(BY_QUEUE, gone_after_s=10.0))
    counter.engine.visit_started(3, 0.0)
    counter.show(5, HAPPY).show(8)
    assert counter.visits == []
    counter.show(3)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 3)]


def test_at_a_restart_the_place_has_to_be_seen_empty_by_queue_too(networks: Networks) -> None:
    counter = Counter(networks, replace(BY_QUEUE, empty_first=True)).show(1, HAPPY)
    counter.engine.visit_started(1, counter.time_s)
    counter.show(5, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    assert counter.visits == []
    counter.show(3)
    counter.engine.visit_started(2, counter.time_s)
    counter.show(5, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 2)]


def test_a_second_touch_after_the_end_holds_too(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reads(networks, monkeypatch)
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    counter.engine.visit_ended(1.0)
    counter.engine.opt_out()
    counter.time_s = 1.5
    counter.show(1, HAPPY)
    counter.engine.visit_started(0, counter.time_s)
    counter.show(3, HAPPY)
    assert read[0] == 0
    assert counter.engine.has_opted_out


def test_opting_out_before_the_call_holds_for_the_visit_that_is_called(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reads(networks, monkeypatch)
    counter = Counter(networks, BY_QUEUE).show(1)
    counter.engine.opt_out()
    counter.engine.visit_ended(counter.time_s)  # of nobody
    counter.engine.visit_started(7, counter.time_s)
    counter.show(4, HAPPY)
    assert read[0] == 0
    counter.engine.visit_ended(counter.time_s)
    counter.show(2.5)
    counter.engine.visit_started(8, counter.time_s)
    counter.show(4, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    assert counter.visits == [
        ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, 7),
        ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 8),
    ], "the next one is analysed again, and no visit was made up"


def test_speech_is_heard_in_a_visit_only(networks: Networks) -> None:
    talk = np.concatenate([voice("voice_ngoc"), silence(0.6)])
    counter = Counter(networks, BY_QUEUE).hear(talk)
    assert counter.engine.sound_tallies.forwarded == 0
    counter.time_s = 5.0
    counter.engine.visit_started(0, counter.time_s)
    counter.hear(talk)
    glimpse = counter.engine.glimpse()
    assert glimpse.speech is not None
    assert 2.0 < glimpse.speech_seconds < 4.0
    assert counter.engine.rated(4)
    heard = counter.engine.sound_tallies.forwarded
    counter.hear(talk)
    assert counter.engine.sound_tallies.forwarded == heard


def test_what_was_said_before_the_visit_is_not_heard_in_it(networks: Networks) -> None:
    """Sound waits its turn: when the call comes, the words of the citizen before may still lie in the queue."""
    counter = Counter(networks, BY_QUEUE)
    talk = np.concatenate([voice("voice_ngoc"), silence(0.6)])
    counter.engine.visit_started(0, 5.0)
    counter.hear(talk)
    assert counter.engine.sound_tallies.forwarded == 0
    counter.time_s = 5.0
    counter.hear(talk)
    assert counter.engine.sound_tallies.forwarded > 0


def test_a_camera_that_dies_does_not_hold_a_visit_open(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    counter.engine.tick(counter.time_s + 0.5)
    assert counter.engine.visit_open
    counter.engine.tick(counter.time_s + 2.0)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)]


def test_a_frame_from_the_past_is_dropped_and_counted(networks: Networks) -> None:
    counter = Counter(networks).show(3, HAPPY)
    counter.engine.feed_frame(Frame(scene(HAPPY), 0.5))
    assert counter.engine.tallies.dropped == {"between": 6, "time_backwards": 1}, "6: before the visit was open"


def test_a_fast_camera_costs_no_more(networks: Networks) -> None:
    nobody = Counter(networks)
    for frame in frames(scene(), 2.0, rate_hz=60):
        nobody.engine.feed_frame(frame)
    looked = nobody.engine.tallies
    assert (looked.forwarded, looked.dropped["still"]) == (1, 7), "by the clock, a few times a second, and not anew"
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    for frame in frames(scene(HAPPY), 2.0, rate_hz=60):
        counter.engine.feed_frame(frame)
    assert counter.engine.tallies.forwarded == 40
    assert counter.engine.tallies.dropped == {"between": 80}
    assert counter.engine.visit_open


def test_rating_without_a_visit(networks: Networks) -> None:
    engine = Counter(networks).engine
    assert not engine.rated(5)
    with pytest.raises(RuntimeError, match="no such visit"):
        engine.screen_shown()


def test_calls_from_several_threads_take_turns(networks: Networks) -> None:
    counter = Counter(networks)
    errors: list[BaseException] = []

    def run(items: Iterable[Frame | Chunk]) -> None:
        try:
            for item in items:
                if isinstance(item, Frame):
                    counter.engine.feed_frame(item)
                else:
                    counter.engine.feed_chunk(item)
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(frames(scene(HAPPY), 5.0),)),
        threading.Thread(target=run, args=(chunks(np.concatenate([voice("voice_ly"), silence(2.0)])),)),
    ]
    for thread in threads:
        thread.start()
    for _ in range(50):
        if counter.engine.visit_open:
            with contextlib.suppress(RuntimeError):
                counter.engine.screen_shown()
            counter.engine.rated(4)
    for thread in threads:
        thread.join()
    counter.engine.finish()
    assert errors == []
    assert counter.engine.tallies.forwarded + counter.engine.tallies.dropped["between"] == 50


def test_after_a_visit_no_buffer_holds_the_face(networks: Networks) -> None:
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    counter.show(2, HAPPY).hear(voice("voice_ly"))
    far = networks.eyes.far._for(360, 384)  # as large as the region
    buffers: list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = [
        far.canvas,
        far.input,
        networks.eyes.landmarks._input,
        networks.voice._input,
        counter.engine._region._blanked,
    ]
    assert all(buffer.any() for buffer in buffers[:4])
    counter.engine.opt_out()
    networks_own = [
        network._interpreter.get_tensor(network._index) for network in (far.network, networks.eyes.landmarks._network)
    ]
    assert not any(buffer.any() for buffer in [*buffers[:3], networks.voice._input, buffers[4], *networks_own])
