"""What docs/statistics.md says that another generator found: each figure again, within three standard errors.

Simulations take minutes each and print what they found (`make test-slow`); where the documents say that an interval is
too short, that is what is asserted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.special import betainc, ndtri

from calibration.before_after import before_after
from calibration.bridge import link, share_estimate
from calibration.call_back import corrected
from calibration.design import Design
from calibration.design_effect import design_effect_arrays
from calibration.falls import FEWEST, effect_of_days, log_evidence, lower_end
from calibration.intervals import wilson
from calibration.raking import Margin, rake
from calibration.sequences import share_sequence
from calibration.survey_shares import Answers, days_of, place_shares, raked_shares
from pipeline.errors import StatisticsError
from tests.calibration import second_generator as second

FEWEST_SHOWN = 30
"""Sheets of an agency from which on its index is shown."""
WATCHED, SHOWN, COMPARED, LINKED, ASKED_BACK, RAKED, FALLS, RARE_FALLS = 60, 60, 300, 500, 1_000, 200, 200, 800
"""Worlds a case: provinces of 12 agencies, agencies of 12 months, provinces, provinces, provinces, quarters, agencies,
agencies at an alpha of 1/400."""


class Found:
    """`mean` of what was found in worlds, rows of `values`, and its Monte Carlo standard `error` between them.

    Of yes and no the error is never less than that of one yes among all."""

    def __init__(self, values: ArrayLike) -> None:
        found = np.asarray(values)
        rows = found.astype(np.float64).reshape(len(found), -1)
        least = 1 / found.size if found.dtype == np.bool_ else 0.0
        self.mean = float(rows.mean())
        self.error = max(float(rows.mean(axis=1).std(ddof=1)) / float(np.sqrt(len(rows))), least)

    def __str__(self) -> str:
        return f"{self.mean:.4f} (standard error {self.error:.4f})"

    def at_least(self, stated: float) -> bool:
        """Whether it is as much as is `stated`, but for chance."""
        return self.mean >= stated - 3 * self.error

    def at_most(self, stated: float) -> bool:
        """Whether it is no more than is `stated`, but for chance."""
        return self.mean <= stated + 3 * self.error


def test_days_are_what_the_generator_says() -> None:
    rng = np.random.default_rng(1)
    share, icc, runs = 0.85, 0.1, 0.5
    found = second.day_shares(rng, share, 300, 40, icc, runs)
    assert found.mean() == pytest.approx(share, abs=0.006)
    assert found.var() == pytest.approx(icc * share * (1 - share), rel=0.06)
    size = (1 - icc) / icc
    scores = ndtri(betainc(share * size, (1 - share) * size, found[:, :12]))
    assert np.corrcoef(scores[:, :-1].ravel(), scores[:, 1:].ravel())[0, 1] == pytest.approx(runs, abs=0.05)
    assert np.corrcoef(found[:, :-1].ravel(), found[:, 1:].ravel())[0, 1] == pytest.approx(runs, abs=0.05)
    world = second.days_of_sheets(rng, share, 300, 40, icc, runs, 8)
    assert world.sheets.mean() == pytest.approx(8, rel=0.06)
    assert world.sheets.var() == pytest.approx(8 + 8**2 / second.SHAPE, rel=0.12)
    assert world.satisfied.sum() / world.sheets.sum() == pytest.approx(share, abs=0.008)
    assert np.all(second.day_shares(rng, share, 2, 3, 0, 0) == share)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("icc", "runs", "share", "a_day", "wrong"),
    [
        (0.0, 0.0, 0.85, 8, 0.046),
        (0.05, 0.0, 0.85, 8, 0.046),
        (0.05, 0.0, 0.93, 20, 0.046),
        (0.1, 0.5, 0.85, 8, 0.046),
        (0.1, 0.7, 0.75, 20, 0.05),
        (0.1, 0.8, 0.75, 20, 0.07),
    ],
)
def test_a_running_quarter_looked_at_every_third_day(
    icc: float, runs: float, share: float, a_day: float, wrong: float
) -> None:
    """66 days, the index as its page computes it: is there a look at which its interval does not hold the truth?"""
    rng = np.random.default_rng(11)
    agencies, days = 12, 66
    watched, plain = np.zeros((2, WATCHED, agencies), dtype=bool)
    for province in range(WATCHED):
        world = second.days_of_sheets(rng, share, agencies, days, icc, runs, a_day)
        for day in range(3, days + 1, 3):
            asked, satisfied = world.sheets[:, :day].astype(float), world.satisfied[:, :day].astype(float)
            agency, on = (place.astype(np.int64) for place in np.nonzero(asked))
            n = asked[agency, on]
            answers = Answers(satisfied[agency, on][:, None], n[:, None], n, Design(on, agency))
            known = place_shares(answers, agency, agencies, np.ones((1, 1)), days_of(answers).at_most()).watched()
            n = asked.sum(axis=1)
            low, high = share_sequence(satisfied.sum(axis=1) / np.maximum(n, 1), n)
            shown = n >= FEWEST_SHOWN
            watched[province] |= shown & ((known.low[:, 0] > share) | (known.high[:, 0] < share))
            plain[province] |= shown & ((low > share) | (high < share))
    found, without = Found(watched), Found(plain)
    print(f"\nrunning quarter, ICC {icc}, runs {runs}, {a_day} a day: some wrong look {found}, days unknown {without}")
    assert found.at_most(wrong)
    if icc:
        assert without.at_least(0.07)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("icc", "runs", "share", "a_day", "without"),
    [
        (0.0, 0.0, 0.85, 8, 0.956),
        (0.05, 0.0, 0.85, 8, 0.89),
        (0.05, 0.0, 0.93, 20, 0.79),
        (0.1, 0.5, 0.85, 8, 0.71),
        (0.1, 0.7, 0.75, 20, 0.44),
    ],
)
def test_months_of_a_trend(icc: float, runs: float, share: float, a_day: float, without: float) -> None:
    """Twelve months of 22 days; beside it Wilson's interval of as many answers."""
    rng = np.random.default_rng(41)
    days, months = 22, 12
    inside, plain = [], []
    for _ in range(SHOWN):
        world = second.days_of_sheets(rng, share, 1, days * months, icc, runs, a_day)
        (on,) = np.nonzero(world.sheets[0])
        n, k = (one[0, on].astype(float) for one in (world.sheets, world.satisfied))
        month = on // days
        answers = Answers(k[:, None], n[:, None], n, Design(on, month))
        found = place_shares(answers, month, months, np.ones((1, 1)), days_of(answers))
        inside.append((found.low[:, 0] <= share) & (share <= found.high[:, 0]))
        low, high = wilson(found.estimate[:, 0], np.bincount(month, weights=n, minlength=months))
        plain.append((low <= share) & (share <= high))
    held, before = Found(inside), Found(plain)
    print(f"\nmonths, ICC {icc}, runs {runs}, {a_day} a day: held {held}, days unknown {before}")
    assert held.at_least(0.94)
    if icc:
        assert before.at_most(without)
    else:
        assert before.at_least(without)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("channels", "apart", "n", "covered"),
    [
        *((2, apart, n, 0.97) for apart in (0.0, 0.02) for n in (150, 1_000)),
        (2, 0.05, 40, 0.94),
        (2, 0.05, 150, 0.93),
        (2, 0.05, 1_000, 0.88),
        *((2, 0.08, n, 0.79) for n in (40, 150, 1_000)),
        *((3, apart, n, 0.95) for apart in (0.0, 0.02) for n in (40, 150, 1_000)),
        *((3, 0.05, n, 0.90) for n in (40, 150, 1_000)),
        *((3, 0.08, n, 0.85) for n in (40, 150, 1_000)),
    ],
)
def test_a_bridge_of_few_channels(channels: int, apart: float, n: float, covered: float) -> None:
    rng = np.random.default_rng(7)
    inside, widths = [], []
    for _ in range(LINKED):
        satisfied, asked = second.asked_both_ways(rng, channels, apart, n)
        ends = [
            [share_estimate(*one) for one in zip(*pair, strict=True)] for pair in zip(satisfied, asked, strict=True)
        ]
        found = link([(old, new) for old, new in ends])
        inside.append(found.low <= -5 <= found.high)
        widths.append(found.high - found.low)
    held = Found(inside)
    print(f"\nbridge, {channels} channels {apart} apart, {n} each way: held {held}, {Found(widths)} points wide")
    assert held.at_least(covered)
    if apart == 0.08 and n == 1_000:
        assert held.at_most(0.91), "the documents say that it is too short"


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("agencies", "asked", "calls", "share", "odds", "differ", "bias", "covered"),
    [
        pytest.param(100, 15, 200, 0.85, 2, 0, 0.002, 0.985, id="communes"),
        pytest.param(100, 15, 60, 0.92, 2, 0, 0.002, 0.93, id="communes, few calls"),
        pytest.param(5, 60, 20, 0.92, 2, 0, 0.008, 0.92, id="five agencies"),
        pytest.param(5, 60, 20, 0.92, 1, 0, 0.008, 0.94, id="five agencies at random"),
        pytest.param(26, 120, 300, 0.75, 2, 0.4, None, 0.98, id="ratios differ"),
        pytest.param(26, 40, 30, 0.95, 1, 0, 0.005, 0.95, id="rarely dissatisfied at random"),
        pytest.param(26, 40, 30, 0.95, 3, 0, 0.01, 0.95, id="rarely dissatisfied"),
    ],
)
def test_a_call_back(
    agencies: int,
    asked: float,
    calls: int,
    share: float,
    odds: float,
    differ: float,
    bias: float | None,
    covered: float,
) -> None:
    rng = np.random.default_rng(9)
    wrong, inside, of_agencies, of_ratio, left_out = [], [], [], [], 0
    for _ in range(ASKED_BACK):
        world = second.called_back(rng, agencies, asked, calls, share, odds, differ)
        try:
            found = corrected(world.asked, world.satisfied, world.answered, world.reached_satisfied, world.reached)
        except StatisticsError:
            left_out += 1
            continue
        estimate, low, high, _ = found.province
        wrong.append(estimate - world.truth)
        inside.append(low <= world.truth <= high)
        held = (found.low <= world.share) & (world.share <= found.high)
        of_agencies.append(held[world.answered > 0].mean())
        ends = found.ratio.interval()
        of_ratio.append(ends[0] <= odds <= ends[1])
    error, province, each, ratio = Found(wrong), Found(inside), Found(of_agencies), Found(of_ratio)
    print(
        f"\ncall-back, {agencies} agencies of {asked} asked, {calls} called, share {share}, "
        f"odds {odds} (differ by {differ}): bias {error}, province held {province}, agencies {each}, ratio {ratio}, "
        f"left out {left_out}"
    )
    assert left_out < ASKED_BACK / 100
    assert province.at_least(covered)
    if bias is not None:
        assert abs(error.mean) <= bias + 3 * error.error
    if differ:
        assert each.at_least(0.94)
    elif agencies == 100:
        assert each.at_least(0.95)
    if not differ:
        assert ratio.at_least(0.92)


