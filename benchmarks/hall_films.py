"""What the cameras of a hall show in benchmarks: films of the demo's people, coded as network cameras code.

A citizen sits there all the time, or nobody does and the civil servant is seen alone (she is outside the region). The
demo draws at 640x360; larger pictures are enlarged. H.264 (Main) without pictures that are coded after later ones, a
key picture every two seconds, and no more bits than a camera is set to send: what one sends as it is delivered.

Bits matter: half of a small picture's decoding is reading them. The second stream of a camera has 512 kbit/s at most
(Reolink, "The Bandwidth that Reolink IP Cameras Require": 512 in fluent mode; Scrypted, "Codec Settings": 500 at
640x360, 1,000 at 1280x720); Dahua's manuals set the key pictures' distance to twice the frame rate. The demo's noise,
which no camera leaves in a picture, took 1,200 to 1,400 kbit/s without a bound, and that is how it was until the end of
November 2026 (`kbit=0`).
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
SMALL_PX, SMALL_KBIT = 640 * 360, 512
"""What a second stream is set to; others have as many bits a pixel."""


def most_kbit(size: tuple[int, int]) -> int:
    """Bits a second, in thousands, that a camera is set to send at most for such pictures."""
    return round(SMALL_KBIT * size[0] * size[1] / SMALL_PX)


def sent_kbit(film: Path) -> float:
    """Bits a second, in thousands, that a film really has."""
    import av

    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        sizes = [packet.size for packet in container.demux(stream) if packet.size]
        return 8 * sum(sizes) / 1_000 * float(stream.average_rate or 0) / len(sizes)


def occupied_film(number: int, size: tuple[int, int], rate_hz: int, kbit: int = 0) -> Path:
    """A citizen who stays from the first picture to the last; `number` chooses who. `kbit`: at most so many thousand
    bits a second, 0: as many as the pictures take. Made on first use."""
    citizen, clerk = CITIZENS[number % len(CITIZENS)]
    # comes before the film begins and leaves after its end
    return _film(
        Script(clerk, (Scene(citizen, citizen, "voice_ly", -2.0, LENGTH_S + 2.0),), seed=1), size, rate_hz, kbit
    )


def empty_film(size: tuple[int, int], rate_hz: int, kbit: int = 0) -> Path:
    """Nobody but the civil servant."""
    nobody = Scene("biden", "biden", "voice_ly", LENGTH_S, LENGTH_S)
    return _film(Script("biden", (nobody,), seed=1), size, rate_hz, kbit)


def played_for(film: Path, seconds: float) -> Path:
    """The film again and again, in the cache, for so long."""
    out = film.with_name(f"{film.stem}-{round(seconds)}.mp4")
    if not out.exists():
        unfinished = out.with_suffix(f".{os.getpid()}.mp4")
        lengthened(film, unfinished, seconds)
        unfinished.replace(out)
    return out


def _film(script: Script, size: tuple[int, int], rate_hz: int, kbit: int) -> Path:
    bounds = {"profile": "main", "maxrate": f"{kbit}k", "bufsize": f"{kbit}k"} if kbit else {}
    encoder = {**ENCODER, **bounds}
    recipe = hashlib.sha256(f"{script!r} {size} {rate_hz} {encoder} {KEY_S} {LENGTH_S}".encode()).hexdigest()[:16]
    path = cache_folder() / "films" / f"hall-{recipe}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.mp4")
        _write(script, unfinished, size, rate_hz, encoder)
        unfinished.replace(path)
    return path


def _write(script: Script, path: Path, size: tuple[int, int], rate_hz: int, encoder: dict[str, str]) -> None:
    import av
    import cv2

    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=rate_hz, options=encoder)
        video.width, video.height = size
        video.pix_fmt, video.codec_context.gop_size = "yuv420p", KEY_S * rate_hz
        for number, pixels in enumerate(islice(Film(script).frames(), round(LENGTH_S * RATE_HZ))):
            picture = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
            frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
