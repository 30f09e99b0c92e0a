"""Rank sets: simultaneous coverage, sharpness, and no bare rank."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ranks import plot_ranks, rank_rows, rank_sets, rank_shares, smoothed_error
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


def test_rows_hold_both_ends_and_never_a_rank() -> None:
    rows = rank_rows(rank_sets([0.9, 0.5], [0.01, 0.01], ["a", "b"]))
    assert all({"best", "worst", "of"} <= set(row) and "rank" not in row for row in rows)
    chart = plot_ranks(rank_sets([0.9, 0.5], [0.01, 0.01], ["a", "b"]), "ranks", {"a": "A", "b": "B"}).to_dict()
    assert chart["mark"]["type"] == "bar"
    (rows,) = chart["datasets"].values()
    assert [row["name"] for row in rows] == ["A", "B"]


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
