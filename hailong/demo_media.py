"""Moving pictures and sound of a counter, made from photographs and recordings of real people.

`hailong models fetch --demo` brings five portraits and six voices (`demo_media.toml` lists origin and terms). Here they
become a film as a counter's camera and microphone would see and hear it: citizens come, stay, change their expression
and leave on the left; a civil servant sits on the right, outside the citizen's region. Faces and voices are real; that
they visit a counter is made up, and the demo's pages say so.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.catalogue import cache_folder, media_file

WIDTH_PX, HEIGHT_PX, RATE_HZ = 640, 360, 15
SOUND_HZ = 16_000
REGION = ((0.0, 0.0), (0.62, 0.0), (0.62, 1.0), (0.0, 1.0))
"""The citizen's region of these films, as the box's configuration takes it: relative x, y."""
_FACE_PX = 115.0
_REACH_PX = 170
_FADE_S = 0.35
_ENCODER = {"preset": "superfast", "crf": "23", "threads": "1"}

FACES: dict[str, tuple[float, float, float]] = {
    "astronaut": (222, 95, 140),
    "obama": (487, 265, 410),
    "obama2": (370, 390, 440),
    "obama3": (765, 440, 390),
    "biden": (570, 370, 480),
}
"""Centre x, centre y and height of the face in each pinned photograph, in its pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One citizen's visit in a film: the expression on arrival and on leaving (photographs), and what is heard."""

    arriving: str
    leaving: str
    voice: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """A film: the civil servant's photograph and the scenes in order."""

    clerk: str
    scenes: tuple[Scene, ...]
    seed: int

    @property
    def duration_s(self) -> float:
        """Length of the film."""
        return self.scenes[-1].end_s + 2.0


def scripts(visits: int = 7, stay_s: float = 7.2, gap_s: float = 1.6, lead_in_s: float = 1.5) -> tuple[Script, Script]:
    """The two counters' films, `visits` visits each, by two different people each."""
    casts = (
        ("biden", ("astronaut astronaut voice_ly", "obama3 obama voice_binh", "obama obama2 voice_tuyen")),
        ("obama2", ("biden biden voice_vinh", "astronaut astronaut voice_doan", "biden biden voice_tuyen")),
    )
    films = []
    for seed, (clerk, cast) in enumerate(casts, start=1):
        scenes = []
        for i in range(visits):
            start_s = lead_in_s + i * (stay_s + gap_s)
            arriving, leaving, voice = cast[i % len(cast)].split()
            scenes.append(Scene(arriving, leaving, voice, start_s=start_s, end_s=start_s + stay_s))
        films.append(Script(clerk, tuple(scenes), seed))
    return films[0], films[1]


