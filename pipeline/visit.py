"""A visit: one citizen at one counter, as running summaries in memory; and presence, which starts and ends visits.

No picture, sound, word, face or time series is kept: a visit is a dozen running sums, and when it has ended two small
integers are left of it.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from pipeline.fusion import Fused, FusionParameters, ModalitySummary, decide, fuse
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


REST_S = 4.0
"""Seconds of the face from which on a resting face is known."""


@dataclass(slots=True)
class RestingFace:
    """What the measures of the citizen's face were in the visit's first seconds: a running mean, personal as any sum.

    Measures: float32 [k + 1], the last one the share in [0, 1] that they are to be trusted (`models.face_geometry`)."""

    mean: NDArray[np.float32] | None = None
    seconds: float = 0.0
    _last_s: float | None = None

    def beside(self, measures: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
        """The measures with those at rest below them, [2, k + 1]. Until the rest is known nothing is to be trusted."""
        before_s, self._last_s = self._last_s, time_s
        told = measures.copy()
        if self.seconds < REST_S:
            told[-1] = 0.0
            since = 0.0 if before_s is None else min(max(0.0, time_s - before_s), MAX_GAP_S)
            weight = since * float(measures[-1])
            if weight > 0:
                self.seconds += weight
                before = measures if self.mean is None else self.mean
                self.mean = before + (measures - before) * np.float32(weight / self.seconds)
        return np.stack([told, measures if self.mean is None else self.mean])


FIRST_UTTERANCES = 3
"""Utterances of a visit from which on its own beginning is known."""
WORTH_OF_PRIOR = 10.0
"""Utterances that the common threshold of a voice is worth."""


@dataclass(slots=True)
class MiddleOfThree:
    """The median of three numbers as running sums: what is left of their sum without the least and the greatest."""

    total: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    def add(self, value: float) -> None:
        """Take one of the three in."""
        self.total += value
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)

    def middle(self) -> float:
        """The median, once three were added."""
        return self.total - self.least - self.greatest


@dataclass(slots=True)
class VoiceAtFirst:
    """What the voices of the visit's first utterances were, in log-odds: as personal as any sum.

    Voices and rooms differ in where calm lies. What comes after is told against their median, by
    n / (n + `WORTH_OF_PRIOR`) of it (`models.speech_baseline`)."""

    heard: int = 0
    arousal: MiddleOfThree = field(default_factory=MiddleOfThree)
    negative: MiddleOfThree = field(default_factory=MiddleOfThree)

    def beside(self, affect: SpeechAffect) -> SpeechAffect:
        """The utterance against the first ones; these themselves as they are."""
        certain = min(max(affect.arousal, 1e-6), 1.0 - 1e-6)
        arousal = math.log(certain / (1.0 - certain))
        if self.heard < FIRST_UTTERANCES:
            self.heard += 1
            self.arousal.add(arousal)
            self.negative.add(affect.negative)
            return affect
        share = FIRST_UTTERANCES / (FIRST_UTTERANCES + WORTH_OF_PRIOR)
        own = 1.0 / (1.0 + math.exp(share * self.arousal.middle() - arousal))
        return replace(affect, arousal=own, negative=affect.negative - share * self.negative.middle())


@dataclass(slots=True)
class Sums:
    """What was seen and heard of a visit, summed up."""

    face: ModalitySummary = field(default_factory=ModalitySummary)
    speech: ModalitySummary = field(default_factory=ModalitySummary)
    words: ModalitySummary = field(default_factory=ModalitySummary)
    rest: RestingFace = field(default_factory=RestingFace)
    voice: VoiceAtFirst = field(default_factory=VoiceAtFirst)


@dataclass(slots=True)
class Visit:
    """One open visit. Times are those of the frames."""

    start_s: float
    parameters: FusionParameters
    service_group: int = 0
    asks_consent: bool = False
    sums: Sums = field(default_factory=Sums)
    opted_out: bool = False
    agreed: bool = True
    """Whether its citizen may be analysed by consent, where that is asked; it begins without, and a no takes it
    back for the whole visit."""
    level: VisitLevel | None = None
    """Set once, by `freeze`."""
    outcome: Outcome = Outcome.NOT_RATED
    last_sign_s: float = 0.0
    """When the citizen was last seen, heard, or called."""
    _screen: tuple[float, Sums] | None = None
    """When the rating's screen appeared, and the sums of then."""
    _last_face_s: float | None = None

    def __post_init__(self) -> None:
        self.last_sign_s = max(self.last_sign_s, self.start_s)
        self.agreed = not self.asks_consent

    @property
    def takes_evidence(self) -> bool:
        """Whether anything may still be looked at for this visit's level."""
        return not self.opted_out and self.level is None

    @property
    def shows_screen(self) -> bool:
        """Whether a sheet of this visit is on the screen."""
        return self._screen is not None

    def agree(self) -> None:
        """The citizen touched yes."""
        self.agreed = not self.opted_out

    def add_face(self, affect: FaceAffect, time_s: float) -> None:
        """Add the citizen's face at `time_s`."""
        if not self.takes_evidence:
            return
        before_s, self._last_face_s = self._last_face_s, time_s
        seconds = 0.0 if before_s is None else min(max(0.0, time_s - before_s), MAX_GAP_S)
        p = self.parameters
        self.sums.face.add(affect.ratios, affect.uncertainty, seconds, time_s, p.face, p)

    def add_speech(self, affect: SpeechAffect, time_s: float) -> None:
        """Add an utterance's sound that ended at `time_s`."""
        if self.takes_evidence:
            self.last_sign_s = max(self.last_sign_s, time_s)
            p, affect = self.parameters, self.sums.voice.beside(affect)
            self.sums.speech.add(affect.ratios, affect.uncertainty, affect.duration_s, time_s, p.speech, p)

    def add_words(self, affect: WordsAffect, duration_s: float, time_s: float) -> None:
        """Add an utterance's words; `time_s` is the utterance's end."""
        if self.takes_evidence:
            p = self.parameters
            self.sums.words.add(affect.ratios, affect.uncertainty, duration_s, time_s, p.words, p)

    def fuse(self) -> Fused:
        """What the sums say so far."""
        return fuse(self.sums.face, self.sums.speech, self.sums.words, self.parameters)

    def opt_out(self) -> None:
        """Forget everything that was summed up; the visit will count as abstained."""
        self.opted_out = True
        self.agreed = self.agreed and not self.asks_consent
        self._forget()
        self.level = VisitLevel(Level.ABSTAINED, reason=AbstainReason.OPTED_OUT)

    def screen_shown(self, time_s: float) -> None:
        """A sheet appears on the screen, which changes pose and dwell: a rating will look back to before it."""
        if self.takes_evidence:
            self._screen = time_s, deepcopy(self.sums)

    def screen_left(self) -> None:
        """The sheet was left without an answer: the visit goes on as if it had not been shown."""
        self._screen = None

    def rate(self, overall: int, time_s: float, look_back_s: float) -> None:
        """Set the outcome from an overall rating 1..5, and freeze the level: as it was before the screen appeared,
        unless that is more than `look_back_s` ago. Raises `ValueError` for another rating."""
        if not 1 <= overall <= 5:
            raise ValueError("an overall rating is 1 to 5")
        self.outcome = Outcome.SATISFIED if overall >= 4 else Outcome.NOT_SATISFIED
        if self._screen is not None and time_s - self._screen[0] <= look_back_s:
            time_s, self.sums = self._screen
        self.freeze(time_s)

    def freeze(self, time_s: float) -> VisitLevel:
        """Fix the level; the sums are forgotten. Later calls return the same."""
        if self.level is None:
            duration_s = time_s - self.start_s
            self.level = decide(self.sums.face, self.sums.speech, self.sums.words, duration_s, self.parameters)
            self._forget()
        return self.level

    def _forget(self) -> None:
        self.sums, self._screen = Sums(), None

    def close(self, time_s: float) -> ClosedVisit:
        """What is left of the visit."""
        level = self.freeze(time_s).level
        return ClosedVisit(level if self.agreed else Level.ABSTAINED, self.outcome, self.service_group, self.agreed)


