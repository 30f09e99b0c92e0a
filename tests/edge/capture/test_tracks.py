"""Files whose tracks are not what a film or a recording has: covers, several of a kind, empty ones, data beside."""

from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge.capture.media_file import open_media, read_frames
from edge.capture.microphone import Microphone, MicrophoneSettings
from models.sound_file import read_sound
from pipeline.errors import SourceError
from pipeline.records import Tallies
from tests.edge.capture.test_films_and_sounds import hear, loudness, tone


def write(
    path: Path,
    films: tuple[tuple[int, int], ...] = (),
    sounds: tuple[float, ...] = (),
    data: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A file with films (grey, height) and sound tracks (loudness of a tone) of a second, and of data."""
    with av.open(str(path), "w", options=options or {}) as container:
        if data:
            container.add_data_stream()
        pictures: list[Any] = []
        for _, height in films:
            video = container.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 64, height, "yuv420p"
            pictures.append(video)
        tracks: list[Any] = [
            container.add_stream("libmp3lame" if path.suffix == ".mp3" else "aac", rate=16_000, layout="mono")
            for _ in sounds
        ]
        for track, loud in zip(tracks, sounds, strict=True):
            packed = np.ascontiguousarray((tone(16_000, 1.0) * loud * 32_000).astype(np.int16))
            piece = av.AudioFrame.from_ndarray(packed, format="s16", layout="mono")
            piece.sample_rate, piece.time_base, piece.pts = 16_000, Fraction(1, 16_000), 0
            size = track.codec_context.frame_size or 1024
            resampler = av.AudioResampler(format=track.format.name, layout="mono", rate=16_000, frame_size=size)
            for each in (*resampler.resample(piece), *resampler.resample(None)):
                container.mux(track.encode(each))
            container.mux(track.encode(None))
        for video, (grey, height) in zip(pictures, films, strict=True):
            for _ in range(10):
                picture = av.VideoFrame.from_ndarray(np.full((height, 64, 3), grey, np.uint8), format="bgr24")
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
    return path


def seen(path: Path) -> list[tuple[int, int]]:
    """(height, grey) of each picture."""
    container = open_media(str(path))
    try:
        return [
            (len(frame.pixels), round(float(frame.pixels.mean()))) for frame in read_frames(container, "", Tallies())
        ]
    finally:
        container.close()


def _cover(sound: bytes) -> bytes:
    """An MP3 with a picture of its cover (ID3v2.3)."""
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 120, np.uint8), format="bgr24").reformat(
        format="yuvj420p"
    )
    packets: list[Any] = [*codec.encode(picture), *codec.encode(None)]
    body = b"\0image/jpeg\0\x03\0" + b"".join(bytes(packet) for packet in packets)
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame + sound


def wav(path: Path, data: bytes = b"") -> Path:
    head = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + head
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip
    return path


def test_the_cover_of_a_sound_is_no_camera(tmp_path: Path) -> None:
    """It was a film of one picture."""
    path = write(tmp_path / "plain.mp3", sounds=(1.0,), options={"id3v2_version": "0", "write_xing": "0"})
    path.write_bytes(_cover(path.read_bytes()))
    assert loudness(hear(path)[0]) > 0.2
    with pytest.raises(SourceError, match="no pictures"):
        seen(path)


def test_of_several_sound_tracks_none_is_guessed(tmp_path: Path) -> None:
    """The first was read, and may have been the civil servant's."""
    path = write(tmp_path / "two.mkv", ((50, 48),), (0.0, 1.0))
    with pytest.raises(SourceError, match="2 sound tracks"):
        hear(path)
    with pytest.raises(SourceError, match="2 sound tracks"):
        read_sound(path)
    assert len(seen(path)) == 10


def test_of_several_films_none_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="2 films"):
        seen(write(tmp_path / "two.mkv", ((200, 24), (50, 48))))


def test_data_beside_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "data.ts", ((50, 48),), (1.0,), data=True)
    assert {height for height, _ in seen(path)} == {48}
    assert loudness(hear(path)[0]) > 0.2


@pytest.mark.parametrize("data", [b"", b"\0"])
def test_a_track_that_holds_no_sound_is_told(tmp_path: Path, data: bytes) -> None:
    """It was silence without a sentence, and a file that plays again and again was opened without a pause."""
    path = wav(tmp_path / "empty.wav", data)
    for read in (hear, read_sound):
        with pytest.raises(SourceError):
            read(path)
    lost: list[bool] = []
    microphone = Microphone(str(path), loop=True, settings=MicrophoneSettings(first_pause_s=10.0), on_lost=lost.append)
    microphone.start()
    deadline = time.monotonic() + 10
    while not lost and time.monotonic() < deadline:
        time.sleep(0.01)
    microphone.stop()
    assert lost == [True]
    assert "holds no sound" in str(microphone.reason)
    assert microphone.tallies.dropped["lost"] == 1


def test_a_film_without_its_sound_is_told(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "mute.mkv"), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 50, np.uint8), format="bgr24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    with pytest.raises(SourceError, match="holds no sound"):
        hear(tmp_path / "mute.mkv")