class Film:
    """Draws a script. `frames` yields uint8 [360, 640, 3] BGR at 15 a second; `sound` is float32 [n], mono, 16 kHz."""

    def __init__(self, script: Script) -> None:
        import cv2

        self._cv2 = cv2
        self._script = script
        names = {script.clerk, *(s.arriving for s in script.scenes), *(s.leaving for s in script.scenes)}
        self._portraits = {name: self._portrait(name) for name in names}
        rows = np.linspace(150, 95, HEIGHT_PX, dtype=np.float32)[:, None, None]
        wall = (rows * np.array([1.02, 1.0, 0.96], dtype=np.float32)).repeat(WIDTH_PX, axis=1)
        self._empty = wall.astype(np.uint8)
        self._paint(self._empty, self._portraits[script.clerk], (527.0, 155.0), 0.9, 0.0, 1.0)

    def _portrait(self, name: str) -> NDArray[np.float32]:
        """One person: float32 [2r, 2r, 4], BGR and opacity, face in the middle, feathered so that no frame shows."""
        cv2 = self._cv2
        photo = cv2.imread(str(media_file(name)))
        assert photo is not None, "the catalogue has compared the file's sha256"
        x, y, height = FACES[name]
        scale, side = _FACE_PX / height, 2 * _REACH_PX
        matrix = np.array([[scale, 0, _REACH_PX - scale * x], [0, scale, _REACH_PX - scale * y]])
        cut = cv2.warpAffine(photo, matrix, (side, side), flags=cv2.INTER_AREA)
        inside = cv2.warpAffine(np.full(photo.shape[:2], 255, dtype=np.uint8), matrix, (side, side))
        mask = np.zeros((side, side), dtype=np.uint8)
        centre, axes = (_REACH_PX, round(_REACH_PX + 0.3 * _FACE_PX)), (round(0.85 * _FACE_PX), round(1.1 * _FACE_PX))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
        opacity = cv2.GaussianBlur(cv2.min(mask, inside), (0, 0), 5).astype(np.float32) / 255.0
        return np.dstack([cut.astype(np.float32), opacity])

    def _paint(
        self,
        canvas: NDArray[np.uint8],
        portrait: NDArray[np.float32],
        centre_px: tuple[float, float],
        scale: float,
        angle_deg: float,
        opacity: float,
    ) -> None:
        """Paint a portrait over `canvas` with its face at `centre_px`."""
        cv2 = self._cv2
        left, top = round(centre_px[0]) - _REACH_PX, round(centre_px[1]) - _REACH_PX
        matrix = cv2.getRotationMatrix2D((_REACH_PX, _REACH_PX), angle_deg, scale)
        matrix[:, 2] += (centre_px[0] - round(centre_px[0]), centre_px[1] - round(centre_px[1]))
        turned = cv2.warpAffine(portrait, matrix, portrait.shape[:2])
        y0, y1 = max(0, top), min(HEIGHT_PX, top + len(turned))
        x0, x1 = max(0, left), min(WIDTH_PX, left + len(turned))
        part = turned[y0 - top : y1 - top, x0 - left : x1 - left]
        alpha = part[:, :, 3:] * np.float32(opacity)
        canvas[y0:y1, x0:x1] = (canvas[y0:y1, x0:x1] * (1 - alpha) + part[:, :, :3] * alpha).astype(np.uint8)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Every frame in order; the same for the same script."""
        cv2 = self._cv2
        rng = np.random.default_rng(self._script.seed)
        grains = [rng.normal(4.0, 2.5, self._empty.shape).clip(0, 12).astype(np.uint8) for _ in range(7)]
        for i in range(round(self._script.duration_s * RATE_HZ)):
            time_s = i / RATE_HZ
            canvas = self._empty.copy()
            for scene in self._script.scenes:
                if scene.start_s <= time_s < scene.end_s:
                    self._paint_citizen(canvas, scene, time_s)
            light = 1.0 + 0.05 * np.sin(0.7 * time_s + self._script.seed)
            yield np.asarray(cv2.add(cv2.convertScaleAbs(canvas, alpha=light), grains[i % 7]), dtype=np.uint8)

    def _paint_citizen(self, canvas: NDArray[np.uint8], scene: Scene, time_s: float) -> None:
        into_s, left_s = time_s - scene.start_s, scene.end_s - time_s
        progress = into_s / (scene.end_s - scene.start_s)
        slide_px = 105.0 * (max(0.0, 1 - into_s / 0.8) ** 2 + max(0.0, 1 - left_s / 0.6) ** 2)
        centre = (200.0 - slide_px + 7 * np.sin(1.9 * time_s), 150.0 + 3 * np.sin(2.7 * time_s))
        scale, angle_deg = 1.0 + 0.05 * np.sin(0.8 * time_s), 3.0 * np.sin(1.3 * time_s)
        opacity = float(np.clip(min(into_s, left_s) / _FADE_S, 0.0, 1.0))
        change = float(np.clip((progress - 0.45) / 0.1, 0.0, 1.0)) if scene.arriving != scene.leaving else 0.0
        portrait = self._portraits[scene.arriving]
        if change > 0:
            portrait = portrait * np.float32(1 - change) + self._portraits[scene.leaving] * np.float32(change)
        self._paint(canvas, portrait, centre, scale, angle_deg, opacity)

    def sound(self) -> NDArray[np.float32]:
        """A quiet room, and in each scene the citizen's voice."""
        rng = np.random.default_rng(self._script.seed)
        samples = rng.normal(0.0, 0.001, round(self._script.duration_s * SOUND_HZ)).astype(np.float32)
        for scene in self._script.scenes:
            voice = _read_sound(media_file(scene.voice))
            start = round((scene.start_s + 0.5) * SOUND_HZ)
            voice = voice[: round((scene.end_s - scene.start_s - 0.7) * SOUND_HZ)]
            samples[start : start + len(voice)] += 0.3 * voice / max(1e-6, float(np.abs(voice).max()))
        return samples


def _read_sound(path: Path) -> NDArray[np.float32]:
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_HZ)
    pieces: list[NDArray[np.float32]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return np.concatenate(pieces)


def film_file(script: Script) -> Path:
    """The script's film in the cache; made on first use (some seconds)."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + repr(script).encode()).hexdigest()[:16]
    path = cache_folder() / "films" / f"{recipe}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.mp4")
        write_film(script, unfinished)
        unfinished.replace(path)
    return path


def write_film(script: Script, path: Path) -> None:
    """Write a script's film (H.264 and AAC in MP4). Raises `ModelError` where `hailong models fetch --demo` was not
    run."""
    import av

    film = Film(script)
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=RATE_HZ, options={"preset": "superfast", "crf": "23", "threads": "1"}
        )
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_HZ)
        audio.layout = "mono"
        for pixels in film.frames():
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(video.encode(None))
        samples = film.sound()
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
