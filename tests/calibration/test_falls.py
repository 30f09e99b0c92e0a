"""A sharp fall: false alarms under daily looks within what is stated, falls found, nothing told of little."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.falls import FEWEST, effect_of_days, fall, log_evidence, lower_end

ALPHA = 0.05


def _days(rng: np.random.Generator, share: float, days: int, a_day: int, icc: float) -> tuple[np.ndarray, np.ndarray]:
    """Sheets and satisfied ones by day; days hang together as `icc` says."""
    n = rng.poisson(a_day, days)
    strength = (1 - icc) / icc if icc else np.inf
    p = np.full(days, share) if icc == 0 else rng.beta(share * strength, (1 - share) * strength, days)
    return n, rng.binomial(n, p)


def _ever_told(before: tuple[np.ndarray, np.ndarray], since: tuple[np.ndarray, np.ndarray], by: float) -> int:
    """The first day, from 1, after which it is told; 0 where never. As `fall` does, for all days at once."""
    n0, k0 = before
    deff = effect_of_days(n0, k0)
    p0 = lower_end(k0.sum(), n0.sum(), deff, ALPHA / 2) - by
    n, k = (one.astype(np.float64) for one in since)
    told = np.flatnonzero(log_evidence(n, k, p0, deff) >= np.log(2 / ALPHA))
    return int(told[0]) + 1 if told.size else 0


def test_day_by_day_it_is_what_each_look_says() -> None:
    rng = np.random.default_rng(18)
    before, (n, k) = _days(rng, 0.85, 120, 8, 0.02), _days(rng, 0.5, 20, 8, 0.02)
    first = _ever_told(before, (n, k), 0.05)
    assert first > 1
    for day in range(1, 21):
        found = fall(before, (n[:day], k[:day]), by=0.05, alpha=ALPHA)
        assert found is not None
        assert found.is_reported == (day >= first)
        if found.is_reported:
            break


@pytest.mark.parametrize(("share", "a_day", "icc"), [(0.8, 4, 0.0), (0.93, 10, 0.0), (0.8, 10, 0.05)])
def test_false_alarms_under_daily_looks_stay_within_what_is_stated(share: float, a_day: int, icc: float) -> None:
    rng = np.random.default_rng(19)
    quarters = 200
    false = 0
    for _ in range(quarters):
        before = _days(rng, share, 120, a_day, icc)
        false += _ever_told(before, _days(rng, share, 64, a_day, icc), 0.0) > 0
    # nothing has fallen, and not even "sharply" helps (by = 0): the hardest case
    assert false / quarters <= ALPHA


def test_a_fall_is_found_within_days_and_its_day_costs_little() -> None:
    rng = np.random.default_rng(20)
    delays = []
    for _ in range(40):
        before = _days(rng, 0.85, 120, 8, 0.02)
        n, k = (
            np.concatenate(pair)
            for pair in zip(_days(rng, 0.85, 30, 8, 0.02), _days(rng, 0.55, 34, 8, 0.02), strict=True)
        )
        told = _ever_told(before, (n, k), 0.05)
        delays.append(told - 30 if told else 99)
    assert np.median(delays) <= 15, delays
    assert sum(delay == 99 for delay in delays) <= 4, "seldom missed in seven weeks"
    assert min(delays) > 0, "nothing before it fell"


def test_what_falls_by_less_than_sharply_is_not_told() -> None:
    rng = np.random.default_rng(21)
    for _ in range(30):
        assert not _ever_told(_days(rng, 0.85, 120, 8, 0.0), _days(rng, 0.82, 64, 8, 0.0), 0.05)


def test_too_few_before_tell_nothing_and_none_since_tells_nothing() -> None:
    assert fall(([FEWEST - 1], [FEWEST - 1]), ([50], [0]), by=0.05, alpha=ALPHA) is None
    found = fall(([400], [340]), ([0, 0], [0, 0]), by=0.05, alpha=ALPHA)
    assert found is not None
    assert not found.is_reported
    assert not found.stands


def test_the_evidence_is_that_of_one_day_by_hand() -> None:
    """One day, all unsatisfied: the mixture over q of ((1 - q) / (1 - p0))^n, a half of the weight, a half to come."""
    found = fall(([400], [320]), ([5], [0]), by=0.1, alpha=0.1)
    assert found is not None
    p0 = lower_end(320, 400, 1.0, 0.05) - 0.1
    q = p0 * (np.arange(24) + 0.5) / 24
    assert found.log_evidence == pytest.approx(np.log(0.5 * np.mean(((1 - q) / (1 - p0)) ** 5) + 0.5))
    assert found.log_bound == pytest.approx(np.log(20))


def test_the_lower_end_is_clopper_and_pearsons() -> None:
    assert lower_end(15, 20, 1.0, 0.025) == pytest.approx(0.5089541, abs=1e-6)
    assert lower_end(0, 20, 1.0, 0.025) == 0.0
    assert lower_end(30, 40, 2.0, 0.025) == pytest.approx(lower_end(15, 20, 1.0, 0.025))


def test_days_that_go_bad_in_runs_are_worth_fewer_sheets() -> None:
    """240 days of 20 sheets; of forty days ten in a run are bad ones (12 satisfied, else 18). The same days dealt out
    singly hang together as much within a day: only the runs tell them apart, and of twenty bad days that follow what
    may be made."""
    asked = np.full(240, 20.0)
    runs = np.where(np.arange(240) // 10 % 4 == 1, 12.0, 18.0)
    apart = runs[np.random.default_rng(5).permutation(240)]
    of_days = runs.var() / (20 * 0.825 * 0.175)
    assert effect_of_days(asked, apart) == pytest.approx(of_days, rel=0.1)
    assert effect_of_days(asked, runs) > 3 * effect_of_days(asked, apart)
    fallen = (np.full(20, 20.0), np.full(20, 12.0))
    told = [fall((asked, days), fallen, by=0.0, alpha=1 / 400) for days in (apart, runs)]
    assert [found is not None and found.is_reported for found in told] == [True, False]
