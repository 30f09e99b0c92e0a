"""The satisfaction group of Decision 766 as published, to .01; its intervals, order, moves and forecast."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.decision766 import Counts, Points, forecast, moves, order, points_of, score
from pipeline.errors import StatisticsError

PUBLISHED = [
    # unit, dossiers good / all, petitions in time / all, good; points of each, sum: Phú Thọ, year 2026, as published
    ("province", (528464, 597918), (296, 570), 230, (5.89, 3.12, 2.42), 11.43),
    ("Sở Công Thương", (1651, 2270), (0, 0), 0, (4.85, 6, 6), 16.85),
    ("Sở Giáo dục và Đào tạo", (755, 1120), (0, 4), 0, (4.49, 0, 0), 4.49),
    ("Phường Việt Trì", (7362, 8253), (0, 4), 0, (5.95, 0, 0), 5.95),
    ("Xã Hy Cương", (2775, 3443), (0, 0), 0, (5.37, 6, 6), 17.37),
    ("Xã Lâm Thao", (5679, 6200), (0, 2), 0, (6, 0, 0), 6),
    # a month of the same province
    ("province, month", (144574, 184513), (182, 247), 137, (5.22, 4.42, 3.33), 12.97),
    ("Xã Hy Cương, month", (854, 1270), (0, 0), 0, (4.48, 6, 6), 16.48),
    ("Sở Công Thương, month", (332, 482), (0, 0), 0, (4.59, 6, 6), 16.59),
    ("Văn phòng UBND, month", (0, 0), (0, 0), 0, (0, 6, 6), 12),
]


def _counts(dossiers: tuple[int, int], petitions: tuple[int, int], good: int) -> Counts:
    return Counts(dossiers[1], dossiers[0], petitions[1], petitions[0], good)


YEAR = [(row[0], _counts(*row[1:4])) for row in PUBLISHED[1:6]]


@pytest.mark.parametrize("row", PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_every_published_row(row: tuple[str, tuple[int, int], tuple[int, int], int, tuple[float, ...], float]) -> None:
    _, dossiers, petitions, good, points, total = row
    found = score(_counts(dossiers, petitions, good))
    assert tuple(part.published for part in found.parts.values()) == points
    assert found.total.published == total
    assert [part.measured for part in found.parts.values()] == [dossiers[1] > 0, petitions[1] > 0, petitions[1] > 0]


def test_halves_go_up_and_are_not_those_of_floating_point() -> None:
    assert Points(Fraction("2.675"), 0.0, 6.0).published == 2.68
    assert Points(Fraction("1.005"), 0.0, 6.0).published == 1.01


def test_four_petitions_support_little() -> None:
    """Wilson's interval of 0 of 4 is 0 to 49 %: twelve points hang on it."""
    found = score(dict(YEAR)["Phường Việt Trì"])
    assert (found.in_time.low, round(found.in_time.high / 6, 2)) == (0.0, 0.49)
    assert found.total.low < 5.95 < found.total.high < 12
    unmeasured = score(dict(YEAR)["Xã Hy Cương"])
    assert (unmeasured.in_time.low, unmeasured.in_time.high, unmeasured.total.measured) == (0.0, 6.0, False)


def test_the_published_order_of_eleven_points_is_not_supported() -> None:
    names = [name for name, _ in YEAR]
    found = order([counts for _, counts in YEAR], names)
    pairs = {(names[pair.higher], names[pair.lower]): pair.difference for pair in found.unsupported}
    assert found.pairs == 10
    assert pairs["Xã Hy Cương", "Phường Việt Trì"] == pytest.approx(11.43, abs=0.01)
    assert [str(one) for one in found.sets] == ["1-5"] * 5
    larger = [Counts(8000, 7600, 4000, 3900, 3800), Counts(8000, 7600, 4000, 1000, 900), Counts(8000, 7600)]
    sure = order(larger, ["a", "b", "c"])
    assert [str(one) for one in sure.sets] == ["1-2", "2-3", "1-3"]
    assert {(pair.higher, pair.lower) for pair in sure.unsupported} == {(2, 0), (2, 1)}
    assert order([], []).sets == ()


@pytest.mark.parametrize(
    "given_",
    [(-1, 0, 0, 0, 0), (3, 4, 0, 0, 0), (0, 0, 3, 4, 0), (0, 0, 3, 0, 4), (0, 0, 0, 1, 0)],
)
def test_counts_that_cannot_be(given_: tuple[int, ...]) -> None:
    with pytest.raises(StatisticsError):
        Counts(*given_)


counts_ = st.builds(
    lambda a, b, c, d, e: Counts(a + b, a, c + d + e, c + d, c), *(st.integers(0, 3_000) for _ in range(5))
)


