"""468 landmarks of a face (Kartynnik et al. 2019, arXiv:1907.06724) and a score that a face is there.

Enough to follow a face between detections. The face is cut out upright by a similarity transform from its eyes, with a
quarter of its size around it; the points of one frame say where to cut in the next one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.face_detect import Detection, Pixels
from models.runtime import TfliteNetwork

MARGIN = 1.5
"""Side of the cut, as a multiple of the face's longer side."""
EYES = (33, 263)
"""Outer corners of the person's right and left eye."""
_GROUPS = (
    (33, 133, 159, 145),  # right eye
    (263, 362, 386, 374),  # left eye
    (1, 4),  # nose tip
    (13, 14, 61, 291),  # mouth
    (234,),  # right ear
    (454,),  # left ear
)
_CHOSEN = np.array([point for group in _GROUPS for point in group])
_MEANS = np.array(
    [[(point in group) / len(group) for point in _CHOSEN.tolist()] for group in _GROUPS], np.float32
)  # [6, points chosen]


@dataclass(frozen=True, slots=True)
class Cut:
    """An upright square of the picture: centre and side in pixels, `angle` in radians (positive: the picture's head
    leans clockwise).
    """

    x_px: float
    y_px: float
    side_px: float
    angle: float


@dataclass(frozen=True, slots=True)
class Landmarks:
    """`points` float32 [468, 2] (x, y) in pixels of the picture; `score` in [0, 1] that a face is there."""

    points: NDArray[np.float32]
    score: float
    box_px: tuple[float, float, float, float]
    """(x, y, width, height) of the points."""
    depth_px: NDArray[np.float32] | None = None
    """float32 [468]: how far each point lies behind the face's middle, in the same pixels."""

    @property
    def solid(self) -> NDArray[np.float32] | None:
        """The points with their depth, float32 [468, 3]."""
        return None if self.depth_px is None else np.column_stack([self.points, self.depth_px])

    @property
    def keypoints(self) -> NDArray[np.float32]:
        """float32 [6, 2], in the order of `models.face_detect.KEYPOINTS`."""
        return np.asarray(_MEANS @ self.points[_CHOSEN], np.float32)

    def next_cut(self) -> Cut:
        """Where to look for the same face in the next frame."""
        x, y, width, height = self.box_px
        angle = _lean(self.points[EYES[0]], self.points[EYES[1]])
        return Cut(x + width / 2, y + height / 2, max(width, height) * MARGIN, angle)


def cut_of(detection: Detection) -> Cut:
    """Where the landmarks of a detected face are looked for."""
    x, y, width, height = detection.box_px
    angle = _lean(detection.keypoints[0], detection.keypoints[1])
    return Cut(x + width / 2, y + height / 2, max(width, height) * MARGIN, angle)


def _lean(right: NDArray[np.float32], left: NDArray[np.float32]) -> float:
    return math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))


class FaceLandmarks:
    """The landmark network. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        self._network = TfliteNetwork(path)
        self._size_px = self._network.shape[1]
        self._input = np.empty((1, self._size_px, self._size_px, 3), np.float32)

    def find(self, pixels: Pixels, cut: Cut) -> Landmarks:
        """Landmarks of the face in a cut of a BGR picture uint8 [height, width, 3]."""
        import cv2

        scale = cut.side_px / self._size_px
        cos, sin = math.cos(cut.angle) * scale, math.sin(cut.angle) * scale
        half = self._size_px / 2
        # from pixels of the cut to pixels of the picture
        back = np.array(
            [
                [cos, -sin, cut.x_px - half * cos + half * sin],
                [sin, cos, cut.y_px - half * sin - half * cos],
            ],
            np.float32,
        )
        upright = cv2.warpAffine(
            pixels, back, (self._size_px, self._size_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        np.multiply(cv2.cvtColor(upright, cv2.COLOR_BGR2RGB), np.float32(1 / 255), out=self._input[0])
        points, logit = self._network.run(self._input)
        score = 1 / (1 + math.exp(-max(-60.0, min(60.0, float(logit.flat[0])))))
        solid = points.reshape(468, 1, 3)
        placed = np.asarray(cv2.transform(solid[..., :2], back)[:, 0], np.float32)
        depth = np.asarray(solid[:, 0, 2] * np.float32(scale), np.float32)
        (left, top), (right, bottom) = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
        return Landmarks(placed, score, (left, top, right - left, bottom - top), depth)

    def forget(self) -> None:
        """Keep nothing of the last picture."""
        self._input[:] = 0
        self._network.forget()
