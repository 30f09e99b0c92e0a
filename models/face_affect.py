"""Affect of a face: the network that `models.training.face` trains, run by ONNX Runtime on one thread.

It answers likelihoods (`models.likelihoods`): no shares of the training faces are in them, so the counter's prior comes
in once, in `pipeline.fusion`. The uncertainty is what is left of doubt about (negative, neutral, positive, surprise) at
even odds once the probability that the picture shows a readable face at all is taken into account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.face_crop import CROP_PX, crop_face
from models.likelihoods import Calibration, grouped, ratios
from models.runtime import OnnxNetwork
from pipeline.records import EMOTIONS, FaceAffect

ABSTAIN_ABOVE = 0.7
"""Uncertainty above which a face says nothing. Chosen on held-out faces of two sources at the counter's prior: 76 to 91
of 100 are kept, and 5.4 to 5.6 of 100 of those are read wrong as negative, neutral or positive; at most 10 are to be
(docs/models/face.md)."""

LOWEST_CONTRAST = 3.0
"""Standard deviation of grey levels under which a crop holds no face that anything could read (a covered lens)."""


@dataclass(frozen=True, slots=True)
class FaceAffects:
    """Affect of n faces: `likelihoods` float32 [n, 8] (order of `EMOTIONS`), `uncertainty` [n]."""

    likelihoods: NDArray[np.float32]
    uncertainty: NDArray[np.float32]

    def records(self) -> list[FaceAffect]:
        """The same, one record for each face."""
        return [
            FaceAffect(row, of_row, float(doubt))
            for row, of_row, doubt in zip(self.likelihoods, ratios(self.likelihoods), self.uncertainty, strict=True)
        ]


def uncertainty_of(likelihoods: NDArray[np.float32], usable: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - usable * (1 - entropy / log 4) [n] of (negative, neutral, positive, surprise): 0 sure, 1 says nothing."""
    groups = grouped(likelihoods).clip(1e-7, 1)
    entropy = -(groups * np.log(groups)).sum(1) / np.log(4)
    return np.asarray(1 - usable * (1 - np.minimum(entropy, 1)), np.float32)


class FaceAffectNetwork:
    """The loaded network (an `AffectNetwork`). `weights`: face_affect.onnx, checked by the catalogue."""

    carries = True
    compares = False
    mirrors = True

    def __init__(self, weights: Path, threads: int = 1) -> None:
        self._network = OnnxNetwork(weights, threads)
        self.calibration = Calibration.of_metadata(self._network.metadata)
        self.trained_on: tuple[str, ...] = tuple(self._network.metadata.get("trained_on", "ferplus").split(","))
        """Names of the sources that the weights have seen (`models.training.face_sources`)."""

    def crop(
        self, pixels: NDArray[np.uint8], keypoints: NDArray[np.float32], points: NDArray[np.float32] | None = None
    ) -> NDArray[np.uint8]:
        """Grey uint8 [48, 48] from a BGR picture and six keypoints [6, 2] (see `models.face_crop`)."""
        return crop_face(pixels, keypoints).pixels

    def infer_arrays(self, crops: NDArray[np.uint8], both: bool = True) -> FaceAffects:
        """Affect of crops uint8 [n, 48, 48]; n may be 0. `both`: by the face and its mirror image."""
        if crops.ndim != 3 or crops.shape[1:] != (CROP_PX, CROP_PX) or crops.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 [n, {CROP_PX}, {CROP_PX}], not {crops.dtype} {crops.shape}")
        if len(crops) == 0:
            return FaceAffects(np.zeros((0, len(EMOTIONS)), np.float32), np.zeros(0, np.float32))
        probabilities, usable = self.probabilities(crops, both)
        likelihoods = self.calibration.likelihoods(probabilities)
        return FaceAffects(likelihoods, uncertainty_of(likelihoods, usable))

    def probabilities(
        self, crops: NDArray[np.uint8], both: bool = True, batch: int = 128
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of crops uint8 [n, 48, 48]: probabilities at the shares they were calibrated at [n, 8], and whether a person
        would name any emotion [n]. `both`: by the mean of the logits of the face and of its mirror image."""
        faces = np.ascontiguousarray(crops, np.float32)
        logits = self._logits(faces, batch)
        if both:
            logits = (logits + self._logits(np.ascontiguousarray(faces[:, :, ::-1]), batch)) / np.float32(2)
        usable = 1 / (1 + np.exp(-logits[:, len(EMOTIONS)]))
        seen = np.asarray(np.where(faces.std(axis=(1, 2)) < LOWEST_CONTRAST, 0, usable), np.float32)
        return self.calibration.probabilities(logits[:, : len(EMOTIONS)]), seen

    def _logits(self, faces: NDArray[np.float32], batch: int) -> NDArray[np.float32]:
        """Of eight emotions and of `usable`: float32 [n, 9]."""
        parts = [self._network.run(faces=faces[start : start + batch])[0] for start in range(0, len(faces), batch)]
        return np.concatenate(parts)

    def infer(self, crops: Sequence[NDArray[np.uint8]]) -> list[FaceAffect]:
        """One reading of each crop, as it is."""
        return self.infer_arrays(np.stack(crops), both=False).records() if len(crops) else []
