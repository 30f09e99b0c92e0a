"""What the cameras of a hall show in benchmarks: films of the demo's people, coded as network cameras code.

A citizen sits there all the time, or nobody does and the civil servant is seen alone (she is outside the region). The
demo draws at 640x360; larger pictures are enlarged. H.264 without pictures that are coded after later ones, a key
picture every two seconds: what a camera sends as it is delivered.
"""

from __future__ import annotations

import hashlib
import os
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rtsp import lengthened
from hailong.demo_media import RATE_HZ, Film, Scene, Script
from models.catalogue import cache_folder

CITIZENS = (("astronaut", "biden"), ("obama3", "biden"), ("biden", "obama2"))
"""Who sits there, and the civil servant."""
LENGTH_S = 10.0
"""So long a film is before it is played again."""
KEY_S = 2
ENCODER = {"preset": "superfast", "tune": "zerolatency", "crf": "23", "threads": "1", "bf": "0"}


def occupied_film(number: int, size: tuple[int, int], rate_hz: int) -> Path:
    """A citizen who stays from the first picture to the last; `number` chooses who. Made on first use."""
    citizen, clerk = CITIZENS[number % len(CITIZENS)]
    # comes before the film begins and leaves after its end
    return _film(Script(clerk, (Scene(citizen, citizen, "voice_ly", -2.0, LENGTH_S + 2.0),), seed=1), size, rate_hz)


def empty_film(size: tuple[int, int], rate_hz: int) -> Path:
    """Nobody but the civil servant."""
    nobody = Scene("biden", "biden", "voice_ly", LENGTH_S, LENGTH_S)
    return _film(Script("biden", (nobody,), seed=1), size, rate_hz)


def played_for(film: Path, seconds: float) -> Path:
    """The film again and again, in the cache, for so long."""
    out = film.with_name(f"{film.stem}-{round(seconds)}.mp4")
    if not out.exists():
        unfinished = out.with_suffix(f".{os.getpid()}.mp4")
        lengthened(film, unfinished, seconds)
        unfinished.replace(out)
    return out


def _film(script: Script, size: tuple[int, int], rate_hz: int) -> Path:
    recipe = hashlib.sha256(f"{script!r} {size} {rate_hz} {ENCODER} {KEY_S} {LENGTH_S}".encode()).hexdigest()[:16]
    path = cache_folder() / "films" / f"hall-{recipe}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.mp4")
        _write(script, unfinished, size, rate_hz)
        unfinished.replace(path)
    return path


def _write(script: Script, path: Path, size: tuple[int, int], rate_hz: int) -> None:
    import av
    import cv2

    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=rate_hz, options=ENCODER)
        video.width, video.height = size
        video.pix_fmt, video.codec_context.gop_size = "yuv420p", KEY_S * rate_hz
        for number, pixels in enumerate(islice(Film(script).frames(), round(LENGTH_S * RATE_HZ))):
            picture = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
            frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
