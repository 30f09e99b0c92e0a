"""BlazeFace detectors (Bazarevsky et al. 2019, arXiv:1907.05047), full range and short range.

Anchors are decoded and boxes merged here. Anchors: the full-range network has one at the centre of each cell of stride
4; the short-range network two for each cell of stride 8 and six for each of stride 16. Overlapping boxes are merged by
averaging with their scores as weights, as the paper does, which steadies the box between frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.runtime import TfliteNetwork

Pixels = NDArray[np.uint8]
KEYPOINTS = ("right eye", "left eye", "nose tip", "mouth", "right ear", "left ear")
"""Right and left are the person's own."""
MERGE_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class Detection:
    """A face. Box (x, y, width, height) in pixels of the picture, may reach over its border; `keypoints` float32 [6,
    2], order of `KEYPOINTS`.
    """

    box_px: tuple[float, float, float, float]
    keypoints: NDArray[np.float32]
    score: float


def make_anchors(size_px: int, strides: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """Anchor centres float32 [n, 2] (x, y) in 0..1, from (stride, anchors for each cell)."""
    layers = []
    for stride, count in strides:
        cells = size_px // stride
        y, x = np.divmod(np.arange(cells * cells), cells)
        layers.append(np.repeat((np.stack([x, y], 1) + 0.5) / cells, count, axis=0))
    return np.concatenate(layers).astype(np.float32)


class FaceDetector:
    """One BlazeFace network. Not thread-safe."""

    def __init__(self, path: Path, minimum_score: float = 0.5) -> None:
        self._network = TfliteNetwork(path)
        self._size_px = self._network.shape[1]
        strides = ((4, 1),) if self._size_px == 192 else ((8, 2), (16, 6))
        self._anchors = make_anchors(self._size_px, strides)
        # sigmoid(logit) >= score, without the sigmoid of two thousand anchors
        self._minimum_logit = float(np.log(minimum_score / (1 - minimum_score)))
        self._canvas = np.zeros((self._size_px, self._size_px, 3), np.uint8)
        self._input = np.empty((1, self._size_px, self._size_px, 3), np.float32)

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Faces in a BGR picture uint8 [height, width, 3], best first."""
        import cv2

        height, width = pixels.shape[:2]
        scale = self._size_px / max(height, width)
        inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (self._size_px - inner_width) // 2, (self._size_px - inner_height) // 2
        self._canvas[:] = 0
        inner = self._canvas[top : top + inner_height, left : left + inner_width]
        size = (inner_width, inner_height)
        small = pixels
        if scale < 0.5:
            # averaging over areas of a large picture costs more than the network; this is nearly as smooth
            small = np.asarray(cv2.resize(small, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR), np.uint8)
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
        cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=inner)
        np.multiply(self._canvas, np.float32(1 / 127.5), out=self._input[0])
        self._input -= 1
        raw, logits = self._network.run(self._input)
        chosen = np.flatnonzero(logits[0, :, 0] >= self._minimum_logit)
        if not len(chosen):
            return []
        scores = 1 / (1 + np.exp(-logits[0, chosen, 0]))
        points = raw[0, chosen].reshape(-1, 8, 2) / self._size_px
        points[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[chosen, None]
        found = _merge(points, scores)
        # from the padded square back to the picture
        origin = np.array([left, top], np.float32)
        step = np.array([width / inner_width, height / inner_height], np.float32)
        detections = []
        for merged, score in found:
            size = merged[1] * self._size_px * step
            centre = (merged[0] * self._size_px - origin) * step
            box = (float(centre[0] - size[0] / 2), float(centre[1] - size[1] / 2), float(size[0]), float(size[1]))
            detections.append(Detection(box, ((merged[2:] * self._size_px - origin) * step).astype(np.float32), score))
        return detections

    def forget(self) -> None:
        """Keep nothing of the last picture."""
        self._canvas[:] = 0
        self._input[:] = 0
        self._network.forget()


def _merge(points: NDArray[np.float32], scores: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
    """Weighted merging of overlapping candidates. `points` [n, 8, 2]: centre, size, six keypoints."""
    merged: list[tuple[NDArray[np.float32], float]] = []
    left = np.argsort(-scores)
    low, high = points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2
    area = np.prod(points[:, 1], axis=1)
    while len(left):
        best = left[0]
        shared = np.clip(np.minimum(high[left], high[best]) - np.maximum(low[left], low[best]), 0, None).prod(axis=1)
        overlap = shared / np.maximum(area[left] + area[best] - shared, 1e-9)
        group = overlap >= MERGE_OVERLAP
        group[0] = True
        weights = scores[left[group]]
        mean = (points[left[group]] * weights[:, None, None]).sum(axis=0) / weights.sum()
        merged.append((mean.astype(np.float32), float(scores[best])))
        left = left[~group]
    return merged
