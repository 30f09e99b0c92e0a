"""Raking: margins hold, weights are those of iterative fitting, caps hold or are refused, intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import foreign
from calibration.design import Design
from calibration.raking import Margin, rake
from calibration.survey_shares import Answers, days_of, place_shares, raked_shares
from pipeline.errors import StatisticsError

FloatArray = NDArray[np.float64]


def fitted(categories: list[np.ndarray], targets: list[np.ndarray], base: np.ndarray) -> FloatArray:
    """Iterative proportional fitting, margin after margin (Deming, Stephan 1940)."""
    weight: FloatArray = base / base.sum()
    for _ in range(3000):
        for category, target in zip(categories, targets, strict=True):
            weight = weight * (target / np.bincount(category, weights=weight, minlength=len(target)))[category]
    return weight


def margin(name: str, category: np.ndarray, target: np.ndarray) -> Margin:
    return Margin(name, category, target, tuple(f"{name}{c}" for c in range(len(target))))


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_iterative_fitting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes, n = (3, 2, 5), 400
    categories = [np.concatenate([np.arange(size), rng.integers(0, size, n - size)]) for size in sizes]
    targets = [rng.dirichlet(np.full(size, 6.0)) for size in sizes]
    base = rng.uniform(0.5, 4, n)
    found = rake([margin(str(m), c, t) for m, (c, t) in enumerate(zip(categories, targets, strict=True))], base, 1e6)
    np.testing.assert_allclose(found.weight / found.weight.sum(), fitted(categories, targets, base), rtol=1e-6)
    assert found.weight.sum() == pytest.approx(base.sum())
    assert not found.capped
    assert found.n_eff < n


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.5, 6))
def test_margins_and_cap_hold_or_it_is_said_that_they_cannot(seed: int, cap: float) -> None:
    rng = np.random.default_rng(seed)
    sizes, n = (2, 3), 60
    categories = [np.concatenate([np.arange(size), rng.integers(0, size, n - size)]) for size in sizes]
    margins = [
        margin(str(m), c, rng.dirichlet(np.full(s, 2.0)))
        for m, (c, s) in enumerate(zip(categories, sizes, strict=True))
    ]
    try:
        found = rake(margins, rng.uniform(0.2, 5, n), cap)
    except StatisticsError:
        return
    assert found.largest <= cap * (1 + 1e-9)
    for one in margins:
        np.testing.assert_allclose(found.shares(one), one.target / one.target.sum(), atol=1e-9)


def test_a_cap_holds_one_answer_and_lets_the_others_meet_the_margins() -> None:
    """One of 100 answers is of a kind that is a tenth of the people, three are of another: uncapped it weighs ten."""
    kind = np.array([0] + [1] * 3 + [2] * 96)
    sex = np.arange(100) % 2
    margins = [margin("kind", kind, np.array([0.04, 0.06, 0.9])), margin("sex", sex, np.array([0.5, 0.5]))]
    free = rake(margins, np.ones(100), cap=50)
    assert free.largest == pytest.approx(4.0, abs=0.1)
    with pytest.raises(StatisticsError, match=r"at most 3 times .*kind.*kind0"):
        rake(margins, np.ones(100), cap=3)
    base = np.where(np.arange(100) == 1, 6.0, 1.0)
    held = rake([margin("kind", kind, np.array([0.02, 0.08, 0.9]))], base, cap=3.5)
    assert held.capped == 1
    assert held.largest == pytest.approx(3.5)
    np.testing.assert_allclose(held.shares(held.margins[0]), [0.02, 0.08, 0.9], atol=1e-9)
    assert held.contributions(np.ones((100, 1))).shape == (100, 1)


@pytest.mark.parametrize(
    ("target", "labels", "match"),
    [
        ({"a": 1.0, "b": 1.0, "c": 1.0}, ["a", "b"], "nobody who answered is 'c'"),
        ({"a": 1.0, "b": 0.0}, ["a", "b"], "has nobody who is 'b'"),
        ({"a": 1.0}, ["a", "b"], "does not have 'b'"),
        ({"a": -1.0, "b": 2.0}, ["a", "b"], "not negative"),
        ({"a": float("nan"), "b": 2.0}, ["a", "b"], "not negative"),
        ({"a": 0.0, "b": 0.0}, ["a", "b"], "not all zero"),
    ],
)
def test_margins_that_do_not_fit_are_refused(target: dict[str, float], labels: list[str], match: str) -> None:
    with pytest.raises(StatisticsError, match=match):
        rake([Margin.of("age", labels * 5, target)], np.ones(10))


def test_margins_that_contradict_each_other_are_refused() -> None:
    """Everybody of a is of x, everybody of b is of y, and the population says otherwise."""
    first = Margin.of("one", ["a", "b"] * 10, {"a": 1, "b": 1})
    second = Margin.of("two", ["x", "y"] * 10, {"x": 1, "y": 3})
    with pytest.raises(StatisticsError, match="contradict"):
        rake([first, second], np.ones(20), cap=100)


@pytest.mark.parametrize(("base", "cap"), [(np.zeros(4), 5.0), (np.ones(4), 1.0), (np.ones(0), 5.0)])
def test_bad_weights_are_refused(base: np.ndarray, cap: float) -> None:
    with pytest.raises(StatisticsError):
        rake([Margin("age", np.zeros(len(base), dtype=np.int64), np.ones(1), ("a",))], base, cap)
    with pytest.raises(StatisticsError):
        rake([], np.ones(4))


@pytest.mark.parametrize("icc", [0.0, 0.05])
def test_the_interval_covers_and_the_bias_goes(icc: float) -> None:
    """On 0/1 data: unweighted five points too high and covered nearly never; raked without bias, covered as claimed."""
    rng = np.random.default_rng(13)
    raked_hit, plain_hit, errors = [], [], []
    for _ in range(200):
        asked = foreign.people_who_answer(rng, icc)
        n, old, woman, truth = len(asked.old), asked.old, asked.woman, asked.truth
        answers = Answers(asked.satisfied[:, None], np.ones((n, 1)), np.ones(n), Design(asked.day, asked.agency))
        days = days_of(answers)
        weights = rake(
            [margin("age", old, np.array([0.5, 0.5])), margin("sex", woman, np.array([0.5, 0.5]))], np.ones(len(old))
        )
        found = raked_shares(answers, weights, np.eye(1), days)[0]
        plain = place_shares(answers, np.zeros(len(old), dtype=np.int64), 1, np.eye(1), days).of(0)[0]
        assert found.estimate is not None
        raked_hit.append((found.low or 0) <= truth <= (found.high or 0))
        plain_hit.append((plain.low or 0) <= truth <= (plain.high or 0))
        errors.append(found.estimate - truth)
    assert abs(np.mean(errors)) < 0.003
    assert np.mean(plain_hit) < 0.35
    assert 0.925 <= np.mean(raked_hit) <= 0.985


def test_where_all_are_satisfied_the_interval_stays_open() -> None:
    answers = Answers(np.ones((60, 1)), np.ones((60, 1)), np.ones(60), Design(np.arange(60) % 10, np.zeros(60, int)))
    weights = rake([margin("sex", np.arange(60) % 3 // 2, np.array([0.5, 0.5]))], np.ones(60))
    found = raked_shares(answers, weights, np.eye(1), days_of(answers))[0]
    assert found.estimate == pytest.approx(1.0)
    assert found.low is not None
    assert found.low < 0.97
