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
    # equal variances: the plain mean, whatever the channels' own spread
    two = link([(Estimate(80, 1), Estimate(78, 1)), (Estimate(70, 1), Estimate(66, 1))])
    assert two.shift == pytest.approx(-3)
    far = link([(Estimate(80, 1), Estimate(90, 1)), (Estimate(70, 1), Estimate(60, 1))])
    assert far.shift == pytest.approx(0)
    assert far.between > 10


@pytest.mark.parametrize(("apart", "half"), [(0.0, 4.530), (4.0, 5.605), (14.0, 13.924)])
def test_two_channels_say_little_of_how_far_channels_lie_apart(apart: float, half: float) -> None:
    """Two channels with an error of 2 each (1.41 of the mean): the half-widths are those of the same integral by
    adaptive quadrature over the spread, 0 to 20 points. By DerSimonian and Laird: 2.8, 3.9 and 13.7."""
    found = link([(Estimate(50, 0.01), Estimate(50 - apart / 2, 2)), (Estimate(50, 0.01), Estimate(50 + apart / 2, 2))])
    assert found.high - found.shift == pytest.approx(half, abs=0.03)


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
    """Three channels of different satisfaction, 60 to 400 sheets each way: 150 draws, nominal .95."""
    draw = np.random.default_rng(20261129)
    sizes, shares, shift = (60, 150, 400), (0.62, 0.8, 0.9), -0.05
    covered = 0
    for _ in range(150):
        pairs = []
        for n, share in zip(sizes, shares, strict=True):
            old, new = draw.binomial(n, share), draw.binomial(n, share + shift)
            pairs.append((share_estimate(int(old), n), share_estimate(int(new), n)))
        found = link(pairs)
        covered += found.low <= 100 * shift <= found.high
    assert covered / 150 >= 0.92


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