@dataclass(frozen=True, slots=True)
class PresenceParameters:
    """When a face in the region becomes a visit, and when its absence ends it."""

    start_after_s: float = 1.5
    """A passer-by is not a visit."""
    end_after_s: float = 15.0
    """So long the place has to be seen empty until a visit is over. Looking away, bending down for a paper, writing,
    is not an end: for who opted out the analysis would begin anew. The same for everybody, or one citizen's opt-out
    would move the limits of others' visits."""
    away_after_s: float = 6.0
    """Whoever was not seen for so long is not listened to; and may be another, where the visit has been rated."""


class Change(Enum):
    """What a look has changed."""

    BEGUN = 0
    ENDED = 1


@dataclass(slots=True)
class Presence:
    """Follows whether somebody is there, from one look to the next. It depends on nothing but what was seen when: not
    on opt-outs, ratings or visits."""

    parameters: PresenceParameters
    present: bool = False
    since_s: float = 0.0
    """Begin of the presence, or of the candidate for one."""
    last_seen_s: float | None = None
    waits_for_empty: bool = False
    """Whoever is there does not count, until the place has been seen empty for `end_after_s`."""
    looked_s: float | None = None
    """Time of the last look."""
    _taken_s: float | None = None
    """When the place was last seen taken, or could not be seen."""

    def update(self, seen: bool, time_s: float) -> Change | None:
        """What a look at `time_s` changes: a presence has begun (`since_s`), or ended (`last_seen_s`)."""
        change = self.blind(time_s)
        blind = self.looked_s is None or time_s - self.looked_s > MAX_BLIND_S
        self.looked_s = time_s
        if seen or blind or self._taken_s is None:
            self._taken_s = time_s
        empty_s = time_s - self._taken_s
        if self.waits_for_empty:
            if empty_s >= self.parameters.end_after_s:
                self.waits_for_empty, self.last_seen_s = False, None
                return self._end() or change
        elif seen:
            gap = self.last_seen_s is None or time_s - self.last_seen_s > self.parameters.start_after_s
            if not self.present and gap:
                self.since_s = time_s
            self.last_seen_s = time_s
            if not self.present and time_s - self.since_s >= self.parameters.start_after_s:
                self.present = True
                return Change.BEGUN
        elif self.present and empty_s >= self.parameters.end_after_s:
            return self._end()
        return change

    def blind(self, time_s: float) -> Change | None:
        """Nothing has been seen up to `time_s`. For `end_after_s` without a picture: whoever was there has gone, and
        whoever is there when pictures come again may be the same, and has to go first."""
        if self.looked_s is None or time_s - self.looked_s < max(self.parameters.end_after_s, MAX_BLIND_S):
            return None
        self.waits_for_empty = True
        return self._end()

    def touched(self, time_s: float) -> None:
        """Somebody is there for sure, seen or not: the presence begins now. Only where none is."""
        self.present, self.since_s = True, time_s
        self.last_seen_s = self._taken_s = time_s

    def is_away(self, time_s: float) -> bool:
        """Whether nobody was seen for `away_after_s`."""
        return self.last_seen_s is None or time_s - self.last_seen_s > self.parameters.away_after_s

    def _end(self) -> Change | None:
        was_present, self.present = self.present, False
        return Change.ENDED if was_present else None
