"""How a whole is made of its parts: closed forms, and the published figures of 2023 and 2024 as far as they go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.pooling import (
    POLICY_WEIGHT_1001,
    ROUNDING,
    implied_weight,
    mean_of_indicators,
    pooled_answers,
    weighted_parts,
)
from pipeline.errors import StatisticsError

FACTORS_2023 = {"access": 83.00, "procedures": 83.02, "servants": 83.12, "results": 83.03, "feedback": 82.27}
WHOLE = {2023: (82.66, 82.49, 82.97), 2024: (83.94, 83.84, 84.09)}
"""Whole, policy, services."""


def test_both_years_leave_the_same_weight_of_policy() -> None:
    """What is published of both years fits a weight of policy of .625 to .640 alone, and so 32 of 51 indicators."""
    spans = {year: implied_weight(*figures) for year, figures in WHOLE.items()}
    ends = [end for span in spans.values() for end in span]
    assert ends == pytest.approx([0.625, 2 / 3, 0.56, 0.64], abs=1e-9)
    assert all(low <= POLICY_WEIGHT_1001 <= high for low, high in spans.values())
    for whole, policy, services in WHOLE.values():
        made = weighted_parts([policy, services], [POLICY_WEIGHT_1001, 1 - POLICY_WEIGHT_1001])
        assert made == pytest.approx(whole, abs=2 * ROUNDING)
        assert abs(weighted_parts([policy, services], [1, 1]) - whole) > 2 * ROUNDING, "not the plain mean"


def test_services_are_no_mean_of_their_factors_that_we_know() -> None:
    """82.97 is published; the plain mean of the five factors is 82.89, with 3/4/4/4/4 it is 82.88: neither fits."""
    shares = list(FACTORS_2023.values())
    assert round(weighted_parts(shares, [1] * 5), 2) == 82.89
    assert round(weighted_parts(shares, [3, 4, 4, 4, 4]), 2) == 82.88
    others = weighted_parts(shares[:4], [1] * 4)
    low, high = implied_weight(82.97, FACTORS_2023["feedback"], others)
    assert 0.08 < low < high < 0.11, "feedback would have to count half of what the others count"


def test_closed_forms() -> None:
    assert pooled_answers([9, 1], [10, 90]) == 10.0
    assert mean_of_indicators([9, 1, 0], [10, 90, 0]) == pytest.approx((90 + 100 / 90) / 2)
    assert weighted_parts([80, 90], [3, 1]) == 82.5
    assert implied_weight(80, 80, 80) == (0.0, 1.0)
    with pytest.raises(StatisticsError):
        pooled_answers([], [])
    with pytest.raises(StatisticsError):
        mean_of_indicators([0], [0])
    for weights in ([1.0], [-1.0, 2.0], [0.0, 0.0]):
        with pytest.raises(StatisticsError):
            weighted_parts([80, 90], weights)
    with pytest.raises(StatisticsError, match="No weight"):
        implied_weight(95, 80, 90)


@given(st.floats(50, 99), st.floats(50, 99), st.floats(0, 1))
def test_the_weight_that_was_taken_is_never_excluded(part: float, rest: float, weight: float) -> None:
    whole = round(weighted_parts([part, rest], [weight, 1 - weight]), 2)
    low, high = implied_weight(whole, round(part, 2), round(rest, 2))
    assert low - 1e-6 <= weight <= high + 1e-6
