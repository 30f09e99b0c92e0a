"""Face affect by the FER2013 network of the `fer` package (a reference; see its card for what it is weak at)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.likelihoods import Calibration, ratios
from models.runtime import OnnxNetwork
from pipeline.records import EMOTIONS, FaceAffect

SIZE_PX = 64
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_TO_EMOTIONS = np.array([EMOTIONS.index(name) for name in CLASSES])
_COUNTS = {
    "anger": 3995,
    "disgust": 436,
    "fear": 4097,
    "happiness": 7215,
    "sadness": 4830,
    "surprise": 3171,
    "neutral": 4965,
}
"""FER2013's training faces by its own labels (Goodfellow et al. 2013), which the network was trained on."""
CALIBRATION = Calibration(tuple(_COUNTS.get(name, 0) / sum(_COUNTS.values()) for name in EMOTIONS))
_MAX_ENTROPY = float(np.log(len(CLASSES)))


class AffectNetwork(Protocol):
    """A network that tells the affect of faces, with its own geometry of the crop."""

    compares: bool
    """Whether it reads a face beside the same person's at rest (`pipeline.visit.RestingFace`)."""
    carries: bool
    """Whether a face may be read where its keypoints are carried to: false where landmarks themselves are read."""
    mirrors: bool
    """Whether every other reading in a visit is to be of the face's mirror image: what errs to one side, evens out."""

    def crop(
        self, pixels: NDArray[np.uint8], keypoints: NDArray[np.float32], points: NDArray[np.float32] | None = None
    ) -> NDArray[Any]:
        """The face as the network wants it, from a BGR picture, six keypoints float32 [6, 2]
        (`models.face_detect.KEYPOINTS`) and, where there are any, all landmarks float32 [468, 3] (x, y, depth).
        """
        ...

    def infer(self, crops: Sequence[NDArray[Any]]) -> list[FaceAffect]:
        """Affect of each crop."""
        ...


class FerNetwork:
    """mini-XCEPTION on upright grey crops of 64 px."""

    carries = True
    compares = False
    mirrors = False

    def __init__(self, network: OnnxNetwork) -> None:
        self._network = network

    def crop(
        self, pixels: NDArray[np.uint8], keypoints: NDArray[np.float32], points: NDArray[np.float32] | None = None
    ) -> NDArray[np.uint8]:
        """Grey uint8 [64, 64]: the eyes level, the face from brow to chin (FER2013's framing)."""
        import cv2

        eyes = (keypoints[0] + keypoints[1]) / 2
        across, down = keypoints[1] - keypoints[0], keypoints[3] - eyes
        # the eyes' distance shrinks with yaw and the mouth's with pitch: the larger one gives the size
        side_px = 2.3 * max(float(np.hypot(*across)), 1.05 * float(np.hypot(*down)), 1.0)
        angle = float(np.arctan2(across[1], across[0]))
        centre = eyes + 0.45 * down
        scale = side_px / SIZE_PX
        cos, sin, half = np.cos(angle) * scale, np.sin(angle) * scale, SIZE_PX / 2
        back = np.array(
            [
                [cos, -sin, centre[0] - half * cos + half * sin],
                [sin, cos, centre[1] - half * sin - half * cos],
            ],
            np.float32,
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        upright = cv2.warpAffine(pixels, back, (SIZE_PX, SIZE_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.cvtColor(upright, cv2.COLOR_BGR2GRAY), np.uint8)

    def infer(self, crops: Sequence[NDArray[np.uint8]]) -> list[FaceAffect]:
        """Affect of grey crops uint8 [64, 64]; uncertainty is the distribution's entropy, relative to the most it can
        be.
        """
        if not crops:
            return []
        faces = np.stack(crops).astype(np.float32)[:, None] / 127.5 - 1
        (seven,) = self._network.run(faces=faces)
        eight = np.zeros((len(crops), len(EMOTIONS)), np.float32)
        eight[:, _TO_EMOTIONS] = seven
        entropy = -(eight * np.log(np.maximum(eight, 1e-9))).sum(axis=1) / _MAX_ENTROPY
        likelihoods = CALIBRATION.likelihoods(eight)
        return [
            FaceAffect(row, of_row, float(doubt))
            for row, of_row, doubt in zip(likelihoods, ratios(likelihoods), np.clip(entropy, 0, 1), strict=True)
        ]
