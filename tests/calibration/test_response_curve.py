"""The response curve: isotonic fit against an independent one, shrinkage, cold start, order only where data allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from calibration.response_curve import curve_arrays, isotonic, learn_curve
from calibration.simulate import Threat, threatened_world
from calibration.tables import EvidenceTable, added_up, cell_noise_variance, noisy_cells
from calibration.worlds import correlation, draw_cells, joint_distribution
from pipeline.errors import StatisticsError


def test_isotonic_is_that_of_sklearn() -> None:
    rng = np.random.default_rng(2)
    values, weights = rng.random((50, 5)), rng.random((50, 5)) + 0.1
    ours = isotonic(values, weights)
    for row, weight, fitted in zip(values, weights, ours, strict=True):
        theirs = IsotonicRegression().fit_transform(np.arange(5), row, sample_weight=weight)
        assert fitted == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("epsilon", [None, 1.5])
def test_much_data_give_the_true_curve_without_bias(epsilon: float | None) -> None:
    joint = joint_distribution(0.8, 0.5)
    truth = joint[:, 1] / joint.sum(axis=1)
    table, k, _ = draw_cells(np.random.default_rng(4), joint, 4000, 60_000, 200, epsilon, 12)
    curve = curve_arrays(noisy_cells(table, 12 * cell_noise_variance(epsilon), 4000, k))
    assert curve.calibrated.all()
    assert curve.fitted.mean(axis=0) == pytest.approx(truth, abs=0.006)
    assert curve.share.mean(axis=0) == pytest.approx(truth, abs=0.02)
    assert (np.diff(curve.share[:, :5], axis=-1) >= -1e-12).all()


def test_a_signal_without_meaning_gives_a_nearly_flat_curve() -> None:
    table, k, _ = draw_cells(np.random.default_rng(4), joint_distribution(0.8, 0.0), 600, 9000, 300, 1.5, 12)
    curve = curve_arrays(noisy_cells(table, 12 * cell_noise_variance(1.5), 600, k))
    spread = (curve.level_share * (curve.share - curve.mean[:, None]) ** 2).sum(axis=-1)
    assert np.sqrt(spread / 0.16).mean() < 0.06


def test_a_curve_that_surely_falls_is_not_forced_to_rise() -> None:
    joint = joint_distribution(0.8, 0.5)
    joint[:5] = joint[4::-1]
    table, k, _ = draw_cells(np.random.default_rng(4), joint, 3000, 30_000, 1, 1.5, 12)
    curve = curve_arrays(noisy_cells(table[0], 12 * cell_noise_variance(1.5), 3000, k[0]))
    assert not curve.monotone
    assert curve.fitted[0] > curve.fitted[4]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([], "no tables"),
        ([np.zeros((6, 3), dtype=int)], "empty"),
        ([np.tile([50, 2, 8], (6, 1))], "sixty pairs"),
        ([np.tile([500, 0, 100], (6, 1))], "all answers equal"),
        ([np.tile([-1, 0, 1], (6, 1))], "negative"),
    ],
)
def test_a_cold_start_is_not_calibrated(cells: list[np.ndarray], why: str) -> None:
    curve = learn_curve([EvidenceTable.released(c, 1.5) for c in cells], "communes")
    assert not curve.calibrated, why
    assert np.isfinite(curve.share).all()
    assert ((curve.share >= 0) & (curve.share <= 1)).all()
    assert "calibrated = False" in curve.summary()


def test_a_level_never_seen_says_nothing_and_breaks_nothing() -> None:
    counts = np.tile([400, 10, 60], (6, 1))
    counts[2] = [0, 0, 0]
    curve = learn_curve([EvidenceTable.released(counts, 1.5)])
    assert curve.calibrated
    assert np.isfinite(curve.fitted).all()
    assert curve.fitted_error[2] > 3 * curve.fitted_error[1]


def test_impossible_totals_are_refused() -> None:
    with pytest.raises(StatisticsError, match="impossible"):
        learn_curve([], rated=3, satisfied=4)


@pytest.mark.parametrize(("p", "rho"), [(0.7, 0.3), (0.97, 0.6), (0.83, 0.0)])
def test_worlds_have_the_correlation_they_are_asked_for(p: float, rho: float) -> None:
    joint = joint_distribution(p, rho)
    assert joint.sum() == pytest.approx(1.0)
    assert joint[:, 1].sum() == pytest.approx(p)
    assert correlation(joint) == pytest.approx(rho, abs=1e-6)


def _tables(boxes: int, asking: int, seed: int = 1) -> tuple[list[EvidenceTable], np.ndarray]:
    """Six months of so many boxes, of which some ask for consent, and count who gave none."""
    rng = np.random.default_rng(seed)
    world, plain = threatened_world(0.82, 0.4, Threat.CONSENT_BY_SATISFACTION, 0.1), joint_distribution(0.82, 0.4)
    found = []
    for box in range(boxes):
        rated, silent = (world.rated, world.silent) if box < asking else (plain, plain)
        drawn, _, _ = draw_cells(rng, rated, 100, 1000, 6, 1.5, silent=silent)
        found += [EvidenceTable.released(table, 1.5, box=str(box)) for table in drawn]
    return found, world.rated[:, 1] / world.rated.sum(axis=1)


@pytest.mark.parametrize(("asking", "rows"), [(5, 7), (3, 7), (2, 6), (0, 6)])
def test_those_who_did_not_agree_are_a_stratum_where_most_boxes_count_them(asking: int, rows: int) -> None:
    tables, share = _tables(5, asking)
    curve = learn_curve(tables)
    assert curve.calibrated
    assert curve.share.shape == curve.fitted.shape == curve.level_share.shape == (rows,)
    assert curve.held == ()
    if rows == 7:
        assert curve.fitted[6] == pytest.approx(share[6], abs=0.08), "their own answers, and no place on the curve"
        assert curve.level_share[6] == pytest.approx(0.5 * asking / 5, abs=0.05)
    assert len(curve.rows()) == rows
    assert len(curve.plot().to_dict()["layer"]) == 2


def test_the_row_is_added_and_taken_away() -> None:
    counts = np.arange(21).reshape(7, 3)
    table = EvidenceTable.released(counts, 1.5)
    folded = table.of_rows(6)
    assert folded.counts[:5].tolist() == counts[:5].tolist()
    assert folded.counts[5].tolist() == (counts[5] + counts[6]).tolist()
    assert folded.cell_variance == 2 * table.cell_variance
    assert folded.total == table.total == folded.of_rows(7).total
    assert (table.without, folded.without, folded.of_rows(7).without) == (0, 0, 1)
    assert added_up([table, replace(folded, releases=3)]).without == 3
    assert added_up([table, folded]).counts[6].tolist() == counts[6].tolist(), "nobody, where nobody is counted apart"
    assert table.total_variance == pytest.approx(21 * table.cell_variance)
