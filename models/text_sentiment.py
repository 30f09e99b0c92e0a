"""Sentiment of a Vietnamese sentence: negative, neutral, positive, calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.runtime import OnnxNetwork
from models.text_features import pieces_of
from pipeline.records import WordsAffect

CLASSES = ("negative", "neutral", "positive")


class TextSentimentNetwork:
    """The sentiment network of this project. Keeps nothing of what it was given."""

    def __init__(self, weights: Path) -> None:
        self._network = OnnxNetwork(weights)

    def probabilities(self, text: str) -> npt.NDArray[np.float32]:
        """Probabilities float32 [3] (negative, neutral, positive); a sentence without a syllable is neutral by
        definition."""
        pieces = pieces_of(text)
        if not len(pieces):
            return np.array([0.0, 1.0, 0.0], dtype=np.float32)
        return self._network.run(pieces=pieces)[0]

    def infer(self, text: str) -> WordsAffect:
        """Sentiment with its uncertainty."""
        return affect_of(self.probabilities(text))


def affect_of(probabilities: npt.NDArray[np.float32]) -> WordsAffect:
    """Sentiment of probabilities [3], with its uncertainty: their entropy over its maximum, in [0, 1].

    The probabilities are taken for likelihoods: what is no student's remark was trained on about as many negative as
    neutral and positive sentences."""
    found = probabilities.astype(np.float64)
    entropy = -float(np.sum(found * np.log(np.maximum(found, 1e-9)))) / float(np.log(3.0))
    shares = (float(found[0]), float(found[1]), float(found[2]))
    return WordsAffect.of(shares, min(max(entropy, 0.0), 1.0))
