"""Whatever integers a table and the ratings hold, every figure is a number within its scale, or None."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration.analysis import analyze
from calibration.months import AgencyMonth, Stratum
from calibration.ratings import DayCount
from calibration.tables import EvidenceTable
from calibration.units import stratified_mean
from pipeline.calendar import DayRange

MAY, JUNE = DayRange.month(2026, 5), DayRange.month(2026, 6)
CELLS = arrays(np.int64, (6, 3), elements=st.integers(-5, 400))
RATINGS = st.lists(
    st.tuples(st.integers(0, 27), st.integers(0, 30), st.floats(0, 1), st.sampled_from(["tablet", "sms"])), max_size=12
)


def stratum(name: str, period: DayRange, rows: list[tuple[int, int, float, str]], transactions: int | None) -> Stratum:
    counts = tuple(DayCount(period.start + timedelta(d), n, round(n * share), channel) for d, n, share, channel in rows)
    return Stratum(name, transactions, counts)


@settings(max_examples=120, deadline=None)
@given(
    past=CELLS,
    now=CELLS,
    first=RATINGS,
    second=RATINGS,
    transactions=st.tuples(st.none() | st.integers(0, 5000), st.none() | st.integers(0, 5000)),
    shared=st.booleans(),
)
def test_every_figure_is_a_number_or_none(
    past: np.ndarray,
    now: np.ndarray,
    first: list[tuple[int, int, float, str]],
    second: list[tuple[int, int, float, str]],
    transactions: tuple[int | None, int | None],
    shared: bool,
) -> None:
    before = AgencyMonth("a", "g", MAY, (), (EvidenceTable.released(past * 3, 1.5, period=MAY, box="b"),))
    table = EvidenceTable.released(now, 1.5, period=JUNE, box="b")
    strata = [stratum("s", JUNE, first, transactions[0]), stratum("t", JUNE, second, transactions[1])]
    if not shared:
        strata[0] = Stratum("s", transactions[0], strata[0].ratings, (table,))
    month = AgencyMonth("a", "g", JUNE, tuple(strata), (table,) if shared else ())
    result = analyze([before, month], period=JUNE)
    json.dumps(result.to_dict(), allow_nan=False)
    for row in result.rows():
        assert 0 <= row["low"] <= row["high"] <= 1
        assert row["estimate"] is None or row["low"] - 1e-9 <= row["estimate"] <= row["high"] + 1e-9
        assert row["n_eff"] >= 0
        assert 0 <= row["rho"] <= 1
    assert date(2026, 6, 1) in JUNE


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 5_000)), min_size=1, max_size=24),
    satisfied=st.sampled_from([0.0, 1.0]),
)
def test_weights_that_round_make_no_share_beyond_its_scale(sizes: list[tuple[int, int]], satisfied: float) -> None:
    """A commune whose 201 sheets were all satisfied had an index of 100.00000000000003."""
    strata = [stratum(str(i), JUNE, [(0, n, satisfied, "tablet")], visits) for i, (n, visits) in enumerate(sizes)]
    n, times_share, _, _ = stratified_mean(strata)
    assert n == sum(size for size, _ in sizes)
    assert 0 <= times_share <= n
    assert times_share / n == satisfied or abs(times_share / n - satisfied) < 1e-12
