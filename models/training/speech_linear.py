"""Linear members: ridge regression on the summaries, every corpus, class and emotion weighing the same. Closed form,
no seed.

Source: Hoerl & Kennard (1970), Ridge regression; for two classes this is linear discriminant analysis with shrinkage
(Hastie et al., The
Elements of Statistical Learning, ex. 4.2 and 4.3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.speech_summary import GROUPS, columns

Float64 = npt.NDArray[np.float64]
CLIP = 4.0
"""Standardised figures are cut here: one odd figure must not decide."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Summaries [n, 126] of one corpus with the class of each row: 1, 0, or -1 (takes no part); `emotion` [n]."""

    summaries: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    emotion: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Standardises summaries: float64 [126] each."""

    mean: Float64
    spread: Float64

    def apply(self, summaries: npt.NDArray[np.floating]) -> Float64:
        """Summaries in units of their spread, cut at `CLIP`."""
        scaled: Float64 = np.clip((summaries - self.mean) / self.spread, -CLIP, CLIP)
        return scaled


@dataclass(frozen=True, slots=True)
class LinearMember:
    """`score = scaled summary @ weights + offset`; 0 is the middle between the classes; figures not seen have weight
    0."""

    weights: Float64
    offset: float

    def score(self, scaled: Float64) -> Float64:
        """Scores [n] of scaled summaries [n, 126]."""
        result: Float64 = scaled @ self.weights + self.offset
        return result


def balanced_weights(classes: npt.NDArray[np.int64], emotion: npt.NDArray[np.str_]) -> Float64:
    """Weights [n] that sum to 1: half for each class, within a class the same for each emotion; 0 for rows of no
    class."""
    weights = np.zeros(len(classes))
    for one in (0, 1):
        names = np.unique(emotion[classes == one])
        for name in names:
            rows = (emotion == name) & (classes == one)
            weights[rows] = 0.5 / (len(names) * rows.sum())
    return weights / max(weights.sum(), 1e-12)


def scaling(corpora: Sequence[Labelled]) -> Scaling:
    """Mean and spread over corpora, each emotion of each corpus weighing the same."""
    weights = []
    for one in corpora:
        names, where, counts = np.unique(one.emotion, return_inverse=True, return_counts=True)
        weights.append(1.0 / (len(names) * counts[where]))
    weight = np.concatenate(weights) / len(corpora)
    summaries = np.concatenate([one.summaries for one in corpora]).astype(np.float64)
    mean = weight @ summaries
    return Scaling(mean, np.sqrt(weight @ (summaries - mean) ** 2) + 1e-6)


def fit(corpora: Sequence[Labelled], scale: Scaling, groups: Sequence[str], ridge: float) -> LinearMember:
    """Fits one member; `groups` names the figures that it sees (none: all). Scores have unit spread over the
    balanced rows."""
    weights = np.concatenate([balanced_weights(one.classes, one.emotion) for one in corpora]) / len(corpora)
    target = np.concatenate([one.classes for one in corpora]) * 2.0 - 1.0
    used = columns(*(groups or GROUPS))
    scaled = np.concatenate([scale.apply(one.summaries)[:, used] for one in corpora])
    middle = weights @ scaled
    centred = scaled - middle
    gram = (centred * weights[:, None]).T @ centred + ridge * np.eye(len(used))
    found = np.linalg.solve(gram, centred.T @ (weights * target))
    found /= np.sqrt(weights @ (centred @ found) ** 2)
    full = np.zeros(len(scale.mean))
    full[used] = found
    return LinearMember(full, -float(middle @ found))
