"""Short films and sounds for tests, made from the demo's portraits and voices (`hailong models fetch --demo`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.catalogue import media_file
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Frame

Pixels = NDArray[np.uint8]
Sound = NDArray[np.float32]
HEIGHT_PX, WIDTH_PX, RATE_HZ = 360, 640, 10

FACES = {"astronaut": (222, 122, 150), "obama": (490, 275, 400), "obama2": (335, 450, 480), "biden": (565, 395, 480)}
"""Middle of the face (x, y) and side of a square around the head, in pixels of each picture."""


@lru_cache
def head(name: str, side_px: int) -> Pixels:
    """A square with one head, uint8 [side, side, 3], BGR."""
    import cv2

    picture = cv2.imread(str(media_file(name)))
    assert picture is not None
    x, y, side = FACES[name]
    top, left = max(0, y - side // 2), max(0, x - side // 2)
    cut = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(cut, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)


def scene(*people: tuple[str, int, int, int]) -> Pixels:
    """A grey wall with people in front: (name, side of the head's square, x and y of its left upper corner), in px."""
    wall = np.full((HEIGHT_PX, WIDTH_PX, 3), 120, np.uint8)
    wall += (np.arange(WIDTH_PX, dtype=np.uint8)[None, :, None] // 16) % 8
    for name, side_px, x, y in people:
        wall[y : y + side_px, x : x + side_px] = head(name, side_px)
    return wall


def frames(picture: Pixels, seconds: float, start_s: float = 0.0, rate_hz: int = RATE_HZ) -> Iterator[Frame]:
    """The same picture for a while, slightly shaken."""
    for number in range(round(seconds * rate_hz)):
        yield Frame(np.roll(picture, (number % 2, (number // 2) % 3), axis=(0, 1)), start_s + number / rate_hz)


@lru_cache
def voice(name: str) -> Sound:
    """A voice of the demo, float32 [n], 16 kHz."""
    from edge.capture.media_file import open_media, read_chunks
    from pipeline.records import Tallies

    path = str(media_file(name))
    return np.concatenate([chunk.samples for chunk in read_chunks(open_media(path), path, 0, Tallies())])


def chunks(sound: Sound, start_s: float = 0.0, size: int = 1024) -> Iterator[Chunk]:
    """A sound in chunks."""
    for at in range(0, len(sound), size):
        yield Chunk(sound[at : at + size], start_s + at / SAMPLE_RATE_HZ)


def silence(seconds: float) -> Sound:
    """Nothing at all."""
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def write_film(
    path: Path, pictures: Iterable[Pixels], sound: NDArray[np.float32] | None = None, rate_hz: int = RATE_HZ
) -> Path:
    """An H.264 film; `sound` float32 [channels, n] at 16 kHz as AAC."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate_hz, options={"preset": "ultrafast", "threads": "1"})
        video.width, video.height, video.pix_fmt, video.time_base = WIDTH_PX, HEIGHT_PX, "yuv420p", Fraction(1, rate_hz)
        audio = None
        if sound is not None:
            layout = "mono" if len(sound) == 1 else "stereo"
            audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout=layout)
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for at in range(0, sound.shape[1], 1024):
                piece = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(sound[:, at : at + 1024]), format="fltp", layout=layout
                )
                piece.sample_rate, piece.pts, piece.time_base = SAMPLE_RATE_HZ, at, Fraction(1, SAMPLE_RATE_HZ)
                container.mux(audio.encode(piece))
            container.mux(audio.encode(None))
    return path


def write_sound(path: Path, sound: NDArray[np.float32]) -> Path:
    """A WAV file; `sound` float32 [channels, n], 16 kHz."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(sound))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(sound.T, -1, 1) * 32767).astype("<i2").tobytes())
    return path
