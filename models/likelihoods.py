"""From a network's calibrated probabilities of emotions to likelihoods, and from likelihoods to a posterior.

A network that was calibrated to a set of photographs has that set's shares in every answer: FER+ is 37 % neutral, so it
says neutral of what it is unsure of. The shares are taken out by Bayes' rule. What is even afterwards are the four
classes negative, neutral, positive and surprise; the five negative emotions keep their shares among each other, because
dividing by them as well lifts contempt and fear, which are guessed worst, and costs AUC of neutral against negative on
the source left out (docs/models/face.md). On a source that a network has not seen it is surer than it should be:
`temperature` takes that back.

Source: Saerens, Latinne & Decaestecker (2002), Adjusting the Outputs of a Classifier to New a Priori Probabilities,
Neural Computation 14, eq. 2.4; temperature: Guo et al. (2017), On Calibration of Modern Neural Networks, 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.labels import POLARITIES, POLARITY_OF
from pipeline.errors import ModelError
from pipeline.language import Message
from pipeline.records import EMOTIONS, LogRatios

Array = NDArray[np.float32]
SURPRISE = EMOTIONS.index("surprise")
_FLOOR = 1e-7
_GROUP = np.array(
    [3 if POLARITY_OF[name] is None else POLARITIES.index(POLARITY_OF[name] or "neutral") for name in EMOTIONS]
)
"""Of each emotion: 0 negative, 1 neutral, 2 positive, 3 surprise."""
GROUPS = np.eye(4, dtype=np.float32)[_GROUP]
"""float32 [8, 4]: emotions to (negative, neutral, positive, surprise)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From a network's logits to probabilities (`slope`, `offsets` of the eight emotions), and what these have to be
    freed of: `shares` of the eight emotions, `temperature` > 0."""

    shares: tuple[float, ...]
    temperature: float = 1.0
    slope: float = 1.0
    offsets: tuple[float, ...] = (0.0,) * len(EMOTIONS)

    def __post_init__(self) -> None:
        if len(self.shares) != len(EMOTIONS) or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-3:
            raise ModelError(Message("A face network's class shares are eight numbers that sum to 1."))
        if not self.temperature > 0:
            raise ModelError(Message("A face network's temperature is above 0."))
        if len(self.offsets) != len(EMOTIONS):
            raise ModelError(Message("A face network's offsets are eight numbers."))

    @classmethod
    def of_metadata(cls, metadata: dict[str, str]) -> Calibration:
        """What a graph says of itself. Raises `ModelError` where it says nothing."""
        try:
            shares, offsets = (tuple(map(float, metadata[name].split(","))) for name in ("class_shares", "offsets"))
            return cls(shares, float(metadata["temperature"]), float(metadata["slope"]), offsets)
        except (KeyError, ValueError) as error:
            raise ModelError(
                Message("These face weights do not say at which shares of the classes they were calibrated."),
                Message("Write them anew: python -m models.training.face_export"),
            ) from error

    def as_metadata(self) -> dict[str, str]:
        """The same, to be written into a graph."""
        return {
            "class_shares": ",".join(f"{each:.5f}" for each in self.shares),
            "temperature": f"{self.temperature:g}",
            "slope": f"{self.slope:.9g}",
            "offsets": ",".join(f"{each:.9g}" for each in self.offsets),
        }

    def probabilities(self, logits: Array) -> Array:
        """Logits [n, 8] -> probabilities [n, 8] at the shares of the classes, rows sum to 1."""
        scaled = logits * np.float32(self.slope) + np.array(self.offsets, np.float32)
        return _normalised(np.exp(scaled - scaled.max(1, keepdims=True)))

    def likelihoods(self, probabilities: Array) -> Array:
        """Calibrated probabilities [n, 8] -> likelihoods [n, 8], even over the four classes, rows sum to 1."""
        logs = np.log(np.maximum(probabilities, _FLOOR)) - _log_shares(self.shares)
        return _normalised(np.exp((logs - logs.max(1, keepdims=True)) / self.temperature))


@cache
def _log_shares(shares: tuple[float, ...]) -> Array:
    """Logarithm of the share of each emotion's class, float32 [8]."""
    of_class = (np.asarray(shares) @ GROUPS)[_GROUP]
    return np.asarray(np.log(np.maximum(of_class, _FLOOR)), np.float32)


def grouped(likelihoods: Array) -> Array:
    """Of emotions [n, 8]: (negative, neutral, positive, surprise), float32 [n, 4].

    Summed column by column: a product of matrices takes another way for one row than for two, so that the last bits of
    a face's figures would depend on who is read beside it."""
    found = np.zeros((len(likelihoods), GROUPS.shape[1]), np.float32)
    for emotion, group in enumerate(_GROUP):
        found[:, group] += likelihoods[:, emotion]
    return found


def ratios(likelihoods: Array) -> list[LogRatios]:
    """Log-likelihood ratios of each face of [n, 8]."""
    logs = np.log(np.maximum(grouped(likelihoods), _FLOOR))
    return [LogRatios(float(row[0] - row[1]), float(row[2] - row[1])) for row in logs]


def posterior(likelihoods: Array, prior: Sequence[float]) -> Array:
    """Probabilities [n, 8] under a prior: of (negative, neutral, positive), where surprise keeps a quarter, or of all
    eight emotions in place of the even one."""
    if len(prior) == len(POLARITIES):
        weights = GROUPS @ np.array([*prior, sum(prior) / 3])
    else:
        weights = np.asarray(prior, np.float64)
    return _normalised(likelihoods * weights)


def _normalised(table: NDArray[np.floating]) -> Array:
    return np.asarray(table / np.maximum(table.sum(1, keepdims=True), 1e-30), np.float32)
