"""Late fusion against closed forms, and the order that it must keep."""

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
    ModalitySummary,
    WeightedMean,
    decide,
    fuse,
    level_of,
    load_fusion,
)
from pipeline.records import AbstainReason, Level, Modality

P = FusionParameters()
NOTHING = ModalitySummary()


def seen(valence: float, uncertainty: float = 0.0, seconds: float = 20.0, step_s: float = 0.1) -> ModalitySummary:
    """A modality that says the same all the time."""
    summary = ModalitySummary()
    for number in range(round(seconds / step_s)):
        summary.add(valence, P.face.weight(uncertainty, step_s), step_s, number * step_s, P)
    return summary


def test_one_modality_is_the_normal_posterior() -> None:
    fused = fuse(seen(0.8), NOTHING, NOTHING, P)
    precision = 1 / (P.face.noise**2 * P.face.correlation_s / 20.0 + P.face.bias**2)
    assert fused.x == pytest.approx(0.8 * precision / (precision + 1 / P.prior_sd**2))
    assert fused.sd == pytest.approx((precision + 1 / P.prior_sd**2) ** -0.5)
    assert fused.modalities is Modality.FACE


def test_nothing_seen_is_the_prior() -> None:
    fused = fuse(NOTHING, NOTHING, NOTHING, P)
    assert (fused.x, fused.sd, fused.modalities) == (0.0, P.prior_sd, Modality.NONE)


def test_the_surer_modality_prevails_and_both_are_named() -> None:
    fused = fuse(seen(0.9), seen(-0.9, uncertainty=0.5, seconds=1), NOTHING, P)
    assert fused.x > 0.4
    assert fused.modalities == Modality.FACE | Modality.SPEECH


def test_evidence_above_the_limit_of_uncertainty_has_no_weight() -> None:
    unsure = seen(-1.0, uncertainty=P.face.uncertainty_limit + 0.01)
    assert unsure.whole.total == 0
    assert unsure.seconds == pytest.approx(20)
    assert fuse(unsure, NOTHING, NOTHING, P).modalities is Modality.NONE


def test_no_amount_of_evidence_goes_below_the_bias() -> None:
    endless = fuse(seen(0.5, seconds=2000), NOTHING, NOTHING, P)
    floor = (1 / P.face.bias**2 + 1 / P.prior_sd**2) ** -0.5
    assert endless.sd == pytest.approx(floor, rel=0.01)


def test_leaving_better_than_arriving_raises_the_level() -> None:
    up, down = ModalitySummary(), ModalitySummary()
    for number in range(600):
        share = number / 600
        up.add(2 * share - 1, 0.1, 0.1, number * 0.1, P)
        down.add(1 - 2 * share, 0.1, 0.1, number * 0.1, P)
    assert up.whole.mean == pytest.approx(-down.whole.mean, abs=0.01)
    assert fuse(up, NOTHING, NOTHING, P).x > 0.15
    assert fuse(down, NOTHING, NOTHING, P).x < -0.15


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
    speech, words = seen(0.9, seconds=1.2), seen(0.9, seconds=1.2)
    assert decide(NOTHING, speech, words, 30.0, P).reason is AbstainReason.TOO_LITTLE_SEEN


@pytest.mark.parametrize(("valence", "uncertainty"), [(math.nan, 0.1), (math.inf, 0.1), (0.9, math.nan)])
def test_what_is_no_number_says_nothing(valence: float, uncertainty: float) -> None:
    """A mean that is no number is below every threshold: the visit would be "very low"."""
    summary = seen(0.9)
    summary.add(valence, P.face.weight(uncertainty, 0.1), 0.1, 20.0, P)
    assert decide(summary, NOTHING, NOTHING, 30.0, P).level is Level.VERY_HIGH
    nothing_else = ModalitySummary()
    for number in range(100):
        nothing_else.add(valence, P.face.weight(uncertainty, 0.1), 0.1, number * 0.1, P)
    assert decide(nothing_else, NOTHING, NOTHING, 30.0, P).reason is AbstainReason.TOO_UNCERTAIN