@pytest.mark.parametrize(
    ("agencies", "asked", "calls", "share", "odds"),
    [(26, 40, 30, 0.95, 3), (26, 120, 300, 0.75, 2), (100, 15, 200, 0.85, 2)],
    ids=["rarely dissatisfied", "large agencies", "communes"],
)
@pytest.mark.parametrize("reach", [2.0, 0.5], ids=["satisfied reached", "dissatisfied reached"])
@pytest.mark.parametrize(
    "provinces",
    [40, pytest.param(ASKED_BACK, marks=(pytest.mark.soak, pytest.mark.timeout(3_600)))],
)
def test_calls_that_do_not_reach_everybody_alike(
    provinces: int, reach: float, agencies: int, asked: float, calls: int, share: float, odds: float
) -> None:
    """The wider range holds the truth where satisfied ones are reached at twice, or half, the odds; the figure's own
    interval does not where calls are many."""
    rng = np.random.default_rng(19)
    inside, wide = [], []
    for _ in range(provinces):
        world = second.called_back(rng, agencies, asked, calls, share, odds, 0.0, reach)
        found = corrected(world.asked, world.satisfied, world.answered, world.reached_satisfied, world.reached)
        inside.append(found.province[1] <= world.truth <= found.province[2])
        wide.append(found.between[0] <= world.truth <= found.between[1])
    held, between = Found(inside), Found(wide)
    print(f"\ncall-back, reached at odds {reach}: {agencies} agencies, {calls} calls: held {held}, between {between}")
    assert between.at_least(0.94)
    if calls == 300:
        assert held.at_most(0.9)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(("a_period", "spread"), [(60, 0.0), (60, 0.25), (400, 0.25)])
