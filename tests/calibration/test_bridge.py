"""The link of two instruments: closed forms, coverage on a foreign generator, and what it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.bridge import Estimate, Link, link, share_estimate
from pipeline.errors import StatisticsError


def test_closed_forms() -> None:
    one = link([(Estimate(80, 3), Estimate(76, 4))])
    assert (one.shift, one.error, one.between, one.pairs) == (-4, 5, 0, 1)
    assert one.is_none
    carried = Link(-4, 1, 0, 1).carry(Estimate(80, 2))
    assert carried.value == 76
    assert carried.error == pytest.approx(5**0.5)
    # equal variances: the plain mean; the channels differ by as much as chance lets them, so tau is none
    two = link([(Estimate(80, 1), Estimate(78, 1)), (Estimate(70, 1), Estimate(66, 1))])
    assert (two.shift, two.between) == (-3, 0)
    far = link([(Estimate(80, 1), Estimate(90, 1)), (Estimate(70, 1), Estimate(60, 1))])
    # Q = 2 x 100 / 2 = 100, spread = 1 - 1/2 = .5: tau2 = (100 - 1) / .5 = 198
    assert far.between == pytest.approx(198**0.5)
    assert far.error == pytest.approx(100**0.5)


@pytest.mark.parametrize(
    "pairs", [[], [(Estimate(80, 0), Estimate(80, 0))], [(Estimate(float("nan"), 1), Estimate(1, 1))]]
)
def test_what_cannot_be_linked(pairs: list[tuple[Estimate, Estimate]]) -> None:
    with pytest.raises(StatisticsError):
        link(pairs)


@pytest.mark.parametrize("counts", [(1, 0), (-1, 4), (5, 4)])
def test_no_share_without_answers(counts: tuple[int, int]) -> None:
    with pytest.raises(StatisticsError):
        share_estimate(*counts)


def test_its_interval_covers_the_shift() -> None:
    """Three channels of different satisfaction, 60 to 400 sheets each way: 400 draws, nominal .95."""
    draw = np.random.default_rng(20261129)
    sizes, shares, shift = (60, 150, 400), (0.62, 0.8, 0.9), -0.05
    covered = 0
    for _ in range(400):
        pairs = []
        for n, share in zip(sizes, shares, strict=True):
            old, new = draw.binomial(n, share), draw.binomial(n, share + shift)
            pairs.append((share_estimate(int(old), n), share_estimate(int(new), n)))
        found = link(pairs)
        covered += found.low <= 100 * shift <= found.high
    assert 0.925 <= covered / 400 <= 0.985


ERRORS = st.floats(0.1, 10)
SHARES = st.floats(0, 100)


@given(st.lists(st.tuples(SHARES, ERRORS, SHARES, ERRORS), min_size=1, max_size=6))
def test_a_link_lies_among_its_channels_and_turns_round(rows: list[tuple[float, float, float, float]]) -> None:
    there = link([(Estimate(a, b), Estimate(c, d)) for a, b, c, d in rows])
    back = link([(Estimate(c, d), Estimate(a, b)) for a, b, c, d in rows])
    shifts = [c - a for a, _b, c, _d in rows]
    assert min(shifts) - 1e-9 <= there.shift <= max(shifts) + 1e-9
    assert back.shift == pytest.approx(-there.shift, abs=1e-9)
    assert back.error == pytest.approx(there.error)
