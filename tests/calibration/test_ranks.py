"""Rank sets: simultaneous coverage, sharpness, and no bare rank."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ranks import (
    RankSet,
    marginal_rank_set,
    rank_sets,
    rank_shares,
    smoothed_error,
    top,
)
from pipeline.errors import StatisticsError


@pytest.mark.parametrize(
    "theta",
    [np.full(12, 0.8), np.linspace(0.7, 0.95, 12), np.repeat([0.7, 0.8, 0.9], 4)],
    ids=["all equal", "spread", "ties"],
)
def test_all_sets_hold_at_once(theta: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    error = np.linspace(0.01, 0.04, 12)
    best = np.array([1 + (theta > t).sum() for t in theta])
    worst = np.array([(theta >= t).sum() for t in theta])
    held = 0
    for run in range(400):
        sets = rank_sets(rng.normal(theta, error), error, [str(i) for i in range(12)], seed=run, draws=500)
        # with ties an agency holds every rank of its tie: the set must hold all of them
        held += all(s.best <= b and w <= s.worst for s, b, w in zip(sets, best, worst, strict=True))
    assert held / 400 >= 0.93


def test_sure_figures_give_sure_ranks() -> None:
    sets = rank_sets([0.9, 0.5, 0.7], [1e-6] * 3, ["a", "b", "c"])
    assert [(s.best, s.worst) for s in sets] == [(1, 1), (3, 3), (2, 2)]
    assert str(sets[0]) == "1"


def test_unsure_figures_say_nothing() -> None:
    sets = rank_sets([0.90, 0.89, 0.91], [0.05] * 3, ["a", "b", "c"])
    assert [str(s) for s in sets] == ["1-3"] * 3
    assert not any(s.informative for s in sets)


def test_spread_out_agencies_get_short_sets() -> None:
    rng = np.random.default_rng(4)
    theta = np.linspace(0.6, 0.95, 20)
    sets = rank_sets(rng.normal(theta, 0.02), np.full(20, 0.02), [str(i) for i in range(20)])
    assert np.mean([s.worst - s.best for s in sets]) < 9


def test_ranks_of_shares_stand_where_all_are_satisfied() -> None:
    error = smoothed_error([1.0, 0.5], [20, 20])
    assert error == pytest.approx([(22 / 24 * 2 / 24 / 24) ** 0.5, (0.25 / 24) ** 0.5])
    sets = rank_shares([1.0, 0.5, 0.9], [400, 400, 400], ["a", "b", "c"])
    assert [str(s) for s in sets] == ["1", "3", "2"]


def test_one_agency_and_none() -> None:
    assert [str(s) for s in rank_sets([0.8], [0.1], ["a"])] == ["1"]
    assert rank_sets([], [], []) == []


@pytest.mark.parametrize(
    ("estimates", "errors"), [([0.8, 0.9], [0.1, 0.0]), ([0.8, np.nan], [0.1, 0.1]), ([0.8], [0.1, 0.1])]
)
def test_bad_input_is_refused(estimates: list[float], errors: list[float]) -> None:
    with pytest.raises(StatisticsError, match="Ranks"):
        rank_sets(estimates, errors, ["a", "b"])


def _with_covariance(theta: np.ndarray, covariance: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(Best, worst) ranks by the same procedure with the errors' covariance known; `z` [draws, p] standard normal."""
    off, drawn = ~np.eye(len(theta), dtype=bool), z @ np.linalg.cholesky(covariance).T
    own = np.diag(covariance)
    scale = np.where(off, np.sqrt(own[:, None] + own - 2 * covariance), np.inf)
    statistic, errors = (theta[:, None] - theta) / scale, (drawn[:, :, None] - drawn[:, None]) / scale
    decided = np.zeros_like(off)
    while True:
        critical = np.quantile(np.where(off & ~decided, errors, -np.inf).max(axis=(1, 2)), 0.95)
        more = off & (statistic > critical)
        if more.sum() == decided.sum():
            return 1 + decided.sum(axis=0), len(theta) - decided.sum(axis=1)
        decided = more


@pytest.mark.parametrize(
    ("common", "opposite", "held", "shorter"),
    [(0.3, False, 0.97, 0.7), (0.6, False, 0.99, 1.8), (0.3, True, 0.89, 0.0), (0.6, True, 0.89, 0.3)],
)
def test_errors_that_agencies_have_in_common(common: float, opposite: bool, held: float, shorter: float) -> None:
    """A part of every agency's error is one of the whole province, of one sign or of either (ADR 0266). Sets that take
    errors for independent hold; what they cost against known covariance is ranks that stay open."""
    p, runs, rng = 12, 200, np.random.default_rng(9)
    error, names = np.linspace(0.015, 0.04, p), [str(i) for i in range(p)]
    load = np.sqrt(common) * error * (np.where(np.arange(p) % 2, 1, -1) if opposite else 1)
    own = np.sqrt(error**2 - load**2)
    covariance = np.diag(own**2) + np.outer(load, load)
    alike, longer = 0, []
    for run in range(runs):
        off = load * rng.standard_normal() + own * rng.standard_normal(p)
        alike += not any(s.informative for s in rank_sets(0.8 + off, error, names, seed=run, draws=500))
        if run < 60:
            spread = np.linspace(0.72, 0.92, p) + off
            best, worst = _with_covariance(spread, covariance, rng.standard_normal((500, p)))
            sets = rank_sets(spread, error, names, seed=run, draws=500)
            longer.append(np.mean([s.worst - s.best for s in sets]) - (worst - best).mean())
    assert alike / runs >= held
    assert np.mean(longer) >= shorter


