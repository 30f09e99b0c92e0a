"""A microphone by device number or name, or a file's sound track, kept alive like the camera.

Only the citizen's channel is ever taken over from the driver; the others are not even copied.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.capture.media_file import Resampler, open_media, read_chunks
from edge.capture.quality import Levels
from edge.capture.source import Source
from pipeline.errors import SourceError
from pipeline.language import NOTHING, Message
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Tallies

MAX_WAITING_CHUNKS = 64
"""About four seconds: the engine may be busy with a frame, not with more."""
_MAX_DEVICE_CHANNELS = 8
SILENT_BELOW = 1e-4
"""Peak under which a chunk holds nothing at all (-80 dB of full scale): a muted or unplugged microphone."""


@dataclass(frozen=True, slots=True)
class MicrophoneSettings:
    """Time-outs of a microphone, in seconds."""

    stale_s: float = 5.0
    silent_s: float = 30.0
    """A microphone that gives nothing but zeros for so long is told as silent, until it has been heard once. Not after
    that: with a noise gate it is silent whenever nobody speaks, and the box's state would tell of visits."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0


def is_file(source: int | str) -> bool:
    """Whether a source is a file, as against a device's number or name."""
    return isinstance(source, str) and (Path(source).suffix != "" or Path(source).exists()) and not source.isdecimal()


def read_microphone(
    source: int | str,
    channel: int,
    settings: MicrophoneSettings,
    tallies: Tallies,
    passed_s: float = 0.0,
    levels: Levels | None = None,
) -> Generator[Chunk]:
    """Chunks of a source: of a file with its media time, from `passed_s` on, else with the monotonic time. `levels`:
    learns how loud each channel is. Raises `SourceError`."""
    if is_file(source):
        container = open_media(str(source))
        try:
            yield from read_chunks(container, str(source), channel, tallies, passed_s, levels)
        finally:
            container.close()
    else:
        device = int(source) if isinstance(source, str) and source.isdecimal() else source
        yield from _read_device(device, channel, settings, tallies, levels)


def channels_to_open(most: int, channel: int) -> int:
    """How many channels of a device that has `most` are opened to read one of them.

    All: a sound system that is asked for fewer than there are mixes them, and the civil servant's side would be in the
    citizen's channel. A sound server names dozens, whatever is plugged in: of it at least two are asked for."""
    return most if most <= _MAX_DEVICE_CHANNELS else max(2, channel + 1)


def channel_levels(source: int | str, channel: int, seconds: float = 2.0) -> Levels:
    """How loud each channel is for so long, for whoever sets a microphone up. Raises `SourceError`."""
    levels, first_s = Levels(), None
    with closing(read_microphone(source, channel, MicrophoneSettings(), Tallies(), levels=levels)) as chunks:
        for chunk in chunks:
            first_s = chunk.time_s if first_s is None else first_s
            if chunk.time_s - first_s >= seconds:
                break
    return levels


def _read_device(
    device: int | str, channel: int, settings: MicrophoneSettings, tallies: Tallies, levels: Levels | None = None
) -> Iterator[Chunk]:
    try:
        import sounddevice
    except OSError:
        raise SourceError(
            Message("The library for microphones is missing."), Message("Run: apt install libportaudio2")
        ) from None
    try:
        found: Any = sounddevice.query_devices(device, "input")
    except (ValueError, sounddevice.PortAudioError):
        raise SourceError(
            Message("There is no microphone '{device}' on this machine.", device=device),
            Message("List them with: python -m sounddevice; set [microphone] source, or plug it in."),
        ) from None
    if channel >= int(found["max_input_channels"]):
        raise SourceError(
            Message(
                "The microphone '{device}' has {found} channel(s); channel {channel} is not one.",
                device=device,
                found=found["max_input_channels"],
                channel=channel,
            ),
            Message("Channels are counted from 0: set [microphone] channel."),
        )
    rate_hz = int(found["default_samplerate"])
    pieces: Queue[NDArray[np.float32]] = Queue(MAX_WAITING_CHUNKS)

    def take(data: NDArray[np.float32], frames: int, at: Any, status: Any) -> None:
        if status:
            tallies.drop("overrun")
        if levels is not None:
            levels.add(data)
        try:
            pieces.put_nowait(data[:, channel].copy())
        except Full:
            tallies.drop("late")

    resampler = Resampler(rate_hz)
    try:
        stream = sounddevice.InputStream(
            device=device,
            channels=channels_to_open(int(found["max_input_channels"]), channel),
            samplerate=rate_hz,
            blocksize=rate_hz // 16,
            callback=take,
        )
        with stream:
            while True:
                samples = resampler.feed(pieces.get(timeout=settings.stale_s))
                tallies.forwarded += 1
                yield Chunk(samples, time.monotonic() - len(samples) / SAMPLE_RATE_HZ)
    except Empty:
        raise SourceError(
            Message("The microphone '{device}' has stopped.", device=device), Message("Check its cable.")
        ) from None
    except sounddevice.PortAudioError:
        raise SourceError(
            Message("The microphone '{device}' cannot be opened.", device=device),
            Message("Another program may hold it; or this user may not use it."),
        ) from None


