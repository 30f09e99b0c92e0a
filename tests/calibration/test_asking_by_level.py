"""Asking by level, simulated: figures by known chances are right, the plain share is not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.asking_by_level import ANSWERS, MAX_TIMES, REPLICATIONS, VISITS, as_table, chances, price
from calibration.worlds import joint_distribution


@pytest.mark.parametrize("share", [0.75, 0.93])
def test_chances_are_known_and_bounded(share: float) -> None:
    joint = joint_distribution(share, 0.5)
    chance = chances(joint, ANSWERS / VISITS)
    assert joint.sum(axis=1) @ chance == pytest.approx(ANSWERS / VISITS)
    assert 1 < chance.max() / chance.min() <= MAX_TIMES + 1e-9
    signless = chances(joint_distribution(share, 0.0), 0.05)
    assert signless == pytest.approx(np.full(6, 0.05)), "a signal that says nothing asks all alike"


def test_what_it_saves_and_what_it_costs() -> None:
    found = price(np.random.default_rng(1), 0.85, 0.4, REPLICATIONS // 2)
    assert 0.05 < found.saved < 0.25
    assert 0.93 <= found.coverage <= 0.97
    assert found.plain_bias < -3, "who looks dissatisfied is asked more often"
    assert found.official > 1
    nothing = price(np.random.default_rng(2), 0.85, 0.0, REPLICATIONS // 2)
    assert nothing.saved == pytest.approx(0, abs=4 * nothing.error)
    assert nothing.epsilon == pytest.approx(0, abs=1e-9)
    assert as_table([found, nothing]).count("\n") == 3
