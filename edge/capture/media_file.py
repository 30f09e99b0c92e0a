"""Pictures and sound of files and network streams, by PyAV (FFmpeg), one decoding thread.

FFmpeg's messages may hold an address with its password, so none of them is passed on: errors are told in own words.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.capture.decoding import MAX_PIXELS, Coded, Decoder
from edge.capture.gusts import in_gusts
from edge.capture.lag import Lag
from edge.capture.quality import Levels
from edge.capture.redaction import redacted
from edge.capture.resting import Resting
from pipeline.errors import SourceError
from pipeline.language import Message
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Frame, Tallies

CHUNK = 1024
"""Samples of a chunk: two windows of the voice activity detector, 64 ms."""
MAX_JUMP_S = 5.0
"""A picture that is stamped so much later than the one before is joined to it."""
MAX_LATE_S = 6 * 3_600.0
"""Sound that begins so much later than the pictures is taken to begin with them."""
MAX_GAP_S = 60.0
"""A pause in the sound that is longer is no pause, but a wrong time stamp."""
UNEVEN_S = 0.2
"""Time stamps are not more even than this."""
_NO_FILM = 0x400 | 0x800 | 0x10_0000
"""FFmpeg's dispositions of a cover, of thumbnails with their times, and of a still picture."""
MIN_RATE_HZ, MAX_RATE_HZ, MAX_CHANNELS = 4_000, 400_000, 64


def open_media(source: str, open_s: float = 10.0, read_s: float = 10.0, watched: bool = False) -> Any:
    """A PyAV container. A stream opens within `open_s` seconds and gives something within `read_s`, or fails.

    `watched`: somebody else gives a stream up that gives nothing. Then of RTSP each single wait is bounded instead, by
    FFmpeg: PyAV's own bound takes Python's lock for each of the 400 reads a second of a small stream, and dozens of
    cameras would keep all other threads from working. Raises `SourceError` without the address' password."""
    import av

    # one second is enough to know a stream; FFmpeg's own five would be five seconds behind after every reconnection
    options = {"analyzeduration": "1000000"}
    by_ffmpeg = False
    if source.startswith("rtsp"):
        options["rtsp_flags"] = "prefer_tcp"  # a camera that gives its pictures by UDP alone is taken, too
        options["timeout"] = str(int(read_s * 1e6))
        by_ffmpeg = watched
    try:
        if "://" in source:
            return av.open(source, options=options, timeout=(open_s, None if by_ffmpeg else read_s))
        return av.open(file_url(source))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(source, error) from None


def file_url(path: str) -> str:
    """A file's name as FFmpeg takes it: what stands before a colon in it is no protocol."""
    return f"file:{path}"


def require_file(path: str) -> None:
    """Raises `SourceError` where there is no such file; does not open it."""
    if not Path(path).exists():
        raise _missing(redacted(path))


def _missing(name: str) -> SourceError:
    return SourceError(Message("There is no file {name}.", name=name), Message("Check the path."))


def _unreadable(source: str, error: Exception) -> SourceError:
    name = redacted(source)
    if "://" in source:
        return SourceError(
            Message("The stream {name} cannot be opened ({name_2}).", name=name, name_2=type(error).__name__),
            Message("Check address, user and password, and that the camera answers on this network."),
        )
    path = Path(source)
    if not path.exists():
        return _missing(name)
    if path.is_file() and path.stat().st_size == 0:
        return SourceError(Message("The file {name} is empty.", name=name), Message("Record it anew, or name another."))
    return SourceError(
        Message("The file {name} is not a film or a recording that FFmpeg can read.", name=name),
        Message("Name another file."),
    )


def go_to(container: Any, passed_s: float) -> None:
    """Go on from before `passed_s` of media time: what is before the picture that stands alone there is not read."""
    import av

    if passed_s > 0:
        container.seek(int((passed_s + (_origin_s(container) or 0.0)) * av.time_base), backward=True)


def length_s(path: str) -> float | None:
    """How long a file is, as it says itself; None where it does not."""
    import av

    container = open_media(path)
    try:
        return None if container.duration is None else float(container.duration / av.time_base)
    finally:
        container.close()


def _packets(container: Any, stream: Any, source: str) -> Iterator[Any]:
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        raise SourceError(
            Message("{redacted} has stopped in the middle.", redacted=redacted(source)),
            Message("Check the network and the camera."),
        ) from None


def _sent_s(packet: Any, tick_s: float | None) -> float | None:
    """When a packet was to be decoded, by the stream's clock."""
    ticks = packet.pts if packet.dts is None else packet.dts
    return None if ticks is None or tick_s is None else ticks * tick_s


