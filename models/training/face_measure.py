"""The measures by which a face network is chosen: FER+ majority labels, the three classes of a counter, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import metrics

NEUTRAL, POSITIVE, SURPRISE = 0, 1, 2
NEGATIVE = (3, 4, 5, 6, 7)
POLARITY_OF_EMOTION = np.array([1, 2, -1, 0, 0, 0, 0, 0])
"""Emotion index -> 0 negative, 1 neutral, 2 positive; -1 for surprise, which is left out."""


@dataclass(frozen=True, slots=True)
class FaceScores:
    """Majority accuracy and ECE over eight classes; UAR; three-class macro-F1; the two AUCs."""

    accuracy: float
    uar: float
    macro_f1_polarity: float
    auc_neutral_negative: float
    auc_positive_negative: float
    ece: float

    def __str__(self) -> str:
        return (
            f"acc {self.accuracy:.4f} uar {self.uar:.3f} f1(3) {self.macro_f1_polarity:.4f} "
            f"auc neu/neg {self.auc_neutral_negative:.4f} pos/neg {self.auc_positive_negative:.4f} ece {self.ece:.4f}"
        )


def polarity(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Emotions [n, 8] -> (negative, neutral, positive) [n, 3]; the mass of surprise is left out and not shared out."""
    return np.stack([probabilities[:, NEGATIVE].sum(1), probabilities[:, NEUTRAL], probabilities[:, POSITIVE]], axis=1)


def measure(majority: NDArray[np.int64], probabilities: NDArray[np.floating]) -> FaceScores:
    """Scores of `probabilities` [n, 8] against majority labels [n] (-1: left out)."""
    kept = majority >= 0
    labels, chosen = majority[kept], probabilities[kept]
    predicted = chosen.argmax(1)
    three = POLARITY_OF_EMOTION[labels]
    shown = three >= 0
    groups = polarity(chosen)
    negative_or_neutral = (three == 0) | (three == 1)
    decided = (three == 0) | (three == 2)
    against_negative = groups[:, 2] / np.maximum(groups[:, 0] + groups[:, 2], 1e-9)
    against_neutral = groups[:, 0] / np.maximum(groups[:, 0] + groups[:, 1], 1e-9)
    return FaceScores(
        accuracy=metrics.accuracy(labels, predicted),
        uar=metrics.uar(labels, predicted, 8),
        macro_f1_polarity=metrics.macro_f1(three[shown], groups[shown].argmax(1), 3),
        auc_neutral_negative=metrics.auc(three[negative_or_neutral] == 0, against_neutral[negative_or_neutral]),
        auc_positive_negative=metrics.auc(three[decided] == 2, against_negative[decided]),
        ece=metrics.ece(labels, chosen),
    )