@pytest.mark.parametrize(
    ("controls", "improved", "covered"), [(8, 1, 0.93), (8, 3, 0.93), (12, 1, 0.94), (30, 8, 0.94), (60, 1, 0.94)]
)
def test_nothing_is_found_with_few_controls(
    controls: int, improved: int, covered: float, a_period: float, spread: float
) -> None:
    rng = np.random.default_rng(5)
    inside, rang = [], []
    for _ in range(COMPARED):
        found = before_after(
            *second.periods(rng, controls + improved, a_period, spread), np.arange(controls + improved) < improved, 3
        )
        inside.append(found.effect.low <= 0 <= found.effect.high)
        assert found.placebo is not None
        rang.append(not found.placebo.low <= 0 <= found.placebo.high)
    held, placebo = Found(inside), Found(rang)
    print(
        f"\nbefore and after, {controls} controls, {improved} improved, {a_period} a period, spread {spread}: "
        f"nought held {held}, placebo rang {placebo}"
    )
    assert held.at_least(covered)
    assert placebo.at_most(0.07)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("agencies", "n", "days", "icc", "runs", "categories", "tier", "informative", "counted", "covered"),
    [
        (12, 192, 22, 0.0, 0.0, (3, 2), False, 1.0, None, 0.94),
        (12, 1_200, 22, 0.05, 0.5, (4, 2, 3), False, 1.0, None, 0.926),
        (26, 1_560, 66, 0.1, 0.5, (6, 2), False, 1.0, None, 0.94),
        (12, 144, 22, 0.0, 0.0, (3,), False, 1.5, None, 0.92),
        (12, 360, 22, 0.1, 0.0, (3,), True, 1.0, None, 0.94),
        (12, 1_200, 22, 0.02, 0.0, (6, 2), False, 1.0, 500, 0.925),
        (12, 1_200, 22, 0.02, 0.0, (6, 2), False, 1.0, 2_000, 0.95),
    ],
)
def test_raked_to_known_and_to_counted_margins(
    agencies: int,
    n: float,
    days: int,
    icc: float,
    runs: float,
    categories: tuple[int, ...],
    tier: bool,
    informative: float,
    counted: int | None,
    covered: float,
) -> None:
    """One province, many quarters; `tier`: the agencies' sizes are known too; `counted`: margins of so many people."""
    rng = np.random.default_rng(29)
    province = second.people(rng, agencies, categories)
    truth = province.truth(icc)
    inside, wrong, left_out = [], [], 0
    for _ in range(RAKED):
        sheets = second.quarter(rng, province, n, days, icc, runs, informative)
        shares = [
            m if counted is None else np.maximum(rng.multinomial(counted, m), 1) / counted for m in province.margins
        ]
        known = list(zip(sheets.category, shares, strict=True))
        known += [(sheets.agency, province.of_agency)] if tier else []
        margins = [
            Margin(str(number), category, share, tuple(str(label) for label in range(len(share))))
            for number, (category, share) in enumerate(known)
        ]
        one = np.ones(len(sheets.satisfied))
        try:
            raked = rake(margins, one)
        except StatisticsError:
            left_out += 1
            continue
        answers = Answers(sheets.satisfied[:, None], one[:, None], one, Design(sheets.day, sheets.agency))
        (found,) = raked_shares(answers, raked, np.ones((1, 1)), days_of(answers))
        assert found.estimate is not None
        assert found.low is not None
        assert found.high is not None
        inside.append(found.low <= truth <= found.high)
        wrong.append(found.estimate - truth)
    held = Found(inside)
    print(
        f"\nraking, {agencies} agencies, {n} sheets, ICC {icc}, runs {runs}, margins {categories}, tier {tier}, "
        f"counted on {counted}: held {held}, bias {Found(wrong)}, could not be raked {left_out} of {RAKED}"
    )
    assert held.at_least(covered)
    assert len(inside) >= RAKED / 3
    if informative == 1.5:
        assert left_out > RAKED / 10, "where one category answers an eighth as often as another"
    else:
        assert left_out <= RAKED / 20


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("a_day", [8, 40])
@pytest.mark.parametrize(
    ("icc", "runs", "alpha", "agencies", "told"),
    [
        (0.0, 0.0, 0.05, FALLS, 0.005),
        (0.05, 0.0, 0.05, FALLS, 0.005),
        (0.1, 0.5, 0.05, FALLS, 0.005),
        (0.1, 0.8, 0.05, FALLS, 0.015),
        (0.1, 0.5, 1 / 400, RARE_FALLS, 1 / 400),
        (0.1, 0.8, 1 / 400, RARE_FALLS, 0.001),
    ],
)
def test_a_fall_that_was_none(icc: float, runs: float, alpha: float, agencies: int, told: float, a_day: int) -> None:
    """260 days before, 66 since, none of the points forgiven; beside it as before the reference knew of runs."""
    rng = np.random.default_rng(13)
    before, share = 260, 0.85
    world = second.days_of_sheets(rng, share, agencies, before + 66, icc, runs, a_day)
    asked, satisfied = world.sheets.astype(float), world.satisfied.astype(float)
    days_alone = design_effect_arrays(asked[:, :before], satisfied[:, :before]).value
    rang, rang_before = np.zeros((2, agencies), dtype=bool)
    for agency, (n, k) in enumerate(zip(asked, satisfied, strict=True)):
        since = np.flatnonzero(n[before:]) + before
        assert n[:before].sum() >= FEWEST
        for effect, into in ((effect_of_days(n[:before], k[:before]), rang), (float(days_alone[agency]), rang_before)):
            p0 = lower_end(float(k[:before].sum()), float(n[:before].sum()), effect, alpha / 2)
            into[agency] = bool(np.any(log_evidence(n[since], k[since], p0, effect) >= np.log(2 / alpha)))
    found, without = Found(rang), Found(rang_before)
    print(
        f"\nfall at alpha {alpha:.4f}, ICC {icc}, runs {runs}, {a_day} a day: told falsely {found}, "
        f"runs unknown {without}"
    )
    assert found.at_most(told)
    if runs == 0.8:
        stated = {8: 0.10, 40: 0.14} if alpha == 0.05 else {8: 0.02, 40: 0.07}
        assert without.at_least(stated[a_day])
