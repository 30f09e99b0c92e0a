"""A visit: one citizen at one counter, as running summaries in memory; and presence, which starts and ends visits.

No picture, sound, word, face or time series is kept: a visit is a dozen running sums, and when it has ended two small
integers are left of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.fusion import FusionParameters, ModalitySummary, decide
from pipeline.records import (
    AbstainReason,
    ClosedVisit,
    FaceAffect,
    Level,
    Outcome,
    SpeechAffect,
    VisitLevel,
    WordsAffect,
)

MAX_GAP_S = 0.5
"""A face observation stands for the time since the one before it, but for no more than this."""

MAX_BLIND_S = 2.0
"""A place that no picture has shown for longer cannot be said to have been empty."""


@dataclass(slots=True)
class Visit:
    """One open visit. Times are those of the frames."""

    start_s: float
    parameters: FusionParameters
    service_group: int = 0
    face: ModalitySummary = field(default_factory=ModalitySummary)
    speech: ModalitySummary = field(default_factory=ModalitySummary)
    words: ModalitySummary = field(default_factory=ModalitySummary)
    opted_out: bool = False
    level: VisitLevel | None = None
    """Set once, by `freeze`."""
    outcome: Outcome = Outcome.NOT_RATED
    last_s: float = 0.0
    _last_face_s: float | None = None

    @property
    def takes_evidence(self) -> bool:
        """Whether anything may still be looked at for this visit's level."""
        return not self.opted_out and self.level is None

    def add_face(self, affect: FaceAffect, time_s: float) -> None:
        """Add the citizen's face at `time_s`."""
        if not self.takes_evidence:
            return
        before_s, self._last_face_s = self._last_face_s, time_s
        seconds = 0.0 if before_s is None else min(max(0.0, time_s - before_s), MAX_GAP_S)
        p = self.parameters
        self.face.add(affect.ratios, affect.uncertainty, seconds, time_s, p.face, p)

    def add_speech(self, affect: SpeechAffect, time_s: float) -> None:
        """Add an utterance's sound that ended at `time_s`."""
        if self.takes_evidence:
            p = self.parameters
            self.speech.add(affect.ratios, affect.uncertainty, affect.duration_s, time_s, p.speech, p)

    def add_words(self, affect: WordsAffect, duration_s: float, time_s: float) -> None:
        """Add an utterance's words; `time_s` is the utterance's end."""
        if self.takes_evidence:
            p = self.parameters
            self.words.add(affect.ratios, affect.uncertainty, duration_s, time_s, p.words, p)

    def opt_out(self) -> None:
        """Forget everything that was summed up; the visit will count as abstained."""
        self.opted_out = True
        self.face, self.speech, self.words = ModalitySummary(), ModalitySummary(), ModalitySummary()
        self.level = VisitLevel(Level.ABSTAINED, reason=AbstainReason.OPTED_OUT)

    def freeze(self, time_s: float) -> VisitLevel:
        """Fix the level; the sums are forgotten. Later calls return the same."""
        if self.level is None:
            duration_s = time_s - self.start_s
            self.level = decide(self.face, self.speech, self.words, duration_s, self.parameters)
            self.face, self.speech, self.words = ModalitySummary(), ModalitySummary(), ModalitySummary()
        return self.level

    def rate(self, overall: int) -> None:
        """Set the outcome from an overall rating 1..5. Raises `ValueError` for another."""
        if not 1 <= overall <= 5:
            raise ValueError("an overall rating is 1 to 5")
        self.outcome = Outcome.SATISFIED if overall >= 4 else Outcome.NOT_SATISFIED

    def close(self, time_s: float) -> ClosedVisit:
        """What is left of the visit."""
        return ClosedVisit(self.freeze(time_s).level, self.outcome, self.service_group)


@dataclass(frozen=True, slots=True)
class PresenceParameters:
    """When a face in the region becomes a visit, and when its absence ends it."""

    start_after_s: float = 1.5
    """A passer-by is not a visit."""
    end_after_s: float = 6.0
    """Looking away, bending down for a paper, is not an end."""
    empty_after_s: float = 15.0
    """After an opt-out or a restart nobody may have been seen for so long before a presence can begin."""


@dataclass(slots=True)
class Presence:
    """Follows whether a citizen is there, from one frame to the next."""

    parameters: PresenceParameters
    present: bool = False
    since_s: float = 0.0
    """Begin of the presence, or of the candidate for one."""
    last_seen_s: float | None = None
    waits_for_empty: bool = False
    """Whoever is there does not count, until the place has been empty for `empty_after_s`."""
    looked_s: float = float("-inf")
    """Time of the last update."""

    def update(self, seen: bool, time_s: float) -> bool | None:
        """True: a presence has begun (`since_s`). False: it has ended (`last_seen_s`). None: nothing has changed."""
        looked_s, self.looked_s = self.looked_s, time_s
        if self.waits_for_empty:
            if seen or self.last_seen_s is None or time_s - looked_s > MAX_BLIND_S:
                self.last_seen_s = time_s
            elif time_s - self.last_seen_s >= self.parameters.empty_after_s:
                self.forget()
        elif seen:
            gap = self.last_seen_s is None or time_s - self.last_seen_s > self.parameters.start_after_s
            if not self.present and gap:
                self.since_s = time_s
            self.last_seen_s = time_s
            if not self.present and time_s - self.since_s >= self.parameters.start_after_s:
                self.present = True
                return True
        elif self.present and self.last_seen_s is not None and time_s - self.last_seen_s >= self.parameters.end_after_s:
            self.present = False
            return False
        return None

    def forget(self, until_empty: bool = False) -> None:
        """Begin anew: who is there now has to be seen again to become a visit; `until_empty`: has to go first."""
        self.present, self.last_seen_s, self.waits_for_empty = False, None, until_empty
