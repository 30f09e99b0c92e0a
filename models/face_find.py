"""Find the one face in a still photograph, whatever its framing: a whole scene, a portrait, a face that fills the
picture, or a picture so small that it can only be a face crop already.

The order of attempts: the far-range detector, the near-range one, both on the picture with a border around it (a
detector misses faces that touch the edge), tiles of a large picture (small faces), and at last a small square picture
is taken as a crop. A picture of at most 64 px is enlarged first. Of several faces the largest is meant. Where a small
picture is itself a crop, nobody knows how it was framed, so it is given in both framings: as found, and as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.face_crop import FaceCrop, crop_face, whole_as_crop
from models.face_detect import Detection, FaceDetector
from models.face_landmarks import Cut, FaceLandmarks, cut_of
from models.picture_size import MAX_PIXELS, picture_size
from pipeline.errors import SourceError
from pipeline.language import Message

Pixels = NDArray[np.uint8]
How = Literal["whole", "far", "near", "bordered", "tiled", "faint"]
SURE, FAINT = 0.5, 0.25
MAX_CROP_PX = 64
ENLARGED_PX = 192
SMALL_SQUARE_PX = 260
CROP_OF_PICTURE = (0.7, 1.4)
"""Side of the found crop over the picture's, between which a small square picture is itself taken for a crop."""
SMALLEST_PX = 12
LARGEST_PX = 1600
MAX_FILE_BYTES = 200_000_000
TILES_FROM_PX = 800


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A face of a photograph: its `crops` (one, or two framings of the same face), and `how` it was found;
    `keypoints` float32 [6, 2] px, none where the picture was taken whole."""

    crops: tuple[FaceCrop, ...]
    how: How
    keypoints: NDArray[np.float32] | None = None
    cut: Cut | None = None
    """Where its landmarks are looked for, in pixels of the picture."""


class FaceFinder:
    """Both detectors, made with a minimum score of `FAINT`, for still pictures. Not thread-safe."""

    def __init__(self, far: FaceDetector, near: FaceDetector, landmarks: FaceLandmarks) -> None:
        self._far = far
        self._near = near
        self._landmarks = landmarks

    def find(self, pixels: Pixels) -> FoundFace | None:
        """The face in a picture, uint8 [h, w, 3] BGR, or None."""
        height, width = pixels.shape[:2]
        longest, shortest = max(height, width), min(height, width)
        tiny = longest <= MAX_CROP_PX
        small_square = tiny or (shortest >= 0.8 * longest and longest <= SMALL_SQUARE_PX)
        scale = ENLARGED_PX / longest if tiny else 1.0
        seen = _scaled(pixels, scale) if tiny else pixels
        best, how = self._detect(seen)
        if best is None:
            return FoundFace((whole_as_crop(pixels),), "whole") if small_square else None
        found = crop_face(seen, best.keypoints)
        keypoints = (best.keypoints / scale).astype(np.float32)
        enlarged = cut_of(best)
        around = Cut(enlarged.x_px / scale, enlarged.y_px / scale, enlarged.side_px / scale, enlarged.angle)
        least, most = CROP_OF_PICTURE
        if small_square and (tiny or least <= found.side_px / shortest <= most):
            return FoundFace((found, whole_as_crop(pixels)), how, keypoints, around)
        return FoundFace((found,), how, keypoints, around)

    def landmarks(self, pixels: Pixels, found: FoundFace) -> NDArray[np.float32] | None:
        """Landmarks of a found face, float32 [468, 3] (x, y, depth) px; None where there are none."""
        if found.cut is None:
            return None
        landmarks = self._landmarks.find(pixels, found.cut)
        return landmarks.solid if landmarks.score >= SURE else None

    def _detect(self, pixels: Pixels) -> tuple[Detection | None, How]:
        import cv2

        height, width = pixels.shape[:2]
        far, near = self._far.detect(pixels), self._near.detect(pixels)
        if best := _largest(far):
            return best, "far"
        if best := _largest(near):
            return best, "near"
        for share in (0.25, 0.6):
            edge = round(share * max(height, width))
            bordered = np.asarray(cv2.copyMakeBorder(pixels, edge, edge, edge, edge, cv2.BORDER_REPLICATE), np.uint8)
            for detector in (self._near, self._far):
                if best := _largest(detector.detect(bordered)):
                    return _moved(best, -edge, -edge), "bordered"
        if max(height, width) >= TILES_FROM_PX and (best := _largest(self._in_tiles(pixels))):
            return best, "tiled"
        faint = [each for each in far + near if self._landmarks.find(pixels, cut_of(each)).score >= SURE]
        return _largest(faint, FAINT), "faint"

    def _in_tiles(self, pixels: Pixels) -> list[Detection]:
        height, width = pixels.shape[:2]
        found = []
        for top in (0, height // 4, height - height // 2):
            for left in (0, width // 4, width - width // 2):
                tile = np.ascontiguousarray(pixels[top : top + height // 2, left : left + width // 2])
                found += [_moved(each, left, top) for each in self._far.detect(tile)]
        return found


def shipped_finder() -> FaceFinder:
    """The finder with the catalogue's detectors and landmarks; raises `ModelError` where a file is missing."""
    from models import catalogue

    far = FaceDetector(catalogue.model_files("face-detector-far")["face_detection_full_range.tflite"], FAINT)
    near = FaceDetector(catalogue.model_files("face-detector-near")["face_detection_short_range.tflite"], FAINT)
    return FaceFinder(far, near, FaceLandmarks(catalogue.model_files("face-landmarks")["face_landmark.tflite"]))


def read_picture(path: Path) -> Pixels:
    """A picture file as uint8 [h, w, 3] BGR, turned upright as it says of itself, at most 1600 px; raises
    `SourceError`."""
    import cv2

    if path.exists() and not path.is_file() and not path.is_dir():
        raise SourceError(Message("a pipe or a device, not a file"))
    try:
        if path.is_file() and path.stat().st_size > MAX_FILE_BYTES:
            raise SourceError(Message("is larger than {mb} MB", mb=MAX_FILE_BYTES // 1_000_000))
        stored = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(Message("cannot be opened ({strerror})", strerror=error.strerror)) from error
    size = picture_size(stored.tobytes())
    if size is None:
        raise SourceError(Message("is no picture that can be read"))
    if size[0] * size[1] > MAX_PIXELS:
        raise SourceError(
            Message("has {width} x {height} px, more than is read: make it smaller", width=size[0], height=size[1])
        )
    try:
        pixels = cv2.imdecode(stored, cv2.IMREAD_COLOR) if len(stored) else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise SourceError(Message("is no picture that can be read"))
    if min(pixels.shape[:2]) < SMALLEST_PX:
        raise SourceError(Message("is smaller than {smallest_px} px", smallest_px=SMALLEST_PX))
    scale = LARGEST_PX / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(pixels, np.uint8)


def _scaled(pixels: Pixels, scale: float) -> Pixels:
    import cv2

    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)


def _largest(found: list[Detection], minimum_score: float = SURE) -> Detection | None:
    sure = [each for each in found if each.score >= minimum_score]
    return max(sure, key=lambda each: each.box_px[2] * each.box_px[3] * each.score, default=None)


def _moved(found: Detection, x_px: float, y_px: float) -> Detection:
    x, y, width, height = found.box_px
    keypoints = (found.keypoints + np.array([x_px, y_px], np.float32)).astype(np.float32)
    return Detection((x + x_px, y + y_px, width, height), keypoints, found.score)