@given(counts_, st.floats(0.5, 0.999))
def test_intervals_hold_the_score_and_widen_with_the_level(counts: Counts, level: float) -> None:
    found, wider = score(counts, level), score(counts, (1 + level) / 2)
    for name, part in {**found.parts, "total": found.total}.items():
        other = wider.total if name == "total" else wider.parts[name]
        assert (
            0 <= other.low <= part.low <= float(part.exact) <= part.high <= other.high <= (18 if name == "total" else 6)
        )


@given(counts_)
def test_moves_add_up_to_a_full_score(counts: Counts) -> None:
    found = moves(counts)
    assert [move.gain for move in found] == sorted((move.gain for move in found), reverse=True)
    missing = 18 - float(score(counts).total.exact) - (6 if counts.dossiers == 0 else 0)
    assert sum(move.gain for move in found) == pytest.approx(missing, abs=1e-9)
    assert all(move.count > 0 for move in found)


def test_moves_in_words_of_the_issue() -> None:
    """Việt Trì: four petitions are worth twelve points; Hy Cương: dossiers up to nine in ten."""
    assert [(one.what, one.count, one.gain) for one in moves(dict(YEAR)["Phường Việt Trì"])] == [
        ("late_petitions", 4, 12.0),
        ("dossiers", 66, pytest.approx(6 - 6 * 7362 / 8253 / 0.9)),
    ]
    province = _counts(*PUBLISHED[0][1:4])
    (first, second) = moves(dict(YEAR)["Phường Việt Trì"], province)
    assert (first.count, second.count) == (4, 891)
    assert first.gain == pytest.approx(12 * 4 / 570)
    assert second.each == pytest.approx(6 / 0.9 / 597918)
    assert points_of("dossiers", 9, 10) == 6


@pytest.mark.parametrize(("petitions", "seed"), [(3.0, 1), (40.0, 2)])
def test_coverage_of_the_total(petitions: float, seed: int) -> None:
    """Drawn from a known service: the interval of the sum holds its score at least as often as nominal."""
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(600):
        n = int(rng.poisson(petitions)) + 1
        good, timely, share = 0.5, 0.7, 0.85
        outcome = rng.multinomial(n, [good, timely - good, 1 - timely])
        dossiers = int(rng.binomial(400, share))
        total = score(Counts(400, dossiers, n, int(outcome[0] + outcome[1]), int(outcome[0]))).total
        held += total.low <= 6 * share / 0.9 + 6 * timely + 6 * good <= total.high
    assert held / 600 >= 0.94


def test_coverage_of_the_forecast() -> None:
    """Months of a unit whose shares move from month to month: the forecast at a third of the month holds its end."""
    rng = np.random.default_rng(7)
    held, widths = 0, []
    for world in range(300):
        centre = rng.uniform(0.75, 0.95)
        months = []
        for _ in range(13):
            share = np.clip(rng.normal(centre, 0.04), 0.05, 0.99)
            timely, well = np.clip(rng.normal([0.7, 0.8], 0.08), 0.05, 0.95)
            n, p = int(rng.poisson(300)), int(rng.poisson(12))
            in_time = rng.random(p) < timely
            months.append((rng.random(n) < share, in_time, in_time & (rng.random(p) < well)))
        *earlier, (dossiers, in_time, good) = months
        d, p = len(dossiers) // 3, len(in_time) // 3
        so_far = Counts(d, int(dossiers[:d].sum()), p, int(in_time[:p].sum()), int(good[:p].sum()))
        end = Counts(len(dossiers), int(dossiers.sum()), len(in_time), int(in_time.sum()), int(good.sum()))
        before = [Counts(len(a), int(a.sum()), len(b), int(b.sum()), int(c.sum())) for a, b, c in earlier]
        found = forecast(so_far, 1 / 3, before, seed=world, draws=1_000)
        held += found.low - 1e-9 <= float(score(end).total.exact) <= found.high + 1e-9
        widths.append(found.high - found.low)
    assert 0.92 <= held / 300 <= 1.0
    assert np.mean(widths) < 8


def test_forecast_at_the_end_is_the_score_and_open_petitions_are_not_lost() -> None:
    counts = Counts(100, 80, 4, 2, 1)
    exact = float(score(counts).total.exact)
    assert forecast(counts, 1.0) == forecast(counts, 1.0, [counts]) != forecast(counts, 1.0, open_petitions=5)
    assert forecast(counts, 1.0).middle == forecast(counts, 1.0).high == exact
    nothing = forecast(Counts(), 0.0)
    assert (nothing.low, nothing.high) == (12.0, 12.0)
    with pytest.raises(StatisticsError):
        forecast(counts, 1.2)
