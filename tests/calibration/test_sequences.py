"""Confidence sequences hold at every look, on 0/1 answers; e-values of drift ring as seldom as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaln

from benchmarks.foreign import agency_days
from calibration.changes import changes, level_of_each
from calibration.days import FEWEST_DAYS, FIRST_DAYS, DayCorrelation, place_effect
from calibration.design import Design
from calibration.intervals import wilson
from calibration.ranks import RankSet, marginal_rank_set, rank_shares, smoothed_error
from calibration.sequences import MIXTURE, at_every_look, e_value, evidence_of_change, share_sequence, sure
from calibration.small_areas import small_area_estimates
from calibration.survey_shares import Answers, days_of

LOOKS = 65
"""Working days of a quarter."""


@pytest.mark.parametrize("share", [0.75, 0.85, 0.93])
@pytest.mark.parametrize("a_day", [1, 4, 10])
def test_daily_looks_over_a_quarter(share: float, a_day: int) -> None:
    """Whoever looks daily at Wilson's interval sees it miss the truth in a quarter of agencies and more; at the
    sequence, in one of twenty at most."""
    rng = np.random.default_rng(a_day)
    asked = rng.poisson(a_day, (2000, LOOKS))
    n, k = asked.cumsum(axis=1), rng.binomial(asked, share).cumsum(axis=1)
    shown = k / np.maximum(n, 1)

    def ever_wrong(ends: tuple[np.ndarray, np.ndarray]) -> float:
        return float(((share < ends[0]) | (share > ends[1])).any(axis=1).mean())

    assert ever_wrong(share_sequence(shown, n)) <= 0.05
    assert ever_wrong(wilson(shown, n)) >= 0.20


def test_width_against_wilsons() -> None:
    """The price: 1.36 to 1.67 times the width between 30 and 300 answers."""
    share, n = np.meshgrid([0.7, 0.85, 0.95], [30, 100, 300])
    (low, high), (plain_low, plain_high) = share_sequence(share, n), wilson(share, n)
    ratio = (high - low) / (plain_high - plain_low)
    assert ratio.min() == pytest.approx(1.36, abs=0.02)
    assert ratio.max() == pytest.approx(1.67, abs=0.02)


def test_ends_are_where_the_mixture_reaches_one_in_alpha() -> None:
    a, b = MIXTURE
    for end in share_sequence(0.8, 50):
        ratio = betaln(a + 40, b + 10) - betaln(a, b) - 40 * np.log(end) - 10 * np.log1p(-end)
        assert float(np.exp(ratio)) == pytest.approx(20.0, rel=1e-6)
    low, high = share_sequence([0.0, 1.0, 0.5], [0, 30, 0])
    assert low.tolist()[::2] == [0.0, 0.0]
    assert high.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("runs", [0.0, 0.5])
def test_days_that_hang_together(runs: float) -> None:
    """Foreign days with ICC .05: at the effective number of answers the sequence still holds at all looks."""
    rng = np.random.default_rng(8)
    days = agency_days(rng, 400, LOOKS, 3, 6.0, icc=0.05, runs=runs)
    n, k = (x.sum(axis=2).cumsum(axis=1).astype(float) for x in (days.rated, days.satisfied))
    # what the answers of one day and of near days share, at the true correlation
    lag = np.abs(np.subtract.outer(np.arange(LOOKS), np.arange(LOOKS)))
    daily = days.rated.sum(axis=2).astype(float)
    near = np.array([[d[: t + 1] @ (runs ** lag[: t + 1, : t + 1]) @ d[: t + 1] for t in range(LOOKS)] for d in daily])
    effect = place_effect(1.0, 0.95 + 0.05 * near / np.maximum(n, 1), 1.0, 0.0, 30.0).value
    low, high = share_sequence(k / np.maximum(n, 1), n / effect)
    wrong = ((days.truth[:, None] < low) | (days.truth[:, None] > high)).any(axis=1).mean()
    assert wrong <= 0.05 + 2 * 0.011


def _of_days(rng: np.random.Generator, days: int, icc: float, runs: float) -> tuple[DayCorrelation, int]:
    """How 12 agencies' answers of so many days, ten a day, hang together, and the days."""
    world = agency_days(rng, 12, days, 2, 10.0, icc=icc, runs=runs)
    n, k = world.rated.sum(axis=2).astype(float), world.satisfied.sum(axis=2).astype(float)
    agency, day = np.nonzero(n)
    answers = Answers(k[agency, day][:, None], n[agency, day][:, None], n[agency, day], Design(day, agency))
    return days_of(answers), days


