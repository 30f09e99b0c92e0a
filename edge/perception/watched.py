"""One counter as it is seen and heard: its engine, its camera, its microphone.

All that is known of a visit is kept here, and in nothing that two counters share: frames, sound, tracks, consent,
opt-out. Whatever fails here is told of this counter, tried again after a pause, and stops no other one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from edge.capture.camera import Camera, Seen
from edge.capture.media_file import Interest, require_file
from edge.capture.microphone import Microphone
from edge.capture.quality import picture_notices
from edge.counters import CounterSection
from edge.delivery.health import Health
from edge.perception.engine import Engine, FaceToRead
from edge.perception.settings import EngineSettings
from edge.perception.turns import Due
from edge.worker import Attempts
from pipeline.errors import SourceError
from pipeline.language import Message, Sentence
from pipeline.records import Chunk, FaceAffect, Frame
from pipeline.wire import BoxState

if TYPE_CHECKING:
    from edge.perception.networks import Eyes

_log = logging.getLogger(__name__)
_AGAIN_S = 0.005
"""So long after its engine was found busy a counter is tried again."""
FRESH_S = 0.1
"""A picture that waits so long at most is as good as the next one."""
_TOLERATED = 25
"""One frame that fails is nothing; where so many in a row do, the counter counts as failed."""
SourceOf = Camera | Microphone


@dataclass(frozen=True, slots=True)
class Minute:
    """Counts at the end of a whole minute, and what it gave: `pictures_per_s` from the camera; `looked_share` of the
    pictures that were due."""

    begun_s: float = 0.0
    pictures: int = 0
    looked: int = 0
    late: int = 0
    pictures_per_s: float | None = None
    looked_share: float | None = None


class Watched:
    """A counter's engine and sources. Nothing is opened before `check` or `start`.

    `alone`: whether it is the box's only counter: then its name stands in no message, and a file that is not there is
    a mistake that is raised."""

    def __init__(
        self,
        counter: CounterSection,
        engine: Engine,
        health: Health,
        alone: bool,
        tell_at_once: bool,
    ) -> None:
        self.name, self.engine = counter.name, engine
        self._of = "" if alone else f" of counter {counter.name}"
        self._health, self._alone, self._tell_at_once = health, alone, tell_at_once
        self.notices: list[str] = []
        """What is poor about the one picture that is read at the start (keys of `edge.capture.quality.NOTICES`). It is
        not judged again while citizens come and go: no visit moves it."""
        self._told_day: int | None = None
        self.told: dict[BoxState, Sentence] = {}
        """What was told to be lost, and why."""
        self.minute = Minute()
        self._busy_until_s = float("-inf")
        self._stopping = False
        self.camera: Camera | None = None
        self.microphone: Microphone | None = None
        if counter.camera.source != "none":
            self.camera = Camera(counter.camera.stream, loop=counter.camera.loop, on_lost=self._camera_lost)
        if counter.microphone.source != "none":
            self.microphone = Microphone(
                counter.microphone.source,
                channel=counter.microphone.channel,
                loop=counter.microphone.loop,
                on_lost=self._microphone_lost,
            )
        self.looking, self.listening, self.reading = (
            Attempts(
                f"{name}{self._of}",
                on_failed=health.failed(f"{name}{self._of}", BoxState.ANALYSIS_OFF),
                on_error=partial(engine.tallies.drop, f"{name}_failed"),
                tolerated=_TOLERATED,
            )
            for name in ("eyes", "ears", "words")
        )

    @property
    def sources(self) -> list[SourceOf]:
        """Camera and microphone, where there are any."""
        return [source for source in (self.camera, self.microphone) if source is not None]

    @property
    def asks_consent(self) -> bool:
        """Whether nothing is opened without a yes."""
        return self.engine.settings.asks_consent

    @property
    def camera_lost(self) -> bool:
        """Whether there is a camera and it gives nothing."""
        return self.camera is not None and self.camera.lost

    # -- sources

    def check(self) -> None:
        """Read each source once, unless consent is asked first. A file that cannot be read is a wrong configuration; a
        device may be slower to start than the box after a power cut, so the box goes on without it, says so, and tries
        again. Raises `SourceError`."""
        for source in self.sources:
            try:
                if not self.asks_consent:
                    found = source.check()
                    if isinstance(found, Frame):
                        self.notices = picture_notices(found.pixels, self.engine.settings.region)
                elif source.is_file:
                    require_file(str(source.source))
            except SourceError as error:
                if self._alone and source.is_file and "://" not in str(source.source):
                    raise
                source.note_lost(error.said)
            except Exception:  # a supervisor: whatever a driver may do, the other counters have theirs
                if self._alone:
                    raise
                source.note_lost(Message("The {kind} {name} has failed.", kind=source.kind, name=source.name))

    def start(self) -> None:
        """Begin to look and listen."""
        for source in self.sources:
            if self.asks_consent:
                source.play_from_now()
            else:
                source.start()

    def close(self) -> None:
        """Look and listen no more; does not wait."""
        self._stopping = True
        for source in self.sources:
            source.close()

    def tend(self) -> None:
        """Call it a few times a second: opens the sources where a yes begins to hold, and closes them as soon as none
        does; tells the engine the time where no frame does."""
        now_s = time.monotonic()
        self._note_minute(now_s)
        if self.asks_consent:
            self.engine.tick(now_s)
            for source in self.sources:
                self._tend_to(source)
            self.tell_of_day(int(time.time() // 86_400))
        elif self.camera is None or self.camera.lost or self.camera.finished or now_s < self.looking.resume_s:
            self.engine.tick(now_s)

    def _note_minute(self, now_s: float) -> None:
        """Figures for whoever looks after the box: of whole minutes, so that they tell of no visit."""
        if self.camera is None or now_s - self.minute.begun_s < 60.0:
            return
        given = self.camera.tallies
        pictures = given.forwarded + sum(given.dropped.get(reason, 0) for reason in ("unwanted", "needless", "resting"))
        late = given.dropped.get("late", 0)
        before, looked = self.minute, self.engine.looks
        due = looked - before.looked + late - before.late
        known = before.begun_s > 0
        self.minute = Minute(
            now_s,
            pictures,
            looked,
            late,
            (pictures - before.pictures) / (now_s - before.begun_s) if known else None,
            (looked - before.looked) / due if known and due else None,
        )

    def _tend_to(self, source: SourceOf) -> None:
        wanted = self.engine.wants_sources and not self._stopping
        if not wanted:
            source.close()
        elif not source.is_open and not source.finished:
            source.start()

    # -- looking and listening

    def deliver_to(self, frame_due: Callable[[], None], chunk_due: Callable[[], None]) -> None:
        """Whom to wake when there is something to look at or to listen to."""

        def is_due(frame: Frame | Seen) -> bool:
            return frame.time_s >= self.engine.due_s

        if self.camera is not None:
            # what is not due is left out on purpose; what is due, and nobody had time for, is what overload costs
            self.camera.deliver_to(
                lambda frame: frame_due() if is_due(frame) else None,
                lambda frame: "late" if is_due(frame) else "between",
                is_due,
            )
            self.camera.interest = Interest(
                partial(self._wants, self.camera), lambda: self.engine.is_idle, lambda: self.engine.is_quiet
            )
        if self.microphone is not None:
            self.microphone.deliver_to(lambda _chunk: chunk_due(), lambda _chunk: "late")

    def _wants(self, camera: Camera) -> bool:
        """Whether a picture that comes now is made for somebody who looks: not while one waits that is nearly as
        new."""
        now_s = time.monotonic()
        if now_s < self.engine.due_s:
            return False
        waiting = camera.waiting
        if waiting is None or now_s - waiting.time_s > FRESH_S or waiting.time_s < self.engine.due_s:
            return True
        camera.tallies.drop("late")
        return False

    def frame_due(self) -> Due | None:
        """When the picture that waits is due; None where none waits that is to be looked at."""
        frame = None if self.camera is None else self.camera.waiting
        due_s = self.engine.due_s
        if frame is None or frame.time_s < due_s:
            return None
        return Due(due_s, max(self.looking.resume_s, self._busy_until_s))

    def chunk_due(self) -> Due | None:
        """The same of sound."""
        chunk: Chunk | None = None if self.microphone is None else self.microphone.waiting
        return None if chunk is None else Due(chunk.time_s, self.listening.resume_s)

    def look(self, eyes: Eyes) -> FaceToRead | None:
        """Look at the picture that waits; the face that is to be read in it, if any."""
        asked = None
        try:
            with self.engine.at_hand() as held:
                frame = self.camera.next(0.0) if held and self.camera is not None else None
                if frame is not None:
                    asked = self.engine.look(frame, eyes)
            if not held:
                self._busy_until_s = time.monotonic() + _AGAIN_S
        except Exception as error:  # a supervisor: this counter's trouble is no other's
            self.looking.failed(error)
            return None
        if held and asked is None:
            self.looking.succeeded()
        return asked

    def take_affect(self, asked: FaceToRead, affect: FaceAffect) -> None:
        """What was read of the face."""
        try:
            self.engine.take_affect(asked, affect)
        except Exception as error:  # a supervisor
            self.looking.failed(error)
        else:
            self.looking.succeeded()

    def listen(self) -> None:
        """Listen to the piece of sound that waits."""
        try:
            chunk = None if self.microphone is None else self.microphone.next(0.0)
            if chunk is not None:
                self.engine.feed_chunk(chunk)
        except Exception as error:  # a supervisor
            self.listening.failed(error)
        else:
            self.listening.succeeded()

    def read_words(self) -> bool:
        """Recognise one utterance that waits; false where none does."""
        if time.monotonic() < self.reading.resume_s:
            return False
        try:
            found = self.engine.work_words()
        except Exception as error:  # a supervisor
            self.reading.failed(error)
            return False
        self.reading.succeeded()
        return found

    # -- what is lost

    def tell_of_day(self, day: int) -> None:
        """Under consent sources open because somebody touched yes, and whether they do is told with the next day:
        earlier, heartbeats and journal would tell of the touch."""
        if day != self._told_day:
            self._told_day = day
            for state, source in (
                (BoxState.CAMERA_LOST, self.camera),
                (BoxState.MICROPHONE_LOST, self.microphone),
            ):
                if source is not None:
                    self._tell(state, source.lost, source)

    def _camera_lost(self, lost: bool) -> None:
        if self._tell_at_once:
            self._tell(BoxState.CAMERA_LOST, lost, self.camera)

    def _microphone_lost(self, lost: bool) -> None:
        if self._tell_at_once:
            self._tell(BoxState.MICROPHONE_LOST, lost, self.microphone)

    def _tell(self, state: BoxState, lost: bool, source: SourceOf | None) -> None:
        if source is not None and self._health.set(state, lost, self.name):
            if lost:
                self.told[state] = source.reason
                _log.warning("the %s%s is lost: %s", source.kind, self._of, source.reason)
            else:
                self.told.pop(state, None)
                _log.info("the %s%s is back", source.kind, self._of)


def settings_of(counter: CounterSection, settings: EngineSettings) -> EngineSettings:
    """The box's settings of an engine, as one counter has them."""
    return replace(
        settings,
        region=counter.camera.region,
        visits_by=counter.visits.by,
        has_camera=counter.camera.source != "none",
        fusion=replace(settings.fusion, prior=counter.visits.prior),
    )
