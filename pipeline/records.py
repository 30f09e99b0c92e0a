"""The records that travel between the stages of a box, in memory only.

None of these is ever written, logged or sent. What leaves a box is defined in `pipeline.wire`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""Order of `FaceAffect.probabilities` (that of FERPlus' votes)."""

SAMPLE_RATE_HZ = 16_000


class Level(IntEnum):
    """Implicit satisfaction of one visit, or no statement about it (`ABSTAINED`)."""

    VERY_LOW = 0
    LOW = 1
    MIDDLE = 2
    HIGH = 3
    VERY_HIGH = 4
    ABSTAINED = 5


class Outcome(IntEnum):
    """What the visit's citizen said on the tablet: nothing, an overall rating of 1-3, or one of 4-5."""

    NOT_RATED = 0
    NOT_SATISFIED = 1
    SATISFIED = 2


class Modality(IntFlag):
    """What a level rests on."""

    NONE = 0
    FACE = 1
    SPEECH = 2
    WORDS = 4


class AbstainReason(IntEnum):
    """Why a visit has no level. Counted on the box only."""

    NONE = 0
    OPTED_OUT = 1
    TOO_LITTLE_SEEN = 2
    TOO_UNCERTAIN = 3
    TOO_SHORT = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. `pixels`: uint8 [height, width, 3], BGR. `time_s`: monotonic clock or media time."""

    pixels: NDArray[np.uint8]
    time_s: float


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """A face followed over frames. Box in pixels of the frame; keypoints float32 [k, 2] (x, y) px."""

    track_id: int
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    score: float
    keypoints: NDArray[np.float32]
    time_s: float


@dataclass(frozen=True, slots=True)
class FaceAffect:
    """Affect of one face. `probabilities`: float32 [8] in the order of `EMOTIONS`, sums to 1.

    `valence` in [-1, 1]; `uncertainty` in [0, 1] (1: says nothing)."""

    probabilities: NDArray[np.float32]
    valence: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of sound. `samples`: float32 [n] in [-1, 1], mono, 16 kHz. `time_s` of its first sample."""

    samples: NDArray[np.float32]
    time_s: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech that the voice activity detector found; `samples` as in `Chunk`."""

    samples: NDArray[np.float32]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SpeechAffect:
    """Affect of one utterance's sound: `arousal` in [0, 1], `valence` in [-1, 1], `uncertainty` in [0, 1]."""

    arousal: float
    valence: float
    uncertainty: float
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WordsAffect:
    """Sentiment of one utterance's words: (negative, neutral, positive), sums to 1; `uncertainty` in [0, 1]."""

    probabilities: tuple[float, float, float]
    uncertainty: float

    @property
    def valence(self) -> float:
        """Positive minus negative probability, in [-1, 1]."""
        return self.probabilities[2] - self.probabilities[0]


@dataclass(frozen=True, slots=True)
class VisitLevel:
    """The frozen implicit level of a visit, what it rests on, and why it is missing where it is."""

    level: Level
    modalities: Modality = Modality.NONE
    reason: AbstainReason = AbstainReason.NONE


@dataclass(frozen=True, slots=True)
class ClosedVisit:
    """All that remains of a visit once it has ended: two small integers and the service's group."""

    level: Level
    outcome: Outcome
    service_group: int = 0


@dataclass(slots=True)
class Tallies:
    """What a stage forwarded and what it dropped, by reason. Live visits move these: they stay on the box."""

    forwarded: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count a drop under a reason from a fixed vocabulary."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count
