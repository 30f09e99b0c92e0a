"""Whether a picture or sound that can be used is poor: said once, of one moment, in words; nothing of it is kept.

What is judged is the picture as such (light, sharpness, shape, size) and the level of each channel: whoever mounts a
camera sees it at `hailong edge check`, and a box says it of the one picture that it reads at its start. Nothing here
counts, and nothing is judged again while citizens come and go, so no visit moves it (docs/privacy.md).

Sources: Crete, Dolmiere, Ladret, Nicolas 2007 (sharpness without a reference). Thresholds are rules of thumb, tried on
the pictures of `tests/edge/capture/test_quality.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.perception.region import Region
from pipeline.language import Message

DARK, BRIGHT = 35.0, 225.0
"""Mean brightness, 0 to 255."""
FLAT = 4.0
"""Standard deviation of the brightness of a picture that shows nothing: a cap, a wall, a hand."""
BLURRED = 0.75
"""Share of the differences between neighbours that another blur leaves; sharp pictures have .2 to .5."""
LONG = 2.6
"""Long side over short side; a panorama or an unrolled fisheye has more."""
SQUEEZED = frozenset({(960, 1080), (960, 1072), (704, 288), (720, 288), (704, 240), (720, 240), (352, 576), (352, 480)})
"""Sizes (width, height) of recorders' half modes ("1080N", 2CIF, half D1), which say nothing of their pixels' shape."""
SMALL_PX = 360
SMALL_REGION_PX = 160
SMALL_FACE_PX = 60
"""Height of a face: the face's network looks at 48 x 48 pixels, and a smaller face was never photographed so fine."""
SILENT, LOUD, CLIPPED = 1e-4, 1e-2, 0.999
"""Peaks of a channel, full scale 1 (-80 dB, -40 dB, 0 dB)."""

NOTICES: dict[str, Message] = {
    "dark": Message("The picture is too dark: give the citizen's face light from the front."),
    "bright": Message("The picture is too bright: close the blind, or turn the camera away from the window."),
    "flat": Message("The picture shows nothing: take off the cap, and look what stands before the lens."),
    "blurred": Message("The picture is out of focus: clean the lens and focus it on the citizen's place."),
    "strip": Message(
        "The picture is a strip, as of a panorama or an unrolled fisheye: set the camera to an even view."
    ),
    "squeezed": Message("The picture is squeezed, as of a recorder's half mode: set the recorder to whole pictures."),
    "fisheye": Message("The picture is a circle, as of a fisheye: set the camera to a straightened view."),
    "small": Message("The picture is small: set the camera to at least 640 x 480 pixels."),
    "small_region": Message("The citizen's region has few pixels: move the camera closer, or set a larger picture."),
    "no_face": Message("No face was found: sit at the citizen's place, face the camera, and ask again."),
    "small_face": Message("The face is too small: move the camera closer, or set a larger picture."),
    "silent": Message("The citizen's channel is silent: it may be muted or unplugged."),
    "other_channel": Message("The citizen's channel is silent and another one is not: set [microphone] channel."),
    "clipped": Message("The sound is too loud: turn the microphone down."),
}
"""What a notice says: what is poor, and what to do."""


def picture_notices(pixels: NDArray[np.uint8], polygon: tuple[tuple[float, float], ...] = ()) -> list[str]:
    """Keys of `NOTICES` that hold for a BGR picture uint8 [h, w, 3]; light and sharpness within the citizen's region
    (`polygon` as in `EngineSettings.region`), shape and size of the whole."""
    height, width = pixels.shape[:2]
    found = []
    if (width, height) in SQUEEZED:
        found.append("squeezed")
    elif max(height, width) > LONG * min(height, width):
        found.append("strip")
    elif min(height, width) < SMALL_PX:
        found.append("small")
    region = Region(polygon)
    inside = region.apply(np.full_like(pixels, 255))[..., 0] > 0
    grey = region.apply(pixels).astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32)
    if polygon and min(grey.shape) < SMALL_REGION_PX:
        found.append("small_region")
    mean, deviation = float(grey[inside].mean()), float(grey[inside].std())
    if mean < DARK:
        found.append("dark")
    elif mean > BRIGHT:
        found.append("bright")
    if deviation < FLAT:
        found.append("flat")
    elif mean >= DARK and blur(grey) > BLURRED:
        found.append("blurred")
    if not polygon and _is_circle(grey):
        found.append("fisheye")
    return found


def blur(grey: NDArray[np.float32]) -> float:
    """How blurred a picture [h, w] is, 0 (sharp) to 1: what another blur leaves of the differences between neighbours,
    along the better of both directions."""
    shares = []
    for picture in (grey, grey.T):
        length = picture.shape[1]
        if length < 16:
            return 0.0
        summed = np.cumsum(picture, axis=1, dtype=np.float64)
        smooth = (summed[:, 9:] - summed[:, :-9]) / 9
        before = np.abs(np.diff(picture[:, 5 : length - 4], axis=1))
        after = np.abs(np.diff(smooth, axis=1))[:, : before.shape[1]]
        total = float(before.sum())
        shares.append(1.0 - float(np.maximum(0.0, before[:, : after.shape[1]] - after).sum()) / total if total else 1.0)
    return min(shares)


def _is_circle(grey: NDArray[np.float32]) -> bool:
    """Black corners around a bright middle."""
    side = max(2, min(grey.shape) // 12)
    ends = (slice(None, side), slice(-side, None))
    corners = max(float(grey[down, across].mean()) for down in ends for across in ends)
    height, width = grey.shape
    middle = float(grey[height // 3 : height - height // 3, width // 3 : width - width // 3].mean())
    return corners < 12 and middle > 50


@dataclass(slots=True)
class Levels:
    """The highest sample of each channel, and nothing else of the sound."""

    peaks: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def add(self, samples: NDArray[np.float32]) -> None:
        """Samples float32 [n, channels]."""
        if len(samples):
            peaks = np.abs(samples).max(axis=0)
            if len(peaks) == len(self.peaks):
                np.maximum(self.peaks, peaks, out=self.peaks)
            else:
                self.peaks = peaks.astype(np.float32)


def sound_notices(peaks: Sequence[float], channel: int) -> list[str]:
    """Keys of `NOTICES` that hold for channels with those peaks, where the citizen's is `channel`."""
    if channel >= len(peaks):
        return []
    if peaks[channel] <= SILENT:
        return ["other_channel"] if max(peaks) >= LOUD else ["silent"]
    return ["clipped"] if peaks[channel] >= CLIPPED else []


def face_notices(heights_px: Sequence[float]) -> list[str]:
    """Keys of `NOTICES` for the faces that were found, by their height in pixels."""
    if not heights_px:
        return ["no_face"]
    return ["small_face"] if max(heights_px) < SMALL_FACE_PX else []
