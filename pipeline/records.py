"""The records that travel between the stages of a box, in memory only.

None of these is ever written, logged or sent. What leaves a box is defined in `pipeline.wire`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""Order of `FaceAffect.likelihoods` (that of FERPlus' votes)."""

SAMPLE_RATE_HZ = 16_000
MAX_SIDE_PX = 8_192
MAX_CHUNK_S = 60


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
    """One picture. `pixels`: uint8 [height, width, 3], BGR, no side above `MAX_SIDE_PX`. `time_s`: monotonic clock or
    media time. Raises `ValueError` for anything else."""

    pixels: NDArray[np.uint8]
    time_s: float

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError("a frame's pixels are uint8 [height, width, 3]")
        if min(pixels.shape[:2]) < 1 or max(pixels.shape[:2]) > MAX_SIDE_PX:
            raise ValueError(f"a frame's sides are 1 to {MAX_SIDE_PX} pixels")
        if not math.isfinite(self.time_s):
            raise ValueError("a frame's time is a finite number")


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """A face followed over frames. Box in pixels of the frame; keypoints float32 [k, 2] (x, y) px; `points` float32
    [468, 3] (x, y, depth) px, where landmarks were found."""

    track_id: int
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    score: float
    keypoints: NDArray[np.float32]
    time_s: float
    points: NDArray[np.float32] | None = None


Shares = tuple[float, float, float]
"""Of negative, neutral and positive: each in [0, 1], together 1."""
EVEN: Shares = (1 / 3, 1 / 3, 1 / 3)
MAX_LOG_RATIO = 20.0
"""Log-likelihood ratios are cut here: nothing that was seen or heard is worth more."""


@dataclass(frozen=True, slots=True)
class LogRatios:
    """What something seen or heard says: log p(it | negative) / p(it | neutral), and the same of positive, in nats.

    No prior is in it: (0, 0) says nothing, and independent observations add up. `MAX_LOG_RATIO` bounds either."""

    negative: float = 0.0
    positive: float = 0.0

    def posterior(self, prior: Shares = EVEN) -> Shares:
        """Probabilities of (negative, neutral, positive) under a prior (Bayes' rule)."""
        logs = (self.negative, 0.0, self.positive)
        weights = [
            share * math.exp(min(max(each, -MAX_LOG_RATIO), MAX_LOG_RATIO))
            for share, each in zip(prior, logs, strict=True)
        ]
        total = sum(weights)
        return weights[0] / total, weights[1] / total, weights[2] / total

    @property
    def valence(self) -> float:
        """Expected polarity in [-1, 1] were all three as likely beforehand: for a person to look at, not for the
        fusion."""
        negative, _, positive = self.posterior()
        return positive - negative


@dataclass(frozen=True, slots=True)
class FaceAffect:
    """Affect of one face. `likelihoods`: float32 [8] in the order of `EMOTIONS`, scaled to a sum of 1: how well each
    would explain the face, with no prior of neutral, positive, negative or surprise in them.

    `ratios`: the same of the three classes; `uncertainty` in [0, 1] (1: says nothing)."""

    likelihoods: NDArray[np.float32]
    ratios: LogRatios
    uncertainty: float

    @property
    def valence(self) -> float:
        """See `LogRatios.valence`."""
        return self.ratios.valence


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of sound. `samples`: float32 [n] in [-1, 1], mono, 16 kHz, of at most `MAX_CHUNK_S`. `time_s` of its
    first sample. Raises `ValueError` for anything else."""

    samples: NDArray[np.float32]
    time_s: float

    def __post_init__(self) -> None:
        samples = self.samples
        if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
            raise ValueError("a chunk's samples are float32 [n]")
        if len(samples) > MAX_CHUNK_S * SAMPLE_RATE_HZ:
            raise ValueError(f"a chunk is at most {MAX_CHUNK_S} s long")
        if len(samples) and not np.abs(samples).max() <= 1.0:  # what is no number fails every comparison
            raise ValueError("a chunk's samples lie within [-1, 1]")
        if not math.isfinite(self.time_s):
            raise ValueError("a chunk's time is a finite number")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech that the voice activity detector found; `samples` as in `Chunk`."""

    samples: NDArray[np.float32]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SpeechAffect:
    """Affect of one utterance's sound: `arousal` in [0, 1], `uncertainty` in [0, 1].

    `negative`: log-likelihood ratio of negative against not negative, in nats: from its sound alone a neutral utterance
    is not told from a positive one."""

    arousal: float
    negative: float
    uncertainty: float
    duration_s: float = 0.0

    @property
    def ratios(self) -> LogRatios:
        """Of the three classes: positive is as likely as neutral."""
        return LogRatios(self.negative, 0.0)

    @property
    def p_negative(self) -> float:
        """Probability of negative at even odds of negative and not negative, in [0, 1]."""
        return 1.0 / (1.0 + math.exp(-min(max(self.negative, -MAX_LOG_RATIO), MAX_LOG_RATIO)))

    @property
    def valence(self) -> float:
        """1 - 2 `p_negative`: +1 means *not negative*, not happy."""
        return 1.0 - 2.0 * self.p_negative


@dataclass(frozen=True, slots=True)
class WordsAffect:
    """Sentiment of one utterance's words: `ratios` of the three classes; `uncertainty` in [0, 1]."""

    ratios: LogRatios
    uncertainty: float

    @classmethod
    def of(cls, probabilities: Shares, uncertainty: float, shares: Shares = EVEN) -> WordsAffect:
        """From a network's probabilities, with the classes' shares that it was trained at taken out."""
        logs = [math.log(max(p, 1e-9) / share) for p, share in zip(probabilities, shares, strict=True)]
        return cls(LogRatios(logs[0] - logs[1], logs[2] - logs[1]), uncertainty)

    @property
    def valence(self) -> float:
        """See `LogRatios.valence`."""
        return self.ratios.valence


@dataclass(frozen=True, slots=True)
class VisitLevel:
    """The frozen implicit level of a visit, what it rests on, and why it is missing where it is."""

    level: Level
    modalities: Modality = Modality.NONE
    reason: AbstainReason = AbstainReason.NONE


@dataclass(frozen=True, slots=True)
class ClosedVisit:
    """All that remains of a visit once it has ended: two small integers, the service's group, and consent."""

    level: Level
    outcome: Outcome
    service_group: int = 0
    agreed: bool = True
    """False only where the box's legal basis is consent, and the citizen gave none, or took it back. Such a visit has
    no level."""


@dataclass(slots=True)
class Tallies:
    """What a stage forwarded and what it dropped, by reason. Live visits move these: they stay on the box."""

    forwarded: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count a drop under a reason from a fixed vocabulary."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count
