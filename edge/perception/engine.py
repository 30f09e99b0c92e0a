"""The engine: frames and sound in, closed visits out. It owns no clock, no socket and no thread.

Every method may be called from any thread; one lock makes them take turns, so a call waits for one frame's work at
most. Words (speech recognition) are the exception: they take seconds, so `work_words` is called by a thread of its own
and holds the lock only to take an utterance and to bring its result.

What is looked at, and when:
- visits by presence: the region is searched for faces always; affect is inferred of the citizen's face, and sound is
  listened to, only while a visit is open and its level is not frozen.
- visits by the queue system: nothing at all is looked at or listened to outside a visit.
- opted out: nothing is looked at or listened to from the next frame on. What ends that is no single event, which
  whoever calls the citizens could send while the same citizen sits there. By presence: `opt_out_s` are over (as nobody
  is looked at, absence cannot be seen) and then the place has been seen empty. By the queue system: a visit has ended
  and none was begun for `opt_out_rest_s`, or `opt_out_s` are over. A visit begun before that is opted out, too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from edge.perception.face_tracking import CitizenChoice, FaceTracker, TrackingParameters
from edge.perception.region import Region
from models.words import NoWords
from pipeline.fusion import Fused, FusionParameters, fuse
from pipeline.records import (
    Chunk,
    ClosedVisit,
    FaceAffect,
    FaceTrack,
    Frame,
    SpeechAffect,
    Tallies,
    Utterance,
    VisitLevel,
    WordsAffect,
)
from pipeline.visit import Presence, PresenceParameters, Visit

if TYPE_CHECKING:
    from edge.perception.networks import Networks

MAX_WAITING_UTTERANCES = 4


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine does with what it is fed.

    `region`: the citizen's polygon as (x, y) in 0..1 of the picture's width and height; empty: the whole picture."""

    region: tuple[tuple[float, float], ...] = ()
    visits_by: Literal["presence", "queue"] = "presence"
    look_every_s: float = 0.05
    """Frames that come sooner are left out: a face moves little in the meantime, whatever the camera's rate."""
    affect_every_s: float = 0.1
    opt_out_s: float = 1_800.0
    """How long nothing is looked at after an opt-out, unless the queue system tells a clear end before. Longer than
    nearly every visit; citizens who follow within it are missed."""
    opt_out_rest_s: float = 30.0
    """By the queue system: so long after a visit's end a call begins the next citizen's visit for sure. Sooner, it may
    be the same citizen, called once more: whoever opted out stays so."""
    empty_first: bool = False
    """By presence: who is there when the engine begins is not analysed: a restart must not undo an opt-out."""
    rating_wait_s: float = 60.0
    """A visit whose level is frozen and whose citizen has left waits so long for the rating."""
    presence: PresenceParameters = field(default_factory=PresenceParameters)
    tracking: TrackingParameters = field(default_factory=TrackingParameters)
    fusion: FusionParameters = field(default_factory=FusionParameters)

    def for_demo(self) -> EngineSettings:
        """The same for a demo's visits of a few seconds: only times are shorter."""
        fusion = replace(
            self.fusion,
            minimum_visit_s=1.5,
            minimum_evidence_s=1.0,
            minimum_observations=0.7,
            arrival_s=1.5,
            leaving_s=1.5,
        )
        presence = PresenceParameters(start_after_s=0.4, end_after_s=1.0, empty_after_s=0.4)
        return replace(self, presence=presence, fusion=fusion, opt_out_s=4.0, opt_out_rest_s=0.5, rating_wait_s=8.0)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What the engine holds of this moment, for `hailong replay` alone. Personal: never leaves the machine."""

    faces: int
    citizen: FaceTrack | None
    affect: FaceAffect | None
    speech: SpeechAffect | None
    words: WordsAffect | None
    fused: Fused | None
    visit_start_s: float | None
    face_seconds: float
    speech_seconds: float


class Engine:
    """One counter's engine. `on_visit` is called with the lock held, once for every visit that has ended; `on_started`
    with a visit's number when it has begun, and again with the same number when the queue system calls a citizen whose
    visit has begun already."""

    def __init__(
        self,
        settings: EngineSettings,
        networks: Networks,
        on_visit: Callable[[ClosedVisit], None],
        on_started: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.settings = settings
        self.tallies = Tallies()
        """Frames looked at, and dropped by reason: `between`, `opted_out`, `no_visit`, `time_backwards`."""
        self.sound_tallies = Tallies()
        """Chunks listened to, and dropped by reason: `not_listening`, `words_late`, `words_REASON`, `short`."""
        self.last_level: VisitLevel | None = None
        """Level of the visit that ended last, for `hailong replay`."""
        self._networks = networks
        self._on_visit, self._on_started = on_visit, on_started
        self._lock = threading.RLock()
        self._region = Region(settings.region)
        self._tracker = FaceTracker(networks.far, networks.near, networks.landmarks, settings.tracking)
        self._choice = CitizenChoice()
        self._presence = Presence(settings.presence, waits_for_empty=settings.empty_first)
        self._visit: Visit | None = None
        self._number = 0
        """Of the visit that was begun last, counted from 1."""
        self._waiting: deque[Utterance] = deque(maxlen=MAX_WAITING_UTTERANCES)
        self._now_s = 0.0
        self._frame_s = float("-inf")
        """Time of the last frame that was looked at."""
        self._affect_s: float | None = None
        self._frozen_s: float | None = None
        self._opted_out_s: float | None = None
        """Time of the touch that opted out, as long as it holds: longer than the visit, if need be."""
        self._ended_s = float("-inf")
        """When the last visit ended."""
        self._opted_out_early = False
        """Whether the open visit was begun by an opt-out, before anybody was seen or called."""
        self._listening = False
        self._tracks: list[FaceTrack] = []
        self._citizen: FaceTrack | None = None
        self._affect: FaceAffect | None = None
        self._speech: SpeechAffect | None = None
        self._words: WordsAffect | None = None

    @property
    def face_tallies(self) -> Tallies:
        """Faces followed, and dropped by reason."""
        return self._tracker.tallies

    @property
    def visit_open(self) -> bool:
        """Whether a citizen's visit is open now (for the tablet: show the rating button)."""
        return self._visit is not None

    @property
    def open_visit(self) -> int | None:
        """Number of the visit that is open now: what a sheet is bound to."""
        with self._lock:
            return None if self._visit is None else self._number

    @property
    def has_opted_out(self) -> bool:
        """Whether an opt-out holds now: for the open visit, and for one that began this moment."""
        return self._opted_out_s is not None

    # -- evidence --------------------------------------------------------------------------------------------------

    def feed_frame(self, frame: Frame) -> None:
        """Look at one picture; one whose time runs backwards is dropped."""
        with self._lock:
            since_s = frame.time_s - self._frame_s
            if since_s < 0:
                self.tallies.drop("time_backwards")
                return
            self._advance(frame.time_s)
            if self._opted_out_s is not None:
                self.tallies.drop("opted_out")
                return
            if self.settings.visits_by == "queue" and (self._visit is None or not self._visit.takes_evidence):
                self.tallies.drop("no_visit")
                return
            if since_s < self.settings.look_every_s - 1e-6:
                self.tallies.drop("between")
                return
            self._frame_s = frame.time_s
            self.tallies.forwarded += 1
            pixels = self._region.apply(frame.pixels)
            self._tracks = self._tracker.update(pixels, frame.time_s)
            self._citizen = self._choice.choose(self._tracks, frame.time_s)
            if self.settings.visits_by == "presence":
                self._follow_presence(frame.time_s)
            visit, citizen = self._visit, self._citizen
            due = self._affect_s is None or frame.time_s - self._affect_s >= self.settings.affect_every_s - 1e-6
            if visit is not None and visit.takes_evidence and citizen is not None and due:
                self._affect_s = frame.time_s
                crop = self._networks.face.crop(pixels, citizen.keypoints)
                (self._affect,) = self._networks.face.infer([crop])
                visit.add_face(self._affect, frame.time_s)

    def feed_chunk(self, chunk: Chunk) -> None:
        """Listen to a piece of sound."""
        with self._lock:
            self._advance(chunk.time_s)
            visit = self._visit
            # a chunk waits for up to four seconds: what was said before the visit is not this citizen's
            if visit is None or not visit.takes_evidence or chunk.time_s < visit.start_s:
                self._stop_listening()
                self.sound_tallies.drop("not_listening")
                return
            self._listening = True
            self.sound_tallies.forwarded += 1
            for utterance in self._networks.voice.feed(chunk):
                self._hear(visit, utterance)

    def end_of_sound(self) -> None:
        """The source of sound is over: what is being said counts as an utterance."""
        with self._lock:
            if self._listening and self._visit is not None:
                for utterance in self._networks.voice.flush():
                    self._hear(self._visit, utterance)

    def work_words(self) -> bool:
        """Recognise one waiting utterance; False where none waits. Only where words are switched on."""
        with self._lock:
            visit = self._visit
            if self._networks.words is None or not self._waiting or visit is None:
                return False
            utterance = self._waiting.popleft()
        found = self._networks.words.read(utterance.samples)
        with self._lock:
            if isinstance(found, NoWords):
                self.sound_tallies.drop(f"words_{found.value}")
            elif self._visit is not visit or not visit.takes_evidence:
                self.sound_tallies.drop("words_late")
            else:
                self._words = found
                visit.add_words(found, utterance.end_s - utterance.start_s, utterance.end_s)
        return True

    def _hear(self, visit: Visit, utterance: Utterance) -> None:
        self._speech = self._networks.speech.infer(utterance.samples)
        visit.add_speech(self._speech, utterance.end_s)
        if self._networks.words is not None:
            if len(self._waiting) == self._waiting.maxlen:
                self.sound_tallies.drop("words_late")
            self._waiting.append(utterance)

    def _stop_listening(self) -> None:
        if self._listening:
            self._networks.voice.reset()
            self._listening = False
        self._waiting.clear()

    # -- visits ----------------------------------------------------------------------------------------------------

    def tick(self, time_s: float) -> None:
        """Tell the time where no frames come (camera lost): ends visits that are due. Same clock as the frames'."""
        with self._lock:
            self._advance(time_s)
            # a place that no frame shows is not an empty place
            if self.settings.visits_by == "presence" and self._opted_out_s is None and self._presence.present:
                seen_s = self._presence.last_seen_s
                if seen_s is not None and time_s - seen_s >= self.settings.presence.end_after_s:
                    self._tracks, self._citizen = [], None
                    self._follow_presence(time_s)

    def visit_started(self, service_group: int, time_s: float) -> None:
        """The queue system called a citizen: ends an open visit and starts one. By presence it starts nothing: who is
        called is not there yet, and what a camera sees is not for others to say.

        Who opted out before the call, with no visit open, stays opted out in the visit that the call begins; so does
        who is called once more."""
        with self._lock:
            self._advance(time_s)
            if self.settings.visits_by == "presence":
                return
            if self._visit is not None and self._opted_out_early:
                self._opted_out_early = False
                self._visit.service_group = service_group
                self._on_started(self._number)
                return
            self._close()
            self._advance(time_s)  # where no end is ever told, an opt-out of long ago ends here
            self._start(self._now_s, service_group)

    def visit_ended(self, time_s: float) -> None:
        """The queue system says that the visit is over. Nothing by presence."""
        with self._lock:
            self._advance(time_s)
            if self.settings.visits_by == "queue":
                self._close()

    def opt_out(self) -> None:
        """The citizen does not want to be analysed: forgets what was summed up, looks at nothing from now on.

        Where no visit was open yet, one begins that counts as abstained."""
        with self._lock:
            if self._visit is None:
                self._start(self._now_s, 0)
                self._opted_out_early = True
            if self._opted_out_s is None:
                self._opted_out_s = self._now_s
                self._forget_evidence()

    def _forget_evidence(self) -> None:
        assert self._visit is not None
        self._visit.opt_out()
        self._stop_listening()
        self._forget_moment()
        self._forget_buffers()

    def freeze_level(self, number: int | None = None) -> VisitLevel:
        """Fix the open visit's level before the rating screen shows; later frames change nothing. Idempotent.

        `number`: of the visit that is meant; None: whichever is open. Raises `RuntimeError` where it is not open."""
        with self._lock:
            visit = self._visit
            if visit is None or number not in (None, self._number):
                raise RuntimeError("no such visit is open")
            if visit.takes_evidence:
                self.end_of_sound()
                visit.freeze(self._now_s)
                self._frozen_s = self._now_s
                self._stop_listening()
            assert visit.level is not None
            return visit.level

    def rated(self, overall: int, number: int | None = None) -> bool:
        """The citizen of that visit rated (1..5). False where it is not open any more: then no pair is counted."""
        with self._lock:
            if self._visit is None or number not in (None, self._number):
                return False
            self.freeze_level()
            self._visit.rate(overall)
            self._frozen_s = None
            if self.settings.visits_by == "presence" and not self._presence.present and self._opted_out_s is None:
                self._close()
            return True

    def finish(self) -> None:
        """The sources are over: ends an open visit."""
        with self._lock:
            self.end_of_sound()
            self._close()

    def glimpse(self) -> Glimpse:
        """This moment's evidence, for `hailong replay`."""
        with self._lock:
            visit = self._visit
            fused = None
            if visit is not None and visit.takes_evidence:
                fused = fuse(visit.face, visit.speech, visit.words, visit.parameters)
            found = Glimpse(
                len(self._tracks),
                self._citizen,
                self._affect,
                self._speech,
                self._words,
                fused,
                None if visit is None else visit.start_s,
                0.0 if visit is None else visit.face.seconds,
                0.0 if visit is None else visit.speech.seconds,
            )
            self._affect = self._speech = self._words = None
            return found

    def _advance(self, time_s: float) -> None:
        self._now_s = max(self._now_s, time_s)
        if self._opted_out_s is not None:
            self._review_opt_out(self._opted_out_s)
        elif self.settings.visits_by == "presence" and self._visit is not None and not self._presence.present:
            waited_s = float("inf") if self._frozen_s is None else self._now_s - self._frozen_s
            if waited_s >= self.settings.rating_wait_s:
                self._close()

    def _review_opt_out(self, since_s: float) -> None:
        """End an opt-out whose time has come."""
        long_ago = self._now_s - since_s >= self.settings.opt_out_s
        if self.settings.visits_by == "presence":
            if long_ago:
                self._close()
                self._opted_out_s = None
                self._presence.forget(until_empty=True)
        elif self._visit is None and (long_ago or self._now_s - self._ended_s >= self.settings.opt_out_rest_s):
            self._opted_out_s = None

    def _follow_presence(self, time_s: float) -> None:
        changed = self._presence.update(self._citizen is not None, time_s)
        if changed is True:
            self._close()
            self._start(self._presence.since_s, 0)
        elif changed is False:
            self._advance(time_s)

    def _start(self, time_s: float, service_group: int) -> None:
        self._visit = Visit(time_s, self.settings.fusion, service_group)
        self._number += 1
        self._affect_s = None
        if self._opted_out_s is not None:
            self._forget_evidence()
        self._on_started(self._number)

    def _close(self) -> None:
        visit, self._visit = self._visit, None
        if visit is None:
            return
        if visit.takes_evidence and self._listening:
            for utterance in self._networks.voice.flush():
                self._hear(visit, utterance)
        closed = visit.close(self._end_s())
        self.last_level = visit.level
        self._opted_out_early = False
        self._ended_s = self._now_s
        self._frozen_s = None
        self._stop_listening()
        self._forget_moment(faces=self.settings.visits_by == "queue")
        self._forget_buffers()
        self._on_visit(closed)

    def _end_s(self) -> float:
        seen_s = self._presence.last_seen_s
        return seen_s if self.settings.visits_by == "presence" and seen_s is not None else self._now_s

    def _forget_moment(self, faces: bool = True) -> None:
        self._affect = self._speech = self._words = None
        if faces:
            self._tracker.forget()
            self._choice.forget()
            self._tracks, self._citizen = [], None

    def _forget_buffers(self) -> None:
        self._region.forget()
        self._networks.forget()
