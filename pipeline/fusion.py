"""Late fusion: summaries of face, voice and words into a visit's level, or an abstention (docs/fusion.md).

For each modality m the observations of a visit are weighted by their seconds and by how sure they are,
w = (1 - uncertainty) * seconds, 0 where the uncertainty is above `uncertainty_limit`: there an observation abstains by
itself, by what its network measured of its own doubt. A visit abstains by another rule, below. The weighted mean
valence v_m has

    x_m = gain_m * (v_m - offset_m) + change_m * (leaving_m - arrival_m)
    precision_m = 1 / (noise_m^2 * correlation_m / W_m + bias_m^2)        W_m = sum of w, in seconds

The first term of the variance shrinks with evidence, but only by one independent observation for each `correlation_m`
seconds; `bias_m` is what no amount of evidence takes away (a face at rest that looks stern, a language the network has
not heard). Modalities are combined by their precisions with a prior at 0:

    sd = (sum(precision_m) + 1 / prior_sd^2)^(-1/2)        x = sum(precision_m * x_m) * sd^2

(conjugate normal model; Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.5). A missing modality has precision
0: nothing is imputed. `thresholds` cut x into five levels. A visit abstains when it was shorter than
`minimum_visit_s`, when less than `minimum_evidence_s` was seen and heard at all, or when sd is above `maximum_sd`.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.records import AbstainReason, Level, Modality, VisitLevel


@dataclass(slots=True)
class WeightedMean:
    """Mergeable running mean: `total` = sum of weights, `mean` of what was added."""

    total: float = 0.0
    mean: float = 0.0

    def add(self, value: float, weight: float) -> None:
        """Add a value; weight 0 changes nothing."""
        if weight > 0:
            self.total += weight
            self.mean += (value - self.mean) * weight / self.total

    def merge(self, other: WeightedMean) -> None:
        """Add all of another's evidence."""
        self.add(other.mean, other.total)


@dataclass(slots=True)
class FadingMean:
    """Running mean of the last moments: weights fade by exp(-age / `memory_s`)."""

    memory_s: float
    total: float = 0.0
    mean: float = 0.0
    last_s: float = 0.0

    def add(self, value: float, weight: float, time_s: float) -> None:
        """Add a value seen at `time_s`; times do not run backwards."""
        if weight <= 0:
            return
        self.total *= math.exp(-max(0.0, time_s - self.last_s) / self.memory_s)
        self.last_s = time_s
        self.total += weight
        self.mean += (value - self.mean) * weight / self.total


@dataclass(frozen=True, slots=True)
class ModalityParameters:
    """How one modality's valence is read (symbols of the module's formula)."""

    gain: float = 1.0
    offset: float = 0.0
    change: float = 0.0
    noise: float = 0.5
    correlation_s: float = 2.0
    bias: float = 0.2
    uncertainty_limit: float = 1.0
    """Uncertainty above which an observation says nothing. 1: none is left out, doubt only takes weight."""

    def weight(self, uncertainty: float, seconds: float) -> float:
        """Weight of an observation, in seconds of full evidence; 0 for an uncertainty that is no number."""
        return (1.0 - uncertainty) * seconds if uncertainty <= self.uncertainty_limit else 0.0


@dataclass(frozen=True, slots=True)
class FusionParameters:
    """All parameters of the fusion. The defaults are a priori; calibration may refit them from levels and ratings."""

    # the limit is the face network's own (models.face_affect.ABSTAIN_ABOVE, measured; a test holds them together)
    face: ModalityParameters = ModalityParameters(change=0.3, bias=0.25, uncertainty_limit=0.6)
    # a calm voice reads as "not negative", which is less than satisfied.
    # Its doubt is near 1 by design, and gives it little weight by itself: no limit
    speech: ModalityParameters = ModalityParameters(gain=0.5, offset=0.2, bias=0.5)
    # above .95 of the greatest entropy the three probabilities are all but equal
    words: ModalityParameters = ModalityParameters(correlation_s=3.0, bias=0.35, uncertainty_limit=0.95)
    thresholds: tuple[float, float, float, float] = (-0.45, -0.15, 0.15, 0.45)
    prior_sd: float = 1.0
    arrival_s: float = 8.0
    """Length of the arrival, from the modality's first evidence in the visit."""
    leaving_s: float = 8.0
    """Memory of the leaving: what was seen this long before the freeze counts 1/e."""
    minimum_visit_s: float = 4.0
    minimum_evidence_s: float = 2.0
    """Seconds of face seen or speech heard under which a visit has no level."""
    maximum_sd: float = 0.45

    def __post_init__(self) -> None:
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ConfigError("The thresholds of the fusion do not rise.")
        positive = [self.prior_sd, self.arrival_s, self.leaving_s, self.maximum_sd]
        positive += [value for m in (self.face, self.speech, self.words) for value in (m.noise, m.correlation_s)]
        if min(positive) <= 0:
            raise ConfigError("A standard deviation or a time of the fusion is not above zero.")


