"""Films and sounds as people bring them: turned, changing in the middle, with odd times, many channels, odd names."""

from __future__ import annotations

import contextlib
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.capture.decoding import MAX_PIXELS, Decoder, square_pixels
from edge.capture.media_file import CHUNK, open_media, read_chunks, read_frames
from edge.capture.microphone import Microphone, MicrophoneSettings
from edge.commands.replay import Sources
from models.sound_file import read_sound
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Frame, Tallies
from tests.edge.clips import scene, voice, write_film

FUZZ = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
RATES = (8_000, 16_000, 22_050, 44_100, 48_000)


def tone(rate_hz: int, seconds: float, channels: int = 1, loud: int = 0) -> NDArray[np.float32]:
    """float32 [channels, n]: 440 Hz in one channel, silence in the others."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz)
    found = np.zeros((channels, len(wave)), np.float32)
    found[loud] = wave
    return found


def write_sound(
    path: Path, parts: list[tuple[int, NDArray[np.float32], float]], codec: str = "pcm_s16le", fmt: str = "s16"
) -> Path:
    """Parts (rate, samples, start in seconds), one after the other in one stream; in Matroska, which keeps times."""
    with av.open(str(path), "w") as container:
        rate_hz, first, _ = parts[0]
        stream: Any = container.add_stream(codec, rate=rate_hz, layout=layout_of(len(first)))
        stream.time_base = Fraction(1, rate_hz)
        for rate, samples, start_s in parts:
            assert rate == rate_hz
            for at in range(0, samples.shape[1], 1024):
                packed = np.ascontiguousarray((samples[:, at : at + 1024].T.reshape(1, -1) * 32_000).astype(np.int16))
                piece = av.AudioFrame.from_ndarray(packed, format=fmt, layout=layout_of(len(samples)))
                piece.sample_rate, piece.time_base = rate, Fraction(1, rate)
                piece.pts = round(start_s * rate) + at
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def layout_of(channels: int) -> str:
    return {1: "mono", 2: "stereo", 4: "4.0", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}.get(channels, f"{channels}C")


def hear(path: Path, channel: int = 0) -> tuple[NDArray[np.float32], float, Tallies]:
    """What is heard, where it begins, and what was counted."""
    tallies = Tallies()
    container = open_media(str(path))
    found = list(read_chunks(container, str(path), channel, tallies))
    container.close()
    for chunk, following in pairwise(found):
        assert following.time_s == pytest.approx(chunk.time_s + len(chunk.samples) / SAMPLE_RATE_HZ)
        assert len(chunk.samples) == CHUNK
    samples = np.concatenate([np.zeros(0, np.float32), *(chunk.samples for chunk in found)])
    return samples, found[0].time_s if found else 0.0, tallies


def loudness(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


@pytest.mark.parametrize("channels", [1, 2, 6, 8, 16])
def test_one_of_many_channels_is_read(tmp_path: Path, channels: int) -> None:
    """Eight channels ended the process (segmentation fault)."""
    path = write_sound(tmp_path / "many.mkv", [(16_000, tone(16_000, 1.0, channels, channels - 1), 0.0)])
    assert loudness(hear(path, channels - 1)[0]) == pytest.approx(0.345, abs=0.02)
    assert channels == 1 or loudness(hear(path, 0)[0]) < 0.01, "no other one is mixed in"
    with pytest.raises(SourceError, match="channel"):
        hear(path, channels)


def test_planar_sound_of_eight_channels(tmp_path: Path) -> None:
    path = tmp_path / "planar.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="7.1")
        resampler = av.AudioResampler(format="fltp", layout="7.1", rate=48_000)
        for at in range(20):
            packed = np.zeros((1, 8 * 1024), np.int16)
            piece = av.AudioFrame.from_ndarray(packed, format="s16", layout="7.1")
            piece.sample_rate, piece.time_base, piece.pts = 48_000, Fraction(1, 48_000), at * 1024
            for planar in resampler.resample(piece):
                container.mux(stream.encode(planar))
        container.mux(stream.encode(None))
    assert len(hear(path, 7)[0]) > 4_000
    assert len(read_sound(path)) > 4_000


def join(path: Path, *parts: tuple[int, int, float]) -> Path:
    """MP3s of (rate, channels, seconds), end to end: what a recorder's split files become."""
    whole = b""
    for number, (rate, channels, seconds) in enumerate(parts):
        part = path.with_name(f"part{number}.mp3")
        with av.open(str(part), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
            stream = container.add_stream("libmp3lame", rate=rate, layout=layout_of(channels))
            packed = np.ascontiguousarray((tone(rate, seconds, channels).T.reshape(1, -1) * 32_000).astype(np.int16))
            piece = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout_of(channels))
            piece.sample_rate, piece.time_base, piece.pts = rate, Fraction(1, rate), 0
            for each in av.AudioResampler(format=stream.format.name, layout=layout_of(channels), rate=rate).resample(
                piece
            ):
                container.mux(stream.encode(each))
            container.mux(stream.encode(None))
        whole += part.read_bytes()
    path.write_bytes(whole)
    return path


