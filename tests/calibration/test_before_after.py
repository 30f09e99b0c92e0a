"""Before and after with controls, on 0/1 answers: no effect is found where there is none, one where there is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from benchmarks import foreign
from calibration.before_after import before_after
from pipeline.errors import StatisticsError


@pytest.mark.parametrize(("improved", "answers"), [(1, 60), (3, 25), (8, 60)])
def test_nothing_is_found_where_nothing_was_done(improved: int, answers: int) -> None:
    """Agencies that move by steps of their own, a season that moves all: coverage of 0 and false alarms; a plain
    comparison of before and after would take the season for the improvement."""
    rng = np.random.default_rng(improved)
    inside, rang, placebo, plain = [], [], [], []
    for _ in range(300):
        satisfied, rated, _ = foreign.areas_in_time(rng, 0.82, 30, answers, 6)
        treated = np.arange(30) < improved
        found = before_after(satisfied, rated, treated, 4)
        inside.append(found.effect.low <= 0 <= found.effect.high)
        rang.append(found.effect.p_value <= 0.05)
        if found.placebo is not None:
            placebo.append(found.placebo.p_value <= 0.05)
        plain.append(found.improved[4] - found.improved[3])
    assert 0.92 <= np.mean(inside) <= 0.985
    assert np.mean(rang) <= 0.08
    assert np.mean(placebo) <= 0.08
    assert abs(np.nanmean(plain)) > 0.01


def test_an_improvement_is_found_and_its_interval_covers() -> None:
    rng = np.random.default_rng(9)
    estimates, inside, rang = [], [], []
    for _ in range(200):
        satisfied, rated, truth = foreign.areas_in_time(rng, 0.78, 30, 60, 6)
        treated = np.arange(30) < 5
        satisfied[:5, 4:] = rng.binomial(rated[:5, 4:], np.minimum(truth[:5, 4:] + 0.1, 1.0))
        effect = before_after(satisfied, rated, treated, 4).effect
        estimates.append(effect.estimate)
        inside.append(effect.low <= 0.1 <= effect.high)
        rang.append(effect.p_value <= 0.05)
    assert np.mean(estimates) == pytest.approx(0.1, abs=0.01)
    assert np.mean(inside) >= 0.90
    assert np.mean(rang) >= 0.7


def test_agencies_on_another_way_ring_in_the_placebo() -> None:
    """The improved agencies had been falling for two quarters already: the placebo says so."""
    rng = np.random.default_rng(2)
    rang = []
    for _ in range(60):
        satisfied, rated, truth = foreign.areas_in_time(rng, 0.8, 30, 80, 6)
        fall = np.array([0, 0, 0, 0.15, 0.15, 0.15])
        satisfied[:6] = rng.binomial(rated[:6], np.clip(truth[:6] - fall, 0.02, 1))
        found = before_after(satisfied, rated, np.arange(30) < 6, 4)
        assert found.placebo is not None
        rang.append(found.placebo.p_value <= 0.05)
    assert np.mean(rang) >= 0.8


def test_difference_by_hand() -> None:
    rated = np.full((12, 2), 100)
    satisfied = np.full((12, 2), 80)
    satisfied[:, 1] = 84
    satisfied[0, 1] = 95
    found = before_after(satisfied, rated, np.arange(12) == 0, 1)
    assert found.effect.estimate == pytest.approx(0.11)
    assert found.placebo is None
    assert found.plot("en").to_dict()
    assert [row["index"] for row in found.rows("en")][:2] == [80.0, 95.0]


@pytest.mark.parametrize(("agencies", "first"), [(12, 0), (12, 2), (5, 1)])
def test_what_cannot_be(agencies: int, first: int) -> None:
    counts = np.full((agencies, 2), 10)
    with pytest.raises(StatisticsError):
        before_after(counts, counts, np.arange(agencies) == 0, first)


@pytest.mark.parametrize("improved", [1, 3])
def test_eight_controls_show_no_rare_change(improved: int) -> None:
    """Of eight controls nothing rarer than one in nine can be dealt: the interval is no narrower than Student's at
    seven degrees, nor the p-value smaller (dealt alone, .85 to .90 of intervals held nought)."""
    rated = np.full((8 + improved, 2), 100)
    satisfied = np.full((8 + improved, 2), 80)
    satisfied[improved:, 1] += np.array([-9, -6, -3, -1, 1, 3, 6, 9])
    satisfied[:improved, 1] += 12
    found = before_after(satisfied, rated, np.arange(8 + improved) < improved, 1).effect
    moved = np.array([-9, -6, -3, -1, 1, 3, 6, 9]) / 100
    error = moved.std(ddof=1) * np.sqrt(1 / 8 + 1 / improved)
    assert found.estimate == pytest.approx(0.12)
    assert found.high - found.estimate >= 2.3646 * error * 0.999
    assert found.p_value >= 2 * student.sf(0.12 / error, 7) * 0.999


def test_controls_that_all_stayed_alike_show_the_chance_of_sampling() -> None:
    """Everybody satisfied everywhere: once an effect of exactly nought, with an interval without width."""
    rated = np.full((12, 4), 50)
    improved = np.arange(12) < 2
    effect = before_after(rated, rated, improved, 2).effect
    assert effect.low < 0 < effect.high
    satisfied = rated.copy()
    satisfied[0, 2:] -= [1, 0]
    one_less = before_after(satisfied, rated, improved, 2).effect
    assert one_less.estimate < 0 < one_less.high
    assert one_less.p_value > 0.05
