"""The bound on a release's noise holds, and is not so wide that it says nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.noise import noise_bound
from calibration.worlds import discrete_laplace
from pipeline.errors import StatisticsError


@pytest.mark.parametrize(("cells", "epsilon"), [(1, 0.5), (1, 1.5), (6, 1.5), (12, 0.5), (18, 2.0)])
def test_bound_holds_and_is_near(cells: int, epsilon: float) -> None:
    rng = np.random.default_rng(7)
    sums = discrete_laplace(rng, epsilon, (400_000, cells)).sum(axis=1)
    for tail in (1e-2, 1e-4):
        assert (sums >= noise_bound(cells, epsilon, tail)).mean() <= tail
    assert np.quantile(sums, 1 - 1e-4) >= 0.5 * noise_bound(cells, epsilon, 1e-4), "too wide would let anything pass"


@given(st.integers(1, 36), st.floats(0.05, 20), st.floats(1e-12, 0.1))
def test_bound_grows_as_it_should(cells: int, epsilon: float, tail: float) -> None:
    bound = noise_bound(cells, epsilon, tail)
    assert bound > 0
    assert noise_bound(cells + 1, epsilon, tail) >= bound
    assert noise_bound(cells, epsilon, tail / 2) >= bound
    exact_tail_of_one = math.log(tail) / -epsilon
    assert bound >= 0.5 * exact_tail_of_one


@pytest.mark.parametrize(
    ("cells", "epsilon", "tail"), [(0, 1, 0.1), (1, 0, 0.1), (1, math.inf, 0.1), (1, 1, 0), (1, 1, 1)]
)
def test_no_bound_for_nonsense(cells: int, epsilon: float, tail: float) -> None:
    with pytest.raises(StatisticsError):
        noise_bound(cells, epsilon, tail)
