"""Late fusion: what face, voice and words of a visit say, as log-likelihood ratios, into its level (docs/fusion.md).

A visit is negative, neutral or positive, with the counter's `prior` beforehand. In a visit of class c a moment shows c
with the share `shown`, and else what moments show at the counter: negative, neutral, positive with the shares of the
prior. A moment whose network says r (its posterior under the prior; the network itself answers likelihoods) is

    l_c = log(1 - shown + shown * r_c / prior_c)          c: negative, positive; 0 for neutral

times likelier in a visit of class c than in a neutral one, in nats. One moment can say no more than that, however sure
its network is, and one that says nothing (r = prior) adds 0. Moments weigh their seconds times how sure they are,
w = (1 - uncertainty) * seconds, 0 above `uncertainty_limit`. Of each modality m

    L_mc = n_m * mean(l_c) + change_m * (mean at the leaving - mean at the arrival)
    n_m  = W_m / (correlation_m + W_m / max_observations_m)           W_m = sum of w

n_m is how many independent observations the seconds are worth: one for each `correlation_s` at first, and never more
than `max_observations`: what a modality gets wrong about a person it gets wrong all the time. Modalities add up, a
missing one adds nothing:

    log P(c) = log prior_c + sum over m of L_mc + constant          x = P(positive) - P(negative)

(Bayes' rule for conditionally independent modalities, as in Good 1950, Probability and the Weighing of Evidence, ch. 6:
weights of evidence add). `thresholds` cut x into five levels; what a level is worth is learnt at the server. A visit
abstains when it was shorter than `minimum_visit_s`, when less than `minimum_evidence_s` was seen and heard at all, when
sum n_m is under `minimum_observations`, or when negative and positive are both so likely that the standard deviation of
the polarity is above `maximum_sd`.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.records import AbstainReason, Level, LogRatios, Modality, Shares, VisitLevel

MIN_SHARE = 0.01
"""A prior says of nothing that it cannot be."""
LISTS = {"thresholds": 4, "prior": 3}


@dataclass(slots=True)
class WeightedMean:
    """Mergeable running mean of log-likelihood ratios: `total` = sum of weights, means of what was added."""

    total: float = 0.0
    negative: float = 0.0
    positive: float = 0.0

    def add(self, ratios: LogRatios, weight: float) -> None:
        """Add an observation; weight 0 changes nothing."""
        if weight > 0:
            self.total += weight
            self.negative += (ratios.negative - self.negative) * weight / self.total
            self.positive += (ratios.positive - self.positive) * weight / self.total

    def merge(self, other: WeightedMean) -> None:
        """Add all of another's evidence."""
        self.add(LogRatios(other.negative, other.positive), other.total)


@dataclass(slots=True)
class FadingMean:
    """Running mean of the last moments: weights fade by exp(-age / `memory_s`)."""

    memory_s: float
    whole: WeightedMean = field(default_factory=WeightedMean)
    last_s: float = 0.0

    def add(self, ratios: LogRatios, weight: float, time_s: float) -> None:
        """Add an observation of `time_s`; times do not run backwards."""
        if weight > 0:
            self.whole.total *= math.exp(-max(0.0, time_s - self.last_s) / self.memory_s)
            self.last_s = time_s
            self.whole.add(ratios, weight)


@dataclass(frozen=True, slots=True)
class ModalityParameters:
    """How one modality is read (symbols of the module's formula)."""

    shown: float = 0.3
    """Share of a visit's moments that show what the visit is, beyond what moments show anyway; above 0, below 1."""
    change: float = 0.0
    correlation_s: float = 1.0
    max_observations: float = 6.0
    uncertainty_limit: float = 1.0
    """Uncertainty above which an observation says nothing. 1: none is left out, doubt only takes weight."""

    def weight(self, uncertainty: float, seconds: float) -> float:
        """Weight of an observation, in seconds of full evidence; 0 for an uncertainty that is no number."""
        return (1.0 - uncertainty) * seconds if uncertainty <= self.uncertainty_limit else 0.0

    def evidence_of(self, seen: LogRatios, prior: Shares) -> LogRatios:
        """What a moment says of the visit, out of what it shows: l_negative and l_positive."""
        moment = seen.posterior(prior)
        negative, _, positive = (
            math.log(1.0 - self.shown + self.shown * share / before)
            for share, before in zip(moment, prior, strict=True)
        )
        return LogRatios(negative, positive)

    def observations(self, weight: float) -> float:
        """Independent observations that seconds of full evidence are worth: n of the formula."""
        return weight / (self.correlation_s + weight / self.max_observations)


