"""The correction estimator: unbiased where response depends on the level, honest bounds where it does not suffice."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.correction import (
    Linearised,
    correction_arrays,
    post_stratified,
    silent_bounds,
    tilted_bounds,
    worst_case,
)
from calibration.coverage import Cell, score_cell
from calibration.response_curve import CurveArrays, curve_arrays
from calibration.simulate import Threat, threatened_world
from calibration.tables import NOT_AGREED, noisy_cells

FULL = np.asarray(True)
SHARE = np.array([0.2, 0.5, 0.8, 0.9, 0.95, 0.8])


def curve(share: np.ndarray = SHARE) -> CurveArrays:
    return CurveArrays(share, np.full(6, 1e-6), np.full(6, 1 / 6), np.asarray(0.7), FULL, FULL, share, np.full(6, 1e-6))


def cells_of(visits: list[int], rated: list[int], satisfied: list[int]) -> np.ndarray:
    v, r, s = (np.array(x) for x in (visits, rated, satisfied))
    return np.stack([v - r, r - s, s], axis=-1)


def test_without_a_prior_it_is_post_stratification() -> None:
    table = cells_of([100] * 6, [5, 10, 20, 40, 40, 10], [1, 5, 16, 36, 38, 8])
    cells = noisy_cells(table, 0.0)
    by_hand = np.mean([1 / 5, 5 / 10, 16 / 20, 36 / 40, 38 / 40, 8 / 10])
    corrected = correction_arrays(cells, curve(), 125, 104, prior=np.zeros(6))
    assert float(corrected.estimate) == pytest.approx(by_hand)
    assert float(post_stratified(cells)) == pytest.approx(by_hand)


def test_with_an_endless_prior_it_is_the_prediction_powered_estimate_at_lambda_one() -> None:
    # as satisfied as the curve says on the whole (104), by other levels: the curve need not be moved
    rated, satisfied = np.array([5, 10, 20, 40, 40, 10]), np.array([0, 6, 16, 36, 38, 8])
    table = cells_of([100] * 6, rated.tolist(), satisfied.tolist())
    corrected = correction_arrays(noisy_cells(table, 0.0), curve(), 125, 104, prior=np.full(6, 1e12))
    expected = 104 / 125 + SHARE.mean() - (rated * SHARE).sum() / 125
    assert float(corrected.estimate) == pytest.approx(expected)


def test_an_agency_that_is_better_at_every_level_is_not_drawn_to_its_group() -> None:
    rated = np.full(6, 30)
    better = np.array([10, 18, 26, 29, 30, 26])
    table = cells_of([500] * 6, rated.tolist(), better.tolist())
    k = int(better.sum())
    corrected = correction_arrays(noisy_cells(table, 0.0), curve(), 180, k)
    assert float(corrected.estimate) == pytest.approx(k / 180, abs=2e-3)


@pytest.mark.parametrize(("rho", "p"), [(0.47, 0.82), (0.3, 0.76), (0.6, 0.85)])
@pytest.mark.parametrize(("epsilon", "most"), [(None, 0.005), (1.5, 0.012)])
def test_response_by_level_is_corrected(rho: float, p: float, epsilon: float | None, most: float) -> None:
    world = threatened_world(p, rho, Threat.RESPONSE_BY_LEVEL, 0.02)
    scores = score_cell(np.random.default_rng(9), world, Cell(100, 5000, epsilon), 3000)
    assert scores["wilson"].bias > 0.05
    assert abs(scores["correction"].bias) < most
    assert scores["correction"].coverage >= 0.94
    assert scores["wilson"].coverage < 0.82


@pytest.mark.parametrize(("epsilon", "most"), [(None, 0.005), (1.5, 0.006)])
def test_who_does_not_consent_is_a_stratum_of_its_own(epsilon: float | None, most: float) -> None:
    """Satisfied visitors agree more often, and who does not agree rates less often: the answers alone are too good, the
    correction is not, since those who did not agree are weighted by their number and by their own answers."""
    world = threatened_world(0.82, 0.4, Threat.CONSENT_BY_SATISFACTION, 0.02)
    for n, visits in ((100, 5000), (400, 8000)):
        scores = score_cell(np.random.default_rng(11), world, Cell(n, visits, epsilon), 3000)
        assert scores["wilson"].bias > 0.015
        assert abs(scores["correction"].bias) < most
        assert scores["correction"].coverage >= 0.94


def ends_of(found: Linearised, row: int) -> tuple[float, float]:
    """If all, or none, of a row who did not answer are satisfied: without an allowance for chance."""
    unknown = np.arange(found.mu.shape[-1]) == row
    low, high = (float(found.at(np.where(unknown, end, found.mu), ~unknown)[0]) for end in (0.0, 1.0))
    return low, high


def test_nothing_assumed_about_who_does_not_consent_still_holds_the_truth() -> None:
    """Whatever those who did not agree think: the bounds hold the share that is sought, and are theirs alone: those
    who agreed and were hardly seen have bounds of their own. Of a million visits they are no wider than what is not
    known."""
    world = threatened_world(0.82, 0.4, Threat.CONSENT_BY_SATISFACTION, 0.05)
    visits, rate = 1_000_000, 0.05
    table = np.round(
        visits * np.concatenate([(1 - rate) * world.silent.sum(axis=1, keepdims=True), rate * world.rated], axis=1)
    )
    cells = noisy_cells(table, 0.0)
    n, k = table[:, 1:].sum(), table[:, 2].sum()
    found = correction_arrays(cells, curve_arrays(cells), n, k, prior=np.zeros(7)).linear
    low, high = ends_of(found, NOT_AGREED)
    assert high - low == pytest.approx(0.4875, abs=1e-3), "half do not agree: the bounds are as wide as that"
    outer = silent_bounds(found, (NOT_AGREED,))
    assert low - 0.01 < float(outer[0]) < low < 0.82 < high < float(outer[1]) < high + 0.01
    unseen = silent_bounds(found)
    assert float(unseen[1] - unseen[0]) == pytest.approx(0.055 + 2 * 1.65 * 0.0018, abs=3e-3), (
        "12 % of the others have no level"
    )
    both = silent_bounds(found, (5, NOT_AGREED))
    assert float(both[1] - both[0]) > 0.54


def test_a_curve_from_before_anybody_was_counted_apart_takes_both_together() -> None:
    """A first month: those who did not agree are added to those without a level, with their noise."""
    apart = np.concatenate([cells_of([100] * 6, [20] * 6, [12] * 6), cells_of([50], [4], [1])])
    together = apart[:6].copy()
    together[5] += apart[6]
    one = correction_arrays(noisy_cells(apart, 0.3), curve(), 124, 73)
    other = correction_arrays(noisy_cells(together, 0.6), curve(), 124, 73)
    for name in ("estimate", "low", "high", "n_eff"):
        assert float(getattr(one, name)) == pytest.approx(float(getattr(other, name)))
    assert one.by_level.shape == (6,)


def test_cells_of_a_box_that_asks_nobody_use_the_others_of_a_curve_of_seven_rows() -> None:
    table = noisy_cells(cells_of([100] * 6, [20] * 6, [12] * 6), 0.0)
    seven = CurveArrays(
        np.append(SHARE, 0.1), np.full(7, 1e-6), np.append(np.full(6, 1 / 12), 0.5), np.asarray(0.7), FULL, FULL,
        np.append(SHARE, 0.1), np.full(7, 1e-6),
    )  # fmt: skip
    one, other = (correction_arrays(table, of, 120, 72) for of in (seven, curve()))
    assert float(one.estimate) == float(other.estimate)
    assert float(one.low) == float(other.low)


def linear_of(table: np.ndarray) -> Linearised:
    """With this month's own shares alone."""
    cells = noisy_cells(table, 0.0)
    n, k = table[:, 1:].sum(), table[:, 2].sum()
    return correction_arrays(cells, curve_arrays(cells), n, k, prior=np.zeros(len(table))).linear


