"""The citizen's region: what lies outside it is blank before anything looks at a picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class Region:
    """A polygon in shares (x, y) of a picture's width and height; empty: the whole picture. Not thread-safe."""

    def __init__(self, polygon: tuple[tuple[float, float], ...] = ()) -> None:
        self._polygon = polygon
        self._size: tuple[int, int] | None = None
        self._mask: NDArray[np.uint8] | None = None
        self._crop: tuple[slice, slice] = (slice(None), slice(None))
        self._blanked = np.zeros((0, 0, 3), np.uint8)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The region's bounding box of a BGR picture uint8 [h, w, 3], black outside the polygon.

        The returned picture is valid until the next call."""
        if not self._polygon:
            return pixels
        if self._size != pixels.shape[:2]:
            self._prepare(pixels.shape[0], pixels.shape[1])
        inside = pixels[self._crop]
        if self._mask is None:
            return inside
        import cv2

        # the buffer's outside was blank from the start and is never written
        return np.asarray(cv2.copyTo(inside, self._mask, self._blanked), np.uint8)

    def forget(self) -> None:
        """Keep nothing of the last picture."""
        self._blanked[:] = 0

    def _prepare(self, height: int, width: int) -> None:
        import cv2

        self._size = (height, width)
        points = np.array(self._polygon) * (width, height)
        left, top = (max(0, math.floor(value)) for value in points.min(axis=0))
        right, bottom = (max(1, math.ceil(value)) for value in points.max(axis=0))
        self._crop = (slice(min(top, height - 1), bottom), slice(min(left, width - 1), right))
        inside_height, inside_width = np.empty((height, width))[self._crop].shape
        mask = np.zeros((inside_height, inside_width), np.uint8)
        cv2.fillPoly(mask, [np.rint(points - (left, top)).astype(np.int32)], 255)
        self._mask = None if mask.all() else mask
        self._blanked = np.zeros((inside_height, inside_width, 3), np.uint8)
