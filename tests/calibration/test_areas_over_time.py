"""Communes over time, on 0/1 answers of a generator that shares none of the model's assumptions."""

from __future__ import annotations

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from benchmarks import foreign
from calibration.areas_over_time import FLAG, FURTHEST, areas_over_time
from calibration.small_areas import hierarchical_shares
from pipeline.errors import StatisticsError


def _cells() -> list[ParameterSet]:
    """Both numbers of answers, both shapes, all shares; six on every change, all twelve in `make test-slow`."""
    return [
        pytest.param(answers, most, share, shape, marks=pytest.mark.slow if (i + j + k) % 2 == 0 else pytest.mark.soak)
        for i, (answers, most) in enumerate([(15, 0.20), (60, 0.42)])
        for j, share in enumerate([0.75, 0.85, 0.92])
        for k, shape in enumerate(["steps", "walk"])
    ]


@pytest.mark.parametrize(("answers", "most", "share", "shape"), _cells())
def test_error_against_the_direct_figure(answers: int, most: float, share: float, shape: str) -> None:
    """Provinces of 100 communes, five quarters: squared error over the direct one's, coverage, bias, false flags; and
    never much worse than from the newest quarter alone."""
    rng = np.random.default_rng(answers)
    error, direct, alone, inside, bias, flags = [], [], [], [], [], []
    for _ in range(24):
        satisfied, rated, truth = foreign.areas_in_time(rng, share, 100, answers, 5, shape=shape)
        found = areas_over_time(satisfied, rated)
        newest = truth[:, -1]
        error.append((found.estimate - newest) ** 2)
        direct.append((found.direct - newest) ** 2)
        alone.append((hierarchical_shares(satisfied[:, -1], rated[:, -1]).estimate - newest) ** 2)
        inside.append((found.low <= newest) & (newest <= found.high))
        bias.append(found.estimate - newest)
        flags.append(found.changed)
    assert np.mean(error) <= most * np.mean(direct)
    assert np.mean(error) < 1.05 * np.mean(alone)
    assert 0.925 <= np.mean(inside) <= 0.97
    assert abs(np.mean(bias)) < 0.006
    assert np.mean(flags) <= 0.015


@pytest.mark.parametrize(
    ("answers", "fall", "flagged", "bias"),
    [
        pytest.param(15, 0.2, 0.0, 0.20, marks=pytest.mark.soak),
        pytest.param(15, 0.5, 0.6, 0.15, marks=pytest.mark.slow),
        pytest.param(60, 0.2, 0.3, 0.13, marks=pytest.mark.slow),
        pytest.param(60, 0.3, 0.85, 0.06, marks=pytest.mark.soak),
    ],
)
def test_an_abrupt_change_is_seen_and_not_smoothed_away(answers: int, fall: float, flagged: float, bias: float) -> None:
    """One commune of 60 falls in the newest quarter: flags at least, and the bias left at most."""
    rng = np.random.default_rng(5)
    left, seen, furthest = [], [], []
    for _ in range(40):
        satisfied, rated, truth = foreign.areas_in_time(rng, 0.85, 60, answers, 5)
        now = max(truth[7, -1] - fall, 0.02)
        satisfied[7, -1] = rng.binomial(rated[7, -1], now)
        found = areas_over_time(satisfied, rated)
        left.append(found.estimate[7] - now)
        seen.append(found.changed[7])
        pooled = satisfied[:, -1].sum() / rated[:, -1].sum()
        furthest.append(abs(found.estimate[7] - found.direct[7]) / np.sqrt(pooled * (1 - pooled) / rated[7, -1]))
    assert np.mean(left) <= bias
    assert np.mean(seen) >= flagged
    assert max(furthest) <= FURTHEST * 1.05


def test_a_fall_of_one_commune() -> None:
    """Twenty communes at .9 for five quarters, one at .3 in the newest: flagged, stands for itself; no other."""
    rated = np.full((20, 5), 40)
    satisfied = np.full((20, 5), 36)
    satisfied[3, -1] = 12
    found = areas_over_time(satisfied, rated)
    assert found.changed.nonzero()[0].tolist() == [3]
    assert found.estimate[3] == pytest.approx(0.3)
    assert found.surprise[3] < FLAG
    others = np.delete(found.estimate, 3)
    assert np.allclose(others, 0.9, atol=0.035)  # the quarter's own mean fell, too


def test_best_linear_prediction_by_hand() -> None:
    """With one point of the grid, the closed form of a prediction from the whole covariance at once."""
    from calibration.areas_over_time import _predict

    rng = np.random.default_rng(1)
    y, psi = rng.normal(0.8, 0.05, (6, 3)), rng.uniform(0.001, 0.01, (6, 3))
    between = 0.002 * np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.7], [0.5, 0.7, 1.0]])
    _, found = _predict(y, psi, between)
    whole = np.kron(np.eye(6), between) + np.diag(psi.ravel())
    x = np.kron(np.ones((6, 1)), np.eye(3))
    inverse = np.linalg.inv(whole)
    mu = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y.ravel())
    link = np.kron(np.eye(6), between)[2::3]
    np.testing.assert_allclose(found[0], mu[2] + link @ inverse @ (y.ravel() - x @ mu), atol=1e-12)
    left = np.tile(np.eye(3)[2], (6, 1)) - link @ inverse @ x
    error = between[2, 2] - np.einsum("ij,jk,ik->i", link, inverse, link)
    error += np.einsum("is,st,it->i", left, np.linalg.inv(x.T @ inverse @ x), left)
    np.testing.assert_allclose(found[1], error, atol=1e-12)


def test_quarters_without_answers_and_areas_without_a_newest_one() -> None:
    rng = np.random.default_rng(2)
    satisfied, rated, _ = foreign.areas_in_time(rng, 0.85, 30, 20, 4)
    satisfied[:, 1] = rated[:, 1] = 0
    satisfied[4, -1] = rated[4, -1] = 0
    found = areas_over_time(satisfied, rated, 1.3)
    assert np.isnan(found.direct[4])
    assert found.mse[4] > np.median(found.mse)
    assert not found.changed[4]
    same = areas_over_time(np.delete(satisfied, 1, axis=1), np.delete(rated, 1, axis=1), 1.3)
    assert np.all(np.isfinite(found.estimate))
    assert same.estimate.shape == found.estimate.shape


@pytest.mark.parametrize(
    ("satisfied", "rated"),
    [([[3]], [[2]]), ([[1]] * 6, [[-1]] * 6), ([[1]] * 3, [[2]] * 3), ([[1, 0]] * 6, [[2, 0]] * 6)],
)
def test_impossible_counts(satisfied: list[list[int]], rated: list[list[int]]) -> None:
    with pytest.raises(StatisticsError):
        areas_over_time(satisfied, rated)
