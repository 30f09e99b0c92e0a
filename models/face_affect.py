"""Affect of a face: the network that `models.training.face` trains, run by ONNX Runtime on one thread.

The valence is the expected polarity (`models.labels`) of what is not surprise: (positive - negative) / (negative +
neutral + positive). The uncertainty is what is left of doubt about (negative, neutral, positive) once the probability
that the picture shows a readable face at all is taken into account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.face_crop import CROP_PX, crop_face
from models.labels import POLARITIES, POLARITY_OF
from models.runtime import OnnxNetwork
from pipeline.records import EMOTIONS, FaceAffect

ABSTAIN_ABOVE = 0.6
"""Uncertainty above which a face says nothing: on FER+ valid 5 % of the faces, of which three in five would be read
right as negative, neutral or positive, against nine in ten below it (docs/models/face.md)."""

_POLARITY = np.array([[POLARITY_OF[emotion] == name for name in POLARITIES] for emotion in EMOTIONS], np.float32)
LOWEST_CONTRAST = 3.0
"""Standard deviation of grey levels under which a crop holds no face that anything could read (a covered lens)."""


@dataclass(frozen=True, slots=True)
class FaceAffects:
    """Affect of n faces: `probabilities` float32 [n, 8] (order of `EMOTIONS`), `valence` [n], `uncertainty` [n]."""

    probabilities: NDArray[np.float32]
    valence: NDArray[np.float32]
    uncertainty: NDArray[np.float32]


def polarity(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Emotions [n, 8] -> (negative, neutral, positive) [n, 3]; surprise is left out, so rows may sum to less than
    one."""
    return np.asarray(probabilities @ _POLARITY, np.float32)


def valence_of(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Valence [n] in [-1, 1]. Where nearly all is surprise it tends to 0, rather than to a ratio of two remainders."""
    groups = polarity(probabilities)
    return np.asarray((groups[:, 2] - groups[:, 0]) / np.maximum(groups.sum(1), 0.1), np.float32)


def uncertainty_of(probabilities: NDArray[np.float32], usable: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - usable * (1 - entropy / log 4) [n] of (negative, neutral, positive, surprise): 0 sure, 1 says nothing."""
    groups = polarity(probabilities)
    groups = np.concatenate([groups, 1 - groups.sum(1, keepdims=True)], axis=1).clip(1e-7, 1)
    entropy = -(groups * np.log(groups)).sum(1) / np.log(4)
    return np.asarray(1 - usable * (1 - np.minimum(entropy, 1)), np.float32)


class FaceAffectNetwork:
    """The loaded network (an `AffectNetwork`). `weights`: face_affect.onnx, checked by the catalogue."""

    def __init__(self, weights: Path, threads: int = 1) -> None:
        self._network = OnnxNetwork(weights, threads)

    def crop(self, pixels: NDArray[np.uint8], keypoints: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Grey uint8 [48, 48] from a BGR picture and six keypoints [6, 2] (see `models.face_crop`)."""
        return crop_face(pixels, keypoints).pixels

    def infer_arrays(self, crops: NDArray[np.uint8]) -> FaceAffects:
        """Affect of crops uint8 [n, 48, 48]; n may be 0."""
        if crops.ndim != 3 or crops.shape[1:] != (CROP_PX, CROP_PX) or crops.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 [n, {CROP_PX}, {CROP_PX}], not {crops.dtype} {crops.shape}")
        if len(crops) == 0:
            empty = np.zeros(0, np.float32)
            return FaceAffects(np.zeros((0, len(EMOTIONS)), np.float32), empty, empty)
        faces = crops.astype(np.float32)
        probabilities, seen = self._network.run(faces=faces)
        usable = np.where(faces.std(axis=(1, 2)) < LOWEST_CONTRAST, 0, seen).astype(np.float32)
        return FaceAffects(probabilities, valence_of(probabilities), uncertainty_of(probabilities, usable))

    def infer(self, crops: Sequence[NDArray[np.uint8]]) -> list[FaceAffect]:
        """The same as records, one for each crop."""
        if len(crops) == 0:
            return []
        affects = self.infer_arrays(np.stack(crops))
        return [
            FaceAffect(probabilities, float(valence), float(uncertainty))
            for probabilities, valence, uncertainty in zip(
                affects.probabilities, affects.valence, affects.uncertainty, strict=True
            )
        ]
