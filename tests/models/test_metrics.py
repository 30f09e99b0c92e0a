"""Measures against closed forms and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from models import metrics


@pytest.fixture(scope="module")
def predictions() -> tuple[np.ndarray, np.ndarray]:
    """Labels [400] and probabilities [400, 4] of a classifier that is right more often than not; ties among scores."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 400)
    logits = rng.normal(size=(400, 4)) + 1.5 * np.eye(4)[labels]
    probabilities = np.round(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 2)
    return labels, probabilities


def test_equal_to_scikit_learn(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = predictions
    predicted = probabilities.argmax(1)
    assert metrics.accuracy(labels, predicted) == pytest.approx(reference.accuracy_score(labels, predicted))
    assert metrics.uar(labels, predicted, 4) == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert metrics.macro_f1(labels, predicted, 4) == pytest.approx(
        reference.f1_score(labels, predicted, average="macro")
    )
    assert np.array_equal(
        metrics.confusion(labels, predicted, 4),
        reference.confusion_matrix(labels, predicted),
    )
    assert metrics.auc(labels == 2, probabilities[:, 2]) == pytest.approx(
        reference.roc_auc_score(labels == 2, probabilities[:, 2])
    )


@pytest.mark.parametrize(
    ("positive", "scores", "expected"),
    [
        ([True, False], [1.0, 0.0], 1.0),
        ([True, False], [0.0, 1.0], 0.0),
        ([True, False, True], [0.5, 0.5, 0.5], 0.5),
        ([True, True], [0.1, 0.2], float("nan")),
    ],
)
def test_auc(positive: list[bool], scores: list[float], expected: float) -> None:
    assert metrics.auc(np.array(positive), np.array(scores)) == pytest.approx(expected, nan_ok=True)


def test_class_that_never_occurs_is_left_out() -> None:
    labels, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert metrics.uar(labels, predicted, 3) == pytest.approx(0.75)
    assert np.isnan(metrics.recalls(labels, predicted, 3)[2])
    empty = np.array([], dtype=np.int64)
    assert np.isnan(metrics.uar(empty, empty, 3))
    assert np.isnan(metrics.macro_f1(empty, empty, 3))


def test_ece_of_known_gap() -> None:
    """Ten rows at confidence .9, of which seven are right: the gap is .2; a calibrated file has none."""
    probabilities = np.tile([0.9, 0.1], (10, 1))
    labels = np.array([0] * 7 + [1] * 3)
    assert metrics.ece(labels, probabilities) == pytest.approx(0.2)
    assert metrics.ece(np.array([0] * 9 + [1]), probabilities) == pytest.approx(0.0, abs=1e-12)


def test_accuracy_coverage_keeps_the_certain_first() -> None:
    correct = np.array([False, True, True, False])
    uncertainty = np.array([0.9, 0.1, 0.2, 0.8])
    curve = metrics.accuracy_coverage(correct, uncertainty, points=4)
    assert [(point.coverage, point.accuracy) for point in curve] == [
        (0.25, 1.0),
        (0.5, 1.0),
        (0.75, pytest.approx(2 / 3)),
        (1.0, 0.5),
    ]
    assert curve[1].threshold == 0.2
    assert metrics.accuracy_coverage(correct[:0], uncertainty[:0]) == []


def test_bootstrap_covers_a_known_mean() -> None:
    """95 % intervals of a mean of 80 draws hold the true mean in 89 to 100 % of 100 files (binomial bounds)."""
    rng = np.random.default_rng(11)
    held = 0
    for trial in range(100):
        sample = rng.normal(2.0, 1.0, 80)
        interval = metrics.bootstrap(lambda x: float(x.mean()), sample, resamples=200, seed=trial)
        held += interval.low <= 2.0 <= interval.high
    assert 86 <= held <= 100


def test_bootstrap_of_clusters_is_wider() -> None:
    """Twenty rows that are copies within five speakers tell no more than five rows do."""
    values = np.repeat(np.array([0.0, 0.0, 1.0, 1.0, 1.0]), 20)
    speakers = np.repeat(np.arange(5), 20)

    def mean(x: np.ndarray) -> float:
        return float(x.mean())

    rows = metrics.bootstrap(mean, values)
    grouped = metrics.bootstrap(mean, values, clusters=speakers)
    assert grouped.high - grouped.low > 2 * (rows.high - rows.low)
    assert metrics.bootstrap(mean, values, seed=1) == metrics.bootstrap(mean, values, seed=1)


def test_interval_as_json_writes_null_for_what_does_not_exist() -> None:
    empty = metrics.bootstrap(lambda x: float(x.mean()), np.array([]))
    assert empty.as_json() == {"value": None, "low": None, "high": None}
    with pytest.raises(ValueError, match="same number of rows"):
        metrics.bootstrap(lambda x, y: 0.0, np.zeros(3), np.zeros(2))
