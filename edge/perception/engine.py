"""The engine: frames and sound in, closed visits out. It owns no clock, no socket and no thread, and is one counter's.

Every method may be called from any thread; one lock makes them take turns, so a call waits for one frame's work at
most. Looking has two steps, so that the faces of several counters are read at once: `look` follows faces and hands out
the citizen's (`FaceToRead`), `take_affect` brings what was read of it; `feed_frame` does both. Words (speech
recognition) take seconds, so `work_words` is called by a thread of its own and holds the lock only to take an utterance
and to bring its result.

What a visit is, and what begins and ends it, stands in `edge.perception.visits`. Here is what is looked at, and when:
- affect is inferred of the citizen's face, and sound is listened to, only in a visit whose citizen has neither opted
  out nor rated.
- faces are searched for, and nothing is inferred of them, to see whether somebody is there: by presence always; by the
  queue system in a visit, and after one until the place was seen empty. Where no visit is open that is done a few times
  a second, at moments that the clock gives and no visit moves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edge.perception.face_tracking import CitizenChoice, FaceTracker
from edge.perception.patch import Patch
from edge.perception.region import Region
from edge.perception.settings import EngineSettings
from edge.perception.stillness import Stillness
from edge.perception.visits import ByPresence, ByQueue, ByTouch, Visits
from models.words import NoWords
from pipeline.fusion import Fused
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
from pipeline.visit import Visit

if TYPE_CHECKING:
    from edge.perception.networks import Eyes, Networks
    from models.fer_network import AffectNetwork

MAX_WAITING_UTTERANCES = 4
QUIET_AFTER_S = 3.0
"""So long after a face was seen last the place is watched as often as before: who looks away is not gone. Shorter than
what ends a visit, so that no visit changes how often the place is seen after it."""
_EARLY_S = 1e-6
"""Times are compared with so much to spare, as they are sums of fractions."""


@dataclass(frozen=True, slots=True)
class FaceToRead:
    """A citizen's face that is to be read: its crop, and the visit that it is of."""

    crop: NDArray[Any]
    visit: Visit
    time_s: float

    @property
    def is_wanted(self) -> bool:
        """Whether it may be read still: its citizen may have opted out since. Asks nobody to wait."""
        return self.visit.takes_evidence


@dataclass(slots=True)
class LastRead:
    """Whose face was read last, how it looked, and what was read of it: as long as it stays so, that holds. As personal
    as a track."""

    track_id: int
    visit: Visit
    time_s: float
    patch: Patch
    mirrored: bool = False
    """Whether its mirror image was read."""
    affect: FaceAffect | None = None


@dataclass(slots=True)
class Glimpse:
    """What the engine holds of this moment, for `hailong replay` alone. Personal: never leaves the machine."""

    faces: int = 0
    citizen: FaceTrack | None = None
    affect: FaceAffect | None = None
    speech: SpeechAffect | None = None
    words: WordsAffect | None = None
    fused: Fused | None = None
    visit_start_s: float | None = None
    face_seconds: float = 0.0
    speech_seconds: float = 0.0