@dataclass(frozen=True, slots=True)
class FusionParameters:
    """All parameters of the fusion. The defaults are a priori; calibration may refit them from levels and ratings."""

    prior: Shares = (0.10, 0.75, 0.15)
    """The counter's prior of negative, neutral and positive, of visits and of moments: mostly neutral.
    `calibration.counter_prior` learns it where pairs are enough."""
    # the limit is the face network's own (models.face_affect.ABSTAIN_ABOVE, measured; a test holds them together)
    face: ModalityParameters = ModalityParameters(change=0.3, uncertainty_limit=0.7)
    geometry: ModalityParameters = ModalityParameters(
        shown=0.2, change=0.3, max_observations=3.0, uncertainty_limit=0.95
    )
    """In the place of `face` where a face is read from its landmarks (`models.face_geometry`), which sees less and errs
    in other ways."""
    # a voice's doubt is near 1 by design, and gives it little weight by itself: no limit
    speech: ModalityParameters = ModalityParameters(shown=0.2, correlation_s=2.0, max_observations=1.0)
    # above .95 of the greatest entropy the three probabilities are all but equal
    words: ModalityParameters = ModalityParameters(
        shown=0.4, correlation_s=3.0, max_observations=2.0, uncertainty_limit=0.95
    )
    thresholds: tuple[float, float, float, float] = (-0.45, -0.15, 0.15, 0.45)
    arrival_s: float = 8.0
    """Length of the arrival, from the modality's first evidence in the visit."""
    leaving_s: float = 8.0
    """Memory of the leaving: what was seen this long before the freeze counts 1/e."""
    minimum_visit_s: float = 4.0
    minimum_evidence_s: float = 2.0
    """Seconds of face seen or speech heard under which a visit has no level."""
    minimum_observations: float = 1.5
    """Independent observations, over all modalities, under which a visit has no level."""
    maximum_sd: float = 0.7

    def __post_init__(self) -> None:
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ConfigError(Message("The thresholds of the fusion do not rise."))
        if min(self.prior) < MIN_SHARE or abs(sum(self.prior) - 1.0) > 1e-6:
            raise ConfigError(
                Message(
                    "The fusion's prior {prior} is not of three shares that sum to 1, each at least {min_share}.",
                    prior=self.prior,
                    min_share=MIN_SHARE,
                ),
                Message("Give (negative, neutral, positive), for example [0.10, 0.75, 0.15]."),
            )
        modalities = (self.face, self.geometry, self.speech, self.words)
        if not all(0.0 < m.shown < 1.0 for m in modalities):
            raise ConfigError(Message("A share `shown` of the fusion is not between 0 and 1."))
        positive = [self.leaving_s, self.arrival_s, self.maximum_sd]
        positive += [value for m in modalities for value in (m.max_observations, m.correlation_s)]
        if min(positive) <= 0:
            raise ConfigError(
                Message("A standard deviation, a time or a number of observations of the fusion is not above zero.")
            )

    def by_geometry(self) -> FusionParameters:
        """The same for faces that are read from their landmarks."""
        return replace(self, face=self.geometry)