def test_tilt_by_hand() -> None:
    # odds 3 of the answered are 1.5 among the silent at odds 2: share .6; 6 at one half: .857
    table = cells_of([100_000, 0, 0, 0, 0, 0], [20_000, 0, 0, 0, 0, 0], [15_000, 0, 0, 0, 0, 0])
    low, high = tilted_bounds(linear_of(table), 2.0)
    # of which the share moves by 1.28 and .653 as the answered one does; 1.645 of its errors
    error = 1.645 * np.sqrt(0.75 * 0.25 / 20_000)
    ends = (0.15 + 0.8 * 0.6 - error * (0.2 + 0.8 * 1.28), 0.15 + 0.8 * 6 / 7 + error * (0.2 + 0.8 * 0.653))
    assert (float(low), float(high)) == pytest.approx(ends, abs=1e-4)
    low, high = tilted_bounds(linear_of(table), 1.0)
    middle = correction_arrays(noisy_cells(table, 0.0), curve(), 20_000, 15_000, prior=np.zeros(6))
    assert (float(low), float(high)) == pytest.approx((float(middle.low), float(middle.high)), abs=1e-4)


def test_the_tilt_finds_the_truth_when_its_odds_ratio_is_the_true_one() -> None:
    world = threatened_world(0.82, 0.4, Threat.RESPONSE_BY_SATISFACTION, 0.05)
    visits, rate = 1_000_000, 0.05
    rated, silent = visits * rate * world.rated, visits * (1 - rate) * world.silent
    table = np.round(np.concatenate([silent.sum(axis=1, keepdims=True), rated], axis=1))
    found = linear_of(table)
    assert float(found.at(found.mu, 1.0)[0]) - 0.82 > 0.03
    assert float(tilted_bounds(found, 1.5)[0]) == pytest.approx(0.82, abs=0.006)
    assert float(tilted_bounds(found, 1.5)[0]) < 0.82


