"""Late fusion against closed forms: evidence adds up, the prior is what no evidence leaves, and more is more."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.fusion import (
    FadingMean,
    FusionParameters,
    ModalityParameters,
    ModalitySummary,
    WeightedMean,
    decide,
    fuse,
    level_of,
    load_fusion,
)
from pipeline.records import AbstainReason, Level, LogRatios, Modality

P = FusionParameters()
NOTHING = ModalitySummary()
HAPPY, SAD, PLAIN, UNCLEAR = LogRatios(-4.0, 6.0), LogRatios(6.0, -4.0), LogRatios(-5.0, -5.0), LogRatios()
Observation = tuple[float, float, float]
"""(negative, positive, seconds)"""
evidence = st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(0.05, 5))


def seen(
    ratios: LogRatios,
    uncertainty: float = 0.0,
    seconds: float = 20.0,
    step_s: float = 0.1,
    m: ModalityParameters = P.face,
) -> ModalitySummary:
    """A modality that says the same all the time."""
    summary = ModalitySummary()
    for number in range(round(seconds / step_s)):
        summary.add(ratios, uncertainty, step_s, number * step_s, m, P)
    return summary


def summed(observations: list[Observation], m: ModalityParameters = P.face) -> ModalitySummary:
    """Observations one after the other."""
    summary, time_s = ModalitySummary(), 0.0
    for negative, positive, seconds in observations:
        summary.add(LogRatios(negative, positive), 0.0, seconds, time_s, m, P)
        time_s += seconds
    return summary


def test_one_modality_is_the_closed_form() -> None:
    """By hand: every moment shows joy; a visit of joy shows it with .3 + .7 * .15, a neutral one with .15."""
    fused = fuse(seen(LogRatios(-20, 20)), NOTHING, NOTHING, P)
    n = 20 / (P.face.correlation_s + 20 / P.face.max_observations)
    negative, neutral, positive = P.prior
    joy, other = math.log((0.3 + 0.7 * positive) / positive), math.log(0.7)
    weights = [negative * math.exp(n * other), neutral, positive * math.exp(n * joy)]
    assert fused.probabilities == pytest.approx([each / sum(weights) for each in weights], abs=1e-6)
    assert fused.observations == pytest.approx(n)
    assert fused.modalities is Modality.FACE
    assert fused.x == pytest.approx(fused.probabilities[2] - fused.probabilities[0])
    expected = sum(p * (v - fused.x) ** 2 for p, v in zip(fused.probabilities, (-1, 0, 1), strict=True))
    assert fused.sd == pytest.approx(math.sqrt(expected))


def test_nothing_seen_is_the_prior() -> None:
    fused = fuse(NOTHING, NOTHING, NOTHING, P)
    assert fused.probabilities == pytest.approx(P.prior)
    assert (fused.observations, fused.modalities) == (0.0, Modality.NONE)


@given(st.floats(0.05, 300))
def test_what_says_nothing_leaves_the_prior_however_long_it_lasts(seconds: float) -> None:
    """Ratios of 0 are the prior, not neutral: a network that cannot tell must not speak for content."""
    fused = fuse(summed([(0.0, 0.0, seconds)]), NOTHING, NOTHING, P)
    assert fused.probabilities == pytest.approx(P.prior)


@given(st.lists(evidence, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_evidence_does_not_matter_without_change(observations: list[Observation], random: object) -> None:
    m = replace(P.face, change=0.0)
    parameters = replace(P, face=m)
    shuffled = observations.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (fuse(summed(each, m), NOTHING, NOTHING, parameters) for each in (observations, shuffled))
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-9)


@given(evidence, st.integers(1, 20))
def test_the_order_of_equal_evidence_does_not_matter_at_all(one: Observation, count: int) -> None:
    """Cut into pieces or said at once, with the change between arrival and leaving as well."""
    negative, positive, seconds = one
    pieces = fuse(summed([(negative, positive, seconds / count)] * count), NOTHING, NOTHING, P)
    assert pieces.probabilities == pytest.approx(fuse(summed([one]), NOTHING, NOTHING, P).probabilities, abs=1e-9)


@given(st.lists(evidence, min_size=1, max_size=12), st.integers(0, 11), st.floats(0.01, 10))
def test_more_evidence_for_a_class_never_makes_it_less_likely(
    observations: list[Observation], where: int, more: float
) -> None:
    """Of whichever moment, where no change is counted."""
    m = replace(P.face, change=0.0)
    where %= len(observations)
    raised = [(n + more if at == where else n, p, s) for at, (n, p, s) in enumerate(observations)]
    before, after = (
        fuse(summed(each, m), NOTHING, NOTHING, replace(P, face=m)).probabilities for each in (observations, raised)
    )
    assert after[0] >= before[0] - 1e-12
    assert after[0] - after[2] >= before[0] - before[2] - 1e-12


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.01, 10), st.floats(1, 100))
def test_a_steady_sign_is_monotone(negative: float, positive: float, more: float, seconds: float) -> None:
    before, after = (
        fuse(summed([(each, positive, seconds)]), NOTHING, NOTHING, P) for each in (negative, negative + more)
    )
    assert after.x <= before.x + 1e-12


@given(st.lists(evidence, max_size=5), st.lists(evidence, max_size=5), st.lists(evidence, max_size=5))
def test_modalities_add_up(face: list[Observation], speech: list[Observation], words: list[Observation]) -> None:
    """Log odds over the prior of all three are the sum of those of each alone."""
    parts = (summed(face), summed(speech, P.speech), summed(words, P.words))

    def odds(*given: ModalitySummary) -> float:
        negative, neutral, _ = fuse(given[0], given[1], given[2], P).probabilities
        return math.log(negative / neutral) - math.log(P.prior[0] / P.prior[1])

    alone = (odds(parts[0], NOTHING, NOTHING), odds(NOTHING, parts[1], NOTHING), odds(NOTHING, NOTHING, parts[2]))
    assert odds(*parts) == pytest.approx(math.fsum(alone), abs=1e-6)


@given(evidence)
def test_one_moment_can_say_no_more_than_its_cap(one: Observation) -> None:
    told = P.face.evidence_of(LogRatios(one[0], one[1]), P.prior)
    for said, before in ((told.negative, P.prior[0]), (told.positive, P.prior[2])):
        assert math.log(1 - P.face.shown) - 1e-9 <= said <= math.log(1 - P.face.shown + P.face.shown / before) + 1e-9


def test_no_amount_of_evidence_is_more_than_the_most() -> None:
    assert fuse(seen(HAPPY, seconds=2000), NOTHING, NOTHING, P).observations == pytest.approx(
        P.face.max_observations, rel=0.01
    )


def test_a_frown_among_plain_faces_is_not_drowned() -> None:
    """A single valence's mean hides three seconds in ten; a share of moments that no neutral visit has does not."""
    frowning, plain = ModalitySummary(), ModalitySummary()
    for number in range(300):
        frowning.add(SAD if number % 10 < 4 else PLAIN, 0.0, 0.1, number * 0.1, P.face, P)
        plain.add(PLAIN, 0.0, 0.1, number * 0.1, P.face, P)
    assert fuse(frowning, NOTHING, NOTHING, P).x < -0.15
    assert abs(fuse(plain, NOTHING, NOTHING, P).x) < 0.05


