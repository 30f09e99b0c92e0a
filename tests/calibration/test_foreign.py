"""What a foreign generator of 0/1 answers found wrong once, each case a test of the whole procedure."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from calibration.analysis import analyze
from calibration.days import day_correlation
from calibration.design import Design
from calibration.months import AgencyMonth, Stratum
from calibration.ratings import DayCount
from calibration.small_areas import fay_herriot, hierarchical_shares, pooled_variances, small_area_estimates
from calibration.survey_shares import Answers, days_of, shares
from calibration.tables import EvidenceTable
from calibration.units import units_of
from pipeline.calendar import DayRange
from tests.calibration import foreign


@pytest.mark.parametrize(
    ("share", "spread", "shape", "most"),
    [
        (0.85, 0.4, "logit", 0.30),
        (0.92, 0.4, "logit", 0.25),
        (0.92, 0.6, "logit", 0.40),
        (0.92, 0.04, "beta", 0.35),
        (0.88, 0.2, "lumps", 0.55),
    ],
)
def test_small_areas_on_shares_are_unbiased_and_cover(share: float, spread: float, shape: str, most: float) -> None:
    """Once: coverage .88 and .48, 3 and 4.8 points too high, at .85 and .92 with 15 answers."""
    rng = np.random.default_rng(1)
    bias, own, direct, inside, normal_bias = [], [], [], [], []
    for _ in range(60):
        satisfied, rated, truth = foreign.areas(rng, share, 100, 15, spread, shape)
        found = hierarchical_shares(satisfied, rated)
        low, high = found.interval()
        bias.append(found.estimate - truth)
        own.append((found.estimate - truth) ** 2)
        direct.append((satisfied / rated - truth) ** 2)
        inside.append((low <= truth) & (truth <= high))
        normal_bias.append(fay_herriot(*pooled_variances(satisfied, rated)).estimate - truth)
    assert abs(np.mean(bias)) < 0.005
    assert abs(np.mean(normal_bias)) < 0.005
    assert 0.935 <= np.mean(inside) <= 0.985
    assert np.mean(own) < most * np.mean(direct)


@pytest.mark.parametrize("count", [6, 12])
def test_a_few_areas_cover_too(count: int) -> None:
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(400):
        satisfied, rated, truth = foreign.areas(rng, 0.85, count, 60, 0.4)
        low, high = hierarchical_shares(satisfied, rated).interval()
        inside.append((low <= truth) & (truth <= high))
    assert np.mean(inside) >= 0.94


def test_answers_that_hang_together_count_less() -> None:
    satisfied, rated, _ = foreign.areas(np.random.default_rng(3), 0.85, 40, 30, 0.5)
    names = [str(i) for i in range(40)]
    alone, clustered = (small_area_estimates(satisfied, rated, names, effect) for effect in (1.0, 2.0))
    assert np.mean([e.interval.width for e in clustered]) > np.mean([e.interval.width for e in alone])
    assert all(e.interval.low < (e.estimate or 0) < e.interval.high for e in clustered)


def index_coverage(rng: np.random.Generator, runs: int, days: int, a_day: float, icc: float, hang: float) -> float:
    """Share of the index engine's intervals that hold the truth; four agencies of each of `runs` provinces of 26."""
    inside = []
    for _ in range(runs):
        world = foreign.agency_days(rng, 26, days, 5, a_day, icc=icc, runs=hang)
        agency, day, counter = (place.astype(np.int64) for place in np.nonzero(world.rated))
        rated = world.rated[agency, day, counter][:, None].astype(float)
        satisfied = world.satisfied[agency, day, counter][:, None].astype(float)
        answers = Answers(satisfied, rated, rated[:, 0], Design(day, agency))
        model = days_of(answers)
        for chosen in (0, 8, 16, 24):
            (share,) = shares(answers.take(answers.design.stratum == chosen), np.eye(1), model)
            if share.low is not None and share.high is not None:
                inside.append(share.low <= world.truth[chosen] <= share.high)
    return float(np.mean(inside))


