"""The facade: a province end to end, and everything that may be wrong with its input."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calibration.analysis import analyze
from calibration.curves import group_curves
from calibration.fuse import Settings, fuse_month
from calibration.months import AgencyMonth, Stratum
from calibration.province_check import score_provinces
from calibration.ratings import DayCount
from calibration.reasons import Reason, Why
from calibration.response_curve import learn_curve
from calibration.simulate import Scenario, SimulatedProvince, Threat, simulate_province
from calibration.tables import EvidenceTable
from calibration.verdicts import Estimand, Verdict
from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError

MAY = DayRange.month(2026, 5)


@pytest.fixture(scope="module")
def province() -> SimulatedProvince:
    return simulate_province(Scenario(rho=0.55, agencies=6, visits=(1500, 4000), seed=5))


def ratings(n: int, k: int, channel: str = "tablet") -> tuple[DayCount, ...]:
    """n ratings dealt over twenty days, k of them satisfied, alternating so that days do not cluster."""
    days = [[0, 0] for _ in range(20)]
    for i in range(n):
        days[i % 20][0] += 1
    kept = k
    for i in range(n):
        if kept and days[i % 20][1] < days[i % 20][0]:
            days[i % 20][1] += 1
            kept -= 1
    return tuple(DayCount(MAY.start + timedelta(d), r, s, channel) for d, (r, s) in enumerate(days) if r)


def table(visits: int, n: int, k: int, box: str = "b") -> EvidenceTable:
    """A table with everything spread evenly over the levels, rounding into the last."""
    counts = np.zeros((6, 3), dtype=int)
    for column, total in enumerate((visits - n, n - k, k)):
        counts[:, column] = total // 6
        counts[5, column] += total - 6 * (total // 6)
    return EvidenceTable.released(counts, 1.5, period=MAY, box=box)


def month(*strata: Stratum, tables: tuple[EvidenceTable, ...] = ()) -> AgencyMonth:
    return AgencyMonth("a", "g", MAY, strata, tables)


def test_a_province_end_to_end(province: SimulatedProvince) -> None:
    period = province.months[-1].period
    analysis = analyze(province.months, period=period)
    assert len(analysis.agencies) == 6
    assert {a.verdict for a in analysis.agencies} == {Verdict.HELPED}
    for agency in analysis.agencies:
        fused = agency.fused
        assert fused.efficiency.estimate is not None
        assert fused.efficiency.estimate in fused.efficiency.interval
        assert fused.efficiency.n_eff > fused.explicit.n_eff
        assert fused.efficiency.labels_saved == pytest.approx(fused.efficiency.n_eff - fused.explicit.n_eff)
        assert fused.correction is not None
        low, high = fused.correction.sensitivity[1].low, fused.correction.sensitivity[1].high
        assert low < (fused.correction.estimate.estimate or 0) < high
        assert fused.correction.worst_case.width > 0.8
        assert agency.response_rate is not None
    text = json.dumps(analysis.to_dict(), allow_nan=False)
    assert "helped" in text
    assert set(analysis.counter_priors) == set(analysis.curves)
    for prior in analysis.counter_priors.values():
        assert prior.enough == (prior.pairs >= prior.needed)
        assert sum(prior.prior) == pytest.approx(1)
    assert json.loads(text)["counter_priors"].keys() == analysis.counter_priors.keys()


def test_summaries_hold_figures_and_codes(province: SimulatedProvince) -> None:
    analysis = analyze(province.months, period=province.months[-1].period)
    first = analysis.agencies[0].fused
    assert "efficiency helped" in first.efficiency.summary()
    assert first.efficiency.summary() in analysis.summary()
    assert "calibrated = True" in analysis.curves["group-1"].summary()


@pytest.mark.parametrize("reason", [Reason(Why.NO_TABLE), Reason.of(Why.WEAK_SIGNAL, rho="0.10", ratings=30),
                                    Reason.of(Why.SILENT_GROUPS, groups="1, 2")])  # fmt: skip
def test_a_reason_reads_as_text_and_back(reason: Reason) -> None:
    assert Reason.parse(str(reason)) == reason


def test_plots_carry_their_data(province: SimulatedProvince) -> None:
    analysis = analyze(province.months, period=province.months[-1].period)
    for chart in (
        analysis.agencies[0].fused.efficiency.plot(),
        analysis.estimates().plot(),
        analysis.curves["group-1"].plot(),
    ):
        assert len(chart.to_dict()["layer"]) == 2


def test_a_first_month_is_not_calibrated_and_fuses_nothing(province: SimulatedProvince) -> None:
    first = analyze(province.months, period=province.months[0].period)
    for agency in first.agencies:
        assert agency.verdict is Verdict.NOT_CALIBRATED
        assert agency.fused.efficiency.estimate == agency.fused.explicit.estimate
        assert agency.fused.efficiency.interval == agency.fused.explicit.interval
        assert agency.fused.correction is None


def test_the_curve_is_learnt_from_earlier_periods_only(province: SimulatedProvince) -> None:
    period = province.months[-1].period
    with_all = group_curves(province.months, period)["group-1"]
    without = group_curves([m for m in province.months if m.period != period], period)["group-1"]
    assert with_all.share == pytest.approx(without.share)
    assert with_all.tables == 5 * 6
    assert group_curves(province.months, period, history=2)["group-1"].tables == 2 * 6


def test_strata_are_weighted_by_transactions_not_by_labels() -> None:
    result = analyze([month(Stratum("few", 9000, ratings(20, 10)), Stratum("many", 1000, ratings(80, 80)))], period=MAY)
    explicit = result.agencies[0].fused.explicit
    assert explicit.estimate == pytest.approx(0.9 * 0.5 + 0.1 * 1.0)
    assert explicit.n_eff < 40


def test_one_stratum_keeps_the_plain_mean_and_wilson() -> None:
    explicit = analyze([month(Stratum("all", 1000, ratings(100, 83)))], period=MAY).agencies[0].fused.explicit
    assert explicit.estimate == pytest.approx(0.83)
    assert (explicit.interval.low, explicit.interval.high) == pytest.approx((0.7445, 0.8911), abs=2e-3)


@pytest.mark.parametrize(
    ("strata", "tables", "verdict", "reason"),
    [
        ((), (), Verdict.TOO_FEW, Why.NO_SERVICE_GROUPS),
        ((Stratum("s", 100, ()),), (), Verdict.TOO_FEW, Why.NO_RATINGS),
        ((Stratum("s", 100, ratings(1, 1)),), (), Verdict.TOO_FEW, Why.ONE_RATING),
        ((Stratum("s", 100, ratings(30, 30)),), (), Verdict.NO_EVIDENCE, Why.ALL_EQUAL),
        ((Stratum("s", 100, ratings(30, 0)),), (), Verdict.NO_EVIDENCE, Why.ALL_EQUAL),
        ((Stratum("s", None, ratings(30, 20)),), (), Verdict.NO_EVIDENCE, Why.UNKNOWN_TRANSACTIONS),
        ((Stratum("s", 10, ratings(30, 20)),), (), Verdict.NO_EVIDENCE, Why.MORE_RATINGS_THAN_TRANSACTIONS),
        ((Stratum("s", 100, ratings(30, 20)),), (table(0, 0, 0),), Verdict.NO_EVIDENCE, Why.NO_TABLE),
        ((Stratum("s", 600, ratings(30, 20)),), (table(600, 30, 20),), Verdict.NOT_CALIBRATED, Why.FEW_PAIRS_BEFORE),
        (
            (Stratum("s", 500, ratings(30, 20)), Stratum("t", 500, ())),
            (),
            Verdict.NO_EVIDENCE,
            Why.SILENT_GROUPS,
        ),
    ],
)
def test_thin_figures_give_a_result_that_says_why(
    strata: tuple[Stratum, ...], tables: tuple[EvidenceTable, ...], verdict: Verdict, reason: Why
) -> None:
    agency = analyze([month(*strata, tables=tables)], period=MAY).agencies[0]
    assert agency.verdict is verdict
    assert reason in [found.why for found in agency.fused.efficiency.reasons]
    for estimate in (agency.fused.explicit, agency.fused.efficiency):
        assert estimate.estimate is None or np.isfinite(estimate.estimate)
        assert 0 <= estimate.interval.low < estimate.interval.high <= 1
    json.dumps(agency.rows(), allow_nan=False)


def test_negative_noisy_counts_pass_through(province: SimulatedProvince) -> None:
    last = province.months[-1]
    counts = last.shared_tables[0].counts.copy()
    counts[0] = [-2, -1, -3]
    broken = replace(last, shared_tables=(EvidenceTable.released(counts, 1.5, period=last.period, box="x"),))
    agency = analyze([*province.months[:-1], broken], period=last.period).agencies[-1]
    assert agency.fused.efficiency.estimate is not None
    json.dumps(agency.rows(), allow_nan=False)


def test_service_groups_that_share_boxes_but_respond_differently_are_not_fused(province: SimulatedProvince) -> None:
    last = province.months[-1]
    whole = last.strata[0]
    few = tuple(replace(c, rated=1, satisfied=1) for c in whole.ratings[:3])
    split = replace(last, strata=(replace(whole, transactions=1000), Stratum("rare", 3000, few)))
    agency = analyze([*province.months[:-1], split], period=last.period).agencies[-1]
    assert agency.verdict is Verdict.NOT_SEPARABLE
    assert agency.fused.correction is None
    assert set(agency.service_groups) == {"all", "rare"}


def test_service_groups_with_tables_of_their_own_are_fused_one_by_one() -> None:
    rng_months = simulate_province(Scenario(rho=0.55, agencies=2, visits=(3000, 3000), seed=9)).months
    merged = []
    for one, two in zip(rng_months[::2], rng_months[1::2], strict=True):
        strata = tuple(
            replace(m.strata[0], service_group=name, tables=m.shared_tables)
            for name, m in (("civil status", one), ("land", two))
        )
        merged.append(AgencyMonth("both", "g", one.period, strata))
    result = analyze(merged, period=merged[-1].period).agencies[0]
    parts = result.service_groups
    assert set(parts) == {"civil status", "land"}
    assert all(p.efficiency.verdict is Verdict.HELPED for p in parts.values())
    mean = np.mean([p.efficiency.estimate or 0 for p in parts.values()])
    assert result.fused.efficiency.estimate == pytest.approx(float(mean))
    assert result.fused.efficiency.interval.width <= 1.03 * result.fused.explicit.interval.width
    assert result.fused.correction is not None


def test_other_channels_are_ratings_but_never_pairs(province: SimulatedProvince) -> None:
    last = province.months[-1]
    whole = last.strata[0]
    online = DayCount(last.period.start, 40, 10, "online")
    mixed = replace(last, strata=(replace(whole, ratings=(*whole.ratings, online)),))
    plain = analyze(province.months, period=last.period).agencies[-1].fused
    other = analyze([*province.months[:-1], mixed], period=last.period).agencies[-1].fused
    assert other.explicit.n == plain.explicit.n + 40
    assert (other.explicit.estimate or 0) < (plain.explicit.estimate or 0)
    assert (other.efficiency.lam, plain.efficiency.lam) != (0.0, 0.0)


def test_the_finite_month_is_named_and_narrower() -> None:
    strata = Stratum("s", 200, ratings(100, 80))
    wide = analyze([month(strata)], period=MAY).agencies[0].fused.explicit
    settings = Settings(estimand=Estimand.FINITE_MONTH)
    narrow = analyze([month(strata)], period=MAY, settings=settings).agencies[0].fused.explicit
    assert (wide.estimand, narrow.estimand) == (Estimand.SUPERPOPULATION, Estimand.FINITE_MONTH)
    assert narrow.interval.width == pytest.approx(wide.interval.width / 2**0.5, rel=0.05)


@pytest.mark.parametrize("settings", [{"level": 1.0}, {"level": 0.0}, {"odds_ratios": (0.5,)}])
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(StatisticsError):
        Settings(**settings)


def test_bad_input_is_refused_with_what_to_do() -> None:
    good = month(Stratum("s", 100, ratings(30, 20)))
    with pytest.raises(StatisticsError, match="No agency has figures"):
        analyze([good], period=DayRange.month(2026, 6))
    with pytest.raises(StatisticsError, match="overlap"):
        analyze([good, good], period=MAY)
    with pytest.raises(StatisticsError, match="lists a service group twice"):
        month(Stratum("s", 1, ()), Stratum("s", 1, ()))
    with pytest.raises(StatisticsError, match="cannot be negative"):
        Stratum("s", -1, ())
    with pytest.raises(StatisticsError, match="outside the period"):
        month(Stratum("s", 1, (DayCount(date(2026, 6, 1), 1, 1),)))
    with pytest.raises(StatisticsError, match="outside the period"):
        AgencyMonth("a", "g", DayRange.month(2026, 6), (), (table(10, 2, 1),))
    with pytest.raises(StatisticsError, match="overlaps"):
        analyze([month(Stratum("s", 100, ratings(30, 20)), tables=(table(90, 9, 5), table(90, 9, 5)))], period=MAY)


@pytest.mark.slow
def test_whole_provinces_cover_and_the_signal_saves_answers() -> None:
    rows = score_provinces(Scenario(rho=0.5, agencies=9, seed=77), 30)
    by_method = {m: [r for r in rows if r["method"] == m] for m in ("explicit", "efficiency", "correction")}
    for found in by_method.values():
        assert np.mean([r["coverage"] for r in found]) >= 0.93
    assert sum(r["mse"] for r in by_method["efficiency"]) < sum(r["mse"] for r in by_method["explicit"])


@pytest.mark.slow
def test_provinces_where_response_follows_the_level_are_corrected() -> None:
    rows = score_provinces(Scenario(rho=0.4, agencies=9, seed=78, threat=Threat.RESPONSE_BY_LEVEL), 20)
    bias = {m: np.mean([r["bias"] for r in rows if r["method"] == m]) for m in ("explicit", "correction")}
    assert bias["explicit"] > 0.035
    assert abs(bias["correction"]) < 0.012


@given(st.lists(st.tuples(st.sampled_from([0, 700, 3_000]), st.booleans(), st.integers(0, 9)), min_size=2, max_size=4))
@settings(max_examples=40, deadline=None)
@example([(0, True, 4), (1_000, True, 9), (1_000, False, 2)])
@example([(0, True, 4), (1_000, False, 9)])
def test_a_figure_is_corrected_whole_or_not_at_all(parts: list[tuple[int, bool, int]]) -> None:
    """Service groups of (transactions, whether boxes serve it, satisfied of ten a day): "corrected .794" once came from
    one of two, where the explicit figure was .550, since a group without transactions made up the number."""
    learnt = np.array([[20, 6, 2], [30, 8, 6], [60, 9, 20], [90, 4, 40], [80, 2, 50], [20, 2, 6]]) * 20
    curve = learn_curve([EvidenceTable.released(learnt, 1.5)], "g")
    strata = tuple(
        Stratum(
            f"s{number}",
            transactions,
            tuple(DayCount(date(2026, 5, day), 10, satisfied) for day in range(3, 13)),
            (EvidenceTable.released(learnt // 4, 1.5, period=MAY, box=f"b{number}"),) if served else (),
        )
        for number, (transactions, served, satisfied) in enumerate(parts)
    )
    fused, by_group = fuse_month(AgencyMonth("a", "g", MAY, strata), curve)
    heavy = [f"s{number}" for number, (transactions, *_) in enumerate(parts) if transactions > 0]
    if fused.correction is not None:
        separate = [name for name in heavy if parts[int(name[1:])][1]]
        assert separate == heavy, "every group that counts has boxes"
        assert all(by_group[name].correction is not None for name in heavy)
        assert 0.0 <= (fused.correction.estimate.estimate or 0.0) <= 1.0