def test_negative_and_neutral_travel_separately() -> None:
    """Two visits of one valence (0): the one is plain, the other is torn, and abstains."""
    torn = [(12.0, -12.0, 10.0), (-12.0, 12.0, 10.0)]
    parameters = replace(P, prior=(0.125, 0.75, 0.125), face=replace(P.face, change=0.0))
    summary = ModalitySummary()
    for number, (negative, positive, seconds) in enumerate(torn * 3):
        summary.add(LogRatios(negative, positive), 0.0, seconds, number * 10.0, parameters.face, parameters)
    one, other = fuse(summary, NOTHING, NOTHING, parameters), fuse(seen(PLAIN), NOTHING, NOTHING, parameters)
    assert one.x == pytest.approx(other.x, abs=0.05)
    assert one.sd > P.maximum_sd > other.sd
    assert decide(summary, NOTHING, NOTHING, 60.0, parameters).reason is AbstainReason.TOO_UNCERTAIN


def test_evidence_above_the_limit_of_uncertainty_has_no_weight() -> None:
    unsure = seen(SAD, uncertainty=P.face.uncertainty_limit + 0.01)
    assert unsure.whole.total == 0
    assert unsure.seconds == pytest.approx(20)
    assert fuse(unsure, NOTHING, NOTHING, P).modalities is Modality.NONE


