"""The grey 48 x 48 crop of a face that the affect network reads, cut the way that FER2013's faces are framed.

The framing was measured: the near-range detector on 400 FER2013 validation faces (each padded by half its side). The
crop's side is 2.52 times the larger of (middle of the eyes to mouth) and (1.06 times eye to eye), so that neither a
turned nor a bent head shrinks it; its middle lies 0.26 of the way from the eyes to the mouth, and across at the mean
of the six keypoints. FER2013's own frames scatter by 16 % in size and 6 % in place around this, and training adds
more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CROP_PX = 48
SIDE_PER_FACE = 2.52
EYES_PER_HEIGHT = 1.06
MIDDLE_DOWN = 0.26
RIGHT_EYE, LEFT_EYE, _NOSE, MOUTH = range(4)


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """`pixels`: uint8 [48, 48], grey. `side_px`: length of the crop's side in the picture: how many pixels there
    were."""

    pixels: NDArray[np.uint8]
    side_px: float


@dataclass(frozen=True, slots=True)
class CropFrame:
    """Where a crop lies: its middle and side in pixels of the picture, and its lean in radians (clockwise)."""

    x_px: float
    y_px: float
    side_px: float
    lean: float


def frame_of(keypoints: NDArray[np.float32]) -> CropFrame:
    """The crop's place from six keypoints [6, 2] (`models.face_detect.KEYPOINTS`)."""
    if keypoints.shape != (6, 2):
        raise ValueError(f"six keypoints [6, 2] are needed, not {keypoints.shape}")
    # plain numbers: on so few, arrays would take five times as long
    points = [(float(x), float(y)) for x, y in keypoints.tolist()]
    right_eye, left_eye, mouth = points[RIGHT_EYE], points[LEFT_EYE], points[MOUTH]
    across = left_eye[0] - right_eye[0], left_eye[1] - right_eye[1]
    lean = math.atan2(across[1], across[0])
    eyes = (right_eye[0] + left_eye[0]) / 2, (right_eye[1] + left_eye[1]) / 2
    down = mouth[0] - eyes[0], mouth[1] - eyes[1]
    cosine, sine = math.cos(lean), math.sin(lean)
    side = SIDE_PER_FACE * max(math.hypot(*down), EYES_PER_HEIGHT * math.hypot(*across))
    below = MIDDLE_DOWN * (down[1] * cosine - down[0] * sine)
    mean = sum(x for x, _ in points) / 6, sum(y for _, y in points) / 6
    beside = (mean[0] - eyes[0]) * cosine + (mean[1] - eyes[1]) * sine
    middle = eyes[0] - below * sine + beside * cosine, eyes[1] + below * cosine + beside * sine
    return CropFrame(middle[0], middle[1], max(side, 1.0), lean)


def crop_face(pixels: NDArray[np.uint8], keypoints: NDArray[np.float32]) -> FaceCrop:
    """Cut one face out of a picture, uint8 [h, w, 3] BGR or [h, w] grey, upright; past the border, the border is
    repeated."""
    return cut(pixels, frame_of(keypoints))


def cut(pixels: NDArray[np.uint8], frame: CropFrame) -> FaceCrop:
    """The crop at a given place. Larger faces are averaged down over areas, smaller ones interpolated, so nothing
    aliases."""
    import cv2

    fold = int(np.clip(np.ceil(frame.side_px / CROP_PX), 1, 8))
    size = CROP_PX * fold
    scale = frame.side_px / size
    cosine, sine = np.cos(frame.lean) * scale, np.sin(frame.lean) * scale
    middle = (size - 1) / 2
    reach = 0.75 * frame.side_px + 2
    left, top = int(max(0, frame.x_px - reach)), int(max(0, frame.y_px - reach))
    height, width = pixels.shape[:2]
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = int(min(width, frame.x_px + reach + 1)), int(min(height, frame.y_px + reach + 1))
    part = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
    grey = part if part.ndim == 2 else cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    from_crop = np.array(
        [
            [cosine, -sine, frame.x_px - 0.5 - left - middle * (cosine - sine)],
            [sine, cosine, frame.y_px - 0.5 - top - middle * (sine + cosine)],
        ]
    )
    crop = cv2.warpAffine(
        grey,
        from_crop,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fold > 1:
        crop = cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    return FaceCrop(np.asarray(crop, np.uint8), frame.side_px)


def whole_as_crop(pixels: NDArray[np.uint8]) -> FaceCrop:
    """A picture that is itself a face crop: its middle square, as 48 x 48 grey."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    return cut(pixels, CropFrame(width / 2, height / 2, float(side), 0.0))