def _reach(of: DayCorrelation, days: int) -> float:
    """Variance that days add to the mean of so many, over one day's."""
    lag = np.abs(np.subtract.outer(np.arange(days), np.arange(days)))
    return float(of.same_day[0] * (of.decay[0] ** lag).sum() / days)


def test_a_running_figure_takes_days_to_hang_together_as_much_as_they_may() -> None:
    """Foreign days in runs of .7: after 15 days two in five of the likeliest fits say much too little, of the careful
    ones fewer; after a year the two are the same. Five days say nothing, whatever they look like."""
    rng = np.random.default_rng(21)
    truth = _reach(DayCorrelation(np.array([0.1]), np.array([0.7]), np.array([0.9]), 0.0), 15)
    likeliest, careful = [], []
    for _ in range(40):
        found, days = _of_days(rng, 15, 0.1, 0.7)
        likeliest.append(_reach(found, days))
        careful.append(_reach(found.at_most(), days))
    assert np.all(np.array(careful) >= np.array(likeliest))
    assert np.mean(np.array(careful) < 0.7 * truth) < np.mean(np.array(likeliest) < 0.7 * truth) - 0.08
    found, days = _of_days(rng, 250, 0.1, 0.7)
    assert _reach(found, days) <= _reach(found.at_most(), days) <= 1.3 * _reach(found, days)
    few, _ = _of_days(rng, FEWEST_DAYS - 1, 0.0, 0.0)
    same, decay = (np.array([part]) for part in FIRST_DAYS)
    least = _reach(DayCorrelation(same, decay, 1 - same, 0.0), FEWEST_DAYS)
    assert _reach(few.at_most(), FEWEST_DAYS) >= least > _reach(few, FEWEST_DAYS)


def test_few_degrees_count_as_fewer_answers() -> None:
    assert float(sure(100, np.inf)) == pytest.approx(100)
    assert float(sure(100, 10)) == pytest.approx(100 * (1.959964 / 2.228139) ** 2, rel=1e-5)
    _, low, high = changes(0.85, 100, 0.85, 100)
    _, watched_low, watched_high = changes(0.85, 100, 0.85, 100, watched=True)
    assert watched_low < low
    assert watched_high > high


def test_e_values_are_fair_bets() -> None:
    """The calibrator integrates to 1 over chance (Vovk, Wang 2021), and falls from infinity to 1/2."""
    p = (np.arange(2_000_000) + 0.5) / 2_000_000
    assert float(e_value(p).mean()) == pytest.approx(1.0, abs=0.12)  # the pole at 0 escapes any grid
    assert float(e_value(1.0)) == 0.5
    assert float(e_value(1 - 1e-5)) == pytest.approx(0.5, abs=1e-4)
    assert float(e_value(0.001)) == pytest.approx((1 - 0.001 + 0.001 * np.log(0.001)) / (0.001 * np.log(0.001) ** 2))


@pytest.mark.parametrize("shared", [0.0, 0.6], ids=["agencies apart", "agencies move together"])
def test_evidence_of_change_rings_as_seldom_as_it_says(shared: float) -> None:
    """26 agencies, nothing drifts: the mean time to an alarm at 20 is 20 months or more, whatever the dependence; a
    small shift of all is found soon."""
    rng = np.random.default_rng(4)
    from scipy.stats import norm

    def months(shift: float) -> list[float]:
        z = np.sqrt(shared) * rng.normal(size=(120, 1)) + np.sqrt(1 - shared) * rng.normal(size=(120, 26)) + shift
        return [float(one) for one in e_value(2 * norm.sf(np.abs(z))).mean(axis=1)]

    def length(values: list[float]) -> int:
        return next((t for t, reached in enumerate(evidence_of_change(values), 1) if reached >= 20), 121)

    assert np.mean([length(months(0.0)) for _ in range(200)]) >= 20
    assert np.median([length(months(1.5)) for _ in range(60)]) <= 8


