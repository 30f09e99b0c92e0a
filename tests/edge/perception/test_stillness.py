"""An empty place is not searched again and again, and whoever comes is found all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, Networks, load_networks
from edge.perception.settings import EngineSettings
from edge.perception.stillness import ALERT_S, LONGEST_S, Stillness
from pipeline.records import Frame
from tests.edge.clips import frames, scene

PERSON = ("astronaut", 150, 60, 100)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(NetworkOptions(demo=True))


def noisy(picture: Any, seed: int, deviation: float = 4.0) -> Any:
    noise = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_the_noise_of_an_empty_place_is_not_searched_and_whoever_comes_is_found_at_the_next_look(
    networks: Networks,
) -> None:
    engine = Engine(EngineSettings(), networks, lambda visit: None)
    empty = scene()
    for number in range(100):
        engine.feed_frame(Frame(noisy(empty, number), number * 0.25))
    assert engine.tallies.forwarded <= 2 + 25.0 / LONGEST_S, "one search for each stretch of the clock"
    assert engine.tallies.forwarded + engine.tallies.dropped["still"] == 100
    engine.feed_frame(Frame(noisy(scene(PERSON), 1), 25.25))
    assert engine.face_tallies.forwarded == 1


def test_what_comes_too_slowly_to_be_seen_changing_is_found_within_the_stretch(networks: Networks) -> None:
    engine = Engine(EngineSettings(), networks, lambda visit: None)
    empty, person = scene().astype(np.float32), scene(PERSON).astype(np.float32)
    found_s = None
    for number in range(200):
        share = min(1.0, number / 100)
        engine.feed_frame(Frame((empty * (1 - share) + person * share).astype(np.uint8), number * 0.1))
        if engine.face_tallies.forwarded and found_s is None:
            found_s = number * 0.1
    assert found_s is not None
    assert found_s <= 10.0 + LONGEST_S


def test_who_is_there_is_searched_for_at_every_look(networks: Networks) -> None:
    """Somebody whom nothing moves is no empty place."""
    engine = Engine(EngineSettings(empty_first=True), networks, lambda visit: None)
    for frame in frames(scene(PERSON), 5.0):
        engine.feed_frame(frame)
    assert "still" not in engine.tallies.dropped
    assert engine.tallies.forwarded == 20


@given(st.lists(st.sampled_from([0, 60]), min_size=1, max_size=40))
def test_a_change_is_never_missed(levels: list[int]) -> None:
    """Whatever comes when: a picture that differs from that of the last search is searched, and so is each look for a
    while after."""
    stillness, searched, changed_s = Stillness(), None, float("-inf")
    for number, level in enumerate(levels):
        time_s, pixels = 0.25 * number, np.full((36, 64, 3), level, np.uint8)
        still = stillness.holds(pixels, time_s)
        if searched is not None and level != searched:
            changed_s = time_s
        assert not (still and (level != searched or time_s - changed_s <= ALERT_S))
        if not still:
            stillness.searched(pixels, time_s, empty=True)
            searched = level


def test_nothing_is_kept_of_a_place_where_somebody_is() -> None:
    stillness, pixels = Stillness(), np.full((36, 64, 3), 90, np.uint8)
    stillness.searched(pixels, 0.0, empty=True)
    assert stillness.holds(pixels, 0.25)
    stillness.searched(pixels, 0.5, empty=False)
    assert stillness._empty is None
    stillness.searched(pixels, 0.75, empty=True)
    stillness.forget()
    assert not stillness.holds(pixels, 1.0)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.floats(1 / 1.2, 1.2), st.integers(0, 15), st.integers(0, 8))
def test_light_that_changes_everywhere_alike_is_no_change_and_what_comes_in_it_is_one(
    gain: float, column: int, row: int
) -> None:
    stillness, empty = Stillness(), scene().astype(np.float32)
    stillness.searched(empty.astype(np.uint8), 0.0, empty=True)
    brighter = np.clip(empty * gain, 0, 255)
    assert stillness.holds(brighter.astype(np.uint8), 0.25)
    brighter[40 * row : 40 * row + 40, 40 * column : 40 * column + 40] -= 10.0
    assert not stillness.holds(np.clip(brighter, 0, 255).astype(np.uint8), 0.5)
    assert stillness.is_alert(0.5)


def test_a_lamp_that_is_switched_on_is_a_change() -> None:
    stillness, empty = Stillness(), scene()
    stillness.searched(empty, 0.0, empty=True)
    assert not stillness.holds(np.clip(empty * 1.5, 0, 255).astype(np.uint8), 0.25)


def test_a_place_is_quiet_only_after_whoever_was_there_was_seen_to_leave(networks: Networks) -> None:
    """Not where somebody waits there when the box begins; not in a visit; not until its end; not after a change."""
    engine = Engine(EngineSettings(empty_first=True), networks, lambda visit: None)
    times = iter(np.arange(0, 200, 0.25).tolist())

    def show(picture: Any, seconds: float) -> set[bool]:
        quiet = set()
        for _ in range(round(4 * seconds)):
            engine.feed_frame(Frame(picture, next(times)))
            quiet.add(engine.is_quiet)
        return quiet

    empty, person = scene(), scene(PERSON)
    assert show(person, 3.0) == {False}
    assert show(empty, 14.0) == {False}, "who left a moment ago may be back"
    assert True in show(empty, 3.0)
    assert show(empty, 2.0) == {True}
    assert show(person, 3.0) == {False}
    assert engine.visit_open
    assert show(empty, 14.5) == {False}
    assert True in show(empty, 2.0)
    changed = scene()
    changed[200:300, 400:500] = 30
    assert show(changed, 2.5) == {False}, "something moves: whoever it is may be seen in a moment"
    assert True in show(changed, 3.0)


def test_by_the_queue_a_place_is_quiet_before_a_call_and_after_its_citizen_was_seen_to_leave(
    networks: Networks,
) -> None:
    settings = EngineSettings(visits_by="queue", change_after_s=2.0)
    engine = Engine(settings, networks, lambda visit: None)
    assert engine.is_quiet
    engine.visit_started(0, 0.0)
    assert not engine.is_quiet
    for number in range(12):
        engine.feed_frame(Frame(scene(PERSON), number * 0.25))
    engine.visit_ended(3.0)
    assert not engine.is_quiet
    for number in range(12, 40):
        engine.feed_frame(Frame(scene(), number * 0.25))
    assert engine.is_quiet