def test_leaving_better_than_arriving_raises_the_level() -> None:
    up, down, even = ModalitySummary(), ModalitySummary(), ModalitySummary()
    for number in range(600):
        better = number >= 300
        up.add(HAPPY if better else PLAIN, 0.0, 0.1, number * 0.1, P.face, P)
        down.add(PLAIN if better else HAPPY, 0.0, 0.1, number * 0.1, P.face, P)
        even.add(PLAIN if number % 2 else HAPPY, 0.0, 0.1, number * 0.1, P.face, P)
    assert up.whole.positive == pytest.approx(down.whole.positive)
    x_up, x_even, x_down = (fuse(each, NOTHING, NOTHING, P).x for each in (up, even, down))
    assert x_up > x_even > x_down


@pytest.mark.parametrize(
    ("x", "level"),
    [
        (-1, Level.VERY_LOW),
        (-0.45, Level.LOW),
        (-0.3, Level.LOW),
        (-0.15, Level.MIDDLE),
        (0, Level.MIDDLE),
        (0.15, Level.HIGH),
        (0.44, Level.HIGH),
        (0.45, Level.VERY_HIGH),
        (1, Level.VERY_HIGH),
    ],
)
def test_levels(x: float, level: Level) -> None:
    assert level_of(x, P) is level


def test_words_are_no_seconds_of_their_own() -> None:
    """An utterance of 1.2 s that was understood is still 1.2 s of speech."""
    speech, words = seen(HAPPY, seconds=1.2, m=P.speech), seen(HAPPY, seconds=1.2, m=P.words)
    assert decide(NOTHING, speech, words, 30.0, P).reason is AbstainReason.TOO_LITTLE_SEEN


@pytest.mark.parametrize(
    ("ratios", "uncertainty"),
    [
        (LogRatios(math.nan, 0.0), 0.1),
        (LogRatios(0.0, math.nan), 0.1),
        (LogRatios(math.inf, 0.0), 0.1),
        (LogRatios(0.0, -math.inf), 0.1),
        (HAPPY, math.nan),
    ],
)
def test_what_is_no_number_says_nothing(ratios: LogRatios, uncertainty: float) -> None:
    """A mean that is no number is below every threshold: the visit would be "very low"."""
    summary = seen(HAPPY)
    summary.add(ratios, uncertainty, 0.1, 20.0, P.face, P)
    assert decide(summary, NOTHING, NOTHING, 30.0, P).level is Level.VERY_HIGH
    nothing_else = ModalitySummary()
    for number in range(100):
        nothing_else.add(ratios, uncertainty, 0.1, number * 0.1, P.face, P)
    assert decide(nothing_else, NOTHING, NOTHING, 30.0, P).reason is AbstainReason.TOO_UNCERTAIN


def test_a_missing_modality_changes_nothing_and_an_unsure_one_hardly_anything() -> None:
    alone = fuse(seen(HAPPY), NOTHING, NOTHING, P)
    assert fuse(seen(HAPPY), ModalitySummary(), ModalitySummary(), P) == alone
    calm = ModalitySummary()
    calm.add(SAD, 0.95, 3.0, 5.0, P.speech, P)
    both = fuse(seen(HAPPY), calm, NOTHING, P)
    assert abs(both.x - alone.x) < 0.1


def test_the_arrival_is_counted_from_the_first_evidence_not_from_the_start() -> None:
    """A citizen who looks down for a minute arrives, for the face, when it is first seen."""
    late = ModalitySummary()
    for number in range(400):
        late.add(SAD if number < 80 else HAPPY, 0.0, 0.1, 60 + number * 0.1, P.face, P)
    sad, happy = P.face.evidence_of(SAD, P.prior), P.face.evidence_of(HAPPY, P.prior)
    assert late.arrival.negative == pytest.approx(sad.negative, abs=0.05)
    assert late.leaving.whole.positive > 0.9 * happy.positive
    short = seen(HAPPY, seconds=4)
    assert short.leaving.whole.positive == pytest.approx(short.arrival.positive), (
        "no change: arrival and leaving are one"
    )