class Microphone(Source[Chunk]):
    """A live microphone, or a file that plays like one. It is lost while it is silent, too.

    `tallies`: chunks read, and dropped by reason: `late`, `overrun`, `corrupt`; `lost` and `silent` count
    interruptions."""

    kind = "microphone"
    gives_nothing = "gives no sound."

    def __init__(
        self,
        source: int | str,
        *,
        channel: int = 0,
        loop: bool = False,
        settings: MicrophoneSettings | None = None,
        on_lost: Callable[[bool], None] = lambda lost: None,
    ) -> None:
        super().__init__(source, is_file(source), MAX_WAITING_CHUNKS, loop, on_lost)
        self._channel = channel
        self._settings = settings or MicrophoneSettings()
        self._opened_s = 0.0
        self._was_heard = False
        self._is_silent = False

    def _items(self, tallies: Tallies, passed_s: float = 0.0) -> Generator[Chunk]:
        return read_microphone(self.source, self._channel, self._settings, tallies, passed_s)

    def _run(self) -> None:
        pause_s = self._settings.first_pause_s
        start_s, passed_s = time.monotonic(), 0.0
        opened = False
        while not self._worker.stopping:
            before = self.tallies.forwarded
            try:
                if self.is_file and not opened:
                    start_s, passed_s = self._file_start()
                start_s, passed_s, opened = start_s + self._read_once(start_s, passed_s), 0.0, True
            except SourceError as error:
                self.tallies.drop("lost")
                self._set_lost(error.said)
            else:
                if self.is_file and not self._loop:
                    self._ended.set()
                    return
                if self.is_file:
                    continue
            pause_s = self._settings.first_pause_s if self.tallies.forwarded > before else pause_s
            self._worker.wait(pause_s)
            pause_s = min(2 * pause_s, self._settings.longest_pause_s)
            start_s = time.monotonic()

    def _read_once(self, start_s: float, passed_s: float) -> float:
        length_s = 0.0
        self._opened_s = time.monotonic()
        for chunk in self._items(self.tallies, passed_s):
            if self.is_file:
                length_s = chunk.time_s + len(chunk.samples) / SAMPLE_RATE_HZ
                chunk = replace(chunk, time_s=start_s + chunk.time_s)
                # a chunk of a live microphone arrives when its last sample has been heard
                if self._worker.wait(max(0.0, start_s + length_s - time.monotonic())):
                    break
            if self._worker.stopping:
                break
            self._watch_silence(chunk)
            self._slots.put(chunk)
        return length_s

    def _watch_silence(self, chunk: Chunk) -> None:
        now_s = time.monotonic()
        if len(chunk.samples) and float(np.abs(chunk.samples).max()) > SILENT_BELOW:
            self._was_heard, self._is_silent = True, False
        elif now_s - self._opened_s > self._settings.silent_s and not self._lost and not self._was_heard:
            self._is_silent = True
            self.tallies.drop("silent")
            self._set_lost(
                Message("The microphone {name} gives only silence: it may be muted or unplugged.", name=self.name)
            )
        if self._lost and not self._is_silent:
            # back at its first chunk, silent or not: at the first sound, the state would tell when somebody spoke
            self._set_lost(NOTHING)