def _media_s(packet: Any, origin_s: float | None) -> float:
    return float(packet.pts * packet.time_base) - (origin_s or 0.0)


def _origin_s(container: Any) -> float | None:
    """Media time 0 of pictures and sound alike: the first picture's, where there are pictures."""
    for stream in (*_films(container), *container.streams.audio):
        if stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * stream.time_base)
    return None


class _Times:
    """Media time of pictures that may have none, may run backwards after a cut, or be stamped hours away: such a one
    is joined to the one before, and counted (`time_jump`)."""

    def __init__(self, origin_s: float | None, step_s: float, tallies: Tallies) -> None:
        self._shift_s = 0.0 if origin_s is None else origin_s
        self._knows_origin = origin_s is not None
        self._step_s = step_s
        self._tallies = tallies
        self._last_s = -step_s
        self.begins_anywhere = False
        """Whether the next picture may be of any time: after `go_to`."""

    def next(self, stamped_s: float | None) -> float:
        """The time of the next picture, after the one before; from 0."""
        following_s = self._last_s + self._step_s
        if stamped_s is None or not math.isfinite(stamped_s):
            self._last_s = following_s
            return following_s
        if not self._knows_origin:
            self._shift_s, self._knows_origin = stamped_s, True
        time_s = stamped_s - self._shift_s
        if self.begins_anywhere:
            self.begins_anywhere = False
        elif time_s > self._last_s + MAX_JUMP_S or time_s <= self._last_s:
            self._tallies.drop("time_jump")
            self._shift_s, time_s = stamped_s - following_s, following_s
        self._last_s = time_s
        return time_s


@dataclass(slots=True)
class Interest:
    """What whoever looks at a live picture wants of it, asked for each one: what nobody looks at is not made.

    `wants`: whether the next picture is looked at. `rests`: whether a few pictures a second are enough: then those that
    no other is coded after need not be decoded. `sleeps`: nobody is there, those that stand alone are enough
    (`edge.capture.resting`). `clock`: tells whether the stream is read too late; then only these are decoded."""

    wants: Callable[[], bool] = lambda: True
    rests: Callable[[], bool] = lambda: False
    sleeps: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic


def read_frames(
    container: Any, source: str, tallies: Tallies, passed_s: float = 0.0, interest: Interest | None = None
) -> Iterator[Frame]:
    """Pictures of a container with their media time, from 0, upright: turned as the film says, with square pixels.
    Damaged ones are counted (`corrupt`) and left out; their size and the turn may change from one to the next. Pictures
    before `passed_s` are not turned into any, nor are those that `interest` does not want (`unwanted`); nor are packets
    decoded while a live stream is read too late (`behind`).

    Raises `SourceError` where the container has no pictures at all, or several films of which one is the counter's."""
    stream = video_of(container, source)
    rate = float(stream.average_rate or 0)
    origin_s = _origin_s(container)
    times = _Times(origin_s, 1 / rate if 1 <= rate <= 1_000 else 1 / 25, tallies)
    times.begins_anywhere = passed_s > 0
    go_to(container, passed_s)
    found = passed_s > 0
    decoder = Decoder(stream, tallies)
    for coded in to_decode(container, stream, source, tallies, interest, decoder.resting):
        for picture in decoder.decode(coded):
            if not coded.is_present or (interest is not None and not interest.wants()):
                found = True
                tallies.drop("unwanted")
                continue
            if passed_s > 0 and (picture.time or 0.0) - (origin_s or 0.0) < passed_s:
                continue
            frame = decoder.frame(picture, times.next(picture.time))
            if frame is None:
                continue
            found = True
            tallies.forwarded += 1
            yield frame
    if not found:
        raise nothing_decodable(source)


def video_of(container: Any, source: str) -> Any:
    """A container's pictures, to be decoded on the thread that asks for them. Raises `SourceError` where it has none,
    or they cannot be decoded here, or where a file has several: of a live camera's the first is its main one."""
    films = _films(container)
    if not films:
        raise SourceError(
            Message("{redacted} holds no pictures.", redacted=redacted(source)), Message("Name a film, not a sound.")
        )
    if len(films) > 1 and "://" not in source:
        raise SourceError(
            Message("{redacted} holds {count} films in one.", redacted=redacted(source), count=len(films)),
            Message("Save the counter's own alone."),
        )
    stream = films[0]
    if stream.codec_context is None:
        raise _no_decoder(source)
    stream.thread_type = "NONE"
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # refused before memory is taken
    return stream


