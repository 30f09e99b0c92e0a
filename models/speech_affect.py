"""Affect of an utterance from its sound alone: arousal and valence, and an uncertainty that knows how badly voices
transfer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.runtime import OnnxNetwork
from models.speech_features import SpeechFeatures
from models.speech_summary import summarise
from pipeline.records import SAMPLE_RATE_HZ, SpeechAffect

MIN_S = 0.3
GREATEST_S = 15.0
_FAINTEST = 1e-4


def unheard(samples: NDArray[np.float32]) -> str:
    """Why nothing can be said of a sound, or "": float32 [n], 16 kHz mono."""
    duration_s = len(samples) / SAMPLE_RATE_HZ
    if duration_s < MIN_S:
        return f"too short: {duration_s:.2f} s of sound, {MIN_S} s are needed"
    if not np.isfinite(samples).all():
        return "holds values that are not numbers"
    return "silent" if float(np.ptp(samples)) < _FAINTEST else ""


class SpeechAffectNetwork:
    """The speech network of this project. Thread-safe; keeps nothing of what it was given."""

    def __init__(self, weights: Path) -> None:
        self._network = OnnxNetwork(weights)
        self._features = SpeechFeatures()

    def infer(self, samples: NDArray[np.float32]) -> SpeechAffect:
        """Affect of one utterance.

        Args:
            samples: float32 [n], 16 kHz mono in [-1, 1], an utterance that the detector of speech found; after 15 s
                the rest is left out.

        Returns:
            `arousal`: calibrated probability of high arousal (anger, happiness, fear, surprise against sadness,
            neutral, calm, boredom). `negative`: log-likelihood ratio of negative against not negative (the classes
            weigh the same in training, so the log-odds are one). `uncertainty`: of the valence: entropy of P(negative),
            raised where the utterance is unlike the training's; 1 where there is nothing to judge (`unheard`). That of
            the arousal is read off its probability.
        """
        duration_s = len(samples) / SAMPLE_RATE_HZ
        heard = samples[: int(GREATEST_S * SAMPLE_RATE_HZ)]
        if unheard(heard):
            return SpeechAffect(0.5, 0.0, 1.0, duration_s)
        probabilities, doubt = self._network.run(summary=summarise(self._features(heard)))
        high, negative = (float(value) for value in probabilities)
        odds = math.log(max(negative, 1e-7) / max(1.0 - negative, 1e-7))
        return SpeechAffect(high, odds, min(max(float(doubt[0]), 0.0), 1.0), duration_s)
