"""A call-back of those who did not answer mends a response that depends on satisfaction, on 0/1 people."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.foreign_trials import called_back
from calibration.call_back import corrected, draw_calls, odds_ratio, price
from pipeline.errors import StatisticsError

NAIVE = {2.0: 0.055, 1.0: 0.0, 3.0: 0.085}


def shows(odds: float, reached: float, provinces: int) -> None:
    """The plain figure is off by `NAIVE` at least and seldom covered; the corrected one is within a point and covered,
    each but for the chance of so many provinces."""
    rng = np.random.default_rng(int(10 * odds))
    off, plain, inside, plain_inside, ratios = [], [], [], [], []
    for _ in range(provinces):
        *counts, truth = called_back(rng, odds, reached)
        found = corrected(*counts)
        estimate, low, high, simple = found.province
        off.append(estimate - truth)
        plain.append(simple - truth)
        inside.append(low <= truth <= high)
        half = 1.96 * np.sqrt(simple * (1 - simple) / counts[2].sum())
        plain_inside.append(abs(simple - truth) <= half)
        ratios.append(np.log(found.ratio.ratio))
    chance = 3 / np.sqrt(provinces)
    assert abs(np.mean(off)) <= 0.007 + 0.03 * chance
    assert np.mean(inside) >= 0.95 - 0.2 * chance
    assert np.mean(ratios) == pytest.approx(np.log(odds), abs=0.03 + 0.2 * chance)
    assert np.mean(plain) >= NAIVE[odds] - 0.002 - 0.012 * chance
    if odds > 1:
        assert np.mean(plain_inside) < 0.08 + 0.2 * chance


@pytest.mark.parametrize("odds", [2.0, 1.0, 3.0])
def test_bias_and_coverage(odds: float) -> None:
    shows(odds, 0.6, 60)


@pytest.mark.soak
@pytest.mark.parametrize("reached", [1.0, 0.6])
@pytest.mark.parametrize("odds", [2.0, 1.0, 3.0])
def test_bias_and_coverage_of_a_thousand_provinces(odds: float, reached: float) -> None:
    shows(odds, reached, 1000)


def test_mantel_and_haenszel_by_hand() -> None:
    """Two tables by the formula, half an answer of each kind (over two) beside them."""
    found = odds_ratio([8, 9], [10, 12], [4, 5], [8, 9])
    up, down = 8 * 4 / 18 + 9 * 4 / 21, 2 * 4 / 18 + 3 * 5 / 21
    assert found.ratio == pytest.approx((up + 0.25) / (down + 0.25))
    low, high = found.interval()
    assert low < found.ratio < high


def test_mantel_and_haenszel_as_in_r() -> None:
    """R 4.2.2, `mantelhaen.test(correct = FALSE)` on these six tables: its common odds ratio and, from its interval,
    the error of the logarithm (which falls with the root of the answers). Ours adds half an answer of each kind, so
    that the tables are taken a hundred thousand times here."""
    tables = (
        [412, 290, 511, 188, 733, 96], [480, 352, 560, 251, 902, 131],
        [31, 22, 40, 19, 55, 9], [45, 33, 50, 34, 80, 15],
    )  # fmt: skip
    found = odds_ratio(*(100_000 * np.array(counts) for counts in tables))
    assert found.ratio == pytest.approx(2.261788180, rel=1e-6)
    assert found.error * math.sqrt(100_000) == pytest.approx(0.146060301, rel=1e-6)


def test_one_table_is_woolfs_variance() -> None:
    """In one large table Robins, Breslow and Greenland's variance is 1/a + 1/b + 1/c + 1/d."""
    found = odds_ratio([8000], [10000], [3000], [5000])
    assert found.error**2 == pytest.approx(1 / 8000 + 1 / 2000 + 1 / 3000 + 1 / 2000, rel=1e-2)


def test_the_price_is_what_is_paid() -> None:
    """Where there is no bias the standard error rises by what was told beforehand, or a little less."""
    rng = np.random.default_rng(3)
    estimates, plain, told = [], [], None
    for _ in range(150):
        *counts, truth = called_back(rng, 1.0, 0.6)
        found = corrected(*counts)
        estimates.append(found.province[0] - truth)
        plain.append(found.province[3] - truth)
        told = price(int(counts[0].sum()), int(counts[2].sum()), 300, share=0.75, reached=0.6)
    assert told is not None
    assert 0.75 * told.after <= np.std(estimates) <= 1.1 * told.after
    assert np.std(plain) == pytest.approx(told.before, rel=0.25)
    assert 0 < told.pays_beyond < 0.03


