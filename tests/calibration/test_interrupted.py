"""An interrupted series on 0/1 answers whose months hang together; by hand; against R's `arima`."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from calibration.interrupted import _design, _least_squares, interrupted
from pipeline.errors import StatisticsError

IntArray = NDArray[np.int64]


def _series(
    rng: np.random.Generator,
    months: int,
    first: int,
    *,
    phi: float,
    spread: float,
    step: float = 0.0,
    answers: int = 60,
    wave: float = 0.0,
) -> tuple[IntArray, IntArray]:
    """(satisfied, rated) [months] of about so many answers a month; new heads move the agency for as long as they stay
    (a month with probability phi), which is no autoregression; a wave of a year moves the log odds by up to `wave`."""
    heads = np.zeros(months)
    for t in range(months):
        heads[t] = heads[t - 1] if t and rng.random() < phi else rng.normal()
    year = wave * np.sin(2 * np.pi * (np.arange(months) + 12 * rng.random()) / 12) if wave else 0.0
    share = np.clip(
        expit(logit(0.8) + spread * heads + year) + np.where(np.arange(months) >= first, step, 0), 0.01, 0.99
    )
    rated = 3 + rng.poisson(answers - 3, months)
    return rng.binomial(rated, share), rated


def _ordinary(satisfied: IntArray, rated: IntArray, first: int) -> bool:
    """Whether ordinary regression's 95 % interval holds nought."""
    from scipy.stats import t

    x, y = _design(len(rated), first), satisfied / rated
    beta, rest, *_ = np.linalg.lstsq(x, y)
    error = np.sqrt(rest[0] / (len(y) - 3) * np.linalg.inv(x.T @ x)[2, 2])
    return bool(abs(beta[2]) <= t.ppf(0.975, len(y) - 3) * error)


@pytest.mark.slow
@pytest.mark.parametrize(("months", "first", "phi", "spread"), [(24, 14, 0.0, 0.25), (24, 14, 0.8, 0.3)])
def test_no_step_is_found_where_there_is_none(months: int, first: int, phi: float, spread: float) -> None:
    rng = np.random.default_rng(3)
    held, ordinary = [], []
    for _ in range(50):
        satisfied, rated = _series(rng, months, first, phi=phi, spread=spread)
        effect = interrupted(satisfied, rated, first).effect
        held.append(effect.low <= 0 <= effect.high)
        ordinary.append(_ordinary(satisfied, rated, first))
    assert np.mean(held) >= 0.92
    if phi:
        assert np.mean(ordinary) < np.mean(held) - 0.03, "what this is for"


@pytest.mark.slow
@pytest.mark.parametrize(("answers", "wave", "widest"), [(300, 0.6, 0.21), (30_000, 0.0, 0.16)])
def test_neither_a_season_nor_a_provinces_months_pass_for_a_step(answers: int, wave: float, widest: float) -> None:
    """A season of two years and a half is told from a step, and does not widen the interval for good (without a term
    for it: .25 wide); of 30,000 answers a month next to nothing is sampling (the size of the disturbance was bounded by
    it once, and 65 of 100 such intervals held nought)."""
    rng = np.random.default_rng(8)
    found = [interrupted(*_series(rng, 30, 18, phi=0.5, spread=0.2, answers=answers, wave=wave), 18) for _ in range(30)]
    assert np.mean([each.effect.low <= 0 <= each.effect.high for each in found]) >= 0.86
    assert np.mean([each.effect.high - each.effect.low for each in found]) <= widest
    if wave:
        assert 0.03 <= np.mean([each.season for each in found]) <= 0.08, "without a season: .01"


def test_a_step_is_found_and_its_interval_covers() -> None:
    rng = np.random.default_rng(4)
    found = [interrupted(*_series(rng, 30, 18, phi=0.5, spread=0.15, step=0.15), 18).effect for _ in range(30)]
    assert np.mean([effect.estimate for effect in found]) == pytest.approx(0.15, abs=0.02)
    assert np.mean([effect.low <= 0.15 <= effect.high for effect in found]) >= 0.9
    assert np.mean([effect.p_value <= 0.05 for effect in found]) >= 0.6


def test_by_hand() -> None:
    """Months without chance of their own: ten at 80, six at 90, no course; a skipped month is no neighbour."""
    rated = np.full(16, 100_000)
    satisfied = np.where(np.arange(16) >= 10, 90_000, 80_000)
    found = interrupted(satisfied, rated, 10)
    assert found.effect.estimate == pytest.approx(0.10, abs=0.002)
    assert found.effect.low > 0.09
    assert found.effect.p_value < 1e-6
    assert found.without[-1] == pytest.approx(0.80, abs=0.005)
    assert found.placebo is None
    rated[3] = satisfied[3] = 0
    gap = interrupted(satisfied, rated, 10)
    assert np.isnan(gap.shares[3])
    assert gap.rows([str(n) for n in range(16)])[3]["share"] is None
    assert gap.effect.estimate == pytest.approx(0.10, abs=0.002)
    assert gap.plot([str(n) for n in range(16)], "en").to_dict()


def test_a_fall_that_came_before_rings_in_the_placebo() -> None:
    rated = np.full(24, 400)
    satisfied = np.where(np.arange(24) >= 7, 280, 340) + np.arange(24) % 3
    placebo = interrupted(satisfied, rated, 14).placebo
    assert placebo is not None
    assert placebo.estimate < -0.1
    assert placebo.high < 0


def test_equal_to_r() -> None:
    """R 4.2.2: arima(y, order = c(1, 0, 0), xreg = cbind(time, step), fixed = c(.6, NA, NA, NA)) says step .0586961712,
    standard error .0229179561 at an innovation's variance of .000382219734."""
    shares = np.array([0.78, 0.80, 0.83, 0.81, 0.79, 0.80, 0.84, 0.85, 0.83, 0.90, 0.91, 0.88, 0.87, 0.92])
    apart = np.abs(np.arange(14)[:, None] - np.arange(14)[None, :])
    covariance = 0.000382219734 * 0.6**apart / (1 - 0.6**2)
    beta, inverse, _ = _least_squares(_design(14, 9), shares, covariance[None])
    assert beta[0, 2] == pytest.approx(0.0586961712, rel=1e-4)
    assert np.sqrt(inverse[0, 2, 2]) == pytest.approx(0.0229179561, rel=1e-3)


@pytest.mark.parametrize(
    ("satisfied", "rated", "first"),
    [
        ([5] * 9, [4] * 9, 6),
        ([1] * 9, [4] * 9, 5),
        ([1] * 9, [4] * 9, 7),
        ([1] * 9, [4] * 9, -1),
        ([1] * 9, [4] * 9, 99),
        ([-1] * 9, [4] * 9, 6),
        ([1] * 9, [float("nan")] * 9, 6),
        ([1] * 8, [4] * 9, 6),
        ([1, 1, 1, 0, 0, 0, 1, 1, 1], [4, 4, 4, 0, 0, 0, 4, 4, 4], 6),
    ],
)
def test_what_cannot_be(satisfied: list[float], rated: list[float], first: int) -> None:
    with pytest.raises(StatisticsError):
        interrupted(satisfied, rated, first)


@pytest.mark.parametrize(("months", "known"), [(23, False), (24, True)])
def test_a_season_is_known_where_every_month_was_seen_twice(months: int, known: bool) -> None:
    """Counted from the first month with answers to the last."""
    rated = np.concatenate([[0, 0], np.full(months, 100)])
    assert interrupted(np.round(0.8 * rated), rated, 14).knows_season is known
