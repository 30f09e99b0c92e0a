"""Measures of a classifier, with bootstrap intervals: what every evaluation of face, speech and words reports.

Conventions: `labels` and `predicted` are int arrays [n] of class indices in [0, classes); `probabilities` is float
[n, classes], rows sum to one; a measure that does not exist for the data at hand (a class never seen, no row) is
NaN, which `Interval.as_json` writes as null."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Interval:
    """A measure and its percentile-bootstrap interval (`level` of the resamples lie between `low` and `high`)."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def as_json(self) -> dict[str, float | None]:
        """`{"value", "low", "high"}`, rounded to 4 places; what does not exist is null."""
        return {
            "value": _finite(self.value),
            "low": _finite(self.low),
            "high": _finite(self.high),
        }


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Accuracy on the `coverage` share of rows that are least uncertain; `threshold` is the largest uncertainty
    kept."""

    coverage: float
    accuracy: float
    threshold: float


def confusion(labels: IntArray, predicted: IntArray, classes: int) -> NDArray[np.int64]:
    """Counts [classes, classes]: row = true class, column = predicted class."""
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(
            f"labels {labels.shape} and predicted {predicted.shape} must be one-dimensional and equally long"
        )
    flat = labels.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def accuracy(labels: IntArray, predicted: IntArray) -> float:
    """Share of rows whose predicted class is the label; NaN without rows."""
    return float(np.mean(labels == predicted)) if len(labels) else float("nan")


def recalls(labels: IntArray, predicted: IntArray, classes: int) -> FloatArray:
    """Recall of each class [classes]; NaN for a class without rows."""
    counts = confusion(labels, predicted, classes)
    support = counts.sum(axis=1)
    return np.where(support > 0, np.diag(counts) / np.maximum(support, 1), np.nan)


def uar(labels: IntArray, predicted: IntArray, classes: int) -> float:
    """Unweighted average recall: the mean recall of the classes that occur among the labels."""
    per_class = recalls(labels, predicted, classes)
    return float(np.nanmean(per_class)) if np.isfinite(per_class).any() else float("nan")


def macro_f1(labels: IntArray, predicted: IntArray, classes: int) -> float:
    """Mean F1 of the classes that occur among labels or predictions (as scikit-learn's `f1_score(average="macro")`)."""
    counts = confusion(labels, predicted, classes)
    either = counts.sum(axis=0) + counts.sum(axis=1)
    seen = either > 0
    return float(np.mean(2 * np.diag(counts)[seen] / either[seen])) if seen.any() else float("nan")


def auc(positive: NDArray[np.bool_], scores: FloatArray) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative), ties count half (Mann-Whitney U).

    Source: Hanley & McNeil (1982), Radiology 143. NaN if one of the two groups is empty.
    """
    positives = int(np.count_nonzero(positive))
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    mid_ranks = (last_rank - (counts - 1) / 2)[inverse]
    rank_sum = float(mid_ranks[positive].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def ece(labels: IntArray, probabilities: FloatArray, bins: int = 15) -> float:
    """Expected calibration error of the top class, equal-width bins: sum over bins of share * |accuracy - confidence|.

    Source: Guo et al. (2017), On Calibration of Modern Neural Networks, eq. 3 and 5.
    """
    if len(labels) == 0:
        return float("nan")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def accuracy_coverage(correct: NDArray[np.bool_], uncertainty: FloatArray, points: int = 10) -> list[CoveragePoint]:
    """Accuracy when only the least uncertain share answers, for the shares 1/points .. 1 (ties keep the file's
    order)."""
    count = len(correct)
    if count == 0:
        return []
    order = np.argsort(uncertainty, kind="stable")
    running = np.cumsum(correct[order])
    curve = []
    for step in range(1, points + 1):
        kept = max(1, round(count * step / points))
        curve.append(
            CoveragePoint(
                kept / count,
                float(running[kept - 1] / kept),
                float(uncertainty[order[kept - 1]]),
            )
        )
    return curve


def bootstrap(
    measure: Callable[..., float],
    *arrays: NDArray[Any],
    clusters: IntArray | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """`measure(*arrays)` with its percentile interval over resampled rows (or whole clusters, such as speakers).

    Args:
        measure: takes the arrays, all indexed by row first, and gives one number.
        clusters: int [n]; rows of one cluster are drawn together, because they are not independent.
        resamples: draws with replacement; those where the measure is NaN are left out.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 13; clusters: Davison & Hinkley (1997),
    3.8.
    """
    count = len(arrays[0])
    if any(len(array) != count for array in arrays):
        raise ValueError("all arrays of a bootstrap must have the same number of rows")
    if count == 0:
        return Interval(float("nan"), float("nan"), float("nan"), level)
    rng = np.random.default_rng(seed)
    value = measure(*arrays)
    draws = np.full(resamples, np.nan)
    members: list[NDArray[np.int64]] = []
    if clusters is not None:
        members = [np.flatnonzero(clusters == name) for name in np.unique(clusters)]
    for draw in range(resamples):
        if members:
            chosen = rng.integers(0, len(members), len(members))
            rows = np.concatenate([members[one] for one in chosen])
        else:
            rows = rng.integers(0, count, count)
        draws[draw] = measure(*(array[rows] for array in arrays))
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0:
        return Interval(value, float("nan"), float("nan"), level)
    tail = (1 - level) / 2
    return Interval(
        value,
        float(np.quantile(finite, tail)),
        float(np.quantile(finite, 1 - tail)),
        level,
    )


def _finite(number: float) -> float | None:
    return round(float(number), 4) if np.isfinite(number) else None