def test_a_missing_modality_changes_nothing_and_an_unsure_one_hardly_anything() -> None:
    alone = fuse(seen(0.6), NOTHING, NOTHING, P)
    assert fuse(seen(0.6), ModalitySummary(), ModalitySummary(), P) == alone
    calm = ModalitySummary()
    calm.add(-0.9, P.speech.weight(0.95, 3.0), 3.0, 5.0, P)
    both = fuse(seen(0.6), calm, NOTHING, P)
    assert abs(both.x - alone.x) < 0.1
    assert both.sd <= alone.sd, "doubtful evidence never makes a visit less sure"


def test_the_arrival_is_counted_from_the_first_evidence_not_from_the_start() -> None:
    """A citizen who looks down for a minute arrives, for the face, when it is first seen."""
    late = ModalitySummary()
    for number in range(400):
        late.add(-0.8 if number < 80 else 0.8, 0.1, 0.1, 60 + number * 0.1, P)
    assert late.arrival.mean == pytest.approx(-0.8, abs=0.05)
    assert late.leaving.mean > 0.7
    short = seen(0.5, seconds=4)
    assert short.leaving.mean == pytest.approx(short.arrival.mean), "no change where arrival and leaving are one"


@pytest.mark.parametrize(
    ("face", "speech", "duration_s", "level", "reason"),
    [
        (seen(0.9), NOTHING, 30.0, Level.VERY_HIGH, AbstainReason.NONE),
        (seen(-0.9), NOTHING, 30.0, Level.VERY_LOW, AbstainReason.NONE),
        (seen(0.0), NOTHING, 30.0, Level.MIDDLE, AbstainReason.NONE),
        (seen(0.9), NOTHING, 2.0, Level.ABSTAINED, AbstainReason.TOO_SHORT),
        (seen(0.9, seconds=1), NOTHING, 30.0, Level.ABSTAINED, AbstainReason.TOO_LITTLE_SEEN),
        (NOTHING, NOTHING, 30.0, Level.ABSTAINED, AbstainReason.TOO_LITTLE_SEEN),
        (seen(0.9, uncertainty=0.9), NOTHING, 30.0, Level.ABSTAINED, AbstainReason.TOO_UNCERTAIN),
        (NOTHING, seen(0.9, seconds=3), 30.0, Level.ABSTAINED, AbstainReason.TOO_UNCERTAIN),
    ],
)
def test_decide(
    face: ModalitySummary, speech: ModalitySummary, duration_s: float, level: Level, reason: AbstainReason
) -> None:
    decided = decide(face, speech, NOTHING, duration_s, P)
    assert (decided.level, decided.reason) == (level, reason)
    assert (decided.modalities is Modality.NONE) == (level is Level.ABSTAINED)


values = st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 5)), min_size=1, max_size=30)


@given(values, values)
def test_merged_means_are_the_mean_of_all(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> None:
    first, second = WeightedMean(), WeightedMean()
    for value, weight in a:
        first.add(value, weight)
    for value, weight in b:
        second.add(value, weight)
    first.merge(second)
    total = math.fsum(weight for _, weight in a + b)
    assert first.total == pytest.approx(total)
    assert first.mean == pytest.approx(math.fsum(v * w for v, w in a + b) / total, abs=1e-9)


def test_fading_mean_forgets_exponentially() -> None:
    mean = FadingMean(memory_s=2.0)
    mean.add(1.0, 1.0, 0.0)
    mean.add(0.0, 1.0, 2.0)
    assert mean.mean == pytest.approx(math.exp(-1) / (1 + math.exp(-1)))


def test_parameters_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fusion.toml"
    path.write_text("thresholds = [-0.5, -0.2, 0.1, 0.6]\nminimum_visit_s = 10\n[face]\noffset = -0.1\n")
    loaded = load_fusion(path)
    assert loaded.thresholds == (-0.5, -0.2, 0.1, 0.6)
    assert loaded.face == replace(P.face, offset=-0.1), "what the file does not name stays as it is"
    assert loaded.speech == P.speech


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threshold = 1", "not known"),
        ("[face]\nweight = 1", "unknown key"),
        ("thresholds = [0.1, 0.2, 0.3]", "four numbers"),
        ("thresholds = [0.1, 0.2, 0.2, 0.3]", "do not rise"),
        ("prior_sd = 0", "not above zero"),
        ("prior_sd = true", "not a number"),
        ("prior_sd = nan", "not a number"),
        ("prior_sd =", "cannot be read"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "fusion.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_fusion(path)
