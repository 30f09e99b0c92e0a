"""Agreement: without noise equal to independent implementations, with noise unbiased and covered."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import cohen_kappa_score

from calibration.agreement import _table_figures as exact_figures
from calibration.agreement import implicit_index, index_agreement, table_agreement
from calibration.reasons import Reason, Why
from calibration.tables import EvidenceTable
from calibration.worlds import draw_cells, joint_distribution
from pipeline.errors import StatisticsError


def spread_out(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels and ratings of the rated visits of a table without noise, one by one."""
    level, rating = [], []
    for row in range(5):
        for column in (1, 2):
            level += [row] * int(table[row, column])
            rating += [column - 1] * int(table[row, column])
    return np.array(level), np.array(rating)


def test_without_noise_it_is_what_others_compute() -> None:
    table, _, _ = draw_cells(np.random.default_rng(1), joint_distribution(0.8, 0.5), 400, 4000, 1)
    level, rating = spread_out(table[0])
    observed = [float(x) for x in exact_figures(table[0, :5, 1].astype(float), table[0, :5, 2].astype(float))]
    looks = (level >= 3).astype(int)
    assert observed[0] == pytest.approx(pearsonr(level, rating).statistic)
    assert observed[1] == pytest.approx(spearmanr(level, rating).statistic)
    assert observed[2] == pytest.approx(cohen_kappa_score(looks, rating))
    # Krippendorff's alpha for two observers and two values, from its coincidence matrix
    both = np.stack([looks, rating])
    disagree = (both[0] != both[1]).sum() * 2
    ones, size = both.sum(), both.size
    assert observed[3] == pytest.approx(1 - (size - 1) * disagree / (2 * ones * (size - ones)))


@pytest.mark.parametrize("epsilon", [None, 1.5])
def test_intervals_cover_with_and_without_noise(epsilon: float | None) -> None:
    joint = joint_distribution(0.83, 0.4)
    truth = [float(x) for x in exact_figures(joint[:5, 0] * 1e9, joint[:5, 1] * 1e9)]
    table, k, _ = draw_cells(np.random.default_rng(2), joint, 200, 4000, 120, epsilon)
    inside, bias = np.zeros(4), np.zeros(4)
    for i in range(120):
        found = table_agreement(
            EvidenceTable.released(table[i], epsilon), rated=200, satisfied=int(k[i]), seed=i, draws=200
        )
        for j, figure in enumerate((found.pearson, found.spearman, found.kappa, found.alpha)):
            assert figure.value is not None
            assert figure.low is not None
            assert figure.high is not None
            inside[j] += figure.low <= truth[j] <= figure.high
            bias[j] += figure.value - truth[j]
    assert (inside / 120 >= 0.87).all()
    assert np.abs(bias / 120).max() < 0.035


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (np.zeros((6, 3), dtype=int), Why.FEW_PAIRS),
        (np.tile([-1, -2, -1], (6, 1)), Why.FEW_PAIRS),
        (np.tile([100, 0, 40], (6, 1)), Why.NO_VARIATION),
    ],
)
def test_what_cannot_be_said_is_none_with_a_reason(counts: np.ndarray, why: Why) -> None:
    table = EvidenceTable(counts, 0.0 if counts.min() >= 0 else 0.74)
    found = table_agreement(table)
    assert found.pearson.value is None
    assert found.pearson.reason is not None
    assert found.pearson.reason.why is why
    assert found.kappa.value is None or why is Why.NO_VARIATION


def test_between_agencies_noise_is_taken_off() -> None:
    rng = np.random.default_rng(5)
    m, plain, ours, lows = 60, [], [], []
    for seed in range(60):
        theta = rng.normal(0.83, 0.05, m)
        x, y = theta + rng.normal(0, 0.04, m), theta + rng.normal(0, 0.03, m)
        errors = np.full(m, 0.04**2), np.full(m, 0.03**2)
        found = index_agreement([str(i) for i in range(m)], x, y, *errors, seed=seed, draws=50)
        plain.append(np.corrcoef(x, y)[0, 1])
        assert found.pearson.value is not None
        assert found.limits.low is not None
        ours.append(found.pearson.value)
        lows.append(found.limits.low)
    assert np.mean(plain) < 0.75
    assert np.mean(ours) > 0.93
    assert np.mean(np.abs(lows)) < 0.04


def test_lin_by_hand_without_errors() -> None:
    x, y = np.array([0.7, 0.8, 0.85, 0.9, 0.95]), np.array([0.65, 0.8, 0.8, 0.88, 0.9])
    found = index_agreement(list("abcde"), x, y, np.zeros(5), np.zeros(5))
    expected = 2 * np.cov(x, y)[0, 1] / (x.var(ddof=1) + y.var(ddof=1) + (x.mean() - y.mean()) ** 2)
    assert found.ccc.value == pytest.approx(expected)
    assert found.mean_difference.value == pytest.approx(y.mean() - x.mean())
    assert found.rows()[0]["difference"] == pytest.approx(-5.0)
    assert len(found.plot().to_dict()["layer"]) == 4


def test_few_agencies_and_missing_figures() -> None:
    found = index_agreement(["a"], [0.8], [0.7], [0.0], [0.0])
    assert found.pearson.value is None
    assert found.pearson.reason == Reason.of(Why.FEW_AGENCIES, agencies=1)
    with pytest.raises(StatisticsError, match="missing"):
        index_agreement(list("abcd"), [0.8, np.nan, 0.7, 0.6], [0.1] * 4, [0.0] * 4, [0.0] * 4)
    with pytest.raises(StatisticsError, match="one explicit"):
        index_agreement(list("abcd"), [0.8], [0.1] * 4, [0.0] * 4, [0.0] * 4)


def test_implicit_index_is_the_curves_mean_over_all_visits() -> None:
    counts = np.zeros((6, 3), dtype=int)
    counts[0, 0], counts[4, 0] = 30, 70
    share, variance = implicit_index(EvidenceTable.released(counts, None), [0.5, 0, 0, 0, 1.0, 0])
    assert share == pytest.approx(0.85)
    assert variance == pytest.approx(0.3 * 0.7 * 0.25 / 100)
