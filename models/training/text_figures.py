"""What is measured of judged sentences, in training and in leaving sources out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models import metrics


def figures(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, macro-F1, recall of neutral, neutral called negative, opposite sign, and balanced log loss."""
    said = probabilities.argmax(1)
    loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9))
    neutral, sided = labels == 1, labels != 1
    return {
        "accuracy": metrics.accuracy(labels, said),
        "macro_f1": metrics.macro_f1(labels, said, 3),
        "recall_neutral": metrics.accuracy(labels[neutral], said[neutral]),
        "neutral_called_negative": metrics.accuracy(np.zeros(int(neutral.sum()), np.int64), said[neutral]),
        "opposite_sign": metrics.accuracy(2 - labels[sided], said[sided]),
        "ece": metrics.ece(labels, probabilities),
        "log_loss": float(np.mean([loss[labels == each].mean() for each in np.unique(labels)])),
    }