@FUZZ
@given(
    parts=st.lists(
        st.tuples(st.sampled_from((16_000, 24_000, 44_100, 48_000)), st.sampled_from((1, 2)), st.floats(0.5, 2.0)),
        min_size=2,
        max_size=4,
    )
)
def test_sound_that_changes_rate_and_layout_keeps_its_length(
    tmp_path: Path, parts: list[tuple[int, int, float]]
) -> None:
    path = join(tmp_path / "cat.mp3", *parts)
    seconds = sum(part[2] for part in parts)
    samples, _, _ = hear(path)
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(seconds, abs=0.3 * len(parts))
    assert len(read_sound(path)) / SAMPLE_RATE_HZ == pytest.approx(seconds, abs=0.3 * len(parts))


@FUZZ
@given(
    rate=st.sampled_from(RATES), start_s=st.floats(0.5, 20.0), pause_s=st.floats(0.5, 30.0), channels=st.integers(1, 2)
)
def test_sound_that_begins_later_stays_later_and_keeps_its_gaps(
    tmp_path: Path, rate: int, start_s: float, pause_s: float, channels: int
) -> None:
    part = tone(rate, 1.0, channels)
    path = write_sound(tmp_path / "gap.mkv", [(rate, part, 0.0), (rate, part, 1.0 + pause_s)])
    samples, first_s, tallies = hear(path)
    assert first_s == pytest.approx(0.0, abs=0.02)
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(2.0 + pause_s, abs=0.1)
    pause = samples[round(1.2 * SAMPLE_RATE_HZ) : round((0.9 + pause_s) * SAMPLE_RATE_HZ)]
    assert loudness(pause) < 0.01
    assert tallies.dropped == {}


def film(path: Path, times_s: list[float], sound: tuple[float, float] | None = None) -> Path:
    """A film whose pictures are stamped as told; `sound`: (start, seconds) of a tone."""
    pictures = [np.full((48, 64, 3), 10 + number, np.uint8) for number in range(len(times_s))]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt, video.time_base = 64, 48, "yuv420p", Fraction(1, 1_000)
        audio = None if sound is None else container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for pixels, time_s in zip(pictures, times_s, strict=True):
            picture = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            picture.pts, picture.time_base = round(time_s * 1_000), Fraction(1, 1_000)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            packed = np.ascontiguousarray((tone(16_000, sound[1]) * 32_000).astype(np.int16))
            for at in range(0, packed.shape[1], 1024):
                piece = av.AudioFrame.from_ndarray(packed[:, at : at + 1024], format="s16", layout="mono")
                piece.sample_rate, piece.time_base = 16_000, Fraction(1, 16_000)
                piece.pts = round(sound[0] * 16_000) + at
                container.mux(audio.encode(piece))
            container.mux(audio.encode(None))
    return path


def see(path: Path) -> tuple[list[Frame], Tallies]:
    tallies = Tallies()
    container = open_media(str(path))
    found = list(read_frames(container, str(path), tallies))
    container.close()
    return found, tallies


@FUZZ
@given(start_s=st.floats(0.0, 12.0), seconds=st.floats(0.5, 3.0))
def test_the_voice_of_a_film_stays_where_it_is(tmp_path: Path, start_s: float, seconds: float) -> None:
    path = film(tmp_path / "voice_after.mkv", [number / 10 for number in range(60)], (start_s, seconds))
    chunks = [item for item in Sources(str(path), None).read() if isinstance(item, Chunk)]
    loud = [chunk.time_s for chunk in chunks if loudness(chunk.samples) > 0.1]
    assert min(loud) == pytest.approx(start_s, abs=0.15)
    assert max(loud) == pytest.approx(start_s + seconds, abs=0.2)


@FUZZ
@given(
    jumps=st.dictionaries(st.integers(1, 38), st.floats(-40_000.0, 40_000.0).filter(lambda s: abs(s) > 6), max_size=4)
)
def test_times_that_jump_are_bounded(jumps: dict[int, float]) -> None:
    from edge.capture.media_file import _Times

    tallies = Tallies()
    times = _Times(0.0, 0.1, tallies)
    found, shift_s = [], 0.0
    for number in range(40):
        shift_s += jumps.get(number, 0.0)
        found.append(times.next(number / 10 + shift_s))
    assert all(0 < b - a <= 5.1 for a, b in pairwise(found))
    assert found[-1] == pytest.approx(3.9, abs=0.01)
    assert tallies.dropped.get("time_jump", 0) == len(jumps)


