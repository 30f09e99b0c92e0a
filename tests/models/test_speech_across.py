"""Corpora left out in turn: what is compared, and that a threshold never looks ahead."""

from __future__ import annotations

import numpy as np
import pytest

from models.speech_baseline import PRIOR
from models.training.speech_across import HEIGHTS, MIDDLE, against_register, figures, own_beginning, without_height
from models.training.speech_data import Corpus


def corpus(summaries: np.ndarray) -> Corpus:
    names = np.array(["a"] * summaries.shape[1])
    return Corpus("made", names, names, summaries.astype(np.float32))


def test_without_height_leaves_how_a_voice_moves() -> None:
    made = corpus(np.random.default_rng(0).normal(size=(1, 5, 126)))
    changed = without_height(made).summaries
    assert np.all(changed[:, :, HEIGHTS] == 0)
    rest = np.setdiff1d(np.arange(126), HEIGHTS)
    np.testing.assert_array_equal(changed[:, :, rest], made.summaries[:, :, rest])


def test_a_low_and_a_high_voice_at_rest_are_alike_against_their_registers() -> None:
    """126 Hz and 217 Hz are the middles of the two registers."""
    summaries = np.zeros((1, 2, 126))
    summaries[0, :, HEIGHTS] = np.log2(np.array([126.0, 217.0]) / 150.0)
    low, high = against_register(corpus(summaries)).summaries[0, :, MIDDLE]
    assert low == pytest.approx(0.0, abs=0.05)
    assert high == pytest.approx(0.0, abs=0.05)


def test_the_threshold_is_moved_by_what_came_first_only() -> None:
    scores = np.array([1.0, 2.0, 3.0, 100.0, -100.0, 7.0])
    speakers = np.array(["a", "a", "a", "a", "a", "b"])
    expected = 2.0 * 3 / (3 + PRIOR)
    np.testing.assert_allclose(own_beginning(scores, speakers), [0, 0, 0, expected, expected, 0])


def test_figures_by_sex() -> None:
    scores = np.array([1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    truth = np.array([0, 1, 0, 1, 0, -1])
    women = np.array([True, True, False, False, False, True])
    found = figures(scores, truth, women)
    assert (found["calm_women"], found["calm_men"]) == (1.0, 0.0)
    assert (found["uar_women"], found["uar_men"], found["gap"]) == (0.5, 1.0, 0.5)
    assert np.isnan(figures(scores, truth, np.ones(6, np.bool_))["gap"])
