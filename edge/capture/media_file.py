"""Pictures and sound of files and network streams, by PyAV (FFmpeg), one decoding thread.

FFmpeg's messages may hold an address with its password, so none of them is passed on: errors are told in own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.capture.redaction import redacted
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Frame, Tallies

CHUNK = 1024
"""Samples of a chunk: two windows of the voice activity detector, 64 ms."""


def open_media(source: str, open_s: float = 10.0, read_s: float = 10.0) -> Any:
    """A PyAV container. Raises `SourceError` without the address' password."""
    import av

    # one second is enough to know a stream; FFmpeg's own five would be five seconds behind after every reconnection
    options = {"analyzeduration": "1000000"}
    if source.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    try:
        if "://" in source:
            return av.open(source, options=options, timeout=(open_s, read_s))
        return av.open(source)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(source, error) from None


def _unreadable(source: str, error: Exception) -> SourceError:
    name = redacted(source)
    if "://" in source:
        return SourceError(
            f"The stream {name} cannot be opened ({type(error).__name__}).",
            "Check address, user and password, and that the camera answers on this network.",
        )
    path = Path(source)
    if not path.exists():
        return SourceError(f"There is no file {name}.", "Check the path.")
    if path.is_file() and path.stat().st_size == 0:
        return SourceError(f"The file {name} is empty.", "Record it anew, or name another.")
    return SourceError(f"The file {name} is not a film or a recording that FFmpeg can read.", "Name another file.")


def _packets(container: Any, stream: Any, source: str) -> Iterator[Any]:
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        raise SourceError(
            f"{redacted(source)} has stopped in the middle.", "Check the network and the camera."
        ) from None


def read_frames(container: Any, source: str, tallies: Tallies) -> Iterator[Frame]:
    """Pictures of a container with their media time, from 0. Damaged ones are counted (`corrupt`) and left out.

    Raises `SourceError` where the container has no pictures at all."""
    import av

    if not container.streams.video:
        raise SourceError(f"{redacted(source)} holds no pictures.", "Name a film, not a sound.")
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    rate = float(stream.average_rate or 25)
    first_s: float | None = None
    last_s = -1 / rate
    for packet in _packets(container, stream, source):
        try:
            pictures = packet.decode()
        except av.FFmpegError:
            tallies.drop("corrupt")
            continue
        for picture in pictures:
            # some streams have no times, some run backwards after a cut: then the rate tells
            time_s = last_s + 1 / rate if picture.time is None else float(picture.time)
            first_s = time_s if first_s is None else first_s
            time_s -= first_s
            last_s = time_s if time_s > last_s else last_s + 1 / rate
            tallies.forwarded += 1
            yield Frame(picture.to_ndarray(format="bgr24"), last_s)
    if first_s is None:
        raise SourceError(
            f"{redacted(source)} holds no picture that can be decoded.", "It may be cut off: record anew."
        )


def read_chunks(container: Any, source: str, channel: int, tallies: Tallies) -> Iterator[Chunk]:
    """Sound of a container: one of its channels, 16 kHz, in chunks with their media time from 0.

    The channel is taken before resampling: the other ones are never mixed in. Raises `SourceError` where the
    container has no sound, or not that channel."""
    import av

    if not container.streams.audio:
        raise SourceError(f"{redacted(source)} holds no sound.", "Name a file with a sound track.")
    stream = container.streams.audio[0]
    count = stream.codec_context.channels
    if channel >= count:
        raise SourceError(
            f"{redacted(source)} has {count} channel(s); channel {channel} is not one of them.",
            "Channels are counted from 0: set [microphone] channel.",
        )
    planar = av.AudioResampler(format="fltp")
    mono = Resampler(stream.codec_context.sample_rate)
    rest = np.zeros(0, np.float32)
    done = 0
    for packet in _packets(container, stream, source):
        try:
            pieces = packet.decode()
        except av.FFmpegError:
            tallies.drop("corrupt")
            continue
        for piece in pieces:
            for plane in planar.resample(piece):
                rest = np.concatenate([rest, mono.feed(plane.to_ndarray()[channel])])
        while len(rest) >= CHUNK:
            tallies.forwarded += 1
            yield Chunk(rest[:CHUNK].copy(), done / SAMPLE_RATE_HZ)
            done, rest = done + CHUNK, rest[CHUNK:]
    rest = np.concatenate([rest, mono.flush()])
    if len(rest):
        tallies.forwarded += 1
        yield Chunk(rest, done / SAMPLE_RATE_HZ)


class Resampler:
    """Mono float32 of any rate to 16 kHz."""

    def __init__(self, rate_hz: int) -> None:
        import av

        self._av = av
        self._rate_hz = rate_hz
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE_HZ)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples float32 [n] of the source's rate -> float32 [m] of 16 kHz; a few stay inside until the next call."""
        if self._rate_hz == SAMPLE_RATE_HZ:
            return np.asarray(samples, np.float32)
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate = self._rate_hz
        return self._join(self._resampler.resample(frame))

    def flush(self) -> NDArray[np.float32]:
        """What stayed inside."""
        if self._rate_hz == SAMPLE_RATE_HZ:
            return np.zeros(0, np.float32)
        return self._join(self._resampler.resample(None))

    @staticmethod
    def _join(frames: Any) -> NDArray[np.float32]:
        pieces = [np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)]
        return np.concatenate(pieces).astype(np.float32, copy=False)