class _Turned:
    """A decoded picture with a matrix that turns it, or an odd time."""

    def __init__(self, pixels: NDArray[np.uint8], rotation: int = 0, time_s: float | None = None) -> None:
        self._pixels, self.rotation, self.time = pixels, rotation, time_s
        self.height, self.width = pixels.shape[:2]

    def pixels_of(self, width: int, height: int) -> NDArray[np.uint8]:
        """What a converter would make of it."""
        assert self._pixels.shape[:2] == (height, width)
        return self._pixels


def _as_they_are() -> Any:
    """Pictures of ours need no converter."""
    return patch.object(Decoder, "_bgr", lambda _self, picture, width, height: picture.pixels_of(width, height))


@pytest.mark.parametrize("stray_s", [36_003.0, -7.0, float("nan")])
def test_one_stray_time_stamp_is_no_second_visit(stray_s: float) -> None:
    times = [number / 10 for number in range(60)]
    times[30] = stray_s
    pixels = np.zeros((2, 2, 3), np.uint8)
    tallies = Tallies()
    with _as_they_are():
        frames = list(read_frames(_Container([_Turned(pixels, 0, time_s) for time_s in times]), "film", tallies))
    assert len(frames) == 60
    assert all(0 < b.time_s - a.time_s < 0.5 for a, b in pairwise(frames))
    assert frames[-1].time_s == pytest.approx(5.9, abs=0.2)
    assert tallies.dropped.get("time_jump", 0) == (0 if np.isnan(stray_s) else 2)


@FUZZ
@given(turns=st.lists(st.sampled_from([0, 90, 180, 270, -90, -180]), min_size=1, max_size=5), height=st.integers(1, 9))
def test_a_turned_film_is_seen_upright(turns: list[int], height: int) -> None:
    """A matrix that says "turn by so much counter-clockwise": what was stored turned the other way is upright."""
    upright = np.arange(height * 7 * 3, dtype=np.uint8).reshape(height, 7, 3)
    pictures = [_Turned(np.rot90(upright, -turn // 90), turn) for turn in turns]
    with _as_they_are():
        frames = list(read_frames(_Container(pictures), "film", Tallies()))
    assert all(np.array_equal(frame.pixels, upright) for frame in frames)


class _Container:
    """As much of a container as reading pictures asks for."""

    def __init__(self, pictures: list[Any]) -> None:
        self._pictures = pictures
        self.streams = self
        self.video: list[Any] = [self]
        self.audio: list[Any] = []
        self.start_time = self.time_base = None
        self.average_rate, self.thread_type, self.codec_context, self.sample_aspect_ratio = 10, "", self, None
        self.options: dict[str, str] = {}
        self.is_keyframe, self.disposition = False, 0

    def demux(self, stream: object) -> list[Any]:
        return [self]

    def decode(self) -> list[Any]:
        return self._pictures


@FUZZ
@given(
    pixel_format=st.sampled_from(
        ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "bgr0", "gray", "gbrp10le", "yuv420p10le"]
    ),
    width=st.integers(8, 40),
    height=st.integers(8, 40),
)
def test_every_pixel_format_is_read(tmp_path: Path, pixel_format: str, width: int, height: int) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1" if pixel_format != "yuvj420p" else "mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = width * 2, height * 2, pixel_format
        picture = av.VideoFrame.from_ndarray(np.full((height * 2, width * 2, 3), 200, np.uint8), format="bgr24")
        container.mux(video.encode(picture.reformat(format=pixel_format)))
        container.mux(video.encode(None))
    (frame,), _ = see(path)
    assert frame.pixels.shape == (height * 2, width * 2, 3)
    assert abs(float(frame.pixels.mean()) - 200) < 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = film(tmp_path_factory.mktemp("whole") / "whole.mkv", [number / 10 for number in range(12)], (0.2, 0.8))
    return path.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    places=st.lists(st.tuples(st.floats(0.0, 1.0), st.binary(min_size=1, max_size=8)), max_size=12),
    kept=st.floats(0.02, 1.0),
)
def test_a_damaged_film_ends_with_a_sentence(
    tmp_path: Path, whole: bytes, places: list[tuple[float, bytes]], kept: float
) -> None:
    """Bytes that are changed, and an end that is missing: pictures, chunks and a `SourceError`, nothing else."""
    damaged = bytearray(whole)
    for place, content in places:
        at = round(place * (len(damaged) - 10))
        damaged[at : at + len(content)] = content
    path = tmp_path / "damaged.mkv"
    path.write_bytes(damaged[: max(1, round(kept * len(damaged)))])
    last_s = 0.0
    with contextlib.suppress(SourceError):
        for item in Sources(str(path), None).read():
            assert item.time_s <= last_s + 6 * 3_600 + 60
            last_s = item.time_s
    with contextlib.suppress(SourceError):
        read_sound(path)


@pytest.mark.parametrize("name", ["cam1:0800.mp4", "http:x.mp4", "concat:a|b.mp4", "Quầy số 3: sáng.mp4"])
def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "film.mp4", [scene()] * 3, np.zeros((1, 4_000), np.float32))
    (tmp_path / "film.mp4").rename(name)
    assert len(see(Path(name))[0]) == 3
    assert len(read_sound(Path(name))) > 0


