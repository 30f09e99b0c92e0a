"""How the speech network is fitted and written: on made-up corpora, where what must come out is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.labels import HIGH_AROUSAL, POLARITY_OF
from models.runtime import OnnxNetwork
from models.speech_summary import LENGTH
from models.training.speech import RECIPES, calibrate, sigmoid, train
from models.training.speech_data import Corpus, classes_of
from models.training.speech_export import export
from models.training.speech_linear import Recipe, balanced_weights, fit, scaling, subdue

EMOTIONS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")


def corpus(name: str, strength: float, shift: float = 0.0, each: int = 40) -> Corpus:
    """Figure 0 rises with arousal, by `strength`; figure 1 tells negative from not; all are moved by `shift`."""
    rng = np.random.default_rng([len(name), int(10 * strength)])
    emotion = np.repeat(EMOTIONS, each)
    summaries = rng.normal(size=(2, len(emotion), LENGTH))
    aroused = np.array([bool(HIGH_AROUSAL[one]) for one in emotion])
    negative = np.array([POLARITY_OF[one] == "negative" for one in emotion])
    summaries[:, aroused, 0] += strength * 4.0
    summaries[:, negative, 1] += strength * 2.0
    speakers = np.array([f"{name}/{index % 4}" for index in range(len(emotion))])
    return Corpus(name, emotion, speakers, (summaries + shift).astype(np.float32))


@pytest.mark.parametrize(
    ("emotion", "arousal", "valence", "if_high", "if_low"),
    [
        ("anger", 1, 1, 1, -1),
        ("happiness", 1, 0, 0, -1),
        ("surprise", 1, -1, -1, -1),
        ("sadness", 0, 1, -1, 1),
        ("neutral", 0, 0, -1, 0),
        ("disgust", -1, 1, 1, 1),
    ],
)
def test_classes(emotion: str, arousal: int, valence: int, if_high: int, if_low: int) -> None:
    decisions = ("arousal", "valence", "valence_if_high", "valence_if_low")
    assert [int(classes_of(np.array([emotion]), one)[0]) for one in decisions] == [arousal, valence, if_high, if_low]


def test_weights_are_balanced() -> None:
    emotion = np.array(["anger"] * 9 + ["fear"] + ["neutral"] * 2 + ["disgust"])
    weights = balanced_weights(classes_of(emotion, "arousal"), emotion)
    assert weights[:9].sum() == pytest.approx(weights[9]) == pytest.approx(0.25)
    assert weights[10:12].sum() == pytest.approx(0.5)
    assert weights[12] == 0.0


def test_subdued_utterances_stay_between_calm_and_themselves() -> None:
    one = corpus("strong", 1.0)
    scaled = one.summaries[0].astype(np.float64)
    rng = np.random.default_rng(0)
    assert subdue(scaled, one, 1.0, rng) is scaled
    drawn = subdue(scaled, one, 0.3, rng)
    anger = one.emotion == "anger"
    calm = scaled[one.emotion == "neutral", 0].mean()
    assert calm < drawn[anger, 0].mean() < scaled[anger, 0].mean()


def threshold(subdued_to: float) -> float:
    """Where figure 0 (unscaled) turns from low to high arousal, after training on two strong corpora."""
    corpora = [corpus("strong", 1.0), corpus("stronger", 1.5)]
    scale = scaling(corpora)
    member = fit(corpora, scale, Recipe("arousal", (("slope",),), 0.01, subdued_to), 0)[0]
    steps = np.zeros((200, LENGTH)) + scale.mean
    steps[:, 0] = np.linspace(-3.0, 8.0, 200)
    scores: NDArray[np.float64] = member.score(scale.apply(steps))
    return float(steps[np.argmax(scores > 0), 0])


def test_subdued_copies_move_the_threshold_to_the_calm_end() -> None:
    assert threshold(0.3) < threshold(1.0) - 0.3


def test_what_tells_corpora_apart_is_not_used() -> None:
    """Figure 5 differs between corpora, and one corpus has more of one class: it must get no weight."""
    calm, wild = corpus("calm", 1.0), corpus("wild", 1.0)
    for one, level in ((calm, -3.0), (wild, 3.0)):
        one.summaries[:, :, 5] += level
    keep = (wild.emotion != "neutral") | (np.arange(len(wild.emotion)) % 8 == 0)
    wild = Corpus(wild.name, wild.emotion[keep], wild.speaker[keep], wild.summaries[:, keep])
    member = fit([calm, wild], scaling([calm, wild]), Recipe("arousal", ((),), 0.005), 0)[0]
    assert abs(member.weights[5]) < 0.1 * abs(member.weights[0])


def test_the_written_network_says_what_was_trained(tmp_path: Path) -> None:
    corpora = [corpus("first", 1.0), corpus("second", 0.5, shift=0.3)]
    trained = train(corpora, 0)
    assert len(trained.members) == len(RECIPES)
    unseen = corpus("unseen", 0.7, shift=-0.2)
    scores = [trained.scores(one.summaries[0]) for one in (*corpora, unseen)]
    slopes = [
        calibrate([one[index] for one in scores[:2]], corpora, name)
        for index, name in enumerate(("arousal", "valence"))
    ]
    export(trained.scale, trained.members, slopes, 2.0, tmp_path / "speech.onnx")
    network = OnnxNetwork(tmp_path / "speech.onnx")
    for row in range(0, len(unseen.emotion), 40):
        probabilities, doubt = network.run(summary=unseen.summaries[0, row])
        wanted = [sigmoid(slope * scores[2][index][row]) for index, slope in enumerate(slopes)]
        np.testing.assert_allclose(probabilities, wanted, atol=1e-4)
        assert 0.0 <= float(doubt[0]) <= 1.0
    aroused = classes_of(unseen.emotion, "arousal")
    assert np.mean((scores[2][0] > 0)[aroused >= 0] == (aroused == 1)[aroused >= 0]) > 0.85
