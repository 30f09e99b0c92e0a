"""Distinct rows by one number each are those that NumPy finds by comparing records, in its order."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.design import distinct


@pytest.mark.parametrize("high", [3, 1000, 2**40])
def test_as_numpy(high: int) -> None:
    rng = np.random.default_rng(1)
    columns = [rng.integers(-high, high, 400) for _ in range(3)]
    columns[1][:200] = columns[1][200:]
    columns[0][:200], columns[2][:200] = columns[0][200:], columns[2][200:]
    expected = np.unique(np.stack(columns), axis=1, return_inverse=True, return_counts=True)
    found, row, counts = distinct(*columns)
    assert (found == expected[0]).all()
    assert (row == expected[1].ravel()).all()
    assert (counts == expected[2]).all()
    assert (found[:, row] == np.stack(columns)).all()


def test_of_no_rows() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    found, row, counts = distinct(nothing, nothing)
    assert found.shape == (2, 0)
    assert len(row) == len(counts) == 0
