"""An empty place is not searched again and again, and whoever comes is found all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
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