def test_two_shares_that_both_run_on_are_compared_as_both_are_looked_at() -> None:
    """Once the second had Wilson's ends: two agencies alike differed at some look in .06 to .07 of quarters, and one
    that was over from one that ran in a tenth."""
    rng = np.random.default_rng(31)
    asked = rng.poisson(4, (2, 2000, LOOKS))
    n, k = asked.cumsum(axis=2), rng.binomial(asked, 0.85).cumsum(axis=2)
    share, enough = k / np.maximum(n, 1), (n >= 30).all(axis=0)

    def ever_wrong(one: int, **watched: bool) -> float:
        now, n_now = (x[0][:, -1:] if one < 0 else x[one] for x in (share, n))
        _, low, high = changes(now, n_now, share[1], n[1], **watched)
        return float((enough & ((low > 0) | (high < 0))).any(axis=1).mean())

    assert ever_wrong(0, watched=True, watched_before=True) <= 0.05
    assert ever_wrong(0, watched=True) > 0.055
    assert ever_wrong(-1, watched_before=True) <= 0.05
    assert ever_wrong(-1) > 0.08


def test_ranks_that_are_looked_at() -> None:
    """Twenty agencies alike: once some set left a rank out at some look in a fifth of quarters, and an agency's own in
    a fourth."""
    rng = np.random.default_rng(32)
    quarters, p = 60, 20
    names, wrong = [str(i) for i in range(p)], np.zeros((2, 2, quarters), dtype=bool)

    def said(found: RankSet) -> bool:
        return found.informative

    for quarter in range(quarters):
        asked = rng.poisson(4, (p, LOOKS))
        n, k = asked.cumsum(axis=1), rng.binomial(asked, 0.85).cumsum(axis=1)
        for day in range(10, LOOKS, 5):
            share, at_once = k[:, day] / n[:, day], n[:, day].astype(float)
            for which, n_eff in enumerate((at_once, at_every_look(share, at_once, level_of_each(0.95, p)))):
                wrong[0, which, quarter] |= any(said(one) for one in rank_shares(share, n_eff, names))
                own = marginal_rank_set(share, smoothed_error(share, n_eff), names, 0, draws=500)
                wrong[1, which, quarter] |= said(own)
    together, alone = wrong.mean(axis=2)
    assert together[1] <= 0.05
    assert alone[1] <= 0.05 + 2 * 0.028
    assert together[0] > 0.08
    assert alone[0] > 0.08


def test_small_areas_that_are_looked_at() -> None:
    """Communes of 1.5 answers a day in two lumps: an interval for one look is wrong at some look in a tenth."""
    rng = np.random.default_rng(33)
    wrong = []
    for _ in range(12):
        truth = np.where(rng.random(40) < 0.2, 0.73, 0.87)
        asked = rng.poisson(1.5, (40, LOOKS))
        n, k = asked.cumsum(axis=1), rng.binomial(asked, truth[:, None]).cumsum(axis=1)
        missed = np.zeros((2, 40), dtype=bool)
        for day in range(20, LOOKS, 4):
            once = small_area_estimates(k[:, day], np.maximum(n[:, day], 1), [str(i) for i in range(40)])
            for which, found in enumerate((once, [one.watched() for one in once])):
                low, high = (np.array([getattr(one.interval, end) for one in found]) for end in ("low", "high"))
                missed[which] |= (truth < low) | (truth > high)
        wrong.append(missed.mean(axis=1))
    for_one_look, at_all = np.mean(wrong, axis=0)
    assert at_all <= 0.05
    assert for_one_look > 0.07
