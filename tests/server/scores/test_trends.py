"""Months of an agency's trend: their intervals know that answers of a day hang together."""

from __future__ import annotations

import pytest

from calibration.intervals import wilson
from server.scores.trends import _months


def test_a_month_of_bad_days_is_no_surer_than_its_days() -> None:
    """Twelve months of 20 days with 10 ratings: on six days 4 are satisfied, else 10. One figure a day is all there
    is: of 20 days with a standard deviation of .282, .82 -+ 2.0 x .063. By Wilson's interval of 200 answers the month
    was told to .761-.867."""
    month = [{2500 + day: (10, 4 if day % 4 == 0 else 10) for day in range(24) if day % 6 != 5} for _ in range(12)]
    months = [{day + 30 * number: count for day, count in of.items()} for number, of in enumerate(month)]
    for found in _months(months, 0.95):
        assert found.share == pytest.approx(0.82)
        assert found.ends[1] - found.ends[0] == pytest.approx(2 * 2.0 * 0.063, rel=0.1)
        assert found.watched[0] < found.ends[0] < found.ends[1] < found.watched[1]


def test_days_that_differ_by_chance_alone_cost_next_to_nothing() -> None:
    """Ratings one by one of a fixed order, dealt to days of ten as they come: near Wilson's interval of 200."""
    satisfied = [int((number * 0.6180339887) % 1 < 0.85) for number in range(2400)]
    dealt = [sum(satisfied[(day * 10 + step * 7919) % 2400] for step in range(10)) for day in range(240)]
    months = [{2500 + 30 * m + d: (10, dealt[20 * m + d]) for d in range(20)} for m in range(12)]
    for found, counts in zip(_months(months, 0.95), months, strict=True):
        low, high = wilson(sum(k for _, k in counts.values()) / 200, 200)
        assert found.ends[1] - found.ends[0] == pytest.approx(float(high - low), rel=0.12)


def test_nothing_and_one_rating() -> None:
    assert _months([], 0.95) == []
    (alone,) = _months([{2500: (1, 1)}], 0.95)
    assert 0 <= alone.ends[0] < alone.share == alone.ends[1] == 1