class Engine:
    """One counter's engine. `on_visit` is called with the lock held, once for every visit; `on_started` with a number
    when another citizen may be there, and again with the same number when the queue system calls a citizen whose visit
    has begun already."""

    def __init__(
        self,
        settings: EngineSettings,
        networks: Networks,
        on_visit: Callable[[ClosedVisit], None],
        on_started: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.settings = settings
        self.tallies = Tallies()
        """Frames looked at, and dropped by reason: `between`, `no_visit`, `time_backwards`, `still` (the place was
        empty, and nothing there has changed); `affect_late` counts faces
        whose visit was over, or opted out, when they had been read."""
        self.sound_tallies = Tallies()
        """Chunks listened to, and dropped by reason: `not_listening`, `words_late`, `words_REASON`, `short`."""
        self._networks = networks
        self._lock = threading.RLock()
        kind: type[Visits] = ByTouch if settings.asks_consent else ByPresence
        self._visits: Visits = (ByQueue if settings.visits_by == "queue" else kind)(settings, self)
        self.visit_counts, self.citizen_comes = on_visit, on_started
        self._region = Region(settings.region)
        self._tracker = FaceTracker(networks.eyes, settings.tracking)
        self._choice = CitizenChoice()
        self._stillness = Stillness()
        self._waiting: deque[Utterance] = deque(maxlen=MAX_WAITING_UTTERANCES)
        self._now_s = 0.0
        self._frame_s = float("-inf")
        """Time of the last frame that came."""
        self._looked_s = float("-inf")
        """Time of the last frame that was looked at; before all time where looking begins anew."""
        self._seen_s = float("-inf")
        """Time of the last frame in which there was a face."""
        self._affect_s = float("-inf")
        self._last_read: LastRead | None = None
        self._listening = False
        self._now = Glimpse()

    @property
    def face_tallies(self) -> Tallies:
        """Faces followed, and dropped by reason."""
        return self._tracker.tallies

    @property
    def last_level(self) -> VisitLevel | None:
        """Level of the visit that was counted last, for `hailong replay`."""
        return self._visits.last_level

    @property
    def visit_open(self) -> bool:
        """Whether a citizen's visit is open now."""
        return self._visits.visit is not None

    @property
    def open_visit(self) -> int | None:
        """Number of whoever's visit is open now: what a sheet is bound to."""
        with self._lock:
            return None if self._visits.visit is None else self._visits.number

    @property
    def has_opted_out(self) -> bool:
        """Whether an opt-out holds for whoever is there."""
        with self._lock:
            return self._visits.has_opted_out

    # -- evidence --------------------------------------------------------------------------------------------------

    @property
    def looks(self) -> int:
        """How often a picture was looked at, also where nothing had changed in an empty place."""
        return self.tallies.forwarded + self.tallies.dropped.get("still", 0)

    @property
    def due_s(self) -> float:
        """Time of the frames that are looked at next: those before it are left out. At full rate in an open visit, else
        a few times a second. Asks nobody to wait: it may be a frame old."""
        settings = self.settings
        if self._visits.visit is not None or self._frame_s == float("-inf"):
            return self._looked_s + settings.look_every_s - _EARLY_S
        # on a grid of the clock's, whatever visits there were: none moves when others are found to begin
        return (self._frame_s // settings.idle_every_s + 1) * settings.idle_every_s - _EARLY_S

    @property
    def is_idle(self) -> bool:
        """Whether no visit is open, so that a few pictures a second are enough. Asks nobody to wait."""
        return self._visits.visit is None

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is there: no visit is open, whoever was there has been seen to leave, nobody is followed, and
        nothing has changed. Then it is enough to see the place every few seconds. Asks nobody to wait."""
        changed = self._stillness.is_alert(self._frame_s) or self._frame_s - self._seen_s <= QUIET_AFTER_S
        return self._visits.may_rest and not self._tracker.follows and not changed

    @contextmanager
    def at_hand(self) -> Iterator[bool]:
        """Hold the engine if nothing else does (a voice may be read, which takes longer than a picture): false where
        another counter is to be looked at first."""
        held = self._lock.acquire(blocking=False)
        try:
            yield held
        finally:
            if held:
                self._lock.release()

    def feed_frame(self, frame: Frame) -> None:
        """Look at one picture, and read the citizen's face in it; one whose time runs backwards is dropped."""
        with self._lock:
            asked = self.look(frame)
            if asked is not None:
                with self._networks.eyes.lock:
                    (affect,) = self._networks.eyes.face.infer([asked.crop])
                self.take_affect(asked, affect)

    def look(self, frame: Frame, eyes: Eyes | None = None) -> FaceToRead | None:
        """Follow faces and visits in one picture; returns the face that is to be read, if any.

        `eyes`: those of the worker that looks; None: the engine's first."""
        eyes = eyes or self._networks.eyes
        with self._lock:
            if frame.time_s < self._frame_s:
                self.tallies.drop("time_backwards")
                return None
            self._advance(frame.time_s)
            due, is_idle = frame.time_s >= self.due_s, self._visits.visit is None
            self._frame_s = frame.time_s
            if not self._visits.looks(frame.time_s):
                self.tallies.drop("no_visit")
                return None
            if not due:
                self.tallies.drop("between")
                return None
            self._looked_s = frame.time_s
            pixels = self._region.apply(frame.pixels)
            if is_idle and not self._tracker.follows and self._stillness.holds(pixels, frame.time_s):
                self.tallies.drop("still")
                self._now.faces, self._now.citizen = 0, None
                self._visits.sees(None, frame.time_s)
                return None
            self.tallies.forwarded += 1
            if is_idle:
                self._tracker.search_now()
            with eyes.lock:
                before = self._choice.citizen
                due_too = self._visits.reads(frame.time_s) and self._reads_affect(frame.time_s)
                held = self._held(pixels, frame.time_s, before) if due_too else None
                # affect is read where the face is in this picture, not where it was in the one before
                placed = self._placed(eyes.face) if due_too and held is None else None
                tracks = self._tracker.update(pixels, frame.time_s, eyes, before, placed)
            if tracks:
                self._seen_s = frame.time_s
            if is_idle:
                self._stillness.searched(pixels, frame.time_s, empty=not tracks)
            citizen = self._choice.choose(tracks, frame.time_s)
            self._now.faces, self._now.citizen = len(tracks), citizen
            self._visits.sees(citizen, frame.time_s)
            visit = self._visits.visit if self._visits.reads(frame.time_s) else None
            asked = None
            # another citizen's landmarks may be of an earlier picture: that face is read in the next one
            is_placed = citizen is not None and before in (None, citizen.track_id)
            if held is not None and held.affect is not None and held.visit is visit and citizen is not None:
                if citizen.track_id == held.track_id:
                    visit.add_face(held.affect, frame.time_s)
            elif visit is not None and citizen is not None and is_placed and self._reads_affect(frame.time_s):
                asked = self._to_read(visit, citizen, pixels, frame.time_s, eyes.face)
            if not self._visits.looks(frame.time_s):
                self._forget_faces()
            return asked

    def _to_read(
        self, visit: Visit, citizen: FaceTrack, pixels: NDArray[Any], time_s: float, network: AffectNetwork
    ) -> FaceToRead:
        """The citizen's face in this picture, which is to be read now."""
        last = self._last_read
        mirrored = False
        if network.mirrors and last is not None and last.visit is visit and last.track_id == citizen.track_id:
            mirrored = not last.mirrored
        box = (citizen.x_px, citizen.y_px, citizen.width_px, citizen.height_px)
        self._affect_s = time_s
        self._last_read = LastRead(citizen.track_id, visit, time_s, Patch(pixels, box), mirrored)
        crop = network.crop(pixels, citizen.keypoints, citizen.points)
        if network.compares:
            crop = visit.sums.rest.beside(crop, time_s)
        return FaceToRead(crop[:, ::-1] if mirrored else crop, visit, time_s)

    def _reads_affect(self, time_s: float) -> bool:
        return time_s - self._affect_s >= self.settings.affect_every_s - _EARLY_S

    def _placed(self, network: AffectNetwork) -> float:
        return self.settings.tracking.carried if network.carries else 0.0

    def _held(self, pixels: NDArray[Any], time_s: float, citizen: int | None) -> LastRead | None:
        """What was read last, where it holds still: of the same face, which has stayed as it was."""
        last = self._last_read
        if last is None or last.affect is None or last.track_id != citizen:
            return None
        if time_s - last.time_s >= self.settings.affect_holds_s - _EARLY_S:
            return None
        return last if last.patch.movement(last.patch.seen_in(pixels)) <= self.settings.affect_moved else None

    def take_affect(self, asked: FaceToRead, affect: FaceAffect) -> None:
        """What was read of a face. Nothing, where its visit is over by now or takes no evidence any more."""
        with self._lock:
            if self._visits.visit is not asked.visit or not self._visits.reads(asked.time_s):
                self.tallies.drop("affect_late")
                return
            self._now.affect = affect
            asked.visit.add_face(affect, asked.time_s)
            if self._last_read is not None and self._last_read.time_s == asked.time_s:
                self._last_read.affect = affect

    def feed_chunk(self, chunk: Chunk) -> None:
        """Listen to a piece of sound."""
        with self._lock:
            self._advance(chunk.time_s)
            visit = self._visits.visit
            if visit is None or not self._visits.hears(chunk.time_s):
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
            if self._visits.visit is not None:
                self._flush(self._visits.visit)

    def work_words(self) -> bool:
        """Recognise one waiting utterance; False where none waits. Only where words are switched on."""
        with self._lock:
            visit = self._visits.visit
            if self._networks.words is None or not self._waiting or visit is None:
                return False
            utterance = self._waiting.popleft()
        found = self._networks.words.read(utterance.samples)
        with self._lock:
            if isinstance(found, NoWords):
                self.sound_tallies.drop(f"words_{found.value}")
            elif self._visits.visit is not visit or not visit.takes_evidence:
                self.sound_tallies.drop("words_late")
            else:
                self._now.words = found
                visit.add_words(found, utterance.end_s - utterance.start_s, utterance.end_s)
        return True

    def _hear(self, visit: Visit, utterance: Utterance) -> None:
        self._now.speech = affect = self._networks.speech.infer(utterance.samples)
        visit.add_speech(affect, utterance.end_s)
        if self._networks.words is not None:
            if len(self._waiting) == self._waiting.maxlen:
                self.sound_tallies.drop("words_late")
            self._waiting.append(utterance)

    def _flush(self, visit: Visit) -> None:
        if self._listening and visit.takes_evidence:
            for utterance in self._networks.voice.flush():
                self._hear(visit, utterance)

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
            self._visits.blind(self._now_s)

    def visit_started(self, service_group: int, time_s: float) -> None:
        """The queue system called a citizen."""
        with self._lock:
            self._advance(time_s)
            self._visits.called(service_group, self._now_s)

    def visit_ended(self, time_s: float) -> None:
        """The queue system says that the visit is over."""
        with self._lock:
            self._advance(time_s)
            self._visits.ended(self._now_s)

    @property
    def wants_sources(self) -> bool:
        """Whether camera and microphone have to be open now: always, or, where consent is asked, while a yes holds."""
        with self._lock:
            return not self.settings.asks_consent or self._visits.reads(self._now_s)

    @property
    def asks_consent(self) -> bool:
        """Whether a yes is still to be asked of whoever is there."""
        with self._lock:
            return self.settings.asks_consent and not self._visits.reads(self._now_s) and not self._visits.has_opted_out

    def agree(self, time_s: float) -> bool:
        """The citizen touched yes, where consent is asked. False where the touch can be nobody's."""
        with self._lock:
            self._advance(time_s)
            return self._visits.agree(self._now_s)

    def opt_out(self) -> None:
        """The citizen does not want to be analysed: forgets what was summed up, infers nothing from now on."""
        with self._lock:
            self._visits.opt_out(self._now_s)
            self._forget()

    def screen_shown(self, number: int | None = None) -> None:
        """A sheet appears on the screen; a rating will look back to this moment. Idempotent but for the moment.

        `number`: of the citizen who is meant; None: whoever is there. Raises `RuntimeError` where that visit is not
        open."""
        with self._lock:
            self.end_of_sound()
            if not self._visits.screen_shown(self._visits.number if number is None else number, self._now_s):
                raise RuntimeError("no such visit is open")

    def screen_left(self, number: int) -> None:
        """That citizen's sheet was left without an answer."""
        with self._lock:
            self._visits.screen_left(number)

    def rated(self, overall: int, number: int | None = None) -> bool:
        """The citizen of that number rated (1..5). False where the visit is over: then no pair is counted."""
        with self._lock:
            paired = self._visits.rated(overall, self._visits.number if number is None else number, self._now_s)
            if not self._visits.reads(self._now_s):
                self._stop_listening()
            return paired

    def finish(self) -> None:
        """The sources are over: ends an open visit."""
        with self._lock:
            self.end_of_sound()
            self._visits.finish(self._now_s)

    def glimpse(self) -> Glimpse:
        """This moment's evidence, for `hailong replay`."""
        with self._lock:
            visit, found = self._visits.visit, self._now
            if visit is not None:
                found.fused = visit.fuse() if visit.takes_evidence else None
                found.visit_start_s = visit.start_s
                found.face_seconds, found.speech_seconds = visit.sums.face.seconds, visit.sums.speech.seconds
            self._now = Glimpse(found.faces, found.citizen)
            return found

    def _advance(self, time_s: float) -> None:
        self._now_s = max(self._now_s, time_s)
        self._visits.advance(self._now_s)
        if self.settings.asks_consent and self._listening and not self._visits.reads(self._now_s):
            self._stop_listening()

    def visit_begins(self) -> None:
        """Of `self._visits`. Each is looked at on a grid of its own, so that none moves what is seen of others."""
        self._stillness.forget()
        self._affect_s, self._last_read = float("-inf"), None
        if self._visits.looks_anew:
            self._looked_s = float("-inf")
            self._forget_faces()

    def visit_ends(self, visit: Visit) -> None:
        """Of `self._visits`."""
        self._flush(visit)
        self._forget()

    def _forget(self) -> None:
        self._stop_listening()
        self._last_read = None
        self._now = Glimpse(self._now.faces, self._now.citizen)
        self._region.forget()
        self._networks.forget()

    def _forget_faces(self) -> None:
        self._stillness.forget()
        self._last_read = None
        self._tracker.forget()
        self._choice.forget()
        self._now = Glimpse()
        self._region.forget()
        self._networks.forget()
