"""Canaries for the audits: a picture, a sound and a sentence that occur nowhere else, and the byte strings by which
they are known again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.catalogue import media_file
from pipeline.errors import HailongError
from pipeline.language import Message
from pipeline.records import SAMPLE_RATE_HZ

WIDTH_PX, HEIGHT_PX = 640, 360
FACE_PX = 130
NEEDLE_BYTES = 48
_FACE = (
    "astronaut",
    222,
    122,
    75,
)  # middle of the face and half the side of a square around it, in pixels of the picture
_VOICE = "voice_ly"
_SYLLABLES = "thủ tục giấy tờ nhanh chậm lâu quá chờ hồ sơ phiền bực khó vui tốt cảm ơn cán bộ hướng dẫn"


@dataclass(frozen=True, slots=True)
class Canary:
    """What is fed in. `frame`: uint8 [360, 640, 3] BGR; `sound`: float32 [n], 16 kHz; `has_face`, `has_voice`: whether
    real ones were at hand, without which the networks for faces and utterances have nothing to do."""

    frame: NDArray[np.uint8]
    sound: NDArray[np.float32]
    sentence: str
    has_face: bool
    has_voice: bool


@dataclass(slots=True)
class Needles:
    """Byte strings by which a canary is known again, by what it is a form of."""

    forms: dict[str, list[bytes]] = field(default_factory=dict)

    def add(self, form: str, data: bytes) -> None:
        """Add a string, unless it is too plain to be anybody's."""
        if len(set(data)) >= 6:
            self.forms.setdefault(form, []).append(data)


def make_canary() -> Canary:
    """Fresh noise over a real face and a real voice of the demo's media, or over plain ones where these were not
    fetched."""
    rng = np.random.default_rng(secrets.randbits(128))
    frame = np.full((HEIGHT_PX, WIDTH_PX, 3), 120, np.int16)
    has_face = has_voice = True
    try:
        frame[100 : 100 + 2 * FACE_PX, 150 : 150 + 2 * FACE_PX] = _face(2 * FACE_PX)
    except HailongError:
        has_face = False
    frame += rng.integers(-9, 10, frame.shape, dtype=np.int16)
    try:
        sound = _voice()
    except HailongError:
        has_voice = False
        sound = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    sound = sound + rng.normal(0.0, 2e-3, len(sound)).astype(np.float32)
    syllables = _SYLLABLES.split()
    words = [syllables[int(number)] for number in rng.integers(0, len(syllables), 14)]
    sentence = f"{' '.join(words[:7])} {secrets.token_hex(6)} {' '.join(words[7:])}"
    return Canary(np.clip(frame, 0, 255).astype(np.uint8), sound.astype(np.float32), sentence, has_face, has_voice)


def needles_of(canary: Canary, crop: NDArray[np.uint8] | None = None) -> Needles:
    """How the canary may lie in memory or in a file. `crop`: what the affect network was given of its face."""
    found = Needles()
    rows = range(110, 340, 45)
    grey = _grey(canary.frame)
    for row in rows:
        pixels = canary.frame[row, 200:240]
        found.add("picture (BGR)", pixels.tobytes()[:NEEDLE_BYTES])
        found.add("picture (RGB)", pixels[:, ::-1].tobytes()[:NEEDLE_BYTES])
        found.add("picture (grey)", grey[row, 200:248].tobytes())
    if crop is not None:
        for row in range(6, 48, 14):
            found.add("face as the network reads it", crop[row].tobytes()[:NEEDLE_BYTES])
            found.add("face as floats", crop[row, :12].astype(np.float32).tobytes())
    for start in range(SAMPLE_RATE_HZ // 2, len(canary.sound) - 100, SAMPLE_RATE_HZ // 2):
        samples = canary.sound[start : start + NEEDLE_BYTES // 4]
        found.add("sound (float32)", samples.tobytes())
        found.add(
            "sound (int16)", np.round(canary.sound[start : start + NEEDLE_BYTES // 2] * 32_767).astype("<i2").tobytes()
        )
    middle = canary.sentence[20:44]
    for encoding in ("utf-8", "utf-16-le", "utf-32-le"):
        found.add(f"sentence ({encoding})", middle.encode(encoding))
    return found


def _face(side_px: int) -> NDArray[np.uint8]:
    import cv2

    name, x, y, half = _FACE
    picture = cv2.imread(str(media_file(name)))
    if picture is None:
        raise HailongError(Message("The demo's portrait cannot be read."), Message("Run: hailong models fetch --demo."))
    cut = picture[max(0, y - half) : y + half, x - half : x + half]
    return np.asarray(cv2.resize(cut, (side_px, side_px), interpolation=cv2.INTER_LINEAR), np.uint8)


def _voice() -> NDArray[np.float32]:
    from edge.capture.media_file import open_media, read_chunks
    from pipeline.records import Tallies

    path = str(media_file(_VOICE))
    return np.concatenate([chunk.samples for chunk in read_chunks(open_media(path), path, 0, Tallies())])


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