@dataclass(slots=True)
class ModalitySummary:
    """All that is kept of one modality of a visit."""

    whole: WeightedMean = field(default_factory=WeightedMean)
    arrival: WeightedMean = field(default_factory=WeightedMean)
    leaving: FadingMean = field(default_factory=lambda: FadingMean(8.0))
    seconds: float = 0.0
    """Seconds of observations, sure or not."""
    first_s: float | None = None

    def add(
        self,
        seen: LogRatios,
        uncertainty: float,
        seconds: float,
        time_s: float,
        m: ModalityParameters,
        p: FusionParameters,
    ) -> None:
        """Add one observation of `seconds` at `time_s`, with its network's uncertainty."""
        self.seconds += seconds
        weight = m.weight(uncertainty, seconds)
        # what is no number would pass every comparison as false
        if not weight > 0 or not math.isfinite(seen.negative + seen.positive):
            return
        told = m.evidence_of(seen, p.prior)
        if self.first_s is None:
            self.first_s = time_s
            self.leaving.memory_s = p.leaving_s
        self.whole.add(told, weight)
        if time_s - self.first_s <= p.arrival_s:
            self.arrival.add(told, weight)
        self.leaving.add(told, weight, time_s)


@dataclass(frozen=True, slots=True)
class Fused:
    """What a visit is, and what that rests on. Personal: stays in memory.

    `probabilities` of (negative, neutral, positive); `observations`: how many independent ones it rests on."""

    probabilities: Shares
    observations: float
    modalities: Modality

    @property
    def x(self) -> float:
        """Expected polarity, in [-1, 1]."""
        return self.probabilities[2] - self.probabilities[0]

    @property
    def sd(self) -> float:
        """Standard deviation of the polarity, in [0, 1]."""
        return math.sqrt(max(0.0, self.probabilities[2] + self.probabilities[0] - self.x**2))


def fuse(face: ModalitySummary, speech: ModalitySummary, words: ModalitySummary, p: FusionParameters) -> Fused:
    """Combine what is there; the prior where nothing is."""
    negative = positive = observations = 0.0
    rests_on = Modality.NONE
    for name, summary, m in (
        (Modality.FACE, face, p.face),
        (Modality.SPEECH, speech, p.speech),
        (Modality.WORDS, words, p.words),
    ):
        if summary.whole.total <= 0:
            continue
        own = m.observations(summary.whole.total)
        arrival, leaving = summary.arrival, summary.leaving.whole
        negative += own * summary.whole.negative + m.change * (leaving.negative - arrival.negative)
        positive += own * summary.whole.positive + m.change * (leaving.positive - arrival.positive)
        observations += own
        rests_on |= name
    return Fused(LogRatios(negative, positive).posterior(p.prior), observations, rests_on)


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
    if fused.observations < p.minimum_observations or fused.sd > p.maximum_sd:
        return VisitLevel(Level.ABSTAINED, reason=AbstainReason.TOO_UNCERTAIN)
    return VisitLevel(level_of(fused.x, p), fused.modalities)


def load_fusion(path: Path) -> FusionParameters:
    """Parameters from a TOML file (as calibration writes it): top-level keys and the tables [face], [geometry],
    [speech], [words].

    Raises `ConfigError` for what is unknown or does not fit."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            Message("The fusion's parameters in {name} cannot be read: {error}.", name=path.name, error=error)
        ) from None
    known = {each.name for each in fields(FusionParameters)}
    modality_keys = {each.name for each in fields(ModalityParameters)}
    chosen: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(
                Message("{name}: '{key}' is not known.", name=path.name, key=key),
                Message("Known: {known}.", known=", ".join(sorted(known))),
            )
        if key in ("face", "geometry", "speech", "words"):
            if not isinstance(value, dict) or not modality_keys >= value.keys():
                raise ConfigError(
                    Message("{name}: [{key}] has an unknown key.", name=path.name, key=key),
                    Message("Known: {modality_keys}.", modality_keys=", ".join(modality_keys)),
                )
            given = {name: _number(each, name, path) for name, each in value.items()}
            chosen[key] = replace(getattr(FusionParameters(), key), **given)
        elif key in LISTS:
            if not isinstance(value, list) or len(value) != LISTS[key]:
                raise ConfigError(
                    Message("{name}: {key} is a list of {lists} numbers.", name=path.name, key=key, lists=LISTS[key])
                )
            chosen[key] = tuple(_number(each, key, path) for each in value)
        else:
            chosen[key] = _number(value, key, path)
    return FusionParameters(**chosen)  # type: ignore[arg-type]  # checked above


def _number(value: object, name: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(Message("{name}: {name_2} is not a number.", name=path.name, name_2=name))
    return float(value)
