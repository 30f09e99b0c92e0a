"""The two sentences on every released table, held against the real mechanism's noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.intervals import normal_quantile
from hailong.papers.noise import DAYS, RHO, odds_of, odds_sentence, width_of, width_sentence
from pipeline.language import in_language
from pipeline.privacy.mechanism import DiscreteLaplace
from pipeline.privacy.plan import Figures, cell_probabilities, response_curve


def _noise(epsilon_milli: int, *shape: int) -> NDArray[np.int64]:
    drawn = DiscreteLaplace(epsilon_milli).release([0] * int(np.prod(shape)))
    return np.array(drawn).reshape(shape)


@pytest.mark.parametrize(("epsilon_milli", "levels"), [(1_500, 6), (500, 4), (3_000, 6)])
def test_no_guess_is_better_than_the_sentence_says(epsilon_milli: int, levels: int) -> None:
    """An attacker who takes off all other visits guesses the cell; 30,000 visits under the real noise."""
    runs = 30_000
    rest = _noise(epsilon_milli, runs, levels)
    rest[:, 0] += 1  # the visit lies in the first cell, which the attacker does not know
    rng = np.random.default_rng(1)
    candidates = rest >= 1
    candidates[~candidates.any(axis=1)] = True
    chosen = (candidates * rng.random(candidates.shape)).argmax(axis=1)
    right = float((chosen == 0).mean())
    assert right == pytest.approx(odds_of(epsilon_milli, levels).guess, abs=6 * 0.5 / runs**0.5)


def test_no_odds_move_further_than_the_sentence_says() -> None:
    """How often every value is seen with the visit and without it."""
    runs, epsilon_milli = 200_000, 1_500
    without, with_visit = _noise(epsilon_milli, runs), 1 + _noise(epsilon_milli, runs)
    factor = odds_of(epsilon_milli, 6).factor
    largest = 0.0
    for value in range(-6, 7):
        one, other = int((without == value).sum()), int((with_visit == value).sum())
        if min(one, other) > 200:
            ratio = max(one / other, other / one)
            assert ratio <= factor * (1 + 7 / min(one, other) ** 0.5)
            largest = max(largest, ratio)
    assert largest > 0.9 * factor, "the bound is met: it is not said too large either"


@pytest.mark.parametrize(("visits", "ratings", "epsilon_milli", "tables"), [(792, 119, 1_500, 1), (264, 40, 1_500, 3)])
def test_the_interval_is_as_wide_as_the_sentence_says(
    visits: int, ratings: int, epsilon_milli: int, tables: int
) -> None:
    """Months drawn anew, noise from the real mechanism, the best weight found from the months themselves."""
    runs = 3_000
    figures = Figures(visits_per_day=visits / DAYS, response=ratings / visits, rho=RHO)
    curve = response_curve(figures)
    rng = np.random.default_rng(7)
    counts = rng.multinomial(visits, cell_probabilities(figures, curve).ravel(), size=runs).reshape(-1, 6, 3)
    rated = counts[:, :, 1:].sum(axis=1)
    explicit = rated[:, 1] / rated.sum(axis=1)

    def fused_points(noisy: NDArray[np.int64]) -> float:
        centred = curve - figures.satisfied
        levels = noisy[:, :5]
        every = levels.sum(axis=2) @ centred / np.maximum(levels.sum(axis=(1, 2)), 1)
        of_rated = levels[:, :, 1:].sum(axis=2) @ centred / (rated.sum(axis=1) * (1 - figures.abstained))
        control = every - of_rated
        weight = -float(np.cov(explicit, control)[0, 1] / control.var())
        return 100 * float(((explicit + weight * control - figures.satisfied) ** 2).mean() ** 0.5)

    noise = sum(_noise(epsilon_milli, runs, 6, 3) for _ in range(tables))
    width, half = width_of(visits, ratings, epsilon_milli, tables), normal_quantile()
    assert width.without_noise == pytest.approx(half * fused_points(counts), rel=0.05)
    assert width.with_noise == pytest.approx(half * fused_points(counts + noise), rel=0.05)
    assert width.without_noise < width.with_noise


def test_sentences_say_their_figures_and_what_cannot_be_said() -> None:
    said = in_language(odds_sentence(1_500, 6), "vi")
    assert "4,5 lần" in said
    assert "20,1 lần" in said
    assert "16,7 lần" in said
    assert "± " in in_language(width_sentence(792.0, 119.0, 1_500, 1), "vi")
    for visits, ratings in ((None, 100.0), (0.0, 100.0), (500.0, 1.0)):
        assert "Không thể nêu" in in_language(width_sentence(visits, ratings, 1_500, 1), "vi")
    assert width_of(100, 100, 1_500, 1).ratings > 0, "more ratings than transactions are taken as all of them"
