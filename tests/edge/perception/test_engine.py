"""The engine with the real networks, fed real faces and voices."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from edge.perception.engine import Engine, EngineSettings
from edge.perception.networks import NetworkOptions, Networks, load_networks, needed_models
from models.face_affect import ABSTAIN_ABOVE
from models.prosody import ProsodicArousal
from models.speech_affect import SpeechAffectNetwork
from pipeline.errors import ModelError
from pipeline.fusion import FusionParameters
from pipeline.records import AbstainReason, Chunk, ClosedVisit, Frame, Level, Modality, Outcome
from pipeline.visit import PresenceParameters
from tests.edge.clips import chunks, frames, scene, silence, voice

HAPPY = ("astronaut", 150, 60, 100)
HAPPY_TOO = ("obama", 150, 60, 100)
CLERK = ("biden", 160, 440, 80)
LEFT = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
SETTINGS = EngineSettings(
    region=LEFT,
    presence=PresenceParameters(start_after_s=0.5, end_after_s=1.0, empty_after_s=1.5),
    fusion=FusionParameters(minimum_visit_s=2.0, minimum_evidence_s=1.0),
    opt_out_s=3.0,
    rating_wait_s=4.0,
)
BY_QUEUE = EngineSettings(region=LEFT, visits_by="queue", fusion=SETTINGS.fusion, opt_out_s=60.0, opt_out_rest_s=2.0)


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
    assert large_stern.engine.face_tallies.forwarded > 90, "both faces were followed"


def test_a_passer_by_is_no_visit_and_a_glance_abstains(networks: Networks) -> None:
    counter = Counter(networks).show(0.7, HAPPY).show(3)
    assert counter.visits == []
    counter.show(1.8, HAPPY).show(3)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED)]
    assert counter.engine.last_level is not None
    assert counter.engine.last_level.reason is AbstainReason.TOO_SHORT


def test_the_level_is_frozen_before_rating(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    frozen = counter.engine.freeze_level()
    assert frozen.level is Level.VERY_HIGH
    assert frozen.modalities is Modality.FACE
    before = counter.engine.tallies.forwarded
    counter.show(3, ("biden", 150, 60, 100))
    assert counter.engine.tallies.forwarded > before, "presence is still followed"
    assert counter.engine.freeze_level() is frozen
    assert counter.engine.rated(2)
    assert counter.visits == []
    counter.show(2)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_SATISFIED)]


def test_a_visit_waits_for_a_rating_begun_before_leaving(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    counter.engine.freeze_level()
    counter.show(3)
    assert counter.visits == []
    assert counter.engine.rated(5)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.SATISFIED)]
    assert not counter.engine.rated(5), "one visit, one rating"


def test_a_rating_that_never_comes_ends_the_wait(networks: Networks) -> None:
    counter = Counter(networks).show(5, HAPPY)
    counter.engine.freeze_level()
    counter.show(6)
    assert counter.visits == [ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)]


def test_opting_out_stops_at_once_and_counts_as_abstained(networks: Networks) -> None:
    counter = Counter(networks).show(4, HAPPY)
    looked_at = counter.engine.tallies.forwarded
    counter.engine.opt_out()
    counter.hear(voice("voice_binh")).show(2.5, HAPPY)
    assert counter.engine.tallies.forwarded == looked_at, "not one frame more"
    assert counter.engine.tallies.dropped["opted_out"] == 25
    assert counter.engine.sound_tallies.forwarded == 0
    assert counter.engine.visit_open
    assert counter.engine.rated(5), "rating is another matter than being analysed"
    counter.show(5, HAPPY)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.SATISFIED)]
    assert counter.started == 1, "who stays longer than nothing is looked at is not analysed either"
    counter.show(0.5).show(3, HAPPY)
    assert counter.started == 1, "nor is who has bent down for a paper"
    counter.show(2).show(4, HAPPY_TOO).show(2)
    assert counter.visits[1].level is Level.VERY_HIGH, "the next citizen is seen again"


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


def test_by_presence_no_event_of_the_queue_system_ends_an_opt_out(networks: Networks) -> None:
    counter = Counter(networks).show(2, HAPPY)
    counter.engine.opt_out()
    looked_at = counter.engine.tallies.forwarded
    counter.engine.visit_started(1, counter.time_s)
    counter.show(1, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    counter.engine.visit_started(1, counter.time_s)
    counter.show(1, HAPPY)
    assert counter.engine.tallies.forwarded == looked_at
    assert counter.started == 1
    assert counter.engine.has_opted_out


def test_opting_out_before_being_seen(networks: Networks) -> None:
    counter = Counter(networks)
    counter.engine.opt_out()
    counter.engine.opt_out()
    counter.show(2, HAPPY)
    assert counter.engine.tallies.forwarded == 0
    counter.show(2)
    assert counter.visits == [ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED)]


def test_the_queue_system_starts_and_ends_visits(networks: Networks) -> None:
    counter = Counter(networks, BY_QUEUE).show(3, HAPPY)
    assert counter.engine.tallies.forwarded == 0, "nothing is looked at outside a visit"
    counter.engine.visit_started(7, counter.time_s)
    counter.show(4, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    counter.show(2, HAPPY)
    counter.engine.visit_started(9, counter.time_s)
    counter.show(1)
    counter.engine.opt_out()
    counter.show(3, HAPPY)
    counter.engine.visit_started(4, counter.time_s)
    assert counter.visits == [
        ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 7),
        ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, 9),
    ]
    assert counter.engine.visit_open


S, E = "start", "end"


@pytest.mark.parametrize(
    ("events", "is_over"),
    [
        ([(1.0, S)], False),
        ([(1.0, S), (9.0, S), (20.0, S)], False),
        ([(1.0, E), (1.0, S)], False),
        ([(1.0, E), (2.9, S)], False),
        ([(1.0, E), (2.0, S), (3.0, E), (4.0, S)], False),
        ([(1.0, E), (1.5, E), (2.9, S)], False),
        ([(1.0, S), (1.0, E)], False),
        ([(1.0, E), (3.5, S)], True),
        ([(1.0, S), (2.0, E), (5.0, S)], True),
        ([(61.0, S)], True),
    ],
)
@pytest.mark.parametrize("called", [True, False])
def test_an_opt_out_survives_every_call_but_a_clear_end(
    networks: Networks, events: list[tuple[float, str]], is_over: bool, called: bool
) -> None:
    """Two seconds of rest make an end clear here; an opt-out of more than a minute ago ends at a call."""
    counter = Counter(networks, BY_QUEUE)
    if called:
        counter.engine.visit_started(0, 0.0)
    counter.engine.opt_out()
    for time_s, event in events if called else [(0.5, S), *events]:
        if event == S:
            counter.engine.visit_started(0, time_s)
        else:
            counter.engine.visit_ended(time_s)
        counter.time_s = time_s
    assert counter.engine.has_opted_out is not is_over
    counter.show(0.3, HAPPY)
    assert (counter.engine.tallies.forwarded > 0) is is_over
    counter.engine.finish()
    starts = sum(event == S for _, event in events)
    assert len(counter.visits) == starts + 1, "every call is one visit, whether or not it is opted out"
    assert {visit.level for visit in counter.visits} == {Level.ABSTAINED}


def test_a_second_touch_after_the_end_opts_out_too(networks: Networks) -> None:
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    counter.engine.opt_out()
    counter.engine.visit_ended(1.0)
    counter.engine.opt_out()
    counter.time_s = 1.5
    counter.show(1, HAPPY)
    assert counter.engine.tallies.forwarded == 0
    assert counter.engine.visit_open


def test_opting_out_before_the_call_holds_for_the_visit_that_is_called(networks: Networks) -> None:
    counter = Counter(networks, BY_QUEUE).show(1)
    counter.engine.opt_out()
    counter.engine.visit_started(7, counter.time_s)
    counter.show(4, HAPPY)
    assert counter.engine.tallies.forwarded == 0
    counter.engine.visit_ended(counter.time_s)
    counter.time_s += 2.5
    counter.engine.visit_started(8, counter.time_s)
    counter.show(4, HAPPY)
    counter.engine.visit_ended(counter.time_s)
    assert counter.visits == [
        ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, 7),
        ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED, 8),
    ], "the next one is seen again, and no visit was made up"


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
    assert counter.engine.freeze_level() is counter.engine.freeze_level()
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
    assert counter.engine.tallies.dropped == {"time_backwards": 1}


def test_a_fast_camera_costs_no_more(networks: Networks) -> None:
    counter = Counter(networks)
    for frame in frames(scene(HAPPY), 2.0, rate_hz=60):
        counter.engine.feed_frame(frame)
    assert counter.engine.tallies.forwarded == 40
    assert counter.engine.tallies.dropped == {"between": 80}
    assert counter.engine.visit_open


def test_rating_without_a_visit(networks: Networks) -> None:
    engine = Counter(networks).engine
    assert not engine.rated(5)
    with pytest.raises(RuntimeError, match="no such visit"):
        engine.freeze_level()


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
            counter.engine.freeze_level()
            counter.engine.rated(4)
    for thread in threads:
        thread.join()
    counter.engine.finish()
    assert errors == []
    assert counter.engine.tallies.forwarded == 50


def test_restricted_weights_are_refused_without_acceptance() -> None:
    with pytest.raises(ModelError, match="fer2013-research-only"):
        load_networks(NetworkOptions())
    face_only = load_networks(NetworkOptions(accepted=("fer2013-research-only",), face="fer"))
    assert isinstance(face_only.speech, ProsodicArousal)
    assert [notice for notice in face_only.notices if "acted-speech-non-commercial is not accepted" in notice]
    both = load_networks(NetworkOptions(accepted=("fer2013-research-only", "acted-speech-non-commercial")))
    assert both.notices == ()
    assert isinstance(both.speech, SpeechAffectNetwork)
    assert all(len(digest) == 32 for digest in both.digests.values())
    with pytest.raises(ModelError, match="not a network"):
        needed_models(NetworkOptions(face="nobody"))


def test_after_a_visit_no_buffer_holds_the_face(networks: Networks) -> None:
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    counter.show(2, HAPPY).hear(voice("voice_ly"))
    buffers: list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = [
        networks.far._canvas,
        networks.far._input,
        networks.landmarks._input,
        networks.voice._input,
        counter.engine._region._blanked,
    ]
    assert all(buffer.any() for buffer in buffers[:4])
    counter.engine.opt_out()
    networks_own = [
        network._network._interpreter.get_tensor(network._network._index)
        for network in (networks.far, networks.landmarks)
    ]
    assert not any(buffer.any() for buffer in [*buffers[:3], networks.voice._input, buffers[4], *networks_own])


def test_the_fusion_ignores_the_faces_that_the_network_abstains_from() -> None:
    assert FusionParameters().face.uncertainty_limit == ABSTAIN_ABOVE
