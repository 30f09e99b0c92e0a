"""Changes between periods: a published interval, and false changes among many agencies."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.changes import changes, level_of_each
from calibration.intervals import normal_quantile, wilson
from pipeline.errors import StatisticsError


def test_newcombes_published_example() -> None:
    """56 of 70 against 48 of 80, method 10 of Newcombe 1998: .0524 to .3339."""
    change, low, high = changes(56 / 70, 70, 48 / 80, 80)
    assert float(change) == pytest.approx(0.2)
    assert float(low) == pytest.approx(0.0524, abs=5e-5)
    assert float(high) == pytest.approx(0.3339, abs=5e-5)


@pytest.mark.parametrize("agencies", [26, 100])
@pytest.mark.parametrize(("lowest", "highest"), [(0.70, 0.90), (0.85, 0.97), (0.93, 0.99)])
def test_false_changes_of_a_province(agencies: int, lowest: float, highest: float) -> None:
    """Nothing changes: of 1,500 provinces at most 5 % (and two Monte Carlo errors) read a change anywhere; judged line
    by line, most do."""
    rng = np.random.default_rng(11)
    shape = (1500, agencies)
    p, n_now, n_before = rng.uniform(lowest, highest, shape), rng.integers(15, 400, shape), rng.integers(15, 400, shape)
    now, before = rng.binomial(n_now, p) / n_now, rng.binomial(n_before, p) / n_before

    def wrong(lines: int) -> float:
        _, low, high = changes(now, n_now, before, n_before, lines=lines)
        return float(((low > 0) | (high < 0)).any(axis=1).mean())

    assert wrong(agencies) <= 0.05 + 2 * 0.0056
    assert wrong(1) > 0.55


def test_a_change_is_seen() -> None:
    """Fifteen points at 300 answers, one of 100 agencies: seen in most provinces."""
    rng = np.random.default_rng(3)
    _, low, _ = changes(rng.binomial(300, 0.90, 400) / 300, 300, rng.binomial(300, 0.75, 400) / 300, 300, lines=100)
    assert (low > 0).mean() > 0.85


def test_one_line_is_the_plain_interval_and_degrees_widen_it() -> None:
    assert level_of_each(0.95, 1) == 0.95
    _, low, high = changes(0.8, 50, 0.8, 50)
    ends = wilson(0.8, 50, normal_quantile())
    assert float(high) == pytest.approx(float(np.hypot(ends[1] - 0.8, 0.8 - ends[0])))
    assert float(low) == pytest.approx(-float(high))
    _, few_low, few_high = changes(0.8, 50, 0.8, 50, degrees_now=5, degrees_before=5)
    assert few_low < low
    assert few_high > high
    with pytest.raises(StatisticsError):
        changes(0.8, 50, 0.8, 50, lines=0)