@pytest.mark.parametrize(("share", "correlation", "daily"), [(0.82, 0.4, 60), (0.75, 0.3, 100)])
def test_bounds_of_a_running_month_hold_at_every_look(share: float, correlation: float, daily: int) -> None:
    """Satisfied ones answer at 1.5 times the odds: the share is that end of the bounds. 66 days, every third looked at,
    600 quarters. Bounds for one look were wrong at some look in .21 and .26."""
    world, looks = threatened_world(share, correlation, Threat.RESPONSE_BY_SATISFACTION, 0.1), np.arange(5, 66, 3)
    law = np.concatenate([0.9 * world.silent.sum(axis=1, keepdims=True), 0.1 * world.rated], axis=1)
    rng = np.random.default_rng(31)
    days = rng.multinomial(daily, law.ravel() / law.sum(), size=(600, 66)).reshape(600, 66, *law.shape)
    table = days.cumsum(axis=1)[:, looks].astype(np.float64)
    learnt = curve_arrays(noisy_cells(np.round(10_000 * law), 0.0))
    n, k = table[..., 1:].sum(axis=(-1, -2)), table[..., 2].sum(axis=-1)
    linear = correction_arrays(noisy_cells(table, 0.0), learnt, n, k).linear
    once, always = (tilted_bounds(linear, 1.5, watched=watched) for watched in (False, True))
    assert np.all(always[0] <= once[0])
    assert np.all(always[1] >= once[1])

    def ever_wrong(ends: tuple[np.ndarray, np.ndarray]) -> float:
        return float(((ends[0] > share) | (ends[1] < share)).any(axis=1).mean())

    assert ever_wrong(once) > 0.15
    assert ever_wrong(always) <= 0.05


def test_bounds_for_abstained_visits_and_the_worst_case() -> None:
    table = cells_of([100, 100, 100, 100, 100, 100], [10] * 6, [8] * 6)
    found = linear_of(table)
    (low, *_), (high, *_) = (
        found.at(np.where(np.arange(6) == 5, end, found.mu), np.arange(6) != 5) for end in (0.0, 1.0)
    )
    assert high - low == pytest.approx(90 / 600)
    assert low == pytest.approx((500 * 0.8 + 10 * 0.8) / 600)
    low, high = worst_case(48, 60, 600)
    assert (float(low), float(high)) == pytest.approx((48 / 600, 588 / 600))


@pytest.mark.parametrize("table", [np.zeros((6, 3)), np.full((6, 3), -2), np.tile([0, 1, 0], (6, 1))])
def test_hard_tables_give_numbers_within_the_scale(table: np.ndarray) -> None:
    corrected = correction_arrays(noisy_cells(table, 0.74), curve(), 6, 0)
    assert 0 <= float(corrected.low) <= float(corrected.estimate) <= float(corrected.high) <= 1
    assert np.isfinite(float(corrected.n_eff))
