"""One visit changes one cell: the engine under made-up days, with one visit removed, changed, opted out."""

from __future__ import annotations

from random import Random
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.audit.counter_days import STEP_S, By, make_day
from edge.audit.sensitivity import (
    EMPTY_S,
    AgreeingEngine,
    HoldingEngine,
    add_sensitivity,
    attack_engine,
    differences,
    play,
)
from edge.perception.engine import Engine
from pipeline.audit.verdict import Verdict
from pipeline.language import NOTHING, is_spoken
from pipeline.records import Level

KINDS = get_args(By)
MANY = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
"""60 further days of each kind below; `make fuzz` tries new ones, and `make test-slow` plays 2,000 of each."""


@pytest.mark.parametrize("by", KINDS)
@MANY
@given(random=st.randoms(use_true_random=False))
def test_one_visit_changes_one_cell(by: By, random: Random) -> None:
    day = make_day(random, by, round(EMPTY_S / STEP_S))
    for difference in differences(day, by, random):
        assert difference.is_one_cell, difference


def test_a_face_in_the_darkest_mood_is_seen_as_soon_as_any() -> None:
    """A day on which such a face came back, and the box took the place for unchanged: one citizen was two visits."""
    random = Random(2_321_337_892)
    day = make_day(random, "queue", round(EMPTY_S / STEP_S))
    assert any(mood == 1 for party in day.parties for _, _, mood in party.faces)
    assert all(difference.is_one_cell for difference in differences(day, "queue", random))


@pytest.mark.slow
@pytest.mark.parametrize("by", KINDS)
@pytest.mark.parametrize("days", [60, pytest.param(2_000, marks=[pytest.mark.soak, pytest.mark.timeout(1_200)])])
def test_one_visit_changes_one_cell_on_many_days(by: By, days: int) -> None:
    assert attack_engine(days, 1, by).broken == 0


@pytest.mark.parametrize("by", KINDS)
def test_an_opt_out_that_outlives_its_visit_is_caught(by: By) -> None:
    assert attack_engine(20, 1, by, HoldingEngine, until_broken=True).broken > 0


def test_a_yes_that_outlives_its_visit_is_caught() -> None:
    assert attack_engine(20, 1, "queue and consent", AgreeingEngine, until_broken=True).broken > 0


@pytest.mark.parametrize("by", ["touch", "queue and consent"])
def test_who_never_agreed_is_never_given_a_level(by: By) -> None:
    """Nor is a picture looked at on a day on which nobody touches yes."""

    class Looking(Engine):
        def look(self, *args: Any) -> Any:
            raise AssertionError("a picture came")

    for number in range(60):
        day = make_day(Random(number), by, round(EMPTY_S / STEP_S))
        day.parties = [party.without("agree") for party in day.parties]
        assert {(visit.level, visit.agreed) for _, visit in play(day, by, Looking)} <= {(Level.ABSTAINED, False)}


@pytest.mark.parametrize("by", KINDS)
def test_the_days_are_worth_attacking(by: By) -> None:
    """Levels of all kinds, ratings, opt-outs: a day on which nothing happens would prove nothing."""
    counted = [
        visit for number in range(30) for _, visit in play(make_day(Random(number), by, round(EMPTY_S / STEP_S)), by)
    ]
    assert {visit.level for visit in counted} >= {Level.VERY_LOW, Level.VERY_HIGH, Level.ABSTAINED, Level.HIGH}
    assert {int(visit.outcome) for visit in counted} == {0, 1, 2}
    assert len(counted) > 60


@pytest.mark.parametrize("by", KINDS)
def test_whoever_opted_out_is_never_given_a_level(by: By) -> None:
    """However often they are called, look away, or touch the sheet."""
    for number in range(60):
        random = Random(number)
        day = make_day(random, by, round(EMPTY_S / STEP_S))
        for at, party in enumerate(day.parties):
            if party.faces:
                first = party.faces[0][0] + 8
                day.parties[at] = party.opted_out(first)
        assert {visit.level for _, visit in play(day, by)} <= {Level.ABSTAINED}


def test_the_verdict_says_what_was_tried() -> None:
    verdict = Verdict("attack", NOTHING)
    add_sensitivity(verdict, 1)
    assert verdict.problems == []
    assert len(verdict.facts["engine"]) == len(KINDS)
    assert all(is_spoken(each) for fact in verdict.facts["engine"].items() for each in fact)