@dataclass(slots=True)
class ModalitySummary:
    """All that is kept of one modality of a visit."""

    whole: WeightedMean = field(default_factory=WeightedMean)
    arrival: WeightedMean = field(default_factory=WeightedMean)
    leaving: FadingMean = field(default_factory=lambda: FadingMean(8.0))
    seconds: float = 0.0
    """Seconds of observations, sure or not."""
    first_s: float | None = None

    def add(self, valence: float, weight: float, seconds: float, time_s: float, p: FusionParameters) -> None:
        """Add one observation of `seconds` at `time_s`, with its weight (`ModalityParameters.weight`)."""
        self.seconds += seconds
        if not weight > 0 or not math.isfinite(valence):  # what is no number would pass every comparison as false
            return
        if self.first_s is None:
            self.first_s = time_s
            self.leaving.memory_s = p.leaving_s
        self.whole.add(valence, weight)
        if time_s - self.first_s <= p.arrival_s:
            self.arrival.add(valence, weight)
        self.leaving.add(valence, weight, time_s)


@dataclass(frozen=True, slots=True)
class Fused:
    """Valence `x` of a visit and its standard deviation, and what it rests on. Personal: stays in memory."""

    x: float
    sd: float
    modalities: Modality


def fuse(face: ModalitySummary, speech: ModalitySummary, words: ModalitySummary, p: FusionParameters) -> Fused:
    """Combine what is there; x = 0 and sd = `prior_sd` where nothing is."""
    precision, moment, rests_on = 1 / p.prior_sd**2, 0.0, Modality.NONE
    for name, summary, m in (
        (Modality.FACE, face, p.face),
        (Modality.SPEECH, speech, p.speech),
        (Modality.WORDS, words, p.words),
    ):
        if summary.whole.total <= 0:
            continue
        x = m.gain * (summary.whole.mean - m.offset) + m.change * (summary.leaving.mean - summary.arrival.mean)
        own = 1 / (m.noise**2 * m.correlation_s / summary.whole.total + m.bias**2)
        precision += own
        moment += own * x
        rests_on |= name
    return Fused(moment / precision, precision**-0.5, rests_on)


def level_of(x: float, p: FusionParameters) -> Level:
    """The level of a fused valence: a value on a threshold belongs to the level above it."""
    return Level(sum(x >= threshold for threshold in p.thresholds))


def decide(
    face: ModalitySummary, speech: ModalitySummary, words: ModalitySummary, duration_s: float, p: FusionParameters
) -> VisitLevel:
    """Level of a visit that lasted `duration_s`, or why it has none."""
    if duration_s < p.minimum_visit_s:
        return VisitLevel(Level.ABSTAINED, reason=AbstainReason.TOO_SHORT)
    if face.seconds + speech.seconds < p.minimum_evidence_s:  # words are of the speech that was counted
        return VisitLevel(Level.ABSTAINED, reason=AbstainReason.TOO_LITTLE_SEEN)
    fused = fuse(face, speech, words, p)
    if fused.modalities is Modality.NONE or fused.sd > p.maximum_sd:
        return VisitLevel(Level.ABSTAINED, reason=AbstainReason.TOO_UNCERTAIN)
    return VisitLevel(level_of(fused.x, p), fused.modalities)


def load_fusion(path: Path) -> FusionParameters:
    """Parameters from a TOML file (as calibration writes it): top-level keys and tables [face], [speech], [words].

    Raises `ConfigError` for what is unknown or does not fit."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The fusion's parameters in {path.name} cannot be read: {error}.") from None
    known = {each.name for each in fields(FusionParameters)}
    modality_keys = {each.name for each in fields(ModalityParameters)}
    chosen: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{path.name}: {key!r} is not known.", f"Known: {', '.join(sorted(known))}.")
        if key in ("face", "speech", "words"):
            if not isinstance(value, dict) or not modality_keys >= value.keys():
                raise ConfigError(f"{path.name}: [{key}] has an unknown key.", f"Known: {', '.join(modality_keys)}.")
            given = {name: _number(each, name, path) for name, each in value.items()}
            chosen[key] = replace(getattr(FusionParameters(), key), **given)
        elif key == "thresholds":
            if not isinstance(value, list) or len(value) != 4:
                raise ConfigError(f"{path.name}: thresholds are four numbers.")
            chosen[key] = tuple(_number(each, key, path) for each in value)
        else:
            chosen[key] = _number(value, key, path)
    return FusionParameters(**chosen)  # type: ignore[arg-type]  # checked above


def _number(value: object, name: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{path.name}: {name} is not a number.")
    return float(value)