def test_one_agencys_own_set_is_no_wider_than_the_simultaneous_one() -> None:
    rng = np.random.default_rng(5)
    names = [str(i) for i in range(15)]
    for _ in range(5):
        theta, error = rng.normal(0.8, 0.05, 15), rng.uniform(0.01, 0.04, 15)
        together = rank_sets(theta, error, names)
        for which in range(15):
            own = marginal_rank_set(theta, error, names, which)
            assert (own.name, own.of) == (names[which], 15)
            assert together[which].best <= own.best <= own.worst <= together[which].worst


def test_one_agencys_own_set_is_that_of_all_draws_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few draws are in memory together, and though a draw is made again only where its pair is decided."""
    rng = np.random.default_rng(8)
    for p, which in ((2, 1), (17, 0), (17, 9), (40, 39)):
        theta, error = rng.normal(0.8, 0.06, p), rng.uniform(0.01, 0.04, p)
        z = np.random.default_rng(3).standard_normal((500, p)) * error
        others = np.arange(p) != which
        scale = np.hypot(error[others], error[which])
        ahead = (theta[others] - theta[which]) / scale
        drawn = (z[:, others] - z[:, [which]]) / scale
        statistic, drawn = np.concatenate([ahead, -ahead]), np.concatenate([drawn, -drawn], axis=1)
        decided = np.zeros(2 * (p - 1), dtype=bool)
        while not decided.all():
            critical = np.quantile(drawn[:, ~decided].max(axis=1), 0.95)
            if not np.any((statistic > critical) & ~decided):
                break
            decided = statistic > critical
        expected = 1 + decided[: p - 1].sum(), p - decided[p - 1 :].sum()
        for at_once in (1, 100, 10_000_000):
            monkeypatch.setattr("calibration.ranks.NUMBERS_AT_ONCE", at_once)
            own = marginal_rank_set(theta, error, [str(i) for i in range(p)], which, seed=3, draws=500)
            assert (own.best, own.worst) == expected


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1])
def test_one_agencys_own_set_holds(spread: float) -> None:
    """Of one agency named beforehand, in the middle: coverage of its own rank, or of all ranks of its tie."""
    rng = np.random.default_rng(6)
    theta, error = 0.8 + spread * np.linspace(-1, 1, 11), np.linspace(0.01, 0.03, 11)
    names, held = [str(i) for i in range(11)], 0
    best, worst = 1 + (theta > theta[5]).sum(), (theta >= theta[5]).sum()
    for run in range(400):
        found = marginal_rank_set(rng.normal(theta, error), error, names, 5, seed=run, draws=400)
        held += found.best <= best and worst <= found.worst
    assert held / 400 >= 0.93


def test_who_may_be_and_who_surely_is_among_the_first() -> None:
    sets = [RankSet("a", 1, 2, 5), RankSet("b", 1, 4, 5), RankSet("c", 3, 5, 5), RankSet("d", 4, 5, 5)]
    first = top(sets, 3)
    assert first.possible == ("a", "b", "c")
    assert first.sure == ("a",)
    assert top(sets, 5).sure == ("a", "b", "c", "d")


def test_the_first_k_hold_at_once() -> None:
    """Whoever is among the true first three is possible, whoever is sure is among them, in all but five of a
    hundred."""
    rng = np.random.default_rng(7)
    theta, error, names = np.linspace(0.7, 0.95, 12), np.linspace(0.04, 0.01, 12), [str(i) for i in range(12)]
    true = {names[i] for i in np.argsort(-theta)[:3]}
    held = 0
    for run in range(150):
        found = top(rank_sets(rng.normal(theta, error), error, names, seed=run, draws=400), 3)
        held += true <= set(found.possible) and set(found.sure) <= true
    assert held / 150 >= 0.93


CSRANKS_SIMULTANEOUS = (
    "22-24 2-20 8-22 6-22 1-15 14-24 1-11 1-15 1-11 19-24 1-20 8-22 8-23 6-22 1-8 6-22 14-23 8-23 6-20 "
    "1-10 2-20 8-20 4-20 1-10 "
)
CSRANKS_MARGINAL = (
    "22-24 4-19 8-22 7-22 2-15 17-24 1-10 2-11 1-11 19-24 3-17 10-22 10-23 7-20 1-6 7-21 15-23 12-23 7-20 "
    "1-5 4-18 8-20 5-20 1-8 "
)
CSRANKS_FIRST_FIVE = {1, 4, 6, 7, 8, 10, 14, 19, 20, 22, 23}


def test_the_ranks_of_csranks() -> None:
    """The procedures of R's csranks (R 4.2.2; 30,000 draws, three seeds alike) on 24 figures made by arithmetic:
    simultaneous sets, marginal ones, the first five."""
    i = np.arange(24)
    theta, error = 500 + (37 * i * i) % 61 - 30.0, 2.0 + (11 * i) % 7 / 2
    names = [str(n) for n in i]
    sets = rank_sets(theta, error, names, draws=20_000)
    own = [marginal_rank_set(theta, error, names, n, draws=20_000) for n in range(24)]
    assert [f"{s.best}-{s.worst}" for s in sets] == CSRANKS_SIMULTANEOUS.split()
    assert [f"{s.best}-{s.worst}" for s in own] == CSRANKS_MARGINAL.split()
    assert {int(name) for name in top(sets, 5).possible} == CSRANKS_FIRST_FIVE


def test_which_must_be_an_agency() -> None:
    with pytest.raises(StatisticsError):
        marginal_rank_set([0.8, 0.9], [0.1, 0.1], ["a", "b"], 2)
    assert str(marginal_rank_set([0.8], [0.1], ["a"], 0)) == "1"
