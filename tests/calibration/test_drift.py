"""Drift: the stated rate of false alarms holds, real changes ring, an agency that serves better does not."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.curves import group_curves
from calibration.drift import DriftKind, cusum, cusum_limit, detect_drift, recursive_residuals, run_length
from calibration.months import AgencyMonth, Stratum
from calibration.simulate import Scenario, Threat, simulate_province
from calibration.tables import EvidenceTable
from calibration.worlds import draw_cells, joint_distribution
from pipeline.calendar import DayRange
from pipeline.errors import StatisticsError


def test_the_cusums_run_length_is_the_stated_one() -> None:
    rng = np.random.default_rng(1)
    limit = cusum_limit(60, 1)
    lengths = [(cusum(rng.standard_normal(600), limit) or [600])[0] + 1 for _ in range(1500)]
    assert np.mean(lengths) == pytest.approx(60, rel=0.1)
    assert run_length(limit) == pytest.approx(60)
    assert cusum_limit(60, 20) > limit


def test_a_cusum_starts_again_after_an_alarm() -> None:
    jump = np.concatenate([np.zeros(5), np.full(4, 3.0), np.zeros(20), np.full(4, -3.0)])
    alarms = cusum(jump, cusum_limit(60, 1))
    assert len(alarms) >= 2
    assert 5 <= alarms[0] <= 8 < 29 <= alarms[-1]


def test_recursive_residuals_are_standard_normal() -> None:
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(150):
        tables, _, _ = draw_cells(rng, joint_distribution(0.8, 0.4), 40, 800, 6, 1.5)
        drawn.append(recursive_residuals([EvidenceTable.released(t, 1.5) for t in tables]))
    residuals = np.array(drawn)
    assert residuals.mean() == pytest.approx(0, abs=0.12)
    assert residuals.std() == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_stated() -> None:
    rang, months = 0, 50
    for seed in range(months):
        province = simulate_province(Scenario(agencies=8, months=5, seed=seed, visits=(300, 3000)))
        period = province.months[-1].period
        curves = group_curves(province.months, period)
        report = detect_drift(province.months, period, curves, months_between_false_alarms=10)
        rang += any(alarm.p_value is not None for alarm in report.alarms)
    assert rang / months <= 0.1 + 3 * (0.1 * 0.9 / months) ** 0.5


@pytest.mark.parametrize(
    ("threat", "kind"),
    [(Threat.DRIFT, DriftKind.LEVELS), (Threat.STAFF_SMILES, DriftKind.LEVELS), (Threat.TRANSFER_AGENCY, None)],
)
def test_real_changes_ring(threat: Threat, kind: DriftKind | None) -> None:
    province = simulate_province(Scenario(agencies=8, months=5, seed=3, threat=threat, visits=(500, 5000), rho=0.5))
    period = province.months[-1].period
    report = detect_drift(province.months, period, group_curves(province.months, period))
    kinds = {alarm.kind for alarm in report.alarms}
    assert (kind or DriftKind.CALIBRATION) in kinds
    assert report.alarms[0].agency.startswith("agency")
    assert report.to_dict()["tests"] == report.tests > 8


def months_of(shares: list[float], visits: int = 3000, rated: int = 300) -> list[AgencyMonth]:
    """One agency whose share satisfied changes from month to month while levels keep their meaning."""
    joint = joint_distribution(0.8, 0.4)
    by_level = joint[:, 1] / joint.sum(axis=1)
    months = []
    rng = np.random.default_rng(8)
    for index, shift in enumerate(shares):
        moved = np.clip(by_level + shift, 0.01, 0.99)
        level = joint.sum(axis=1)
        world = np.stack([level * (1 - moved), level * moved], axis=1)
        table, _, _ = draw_cells(rng, world, rated, visits, 1, 1.5)
        period = DayRange.month(2026, index + 1)
        evidence = EvidenceTable.released(table[0], 1.5, period=period, box="b")
        months.append(AgencyMonth("a", "g", period, (Stratum("all", visits, ()),), (evidence,)))
    return months


def test_an_agency_that_simply_serves_better_raises_no_alarm() -> None:
    months = months_of([0.0, 0.0, 0.0, 0.0, 0.05])
    report = detect_drift(months, months[-1].period, group_curves(months, months[-1].period))
    assert [a for a in report.alarms if a.kind is DriftKind.CALIBRATION] == []


def test_the_evidence_has_a_course_of_every_month_that_was_tested() -> None:
    """The first one against the curve alone; a month later the same months have the same course."""
    months = months_of([0.0, 0.0, 0.0, 0.0, 0.05])
    curves = group_curves(months, months[-1].period)
    report = detect_drift(months, months[-1].period, curves)
    assert [span for span, _ in report.course] == [month.period for month in months]
    assert report.evidence == report.course[-1][1] >= 0
    before = detect_drift(months[:-1], months[-2].period, curves)
    assert before.course == report.course[:-1]


def test_a_first_month_is_not_tested() -> None:
    months = months_of([0.0])
    report = detect_drift(months, months[0].period, {})
    assert (report.tests, report.alarms) == (0, ())
    assert (report.course, report.evidence) == ((), 0.0)


def test_an_impossible_rate_is_refused() -> None:
    with pytest.raises(StatisticsError, match="more than one"):
        detect_drift([], DayRange.month(2026, 1), {}, months_between_false_alarms=1.0)
