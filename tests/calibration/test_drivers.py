"""Drivers: Shapley values of R2 against all subsets and relaimpo, and intervals on 0/1 sheets that hang together."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.drivers import MIN_OWN, Sheets, analyse_drivers, explained_by, orders_of
from calibration.reasons import Why
from pipeline.errors import StatisticsError

# Covariances of R's `swiss` (47 provinces, 1888): agriculture, examination, education, catholic, infant mortality and,
# last, fertility; what `calc.relimp(lm(Fertility ~ ., swiss), type = "lmg")` of R's relaimpo gives for it
# (Groemping 2006, Journal of Statistical Software 17(1)).
SWISS = np.array(
    [
        [515.79941721, -124.39283071, -139.65740056, 379.90437650, -4.02585106, 100.16914885],
        [-124.39283071, 63.64662350, 53.57585569, -190.56061055, -2.64953747, -64.36692877],
        [-139.65740056, 53.57585569, 92.45605920, -61.69882978, -2.78168363, -79.72950971],
        [379.90437650, -190.56061055, -61.69882978, 1739.29453654, 21.31811633, 241.56320074],
        [-4.02585106, -2.64953747, -2.78168363, 21.31811633, 8.48380208, 15.15619334],
        [100.16914885, -64.36692877, -79.72950971, 241.56320074, 15.15619334, 156.04249769],
    ]
)
LMG = (0.05709122, 0.17117303, 0.26013468, 0.10557015, 0.11276592)


def r2(covariance: np.ndarray, subset: tuple[int, ...]) -> float:
    """R2 of the last variable on `subset`, by the normal equations."""
    if not subset:
        return 0.0
    rows = list(subset)
    with_y = covariance[rows, -1]
    return float(with_y @ np.linalg.solve(covariance[np.ix_(rows, rows)], with_y) / covariance[-1, -1])


def shapley(covariance: np.ndarray) -> list[float]:
    """Shapley values of R2 by their definition, over all subsets."""
    k = len(covariance) - 1
    values = []
    for i in range(k):
        others = [j for j in range(k) if j != i]
        values.append(
            sum(
                math.factorial(size)
                * math.factorial(k - size - 1)
                / math.factorial(k)
                * (r2(covariance, (*subset, i)) - r2(covariance, subset))
                for size in range(k)
                for subset in itertools.combinations(others, size)
            )
        )
    return values


def test_the_values_of_relaimpo() -> None:
    assert explained_by(SWISS, orders_of(5, 0)) == pytest.approx(LMG, abs=2e-6)


@given(st.integers(0, 2**31), st.integers(2, 6))
def test_orders_give_the_shapley_values_of_all_subsets(seed: int, k: int) -> None:
    root = np.random.default_rng(seed).normal(size=(k + 1, k + 3))
    covariance = root @ root.T
    found = explained_by(covariance, orders_of(k, seed))
    assert found == pytest.approx(shapley(covariance), abs=1e-9)
    assert found.sum() == pytest.approx(r2(covariance, tuple(range(k))))


def test_drawn_orders_come_near_and_add_up() -> None:
    root = np.random.default_rng(3).normal(size=(10, 14))
    covariance = root @ root.T + 5.0
    found = explained_by(covariance, orders_of(9, 1))
    assert found.sum() == pytest.approx(r2(covariance, tuple(range(9))))
    assert found == pytest.approx(shapley(covariance), abs=0.01)


def draw(rng: np.random.Generator, weights: np.ndarray, n: int, days: int = 22) -> Sheets:
    """0/1 sheets: criteria hang together and on their day, the overall answer hangs on them by `weights` [k]."""
    day = rng.integers(0, days, n)
    mood = rng.normal(size=n) + rng.normal(0, 0.3, days)[day]
    latent = 0.6 * mood[:, None] + 0.8 * rng.normal(size=(n, len(weights)))
    overall = latent @ weights + 0.25 * mood + 0.7 * rng.normal(size=n)
    return Sheets.of(overall > -1.2, latent > -1.1, day)


def test_intervals_on_shares_of_0_and_1_cover_what_agencies_really_have() -> None:
    """Twelve agencies whose drivers differ: the true shares come from 60,000 sheets each."""
    names, covered, asked = list("ABCDE"), 0, 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        weights = np.array([0.45, 0.3, 0.2, 0.1, 0.05]) * np.exp(0.5 * rng.normal(size=(12, 5)))
        found = analyse_drivers(
            {f"a{i:02}": draw(rng, weights[i], (60, 400)[i % 2]) for i in range(12)}, names, seed=seed
        )
        for i in range(12):
            many = draw(rng, weights[i], 20_000, 1000)
            truth = explained_by(np.cov(np.column_stack([many.criteria, many.overall]).T), orders_of(5, 0))
            drivers = found[f"a{i:02}"]
            assert sum(d.share for d in drivers.drivers) == pytest.approx(1.0)
            assert [d.share for d in drivers.drivers] == sorted((d.share for d in drivers.drivers), reverse=True)
            for driver in drivers.drivers:
                covered += driver.low <= truth["ABCDE".index(driver.name)] / truth.sum() <= driver.high
                asked += 1
        assert all(found[f"a{i:02}"].own_weight < found[f"a{i + 1:02}"].own_weight for i in range(0, 12, 2))
    assert covered / asked >= 0.93


def test_a_small_agency_is_shown_the_others_mean_and_says_so() -> None:
    rng = np.random.default_rng(1)
    weights = np.array([0.5, 0.3, 0.1])
    sheets = {f"a{i}": draw(rng, weights, 200) for i in range(8)} | {"few": draw(rng, weights, MIN_OWN - 1)}
    found = analyse_drivers(sheets, list("ABC"))
    few = found["few"]
    assert few.own_weight == 0.0
    assert few.drivers[0].name == "A"
    assert few.drivers[0].high - few.drivers[0].low > 0.05


def test_few_agencies_borrow_nothing() -> None:
    rng = np.random.default_rng(2)
    found = analyse_drivers({"one": draw(rng, np.array([0.5, 0.2]), 400), "few": draw(rng, np.ones(2), 10)}, ["A", "B"])
    assert found["one"].own_weight == 1.0
    assert not found["few"].drivers
    assert found["few"].reasons[0].why is Why.FEW_SHEETS


def test_missing_answers_copies_and_constants() -> None:
    """Sheets with a gap are left out and counted; a criterion that repeats another shares with it; one without
    variation has no share."""
    rng = np.random.default_rng(4)
    sheets = draw(rng, np.array([0.5, 0.3]), 600)
    criteria = np.column_stack([sheets.criteria, sheets.criteria[:, 0], np.ones(600)])
    criteria[:100, 1] = np.nan
    found = analyse_drivers({"a": Sheets.of(sheets.overall, criteria, sheets.cluster)}, ["A", "B", "copy", "all"])["a"]
    shares = {driver.name: driver.share for driver in found.drivers}
    assert (found.sheets, found.complete) == (600, 500)
    assert shares["A"] == pytest.approx(shares["copy"], rel=0.02)
    assert shares["all"] == 0.0


def test_nothing_is_said_where_there_is_nothing() -> None:
    rng = np.random.default_rng(5)
    noise = Sheets.of(rng.normal(size=500), rng.normal(size=(500, 3)), rng.integers(0, 20, 500))
    assert analyse_drivers({"a": noise}, list("ABC"))["a"].reasons[0].why is Why.NOTHING_EXPLAINED
    few = Sheets.of(rng.normal(size=50), rng.normal(size=(50, 3)), rng.integers(0, 20, 50))
    assert analyse_drivers({"a": few}, list("ABC"))["a"].reasons[0].why is Why.FEW_SHEETS
    nobody = Sheets.of(np.empty(0), np.empty((0, 3)), np.empty(0))
    assert analyse_drivers({"a": nobody}, list("ABC"))["a"].to_dict()["explained"] is None
    assert analyse_drivers({}, list("ABC")) == {}
    with pytest.raises(StatisticsError, match="one row of criteria"):
        analyse_drivers({"a": noise}, ["A"])
    with pytest.raises(StatisticsError):
        Sheets.of([1.0], [[1.0], [2.0]], [1])
