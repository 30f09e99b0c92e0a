"""BlazeFace detectors (Bazarevsky et al. 2019, arXiv:1907.05047), full range and short range.

Anchors are decoded and boxes merged here. Anchors: the full-range network has one at the centre of each cell of stride
4; the short-range network two for each cell of stride 8 and six for each of stride 16. Overlapping boxes are merged by
averaging with their scores as weights, as the paper does, which steadies the box between frames.
"""

from __future__ import annotations

import math
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


@dataclass(frozen=True, slots=True)
class _Make:
    """How a BlazeFace network is made. `side_px`: of its square input. `strides`: (stride, anchors of each cell) of the
    maps that answer. `wide_px`: the longer side of an input for pictures that are no squares, 0 where there is none;
    its shorter side is a multiple of `step_px`; `enlarged`: strides of the maps that are enlarged inside."""

    side_px: int
    strides: tuple[tuple[int, int], ...]
    wide_px: int = 0
    step_px: int = 1
    enlarged: tuple[int, ...] = ()

    def fitting(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the input for a picture of this size: the wide one, where it has no more pixels than the
        square."""
        shorter = self.step_px * math.ceil(self.wide_px * min(height, width) / max(height, width) / self.step_px)
        if not 0 < self.wide_px * shorter <= self.side_px**2:
            return self.side_px, self.side_px
        return (shorter, self.wide_px) if width > height else (self.wide_px, shorter)

    def numbers(self, height: int, width: int) -> list[tuple[int, ...]]:
        """What the file says of its inner sizes for an input of this size: of lists of numbers in it, the length (in
        bytes for sizes of maps, in numbers for shapes of answers) and the numbers."""
        sizes = [(8, height // stride, width // stride) for stride in self.enlarged]
        cells = [height // stride * (width // stride) * count for stride, count in self.strides]
        return sizes + [(3, 1, anchors, values) for anchors in cells for values in (1, 16)]


_FAR = _Make(192, ((4, 1),), wide_px=224, step_px=32, enlarged=(16, 8, 4))
_NEAR = _Make(128, ((8, 2), (16, 6)))
"""The near one is asked for faces that fill the picture, and finds fewer of these where less black is around it."""


def make_anchors(height: int, width: int, strides: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """Anchor centres float32 [n, 2] (x, y) in pixels of the input, from (stride, anchors for each cell)."""
    layers = []
    for stride, count in strides:
        y, x = np.divmod(np.arange(height // stride * (width // stride)), width // stride)
        layers.append(np.repeat((np.stack([x, y], 1) + 0.5) * stride, count, axis=0))
    return np.concatenate(layers).astype(np.float32)


class _Sized:
    """The network for inputs of one size."""

    def __init__(self, path: Path, make: _Make, height: int, width: int) -> None:
        shape, square = (1, height, width, 3), (make.side_px, make.side_px)
        changes = dict(zip(make.numbers(*square), make.numbers(height, width), strict=True))
        self.network = TfliteNetwork(path, shape=shape, changes=changes)
        self.anchors = make_anchors(height, width, make.strides)
        self.canvas = np.zeros((height, width, 3), np.uint8)
        self.input = np.empty(shape, np.float32)

    def forget(self) -> None:
        """Keep nothing of the last picture."""
        self.canvas[:] = 0
        self.input[:] = 0
        self.network.forget()


class FaceDetector:
    """One BlazeFace network. Not thread-safe.

    The published networks take squares, of which a camera's picture leaves nearly half black. The far one is made of
    convolutions throughout, so pictures at least 1.4 times as long as wide are given to it on a longer and narrower
    input (ADR 0234): fewer pixels, and faces a sixth larger."""

    def __init__(self, path: Path, minimum_score: float = 0.5) -> None:
        self._path = path
        # read once to learn which of the two it is, and that LiteRT can run it, before anybody looks
        self._make = _FAR if TfliteNetwork(path).shape[1] == _FAR.side_px else _NEAR
        self._sized: dict[tuple[int, int], _Sized] = {}
        # sigmoid(logit) >= score, without the sigmoid of two thousand anchors
        self._minimum_logit = float(np.log(minimum_score / (1 - minimum_score)))

    def _for(self, height: int, width: int) -> _Sized:
        size = self._make.fitting(height, width)
        if size not in self._sized:
            self._sized[size] = _Sized(self._path, self._make, *size)
        return self._sized[size]

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Faces in a BGR picture uint8 [height, width, 3], best first."""
        import cv2

        height, width = pixels.shape[:2]
        sized = self._for(height, width)
        canvas_height, canvas_width = sized.canvas.shape[:2]
        scale = max(canvas_height, canvas_width) / max(height, width)
        inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (canvas_width - inner_width) // 2, (canvas_height - inner_height) // 2
        sized.canvas[:] = 0
        inner = sized.canvas[top : top + inner_height, left : left + inner_width]
        size = (inner_width, inner_height)
        small = pixels
        if scale < 0.5:
            # averaging over areas of a large picture costs more than the network; this is nearly as smooth
            small = np.asarray(cv2.resize(small, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR), np.uint8)
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
        cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=inner)
        np.multiply(sized.canvas, np.float32(1 / 127.5), out=sized.input[0])
        sized.input -= 1
        raw, logits = sized.network.run(sized.input)
        chosen = np.flatnonzero(logits[0, :, 0] >= self._minimum_logit)
        if not len(chosen):
            return []
        scores = 1 / (1 + np.exp(-logits[0, chosen, 0]))
        points = raw[0, chosen].reshape(-1, 8, 2)
        points[:, [0, 2, 3, 4, 5, 6, 7]] += sized.anchors[chosen, None]
        found = _merge(points, scores)
        # from the padded input back to the picture
        origin = np.array([left, top], np.float32)
        step = np.array([width / inner_width, height / inner_height], np.float32)
        detections = []
        for merged, score in found:
            size = merged[1] * step
            centre = (merged[0] - origin) * step
            box = (float(centre[0] - size[0] / 2), float(centre[1] - size[1] / 2), float(size[0]), float(size[1]))
            detections.append(Detection(box, ((merged[2:] - origin) * step).astype(np.float32), score))
        return detections

    def forget(self) -> None:
        """Keep nothing of the last picture."""
        for sized in self._sized.values():
            sized.forget()


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