def _films(container: Any) -> list[Any]:
    """A container's streams of pictures; the cover of a sound is none."""
    return [stream for stream in container.streams.video if not int(stream.disposition) & _NO_FILM]


def nothing_decodable(source: str) -> SourceError:
    """Of a source whose packets give no picture."""
    return SourceError(
        Message("{redacted} holds no picture that can be decoded.", redacted=redacted(source)),
        Message("It may be cut off: record anew."),
    )


def to_decode(
    container: Any, stream: Any, source: str, tallies: Tallies, interest: Interest | None, resting: Resting
) -> Iterator[Coded]:
    """Packets that have to be decoded, in their order: all, or what `interest` needs."""
    lag, follows = Lag(), True
    tick_s = None if stream.time_base is None else float(stream.time_base)
    packets = _packets(container, stream, source)
    for packet in packets if interest is None else in_gusts(packets, interest.sleeps):
        if interest is None or not packet.size:
            yield Coded(packet)
            continue
        rests = interest.rests()
        # what follows a picture that was left out cannot be decoded before the next one that stands alone
        now_s = interest.clock()
        behind = lag.update(_sent_s(packet, tick_s), now_s)
        followed, follows = follows, not behind and (follows or packet.is_keyframe)
        if not follows and not packet.is_keyframe:
            resting.leave_out()
            tallies.drop("behind")
            continue
        due = resting.take(packet, interest.sleeps(), now_s)
        # what is coded after pictures of before the gap is left out, not damaged
        after_gap = resting.has_gap or (packet.is_keyframe and not followed)
        for number, each in enumerate(due):
            yield Coded(each, each is packet, after_gap and number == 0, rests)


def read_chunks(
    container: Any, source: str, channel: int, tallies: Tallies, passed_s: float = 0.0, levels: Levels | None = None
) -> Iterator[Chunk]:
    """Sound of a container: one of its channels, 16 kHz, in chunks with their media time, on the clock of the
    container's pictures. Sound that begins later stays later, its gaps are filled with silence. What is before
    `passed_s` is left out.

    Rate, format and layout may change from one piece to the next. The channel is taken before resampling: the other
    ones are never mixed in; of them `levels` learns how loud they are, nothing else. Raises `SourceError` where the
    container has no sound, more tracks than one, or not that channel."""
    import av

    if not container.streams.audio:
        raise SourceError(
            Message("{redacted} holds no sound.", redacted=redacted(source)), Message("Name a file with a sound track.")
        )
    if len(container.streams.audio) > 1:  # the civil servant's voice may be in any of them
        count = len(container.streams.audio)
        raise SourceError(
            Message("{redacted} holds {count} sound tracks.", redacted=redacted(source), count=count),
            Message("Save it with the citizen's alone."),
        )
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise _no_decoder(source)
    if channel >= stream.codec_context.channels:
        raise _no_channel(source, stream.codec_context.channels, channel)
    rate_hz, count = int(stream.codec_context.sample_rate or 0), int(stream.codec_context.channels)
    if rate_hz and not _is_sound(rate_hz, count):
        raise SourceError(
            Message(
                "{redacted}: sound of {rate_hz} Hz with {count} channels cannot be read.",
                redacted=redacted(source),
                rate_hz=rate_hz,
                count=count,
            ),
            Message(
                "Record from {low} to {high} Hz with at most {most} channels.",
                low=MIN_RATE_HZ,
                high=MAX_RATE_HZ,
                most=MAX_CHANNELS,
            ),
        )
    origin_s = _origin_s(container)
    sound = _Sound(source, channel, origin_s, tallies, levels)
    go_to(container, passed_s)
    for packet in _packets(container, stream, source):
        if passed_s > 0 and packet.pts is not None and _media_s(packet, origin_s) < passed_s:
            continue
        try:
            pieces = packet.decode()
        except (av.FFmpegError, ValueError):
            tallies.drop("corrupt")
            continue
        for piece in pieces:
            try:
                sound.take(piece)
            except (av.FFmpegError, ValueError, MemoryError):
                tallies.drop("corrupt")
            yield from sound.chunks()
    sound.flush()
    yield from sound.chunks(rest=True)
    if passed_s <= 0 and not sound.was_heard:
        raise SourceError(
            Message("{redacted} has a sound track that holds no sound.", redacted=redacted(source)),
            Message("It may be cut off: record anew, or save the film without it."),
        )


def _is_sound(rate_hz: int, count: int) -> bool:
    """Whether sound of that rate and number of channels is within bounds."""
    return MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ and 1 <= count <= MAX_CHANNELS