@pytest.mark.parametrize(
    ("face", "speech", "duration_s", "level", "reason"),
    [
        (seen(HAPPY), NOTHING, 30.0, Level.VERY_HIGH, AbstainReason.NONE),
        (seen(SAD), NOTHING, 30.0, Level.VERY_LOW, AbstainReason.NONE),
        (seen(PLAIN), NOTHING, 30.0, Level.MIDDLE, AbstainReason.NONE),
        (seen(HAPPY), NOTHING, 2.0, Level.ABSTAINED, AbstainReason.TOO_SHORT),
        (seen(HAPPY, seconds=1), NOTHING, 30.0, Level.ABSTAINED, AbstainReason.TOO_LITTLE_SEEN),
        (NOTHING, NOTHING, 30.0, Level.ABSTAINED, AbstainReason.TOO_LITTLE_SEEN),
        (seen(HAPPY, uncertainty=0.9), NOTHING, 30.0, Level.ABSTAINED, AbstainReason.TOO_UNCERTAIN),
        (NOTHING, seen(HAPPY, seconds=3, m=P.speech), 30.0, Level.ABSTAINED, AbstainReason.TOO_UNCERTAIN),
    ],
)
def test_decide(
    face: ModalitySummary, speech: ModalitySummary, duration_s: float, level: Level, reason: AbstainReason
) -> None:
    decided = decide(face, speech, NOTHING, duration_s, P)
    assert (decided.level, decided.reason) == (level, reason)
    assert (decided.modalities is Modality.NONE) == (level is Level.ABSTAINED)


@given(st.lists(evidence, min_size=1, max_size=30), st.lists(evidence, min_size=1, max_size=30))
def test_merged_means_are_the_mean_of_all(a: list[Observation], b: list[Observation]) -> None:
    first, second = WeightedMean(), WeightedMean()
    for into, observations in ((first, a), (second, b)):
        for negative, positive, weight in observations:
            into.add(LogRatios(negative, positive), weight)
    first.merge(second)
    total = math.fsum(weight for _, _, weight in a + b)
    assert first.total == pytest.approx(total)
    assert first.negative == pytest.approx(math.fsum(n * w for n, _, w in a + b) / total, abs=1e-9)
    assert first.positive == pytest.approx(math.fsum(p * w for _, p, w in a + b) / total, abs=1e-9)


def test_fading_mean_forgets_exponentially() -> None:
    mean = FadingMean(memory_s=2.0)
    mean.add(LogRatios(1.0, -1.0), 1.0, 0.0)
    mean.add(LogRatios(0.0, 0.0), 1.0, 2.0)
    expected = math.exp(-1) / (1 + math.exp(-1))
    assert (mean.whole.negative, mean.whole.positive) == pytest.approx((expected, -expected))


def test_parameters_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fusion.toml"
    path.write_text(
        "prior = [0.2, 0.7, 0.1]\nthresholds = [-0.5, -0.2, 0.1, 0.6]\n"
        "minimum_visit_s = 10\n[face]\nmax_observations = 3\n"
    )
    loaded = load_fusion(path)
    assert loaded.prior == (0.2, 0.7, 0.1)
    assert loaded.thresholds == (-0.5, -0.2, 0.1, 0.6)
    assert loaded.face == replace(P.face, max_observations=3), "what the file does not name stays as it is"
    assert loaded.speech == P.speech


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threshold = 1", "not known"),
        ("[face]\nweight = 1", "unknown key"),
        ("thresholds = [0.1, 0.2, 0.3]", "4 numbers"),
        ("prior = [0.5, 0.5]", "3 numbers"),
        ("prior = [0.5, 0.5, 0.5]", "not of three shares"),
        ("prior = [0.0, 0.9, 0.1]", "not of three shares"),
        ("prior = 0.5", "3 numbers"),
        ("[face]\nshown = 1", "between 0 and 1"),
        ("thresholds = [0.1, 0.2, 0.2, 0.3]", "do not rise"),
        ("maximum_sd = 0", "not above zero"),
        ("maximum_sd = true", "not a number"),
        ("maximum_sd = nan", "not a number"),
        ("maximum_sd =", "cannot be read"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "fusion.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_fusion(path)
