"""The counter's prior: learnt where pairs are enough, and a stated number where they are not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.counter_prior import MAX_HALF_WIDTH, STATED_IS_WORTH, counter_prior
from calibration.tables import LEVELS, OUTCOMES, EvidenceTable, cell_noise_variance
from pipeline.fusion import MIN_SHARE, FusionParameters, load_fusion
from pipeline.records import Outcome

STATED = FusionParameters().prior


def table(dissatisfied: int, satisfied: int, variance: float = 0.0) -> EvidenceTable:
    """Pairs spread over the five levels; some visits abstained or were not rated, which must not count."""
    counts = np.zeros((LEVELS, OUTCOMES), np.int64)
    for column, total in ((Outcome.NOT_SATISFIED, dissatisfied), (Outcome.SATISFIED, satisfied)):
        for number in range(abs(total)):
            counts[number % 5, column] += 1 if total > 0 else -1
    counts[:, Outcome.NOT_RATED] = 400
    counts[5] = 300
    return EvidenceTable(counts, variance)


def test_enough_pairs_are_the_posterior_mean() -> None:
    learnt = counter_prior(table(300, 700))
    assert learnt.enough
    negative = (300 + STATED_IS_WORTH * STATED[0]) / (1000 + STATED_IS_WORTH)
    assert learnt.prior[0] == pytest.approx(negative)
    assert learnt.prior[1] / learnt.prior[2] == pytest.approx(STATED[1] / STATED[2]), "their proportion is stated"
    assert sum(learnt.prior) == pytest.approx(1)
    assert (learnt.pairs, learnt.negative) == (1000, 0.3)


@pytest.mark.parametrize(("dissatisfied", "satisfied", "needed"), [(3, 27, 139), (10, 10, 385)])
def test_too_few_pairs_leave_the_stated_prior_and_tell_how_many_are_enough(
    dissatisfied: int, satisfied: int, needed: int
) -> None:
    """z^2 p (1 - p) / .05^2 by hand: 138.3 at .1, 384.1 at .5."""
    found = counter_prior(table(dissatisfied, satisfied))
    assert (found.prior, found.enough, found.needed) == (STATED, False, needed)


def test_what_is_needed_is_where_the_interval_becomes_narrow_enough() -> None:
    just = counter_prior(table(14, 127))
    assert just.enough
    assert just.pairs - just.needed < 5
    assert just.half_width <= MAX_HALF_WIDTH


def test_noise_of_the_releases_asks_for_more_pairs() -> None:
    quiet, noisy = counter_prior(table(20, 180)), counter_prior(table(20, 180, 12 * cell_noise_variance(0.5)))
    assert noisy.needed > quiet.needed
    assert noisy.half_width > quiet.half_width
    assert quiet.enough
    assert not noisy.enough


@pytest.mark.parametrize(("dissatisfied", "satisfied"), [(0, 0), (-3, 2)])
def test_no_pairs_at_all(dissatisfied: int, satisfied: int) -> None:
    found = counter_prior(table(dissatisfied, satisfied, 1.0))
    assert found.prior == STATED
    assert not found.enough
    assert math.isnan(found.negative)


@given(st.integers(0, 3000), st.integers(0, 3000), st.floats(0, 50))
def test_whatever_is_learnt_is_a_prior_that_the_fusion_takes(
    dissatisfied: int, satisfied: int, variance: float
) -> None:
    found = counter_prior(table(dissatisfied, satisfied, variance))
    assert min(found.prior) >= MIN_SHARE - 1e-12
    FusionParameters(prior=found.prior)


def test_the_fusion_reads_what_was_learnt(tmp_path: Path) -> None:
    learnt = counter_prior(table(300, 700))
    path = tmp_path / "fusion.toml"
    path.write_text(learnt.as_toml())
    assert load_fusion(path).prior == pytest.approx(learnt.prior, abs=1e-6)


def test_the_learnt_share_is_covered_as_stated() -> None:
    """200 simulated counters at .2 dissatisfied with noise: the interval holds the truth in about 95 of 100."""
    rng = np.random.default_rng(0)
    variance = cell_noise_variance(1.0)
    held = 0
    for _ in range(200):
        k = int(rng.binomial(600, 0.2))
        counts = table(k, 600 - k).counts + np.round(rng.normal(0, math.sqrt(variance), (LEVELS, OUTCOMES))).astype(int)
        found = counter_prior(EvidenceTable(counts, variance))
        held += abs(found.negative - 0.2) <= found.half_width
    assert held >= 180
