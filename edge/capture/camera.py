"""A camera by device number, RTSP address or file, kept alive: it may hang, die and come back, and the box goes on.

A thread reads and hands the newest picture over, a network camera's still coded (`edge.capture.live_film`); an older
one that nobody took is dropped and counted. Another watches the age of the newest picture: a source that says nothing
for `stale_s` is given up and opened anew after a pause that doubles from try to try. A thread that hangs in a driver
is left behind and ends itself when it wakes; while one does, the next ones are bounded more strictly (`open_media`), so
that no camera can leave more than one behind for good. A live source that gives the very same picture for a minute is
lost, too (`edge.capture.repeats`): whoever sat there last would be seen at every visit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import uniform

import numpy as np

from edge.capture.live_film import LiveFilm
from edge.capture.media_file import Interest, nothing_decodable, open_media, read_frames, to_decode, video_of
from edge.capture.repeats import Repeats
from edge.capture.source import Source
from edge.worker import Worker
from pipeline.errors import SourceError
from pipeline.language import NOTHING, Message
from pipeline.records import Frame, Tallies


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """Time-outs of a camera, in seconds."""

    open_s: float = 10.0
    read_s: float = 10.0
    stale_s: float = 8.0
    """Without a picture for so long, the source counts as lost."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0


def read_camera(
    source: int | str,
    settings: CameraSettings,
    tallies: Tallies,
    passed_s: float = 0.0,
    interest: Interest | None = None,
) -> Generator[Frame]:
    """Pictures of a source as fast as it gives them; of a file with its media time, from `passed_s` on, else with the
    monotonic time. Of what is live only those that `interest` wants; the others are counted (`unwanted`).

    Raises `SourceError` where it cannot be opened or holds no picture; ends where it ends."""
    if isinstance(source, int):
        yield from _read_device(source, tallies, interest or Interest())
        return
    container = open_media(source, settings.open_s, settings.read_s)
    try:
        live = interest if "://" in source else None  # a file is read before its pictures are due
        for frame in read_frames(container, source, tallies, passed_s, live):
            yield replace(frame, time_s=time.monotonic()) if "://" in source else frame
    finally:
        container.close()


@dataclass(frozen=True, slots=True)
class Seen:
    """That a picture of a network camera has come, at `time_s` (monotonic clock); `film` decodes it."""

    film: LiveFilm
    time_s: float


def read_live(
    source: str, settings: CameraSettings, tallies: Tallies, interest: Interest, watched: bool = True
) -> Generator[Seen]:
    """Says of each picture of a network stream that is of the present that it has come; whoever looks at it decodes it.
    `watched`: somebody else gives it up where nothing comes.

    Raises `SourceError` where it cannot be opened or holds no picture; ends where it ends."""
    container = open_media(source, settings.open_s, settings.read_s, watched)
    film: LiveFilm | None = None
    try:
        stream = video_of(container, source)
        film = LiveFilm(stream, tallies)
        for coded in to_decode(container, stream, source, tallies, interest, film.decoder.resting):
            now_s = time.monotonic()
            film.put(coded, now_s)
            if coded.is_present and film.has_shown:
                yield Seen(film, now_s)
        if not film.has_shown:
            raise nothing_decodable(source)
    except GeneratorExit:
        if film is not None:
            film.close()  # nobody is to look any more
        raise
    finally:
        if film is not None:
            film.end()  # before its container is closed: then nobody decodes of it any more
        container.close()


def _read_device(number: int, tallies: Tallies, interest: Interest) -> Iterator[Frame]:
    import cv2

    if not Path(f"/dev/video{number}").exists() and Path("/dev").is_dir():
        raise SourceError(
            Message("There is no camera {number} on this machine.", number=number),
            Message("List them with: ls /dev/video*; set [camera] source, or plug it in."),
        )
    capture = cv2.VideoCapture(number, cv2.CAP_V4L2)
    try:
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not capture.isOpened():
            raise SourceError(
                Message("Camera {number} cannot be opened.", number=number),
                Message(
                    "Another program may hold it; or this user is not in the group video (usermod -aG video USER)."
                ),
            )
        while True:
            if not capture.grab():
                return
            if not interest.wants():
                tallies.drop("unwanted")
                continue
            read, pixels = capture.retrieve()
            if not read:
                return
            tallies.forwarded += 1
            yield Frame(np.asarray(pixels, np.uint8), time.monotonic())
    finally:
        capture.release()


