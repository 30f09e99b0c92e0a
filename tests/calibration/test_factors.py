"""Only factor C and the overall index may be informed by emotion."""

from __future__ import annotations

import pytest

from calibration.analysis import analyze
from calibration.factors import INFORMED_FACTORS, may_inform, require_informed
from calibration.simulate import Scenario, simulate_province
from pipeline.errors import StatisticsError


def test_exactly_two_scopes_are_informed() -> None:
    assert frozenset({"C", "overall"}) == INFORMED_FACTORS


@pytest.mark.parametrize("factor", ["A", "B", "D", "E", "", "c", "Overall", "fees"])
def test_every_other_factor_is_refused(factor: str) -> None:
    assert not may_inform(factor)
    with pytest.raises(StatisticsError, match="must not be informed"):
        require_informed(factor)


@pytest.mark.parametrize("factor", ["A", "B", "D", "E"])
def test_the_facade_itself_refuses(factor: str) -> None:
    province = simulate_province(Scenario(agencies=1, months=1))
    with pytest.raises(StatisticsError, match="must not be informed"):
        analyze(province.months, period=province.months[0].period, factor=factor)


@pytest.mark.parametrize("factor", sorted(INFORMED_FACTORS))
def test_the_two_pass(factor: str) -> None:
    province = simulate_province(Scenario(agencies=1, months=1))
    assert analyze(province.months, period=province.months[0].period, factor=factor).factor == factor