def _no_decoder(source: str) -> SourceError:
    return SourceError(
        Message("{redacted} is coded in a way that this FFmpeg cannot read.", redacted=redacted(source)),
        Message("Convert it, as to H.264."),
    )


def _no_channel(source: str, count: int, channel: int) -> SourceError:
    return SourceError(
        Message(
            "{redacted} has {count} channel(s); channel {channel} is not one of them.",
            redacted=redacted(source),
            count=count,
            channel=channel,
        ),
        Message("Channels are counted from 0: set [microphone] channel."),
    )


class _Sound:
    """Decoded pieces in, chunks of one channel out."""

    def __init__(
        self, source: str, channel: int, origin_s: float | None, tallies: Tallies, levels: Levels | None = None
    ) -> None:
        import av

        self._levels = levels
        self._av = av
        self._source, self._channel, self._tallies = source, channel, tallies
        self._shift_s = origin_s
        """From a piece's time stamp to media time."""
        self._kind: tuple[Any, ...] = ()
        self._mono: Resampler | None = None
        self._packed: Any = None
        self._rest = np.zeros(0, np.float32)
        self._done: int | None = None
        """Samples before `rest`, silence included."""
        self._ahead_s = 0.0
        """Media time up to which sound was taken in."""

    def take(self, piece: Any) -> None:
        """Add a piece. Raises `SourceError` where it lacks the channel, `ValueError` where it is beyond all bounds."""
        rate_hz, count = int(piece.sample_rate), int(piece.layout.nb_channels)
        if not _is_sound(rate_hz, count):
            raise ValueError("a rate or a number of channels beyond all bounds")
        if self._channel >= count:
            raise _no_channel(self._source, count, self._channel)
        kind = (rate_hz, piece.format.name, piece.layout.name, count)
        if kind != self._kind:
            self.flush()
            self._kind, self._mono = kind, Resampler(rate_hz)
            self._packed = self._av.AudioResampler(format="flt")
        self._place(piece.time, piece.samples / rate_hz)
        assert self._mono is not None
        for each in self._packed.resample(piece):
            # packed, as PyAV reads beyond the end of planar frames of eight channels and more
            channels = np.asarray(each.to_ndarray()).reshape(-1, count)
            if self._levels is not None:
                self._levels.add(channels)
            samples = channels[:, self._channel]
            self._add(self._mono.feed(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)))

    def _place(self, stamped_s: float | None, length_s: float) -> None:
        """Where the piece stands in time: silence before it, where there is a gap."""
        if stamped_s is None or not math.isfinite(stamped_s):
            stamped_s = self._ahead_s + (self._shift_s or 0.0)
        if self._shift_s is None:
            self._shift_s = stamped_s
        time_s = stamped_s - self._shift_s
        if self._done is None:
            if time_s > MAX_LATE_S or time_s < -MAX_JUMP_S:
                self._tallies.drop("time_jump")
                self._shift_s, time_s = stamped_s, 0.0
            self._done = round(max(0.0, time_s) * SAMPLE_RATE_HZ)
            self._ahead_s = self._done / SAMPLE_RATE_HZ
        gap_s = time_s - self._ahead_s
        if gap_s > MAX_GAP_S or gap_s < -UNEVEN_S:
            self._tallies.drop("time_jump")
            self._shift_s = stamped_s - self._ahead_s
        elif gap_s > UNEVEN_S:
            self.flush()
            self._add(np.zeros(round(gap_s * SAMPLE_RATE_HZ), np.float32))
            self._ahead_s = time_s
        self._ahead_s += length_s

    @property
    def was_heard(self) -> bool:
        """Whether there was any piece."""
        return self._done is not None

    def flush(self) -> None:
        """What stayed inside of the resampler."""
        if self._mono is not None:
            self._add(self._mono.flush())
            self._mono = Resampler(self._kind[0])

    def _add(self, samples: NDArray[np.float32]) -> None:
        self._rest = np.concatenate([self._rest, np.clip(samples, -1.0, 1.0)])

    def chunks(self, rest: bool = False) -> Iterator[Chunk]:
        """Whole chunks; `rest`: the last, short one, too."""
        while len(self._rest) >= CHUNK or (rest and len(self._rest)):
            piece, self._rest = self._rest[:CHUNK].copy(), self._rest[CHUNK:]
            done = self._done or 0
            self._tallies.forwarded += 1
            yield Chunk(piece, done / SAMPLE_RATE_HZ)
            self._done = done + len(piece)


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