@pytest.mark.slow
@pytest.mark.parametrize(("icc", "hang"), [(0.1, 0.0), (0.1, 0.7), (0.02, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize(("days", "a_day"), [(22, 5.0), (66, 2.0)])
def test_a_bad_day_moves_every_counter_and_days_hang_together(days: int, a_day: float, icc: float, hang: float) -> None:
    """Once a counter's day was a cluster: .82 to .93 at ICC .1 and five counters, .79 to .83 with runs of .7."""
    assert 0.92 <= index_coverage(np.random.default_rng(4), 60, days, a_day, icc, hang) <= 0.99


def fused_month(world: foreign.Days, agency: int, period: DayRange, groups: int = 1) -> AgencyMonth:
    """The agency's answers in the records of the fused engine, counters carried; counters dealt round the groups."""
    strata: list[list[DayCount]] = [[] for _ in range(groups)]
    for day, by_counter in enumerate(world.rated[agency]):
        on = period.start + timedelta(days=day + 2 * (day // 5))
        for counter, rated in enumerate(by_counter.tolist()):
            satisfied = int(world.satisfied[agency, day, counter])
            strata[counter % groups].append(DayCount(on, rated, satisfied, counter=str(counter)))
    empty = (EvidenceTable.released(np.zeros((6, 3), dtype=int), 1.5),)
    return AgencyMonth(
        str(agency),
        "g",
        period,
        tuple(Stratum(str(g), 1000, tuple(counts), empty if groups > 1 else ()) for g, counts in enumerate(strata)),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("icc", "hang"), [(0.1, 0.0), (0.1, 0.7), (0.0, 0.0)])
@pytest.mark.parametrize("groups", [1, 5])
def test_the_fused_engine_sees_days_across_counters_and_groups(icc: float, hang: float, groups: int) -> None:
    """Once .82 with counters carried, .92 (and .87 with runs) where each group has tables of its own."""
    rng = np.random.default_rng(5)
    period = DayRange(date(2026, 6, 1), date(2026, 6, 30))
    inside = []
    for _ in range(40):
        world = foreign.agency_days(rng, 12, 20, 5, 6, icc=icc, runs=hang)
        months = [fused_month(world, agency, period, groups) for agency in range(12)]
        results = analyze(months, period=period).agencies
        inside += [world.truth[int(found.agency)] in found.fused.efficiency.interval for found in results]
    assert 0.92 <= np.mean(inside) <= 0.99


def test_a_bad_day_is_one_cluster_however_many_counters_saw_it() -> None:
    period = DayRange.month(2026, 6)
    days = [date(2026, 6, 1) + timedelta(d) for d in range(20)]
    split = tuple(DayCount(day, 5, 5 * (i % 2), counter=str(c)) for i, day in enumerate(days) for c in range(4))
    whole = tuple(DayCount(day, 20, 20 * (i % 2)) for i, day in enumerate(days))
    effects = [
        units_of(AgencyMonth("a", "g", period, (Stratum("s", 1000, counts),)))[0].effect.value
        for counts in (split, whole)
    ]
    assert effects[0] == pytest.approx(effects[1])
    assert effects[0] > 10


@pytest.mark.parametrize(("icc", "runs"), [(0.0, 0.0), (0.08, 0.0), (0.08, 0.7)])
def test_the_correlation_of_days_is_found(icc: float, runs: float) -> None:
    """Days' own correlation from agencies whose means are taken off: the loss is known, so nothing is lost."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(12):
        world = foreign.agency_days(rng, 26, 44, 1, 6, icc=icc, runs=runs, spread=0.2)
        agency, day, _ = (place.astype(np.int64) for place in np.nonzero(world.rated))
        rated, satisfied = (x[agency, day, 0][:, None].astype(float) for x in (world.rated, world.satisfied))
        model = day_correlation(satisfied, rated, Design(day, agency))
        found.append((model.same_day[0], model.decay[0]))
    same, decay = np.mean(found, axis=0)
    assert same == pytest.approx(icc, abs=0.02)
    if icc:
        assert decay == pytest.approx(runs, abs=0.12)