def test_draw_is_from_the_seed_and_in_proportion() -> None:
    picks = [tuple(range(1, 101)), tuple(range(1, 41)), tuple(range(1, 21))]
    drawn = draw_calls(picks, [50, 40, 0], 45, seed=4)
    assert drawn == draw_calls(picks, [50, 40, 0], 45, seed=4)
    assert [len(one) for one in drawn] == [50, 20, 0]
    assert all(set(one) <= set(of) for one, of in zip(drawn, picks, strict=True))


def test_what_cannot_be() -> None:
    for counts in (([1], [2], [0], [0]), ([3], [2], [1], [2]), ([1, 1], [2, 2], [1], [2])):
        with pytest.raises(StatisticsError):
            odds_ratio(*counts)
    with pytest.raises(StatisticsError):
        price(100, 0, 300)
    with pytest.raises(StatisticsError):
        draw_calls([(1, 2)], [0], 10, 1)


def test_communes_with_a_few_answers_are_not_drawn_to_a_half() -> None:
    """40 communes of 6 answers among 15 asked, shares by arithmetic around .88; those called tell an odds ratio of 1
    as good as surely, so that the province is what its answers say. With half an answer of each kind added to every
    commune it was 4 points lower."""
    answered = np.full(40, 6)
    satisfied = np.where(np.arange(40) % 5 < 3, 6, np.where(np.arange(40) % 5 == 3, 5, 4))
    called = 10_000 * answered
    found = corrected(np.full(40, 15), satisfied, answered, 10_000 * satisfied, called)
    assert found.ratio.ratio == pytest.approx(1.0, abs=0.03)
    estimate, low, high, plain = found.province
    assert plain == pytest.approx(0.9)
    assert estimate == pytest.approx(plain, abs=0.006)
    assert low < plain < high
    assert np.all((found.low < found.estimate) & (found.estimate < found.high))


def test_agencies_without_answers_borrow_and_a_few_agencies_stand_alone() -> None:
    found = corrected([20] * 6, [8, 7, 9, 8, 6, 0], [10, 9, 10, 10, 8, 0], [3] * 6, [4] * 6)
    assert np.isnan(found.plain[-1])
    assert 0 < found.low[-1] < found.estimate[-1] < found.high[-1] < 1
    few = corrected([20] * 4, [8, 7, 9, 8], [10, 9, 10, 10], [3] * 4, [4] * 4)
    assert 0 < few.province[1] < few.province[0] < few.province[2] < 1


def test_where_hardly_anybody_dissatisfied_is_reached_the_ratio_s_ends_are_exact() -> None:
    """One table by the noncentral hypergeometric distribution (mid-p): at the ends half of 5 % of chance is left."""
    found = odds_ratio([18], [20], [5], [8])
    assert found.chances is not None
    low, high = found.interval()
    liked = np.arange(3, 9)  # of 23 satisfied people at most 20 are among those who answered
    chances = np.array([math.comb(8, c) * math.comb(20, 23 - c) for c in liked], dtype=float)
    for end, beyond in ((high, liked > 5), (low, liked < 5)):
        chance = chances * end ** -liked.astype(float)
        assert (chance[beyond].sum() + chance[liked == 5].sum() / 2) / chance.sum() == pytest.approx(0.025, rel=1e-6)
    assert low < found.ratio < high
    # all reached were satisfied: nothing bounds the ratio from below, and the figure's end is where nobody is not
    none = corrected([50], [18], [20], [8], [8])
    assert none.ratio.interval()[0] < 1e-4
    assert none.province[2] > 0.95


def test_what_is_left_open_about_those_not_reached() -> None:
    counts = ([120] * 6, [60] * 6, [72] * 6, [8] * 6, [12] * 6)
    found = corrected(*counts)
    assert found.beyond == max(2.0, found.ratio.ratio)
    assert found.between[0] < found.province[1] < found.province[2] < found.between[1]
    everybody = corrected(*counts, reached=1.0)
    assert everybody.between == pytest.approx(everybody.province[1:3])
    alike = corrected(*counts, beyond=1.0)
    assert alike.between == pytest.approx(alike.province[1:3])
    for wrong in ({"reached": 0.0}, {"beyond": 0.5}):
        with pytest.raises(StatisticsError):
            corrected(*counts, **wrong)