def test_sound_that_is_no_number_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "nan.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16_000, layout="mono")
        for at in range(4):
            samples = np.full((1, 1024), np.nan if at % 2 else 3.0, np.float32)
            piece = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
            piece.sample_rate, piece.time_base, piece.pts = 16_000, Fraction(1, 16_000), at * 1024
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    samples, _, _ = hear(path)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


@pytest.mark.parametrize(
    "frame",
    [
        lambda: Frame(np.zeros((2, 2), np.uint8), 0.0),
        lambda: Frame(np.zeros((2, 2, 3), np.float32), 0.0),
        lambda: Frame(np.zeros((0, 2, 3), np.uint8), 0.0),
        lambda: Frame(np.zeros((9_000, 1, 3), np.uint8), 0.0),
        lambda: Frame(np.zeros((2, 2, 3), np.uint8), float("nan")),
        lambda: Chunk(np.zeros((2, 2), np.float32), 0.0),
        lambda: Chunk(np.zeros(2), 0.0),  # type: ignore[arg-type]
        lambda: Chunk(np.array([np.nan], np.float32), 0.0),
        lambda: Chunk(np.array([1.5], np.float32), 0.0),
        lambda: Chunk(np.zeros(61 * SAMPLE_RATE_HZ, np.float32), 0.0),
        lambda: Chunk(np.zeros(2, np.float32), float("inf")),
    ],
)
def test_records_of_the_rim_check_themselves(frame: Any) -> None:
    with pytest.raises(ValueError, match=r"a (frame|chunk)"):
        frame()


class _Failing(Microphone):
    """A driver that raises what nobody has thought of, and then works."""

    tries = 0

    def _items(self, tallies: Tallies, passed_s: float = 0.0) -> Any:
        self.tries += 1
        if self.tries < 3:
            raise RuntimeError("unforeseen")
        for number in range(10_000):
            tallies.forwarded += 1
            yield Chunk(voice("voice_ly")[:CHUNK], number * 0.064)


def test_a_microphone_that_fails_in_any_way_is_lost_and_comes_back() -> None:
    """Before, its thread ended and nobody was told."""
    told: list[bool] = []
    microphone = _Failing("device", settings=MicrophoneSettings(first_pause_s=0.01), on_lost=told.append)
    microphone._worker._attempts._first_pause_s = 0.01
    microphone.start()
    assert microphone.next(5.0) is not None
    microphone.stop()
    assert told == [True, False]
    assert microphone.tallies.dropped["lost"] == 2


@pytest.mark.parametrize(
    ("shape", "size"), [(None, (120, 160)), ((1, 2), (240, 160)), ((2, 1), (120, 320)), ((64, 63), (120, 160))]
)
def test_pixels_that_are_not_square_are_made_square(
    tmp_path: Path, shape: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        if shape is not None:
            stream.codec_context.sample_aspect_ratio = Fraction(*shape)
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8), format="bgr24")
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    found = [frame.pixels.shape[:2] for frame in read_frames(open_media(str(path)), str(path), Tallies())]
    assert found == [size] * 3


@given(st.integers(1, 9_000), st.integers(1, 9_000), st.floats(allow_nan=False))
def test_no_shape_of_pixels_loses_any_or_outgrows_the_bounds(width: int, height: int, shape: float) -> None:
    wide, high = square_pixels(width, height, shape)
    assert wide >= width
    assert high >= height
    assert (wide, high) == (width, height) or wide * high <= MAX_PIXELS


@pytest.mark.parametrize(("rate_hz", "channels"), [(1, 1), (16_000, 255), (3_999, 1), (16_000, 65)])
def test_sound_beyond_all_bounds_is_told(tmp_path: Path, rate_hz: int, channels: int) -> None:
    """It had been counted as damaged, piece by piece, without a sentence."""
    path = tmp_path / "odd.wav"
    data = bytes(2 * channels * 400)
    fmt = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels * 2, channels * 2, 16)
    size = struct.pack("<I", 36 + len(data))
    path.write_bytes(b"RIFF" + size + b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data"
                     + struct.pack("<I", len(data)) + data)  # fmt: skip
    with pytest.raises(SourceError, match=f"{rate_hz} Hz with {channels} channels"):
        hear(path)
