"""The efficiency estimator: closed forms without noise, falling back, never wider, aims of the benchmark."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.coverage import Cell, Scores, score_cell
from calibration.efficiency import efficiency_arrays, ridge_score
from calibration.intervals import wilson
from calibration.response_curve import CurveArrays, curve_arrays
from calibration.simulate import Threat, threatened_world
from calibration.tables import cell_noise_variance, noisy_cells
from calibration.verdicts import Estimand, Verdict
from calibration.worlds import draw_cells, joint_distribution

FULL = np.asarray(True)


def known_curve(p: float, rho: float) -> CurveArrays:
    """The true curve of a world, known exactly."""
    joint = joint_distribution(p, rho)
    level = joint.sum(axis=1)
    share = joint[:, 1] / level
    return CurveArrays(share, np.zeros(6), level, np.asarray(p), FULL, FULL, share, np.zeros(6))


def test_without_noise_the_score_is_the_curve_itself() -> None:
    curve = known_curve(0.8, 0.5)
    score = ridge_score(curve, np.asarray(0.01), np.zeros((6, 6)))
    assert score == pytest.approx(curve.share - 0.8, abs=1e-4)


def test_noise_shrinks_the_score_of_rare_levels_most() -> None:
    curve = known_curve(0.8, 0.5)
    rare = CurveArrays(
        curve.share, curve.variance, np.array([0.01, 0.2, 0.3, 0.3, 0.07, 0.12]), curve.mean, FULL, FULL,
        curve.share, curve.variance,
    )  # fmt: skip
    plain = ridge_score(rare, np.asarray(0.01), np.zeros((6, 6)))
    noisy = ridge_score(rare, np.asarray(0.01), 2 * 0.74 * 0.01**2 * np.eye(6))
    kept = (noisy / plain)[:5]
    assert kept.argmin() == 0
    assert kept[0] < 0.75 * kept[2]


def test_the_variance_is_the_closed_form() -> None:
    p, rho, n, visits = 0.8, 0.5, 200, 4000
    curve = known_curve(p, rho)
    table, k, _ = draw_cells(np.random.default_rng(1), joint_distribution(p, rho), n, visits, 4000)
    fused = efficiency_arrays(noisy_cells(table, 0.0, np.full(4000, n), k), curve, np.full(4000, n), k)
    closed = p * (1 - p) / n * (1 - rho**2 * (1 - n / visits))
    assert fused.fused_variance.mean() == pytest.approx(closed, rel=0.03)
    assert fused.fused.var() == pytest.approx(closed, rel=0.06)
    assert fused.fused.mean() == pytest.approx(p, abs=0.002)
    assert fused.lam[fused.verdict == Verdict.HELPED.number].mean() == pytest.approx(1.0, abs=0.03)
    assert fused.rho.mean() == pytest.approx(rho, abs=0.02)


@pytest.mark.parametrize("epsilon", [0.5, 1.5])
def test_noise_is_added_where_a_variance_is_reported(epsilon: float) -> None:
    p, rho, n, visits = 0.8, 0.5, 100, 5000
    table, k, _ = draw_cells(np.random.default_rng(1), joint_distribution(p, rho), n, visits, 6000, epsilon)
    cells = noisy_cells(table, cell_noise_variance(epsilon), np.full(6000, n), k)
    fused = efficiency_arrays(cells, known_curve(p, rho), np.full(6000, n), k)
    assert fused.fused_variance.mean() == pytest.approx(fused.fused.var(), rel=0.06)
    exact = p * (1 - p) / n * (1 - rho**2 * (1 - n / visits))
    assert fused.fused_variance.mean() > 1.02 * exact


def test_an_uncalibrated_curve_fuses_nothing() -> None:
    curve = curve_arrays(noisy_cells(np.tile([10, 1, 3], (6, 1)), 0.0))
    cells = noisy_cells(np.tile([100, 5, 20], (6, 1)), 0.0)
    fused = efficiency_arrays(cells, curve, 150, 120)
    assert Verdict.of(int(fused.verdict)) is Verdict.NOT_CALIBRATED
    assert float(fused.estimate) == pytest.approx(0.8)
    assert (float(fused.low), float(fused.high)) == pytest.approx([float(x) for x in wilson(0.8, 150)])


def test_a_signal_without_meaning_here_is_seen_to_mislead() -> None:
    table, k, _ = draw_cells(np.random.default_rng(2), joint_distribution(0.8, 0.0), 400, 8000, 200, 1.5)
    cells = noisy_cells(table, cell_noise_variance(1.5), np.full(200, 400), k)
    fused = efficiency_arrays(cells, known_curve(0.8, 0.6), np.full(200, 400), k)
    misleads = fused.verdict == Verdict.MISLEADS.number
    assert misleads.mean() > 0.9
    assert (fused.estimate[misleads] == (k / 400)[misleads]).all()


@pytest.mark.parametrize(
    ("n", "k", "cells"),
    [
        (0, 0, np.zeros((6, 3))),
        (1, 1, np.tile([5, 0, 0], (6, 1))),
        (2, 2, np.tile([5, 0, 0], (6, 1))),
        (60, 60, np.tile([50, 0, 10], (6, 1))),
        (60, 0, np.tile([50, 10, 0], (6, 1))),
        (30, 20, np.tile([-3, -2, -1], (6, 1))),
        (90, 70, np.tile([0, 5, 10], (6, 1))),
    ],
)
@pytest.mark.parametrize("estimand", list(Estimand))
def test_hard_figures_give_numbers_within_the_scale(n: int, k: int, cells: np.ndarray, estimand: Estimand) -> None:
    fused = efficiency_arrays(noisy_cells(cells, 0.74, n, k), known_curve(0.8, 0.5), n, k, estimand=estimand)
    assert 0 <= float(fused.low) <= float(fused.estimate) <= float(fused.high) <= 1
    assert np.isfinite([float(x) for x in (fused.n_eff, fused.lam, fused.rho, fused.fused_variance)]).all()
    if n < 2:
        assert Verdict.of(int(fused.verdict)) is Verdict.NO_GAIN


def test_it_is_never_wider_than_the_explicit_interval_at_the_same_estimate() -> None:
    rng = np.random.default_rng(3)
    for rho in (0.0, 0.3, 0.6):
        table, k, _ = draw_cells(rng, joint_distribution(0.85, rho), 30, 900, 500, 1.5)
        n = np.full(500, 30)
        fused = efficiency_arrays(noisy_cells(table, cell_noise_variance(1.5), n, k), known_curve(0.85, 0.5), n, k)
        low, high = wilson(fused.estimate, n)
        assert (fused.high - fused.low <= high - low + 1e-9).all()


def _cell(rho: float, cell: Cell, p: float = 0.83, replications: int = 3000) -> dict[str, Scores]:
    world = threatened_world(p, rho, Threat.NONE, cell.rated / cell.visits)
    return score_cell(np.random.default_rng(11), world, cell, replications)


@pytest.mark.parametrize(("epsilon", "most"), [(None, 0.80), (1.5, 0.88)])
def test_the_aim_on_squared_error_holds(epsilon: float | None, most: float) -> None:
    scores = _cell(0.5, Cell(100, 5000, epsilon))
    assert scores["efficiency"].mse / scores["wilson"].mse <= most
    assert scores["efficiency"].width / scores["wilson"].width < 0.97


@pytest.mark.parametrize("epsilon", [None, 1.5])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
@pytest.mark.parametrize(("n", "visits"), [(15, 300), (40, 264), (200, 5000)])
def test_the_whole_procedure_covers(n: int, visits: int, rho: float, epsilon: float | None) -> None:
    runs = [_cell(rho, Cell(n, visits, epsilon), p, 1000) for p in (0.73, 0.82, 0.91)]
    ours = np.mean([s["efficiency"].coverage for s in runs])
    assert 0.935 <= ours <= 0.975
    assert ours >= np.mean([s["wilson"].coverage for s in runs]) - 0.01
    assert max(s["efficiency"].width / s["wilson"].width for s in runs) <= 1.03


def test_the_finite_month_is_another_estimand_with_a_narrower_interval() -> None:
    world = threatened_world(0.82, 0.5, Threat.NONE, 0.5)
    rng = np.random.default_rng(4)
    month = score_cell(rng, world, Cell(100, 200), 3000, Estimand.FINITE_MONTH)
    assert month["wilson"].coverage > 0.985
    assert 0.94 <= month["explicit_finite"].coverage <= 0.975
    assert 0.94 <= month["efficiency"].coverage <= 0.98
    assert month["efficiency"].width < 0.8 * month["wilson"].width
