"""The picture in a face's box, coarsely: how far it has changed, and where what it shows has gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.face_detect import Pixels

Box = tuple[float, float, float, float]
"""(x, y, width, height) in pixels of the picture."""
Cells = NDArray[np.float32]
CELLS = 16
_INNER = CELLS - 2
_ACROSS = np.tile(np.arange(_INNER, dtype=np.float32) - (_INNER - 1) / 2, (_INNER, 1))
_DOWN = np.ascontiguousarray(_ACROSS.T)
_HELD = np.array([0.02, 0.02, 0.4, 0.4], np.float32)
"""Against drifts that a plain surface would leave open: for sizes and turns as much as for a cell's way at the rim."""


def cells_of(pixels: Pixels, box: Box) -> Cells:
    """What a BGR picture uint8 [h, w, 3] shows in a box: mean greens float32 [16, 16], thinned before where the face is
    large; black where the box lies outside."""
    import cv2

    height, width = pixels.shape[:2]
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(width, int(box[0] + box[2]) + 1), min(height, int(box[1] + box[3]) + 1)
    if left >= right or top >= bottom:
        return np.zeros((CELLS, CELLS), np.float32)
    step = max(1, min(right - left, bottom - top) // (2 * CELLS))
    part = np.asarray(pixels[top:bottom:step, left:right:step, 1], np.float32)
    return np.asarray(cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)


class Patch:
    """What one picture showed in a box; later pictures are held against it. As personal as the picture."""

    __slots__ = ("_box", "_cells", "_deviation", "_steps")

    def __init__(self, pixels: Pixels, box: Box) -> None:
        import cv2

        self._box, self._cells = box, cells_of(pixels, box)
        self._deviation = max(1.0, float(cv2.meanStdDev(self._cells)[1][0, 0]))
        self._steps: NDArray[np.float32] | None = None

    def seen_in(self, pixels: Pixels) -> Cells:
        """What another picture shows in the same box."""
        return cells_of(pixels, self._box)

    def movement(self, now: Cells) -> float:
        """Mean difference of what is seen now, in standard deviations of what was seen then (at least one level)."""
        import cv2

        return cv2.norm(self._cells, now, cv2.NORM_L1) / self._cells.size / self._deviation

    def carried(self, points: NDArray[np.float32], now: Cells) -> NDArray[np.float32]:
        """Points float32 [n, 2] (x, y) in pixels that lay in the picture of then, where what is seen now shows that
        they have gone.

        All shift, turn and grow together: one step of least squares on the cells (Lucas and Kanade 1981, with a
        similarity in the place of a shift), good for about a cell. Light that changes everywhere alike moves
        nothing."""
        if self._steps is None:
            self._steps = self._make_steps()
        change = (self._cells - now)[1:-1, 1:-1].ravel()
        x, y, grown, turned = (self._steps @ change).tolist()
        cell = np.array([self._box[2], self._box[3]], np.float32) / CELLS
        middle = np.array([self._box[0] + self._box[2] / 2, self._box[1] + self._box[3] / 2], np.float32)
        turn = np.array([[1 + grown, turned], [-turned, 1 + grown]], np.float32)
        return np.asarray(((points - middle) / cell @ turn + np.array([x, y], np.float32)) * cell + middle, np.float32)

    def _make_steps(self) -> NDArray[np.float32]:
        """[4, 196]: what a level of each inner cell says of shift, growth and turn."""
        across = (self._cells[1:-1, 2:] - self._cells[1:-1, :-2]) / 2
        down = (self._cells[2:, 1:-1] - self._cells[:-2, 1:-1]) / 2
        slopes = np.stack([across, down, across * _ACROSS + down * _DOWN, down * _ACROSS - across * _DOWN])
        slopes = slopes.reshape(4, -1)
        square = slopes @ slopes.T
        square[np.diag_indices(4)] += _HELD * max(1.0, float(square[0, 0]))
        steps = np.linalg.solve(square, slopes)
        return np.asarray(steps - steps.mean(axis=1, keepdims=True), np.float32)