class Camera(Source[Frame | Seen]):
    """A live camera, or a file that plays like one. The newest picture alone waits. Times of frames are of the
    monotonic clock.

    `tallies`: pictures read, and dropped by reason: `unwanted`, `needless`, `resting`, `behind`, `late`, `between`,
    `corrupt`, `same`; `lost` and `stale` count interruptions. `interest`: of whoever looks at a live picture."""

    kind = "camera"
    gives_nothing = "gives no picture."

    def __init__(
        self,
        source: int | str,
        *,
        loop: bool = False,
        settings: CameraSettings | None = None,
        on_lost: Callable[[bool], None] = lambda lost: None,
    ) -> None:
        source = int(source) if isinstance(source, str) and source.isdecimal() else source
        super().__init__(source, isinstance(source, str) and "://" not in source, 1, loop, on_lost)
        self._settings = settings or CameraSettings()
        self.interest = Interest()
        self._generation = 0
        self._beat_s = 0.0
        self._film: LiveFilm | None = None
        self._repeats = Repeats()
        self._stands = False
        """Whether the source gives the same picture over and over."""
        self._woken = threading.Event()
        """That a reader has ended, or that this camera is to stop."""
        self._left: list[Worker] = []
        """Readers that were given up and have not ended."""

    def _items(self, tallies: Tallies, passed_s: float = 0.0) -> Generator[Frame]:
        return read_camera(self.source, self._settings, tallies, passed_s, self.interest)

    def _live_items(self, passed_s: float) -> Generator[Frame | Seen]:
        if isinstance(self.source, str) and not self.is_file:
            return read_live(self.source, self._settings, self.tallies, self.interest, watched=not self._left)
        return self._items(self.tallies, passed_s)

    def check(self) -> Frame:
        found = super().check()
        assert isinstance(found, Frame)
        return found

    def next(self, timeout_s: float) -> Frame | None:
        """The newest picture, decoded now where it is coded; None where none came in time, or it was damaged."""
        item = super().next(timeout_s)
        frame = item.film.newest() if isinstance(item, Seen) else item
        return None if frame is None or self._is_old(frame) else frame

    def _is_old(self, frame: Frame) -> bool:
        """Whether a live source's picture is none of now."""
        if self.is_file:
            return False
        stands = self._repeats.stands(frame.pixels, frame.time_s)
        if stands:
            self.tallies.drop("same")
        if stands != self._stands:
            self._stands = stands
            said = Message("The camera {name} gives the same picture again and again.", name=self.name)
            self._set_lost(said if stands else NOTHING)
        return stands

    def close(self) -> None:
        super().close()
        self._woken.set()
        self._forget()

    def stop(self) -> None:
        self._worker.ask_to_stop()
        self._woken.set()
        super().stop()
        self._forget()

    def _forget(self) -> None:
        self._repeats.forget()
        self._stands = False
        film = self._film
        if film is not None:
            film.close()

    # -- the watching thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = self._settings.first_pause_s
        while not self._worker.stopping and not self._ended.is_set():
            self._generation += 1
            self._beat_s = time.monotonic()
            before = self.tallies.forwarded
            self._left = [each for each in self._left if each.is_alive]
            self._woken.clear()
            reader = Worker(
                "camera reader",
                partial(self._read_turn, self._generation),
                on_error=partial(self._reader_failed, self._generation),
                first_pause_s=0.0,
            )
            reader.start()
            while reader.is_alive and not self._worker.stopping:
                # not ten times a second: of 64 cameras that is as much as a camera's pictures
                self._woken.wait(min(1.0, self._settings.stale_s / 8))
                opening_s = self._settings.open_s if self.tallies.forwarded == before else 0.0
                if time.monotonic() - self._beat_s > self._settings.stale_s + opening_s:
                    self.tallies.drop("stale")
                    self._set_lost(Message("The camera {name} has stopped giving pictures.", name=self.name))
                    break
            self._generation += 1  # whoever still reads is not listened to any more
            reader.ask_to_stop()
            self._left.append(reader)
            if self._worker.stopping or self._ended.is_set():
                break
            if self.tallies.forwarded > before:
                pause_s = self._settings.first_pause_s
            # not all cameras of a hall at once, when its network comes back
            self._worker.wait(pause_s * uniform(0.75, 1.25))
            pause_s = min(2 * pause_s, self._settings.longest_pause_s)

    def _reader_failed(self, generation: int) -> None:
        """The watching thread reads anew; this one does not."""
        if not self._over(generation):
            self._generation += 1
            self._failed()

    def _read_turn(self, generation: int) -> bool:
        try:
            if not self._over(generation):
                self._read(generation)
        finally:
            if not self._over(generation):
                self._woken.set()
        return False

    def _read(self, generation: int) -> None:
        try:
            start_s, passed_s = self._file_start() if self.is_file else (time.monotonic(), 0.0)
            while True:
                length_s = self._read_once(generation, start_s, passed_s)
                if not (self.is_file and self._loop) or self._over(generation):
                    break
                start_s, passed_s = start_s + length_s, 0.0
        except SourceError as error:
            if not self._over(generation):
                self.tallies.drop("lost")
                self._set_lost(error.said)
            return
        if self._over(generation):
            return
        if self.is_file:
            self._ended.set()
        else:
            self.tallies.drop("lost")
            self._set_lost(Message("The camera {name} has ended its stream.", name=self.name))

    def _read_once(self, generation: int, start_s: float, passed_s: float) -> float:
        """Read the source to its end; returns its length where it is a file."""
        time_s = step_s = 0.0
        for item in self._live_items(passed_s):
            if self._over(generation):
                break
            now_s = time.monotonic()
            if isinstance(item, Seen):
                self._film = item.film
                # packets that give no picture are no sign of life
                barren_s = item.film.barren_since_s
                self._beat_s = now_s if barren_s is None else barren_s
            elif self.is_file:
                # a file plays in real time, so that the box meets it as it would meet a camera
                step_s, time_s = item.time_s - time_s, item.time_s
                item = replace(item, time_s=start_s + time_s)
                self._beat_s = now_s
                if self._worker.wait(max(0.0, item.time_s - now_s)):
                    break
                self._beat_s = time.monotonic()
            else:
                self._beat_s = now_s
            self._slots.put(item)
            if self._lost and not self._stands:
                self._set_lost(NOTHING)
        return time_s + max(step_s, 1e-3)

    def _over(self, generation: int) -> bool:
        return self._worker.stopping or generation != self._generation
