"""Evidence tables: shape, noise, pooling, projection on exact sums."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from calibration.tables import EvidenceTable, cell_noise_variance, noisy_cells, pool
from calibration.worlds import discrete_laplace
from pipeline.calendar import DayRange, require_disjoint
from pipeline.errors import StatisticsError

MAY, JUNE = DayRange.month(2026, 5), DayRange.month(2026, 6)


@pytest.mark.parametrize(("epsilon", "expected"), [(None, 0.0), (1.5, 0.7394), (0.5, 7.8352), (1.0, 1.8413)])
def test_noise_variance_is_that_of_the_discrete_laplace(epsilon: float | None, expected: float) -> None:
    assert cell_noise_variance(epsilon) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("releases", [1, 3, 12])
def test_drawn_noise_has_the_stated_variance(releases: int) -> None:
    drawn = discrete_laplace(np.random.default_rng(1), 1.5, (200_000,), releases)
    assert drawn.mean() == pytest.approx(0.0, abs=0.03)
    assert drawn.var() == pytest.approx(releases * cell_noise_variance(1.5), rel=0.03)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(StatisticsError, match="epsilon"):
        cell_noise_variance(epsilon)


@pytest.mark.parametrize(
    ("counts", "epsilon", "message"),
    [
        (np.zeros((5, 3)), 1.5, "6 x 3"),
        (np.full((6, 3), 0.5), 1.5, "whole numbers"),
        (np.full((6, 3), np.nan), 1.5, "whole numbers"),
        (np.full((6, 3), -1), None, "no noise"),
    ],
)
def test_malformed_tables_are_refused(counts: np.ndarray, epsilon: float | None, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        EvidenceTable.released(counts, epsilon)


def test_a_wire_row_of_eighteen_numbers_is_read_row_by_row() -> None:
    table = EvidenceTable.released(range(18), 1.5)
    assert table.counts[1].tolist() == [3, 4, 5]
    assert table.rated == sum(range(18)) - (0 + 3 + 6 + 9 + 12 + 15)


def test_pooling_adds_counts_and_variances() -> None:
    one, two = (EvidenceTable.released(np.full((6, 3), c), 1.5, period=MAY, box=b) for c, b in ((2, "a"), (-1, "b")))
    both = pool([one, two])
    assert both.counts.tolist() == np.full((6, 3), 1).tolist()
    assert both.cell_variance == pytest.approx(2 * one.cell_variance)
    assert (both.releases, both.period, both.box) == (2, MAY, "")


def test_the_same_box_and_period_twice_is_refused() -> None:
    table = EvidenceTable.released(np.ones((6, 3), dtype=int), 1.5, period=MAY, box="a")
    with pytest.raises(StatisticsError, match="overlaps"):
        pool([table, table])


def test_no_tables_cannot_be_pooled() -> None:
    with pytest.raises(StatisticsError, match="No evidence"):
        pool([])


def test_a_table_of_noise_alone_is_empty() -> None:
    noise = discrete_laplace(np.random.default_rng(3), 1.5, (6, 3))
    assert EvidenceTable.released(noise, 1.5).is_empty()
    assert not EvidenceTable.released(noise + 10, 1.5).is_empty()


def test_projection_on_exact_sums_removes_a_sixth_of_the_noise() -> None:
    rng = np.random.default_rng(7)
    truth = np.tile(np.array([40, 8, 20]), (6, 1))
    noisy = truth + discrete_laplace(rng, 1.5, (40_000, 6, 3))
    cells = noisy_cells(noisy, cell_noise_variance(1.5), np.full(40_000, 168), np.full(40_000, 120))
    assert 0.90 < cells.projected.mean() < 0.95, "two sums of six cells, two standard deviations each"
    projected = cells.projected
    assert cells.rated.sum(axis=-1)[projected] == pytest.approx(168.0)
    # months whose noise happens to be large are left out, so that less is left to remove than a sixth of all noise
    ratio = (cells.cells[projected, :, 2] - 20).var() / (noisy[projected, :, 2] - 20).var()
    assert 0.83 < ratio < 0.89
    assert (cells.cells[projected, :, 2] - 20).var() < 5 / 6 * cell_noise_variance(1.5)
    assert (cells.cells[..., 0] == noisy[..., 0]).all()


def test_ratings_that_met_no_visit_are_not_forced_into_the_table() -> None:
    cells = noisy_cells(np.tile(np.array([40, 8, 20]), (6, 1)), cell_noise_variance(1.5), 400, 300)
    assert not cells.projected
    assert cells.rated.sum() == 168


def test_periods() -> None:
    assert date(2026, 5, 31) in MAY
    assert date(2026, 6, 1) not in MAY
    assert DayRange.month(2026, 12).end == date(2027, 1, 1)
    require_disjoint([JUNE, MAY], "x")
    with pytest.raises(StatisticsError, match="overlap"):
        require_disjoint([MAY, JUNE, DayRange(date(2026, 5, 15), date(2026, 6, 15))], "x")
    with pytest.raises(StatisticsError, match="empty"):
        DayRange(date(2026, 5, 1), date(2026, 5, 1))
