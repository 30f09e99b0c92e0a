"""Decisions evened between the sexes: on made-up corpora, where one figure tells the sexes and leaks into arousal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.speech_summary import LENGTH
from models.training.speech import even, train
from models.training.speech_data import Corpus, classes_of
from models.training.speech_even import evened
from models.training.speech_linear import LinearMember, scaling

EMOTIONS = ("neutral", "happiness", "sadness", "anger")


def corpus(name: str) -> Corpus:
    """Figures 0 and 1 rise with arousal; figure 1 is higher in women by as much."""
    rng = np.random.default_rng(len(name))
    emotion = np.repeat(EMOTIONS, 80)
    woman = np.arange(len(emotion)) % 2 == 0
    aroused = classes_of(emotion, "arousal") == 1
    summaries = rng.normal(size=(1, len(emotion), LENGTH))
    summaries[:, aroused, 0] += 2.0
    summaries[:, aroused, 1] += 2.0
    summaries[:, woman, 1] += 2.0
    speakers = np.array([f"{name}/{index % 8}" for index in range(len(emotion))])
    return Corpus(name, emotion, speakers, summaries.astype(np.float32), woman)


def apart(member: LinearMember, one: Corpus) -> float:
    """How much higher calm women score than calm men."""
    scores = member.score(scaling([one]).apply(one.summaries[0]))
    calm = classes_of(one.emotion, "arousal") == 0
    return float(scores[calm & one.woman].mean() - scores[calm & ~one.woman].mean())


def test_the_sexes_come_together_and_the_classes_stay_apart() -> None:
    one = corpus("made")
    scale = scaling([one])
    weights = np.zeros(LENGTH)
    weights[[0, 1]] = 1.0
    member = LinearMember(weights, 0.0)
    gaps = [apart(evened(member, scale, [one], "arousal", strength), one) for strength in (0.0, 1.0, 10.0, 1000.0)]
    assert gaps[0] == pytest.approx(apart(member, one))
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3]
    assert abs(gaps[3]) < 0.05 * gaps[0]
    scores = evened(member, scale, [one], "arousal", 10.0).score(scale.apply(one.summaries[0]))
    aroused = classes_of(one.emotion, "arousal") == 1
    assert scores[aroused].mean() > scores[~aroused].mean() + 0.5


def test_where_the_sexes_are_not_told_nothing_changes() -> None:
    one = replace(corpus("made"), woman=np.zeros(0, np.bool_))
    member = LinearMember(np.ones(LENGTH), 0.5)
    assert evened(member, scaling([one]), [one], "arousal") is member


def test_arousal_is_evened_and_valence_left() -> None:
    corpora = [corpus("one"), corpus("other")]
    fitted = train(corpora, 0)
    made = even(fitted, corpora)
    assert [len(group) for group in made.members] == [1, *(len(group) for group in fitted.members[1:])]
    assert made.members[1:] == fitted.members[1:]
    whole = LinearMember(np.mean([one.weights for one in fitted.members[0]], axis=0), 0.0)
    assert apart(made.members[0][0], corpora[0]) < 0.8 * apart(whole, corpora[0])
