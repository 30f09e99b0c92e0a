"""Wilson's interval and the design effect against closed forms and an independent implementation."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from calibration.design_effect import DesignEffect, design_effect_arrays
from calibration.intervals import t_quantile, wilson
from calibration.months import AgencyMonth, Stratum
from calibration.ratings import DayCount
from calibration.units import units_of
from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 10), (10, 10), (83, 100), (399, 400), (7, 15)])
def test_wilson_is_that_of_statsmodels(k: int, n: int) -> None:
    low, high = wilson(k / n, n)
    expected = proportion_confint(k, n, alpha=0.05, method="wilson")
    assert (float(low), float(high)) == pytest.approx(expected, abs=1e-9)


def test_no_ratings_leave_the_whole_scale() -> None:
    low, high = wilson(0.5, 0)
    assert (float(low), float(high)) == (0.0, 1.0)


def test_student_quantile() -> None:
    assert t_quantile(14) == pytest.approx(2.1448, abs=1e-4)
    assert t_quantile(0) == pytest.approx(t_quantile(1))


def test_days_that_agree_perfectly_count_as_one_answer_each() -> None:
    effect = design_effect_arrays([5, 5, 5, 5], [5, 0, 5, 0])
    assert effect.icc == pytest.approx(1.0)
    assert effect.value == pytest.approx(5.0)
    assert effect.degrees == 3


@pytest.mark.parametrize(("rated", "satisfied"), [([10], [7]), ([1, 1, 1], [1, 0, 1]), ([0, 0], [0, 0]), ([], [])])
def test_clusters_that_cannot_tell_have_no_effect(rated: list[int], satisfied: list[int]) -> None:
    assert float(design_effect_arrays(rated, satisfied).value) == pytest.approx(1.0, abs=1e-6)


def test_the_icc_of_a_known_world_is_found() -> None:
    rng = np.random.default_rng(5)
    share = rng.beta(0.8 * 9, 0.2 * 9, size=(400, 60))  # icc .1
    effect = design_effect_arrays(np.full((400, 60), 20), rng.binomial(20, share))
    assert effect.icc.mean() == pytest.approx(0.1, abs=0.01)
    assert effect.value.mean() == pytest.approx(1 + 19 * 0.1, rel=0.08)


def clusters(counts: list[DayCount]) -> DesignEffect:
    stratum = Stratum("all", 10_000, tuple(counts))
    return units_of(AgencyMonth("a", "g", DayRange.month(2026, 5), (stratum,)))[0].clusters


def test_clusters_are_days_whatever_the_counter_and_channel() -> None:
    day = date(2026, 5, 4)
    alike = [DayCount(day + timedelta(d), 10, 10 * (d % 2), counter="") for d in range(10)]
    halves = [replace(count, rated=5, satisfied=count.satisfied // 2, counter=c) for count in alike for c in "12"]
    channels = [replace(count, counter="", channel=count.counter) for count in halves]
    assert float(clusters(alike).value) > 5
    assert float(clusters(halves).value) == pytest.approx(float(clusters(alike).value))
    assert float(clusters(channels).value) == pytest.approx(float(clusters(alike).value))


@pytest.mark.parametrize(("rated", "satisfied"), [(3, 4), (-1, 0), (3, -1)])
def test_impossible_counts_are_refused(rated: int, satisfied: int) -> None:
    with pytest.raises(StatisticsError, match="impossible"):
        DayCount(date(2026, 5, 4), rated, satisfied)
