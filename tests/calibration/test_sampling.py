"""Sampling: the formula of the decisions, allocation, the seeded draw's probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calibration.sampling import allocate, draw_by_size, draw_ordinals, required_size


@pytest.mark.parametrize(
    ("population", "error", "expected"),
    [
        (0, 0.05, 0),
        (1, 0.05, 1),
        (100, 0.05, 80),
        (500, 0.05, 223),
        (10_000, 0.05, 385),
        (10**9, 0.05, 400),
        (400, 0.1, 80),
    ],
)
def test_official_formula(population: int, error: float, expected: int) -> None:
    assert required_size(population, error) == expected


def test_neyman_allocation_by_hand() -> None:
    """Cochran 1977, 5.5: n_h ~ N_h S_h / sqrt(c_h). 600 x .5 / 1 = 300, 300 x .3 / 1 = 90, 100 x .4 / 2 = 20."""
    weights = [600 * 0.5, 300 * 0.3, 100 * 0.4 / math.sqrt(4)]
    assert allocate(weights, [600, 300, 100], 205, least=0) == [150, 45, 10]


@given(
    st.lists(st.tuples(st.just(0.0) | st.floats(1e-3, 1e6), st.integers(0, 5_000)), min_size=1, max_size=20),
    st.integers(0, 20_000),
    st.integers(0, 10),
)
@example([(0.0, 3), (1.0, 154)], 155, 2)
@settings(max_examples=60, deadline=None)
def test_allocation_keeps_limits_minima_and_the_total(strata: list[tuple[float, int]], total: int, least: int) -> None:
    weights, limits = [w for w, _ in strata], [n for _, n in strata]
    sizes = allocate(weights, limits, total, least)
    assert sum(sizes) <= total
    lowered = max(level for level in range(least + 1) if sum(min(level, limit) for limit in limits) <= total)
    minima = [min(lowered, limit) for limit in limits]
    assert all(low <= size <= limit for low, size, limit in zip(minima, sizes, limits, strict=True))
    open_room = sum(limit for w, limit in strata if w > 0)
    closed = sum(low for (w, _), low in zip(strata, minima, strict=True) if w == 0)
    assert sum(sizes) == max(sum(minima), min(total, open_room + closed))


def test_draw_by_size_has_the_probabilities_it_says() -> None:
    sizes, count, draws = [50, 100, 150, 20, 400, 80, 0], 3, 5_000
    rng = np.random.default_rng(3)
    hits = np.zeros(len(sizes))
    for _ in range(draws):
        places, probability = draw_by_size(sizes, count, rng)
        assert len(set(places)) == count
        hits[places] += 1
    assert probability[4] == 1.0
    assert sum(probability) == pytest.approx(count)
    assert np.abs(hits / draws - probability).max() < 4 * 0.5 / math.sqrt(draws)


@given(st.integers(1, 5_000), st.integers(0, 2**31))
def test_ordinals_are_distinct_and_in_the_register(population: int, seed: int) -> None:
    count = max(1, population // 3)
    picks = draw_ordinals(population, count, np.random.default_rng(seed))
    assert len(set(picks)) == count
    assert min(picks) >= 1
    assert max(picks) <= population
