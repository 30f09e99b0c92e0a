"""The estimators on what `benchmarks.foreign` draws: set-ups that the bench and the tests have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from benchmarks import foreign
from calibration.correction import CorrectionArrays, correction_arrays
from calibration.design import Design, Weights
from calibration.efficiency import EfficiencyArrays, efficiency_arrays
from calibration.months import AgencyMonth, Stratum
from calibration.ratings import DayCount
from calibration.response_curve import curve_arrays
from calibration.survey_shares import Answers, Share, days_of, shares
from calibration.tables import EvidenceTable, cell_noise_variance, noisy_cells
from calibration.verdicts import Verdict
from pipeline.calendar import DayRange

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SHARE = 0.83
"""Satisfied visits of the months."""


def index_covers(world: foreign.Days, agencies: Sequence[int]) -> list[bool]:
    """Whether the index engine's interval of each of these agencies holds the truth; days of all tell how they hang
    together."""
    agency, day, counter = (place.astype(np.int64) for place in np.nonzero(world.rated))
    rated = world.rated[agency, day, counter][:, None].astype(float)
    satisfied = world.satisfied[agency, day, counter][:, None].astype(float)
    answers = Answers(satisfied, rated, rated[:, 0], Design(day, agency))
    model, inside = days_of(answers), []
    for chosen in agencies:
        (share,) = shares(answers.take(answers.design.stratum == chosen), np.eye(1), model)
        if share.low is not None and share.high is not None:
            inside.append(bool(share.low <= world.truth[chosen] <= share.high))
    return inside


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


TWENTY_DAYS = DayRange(date(2026, 6, 1), date(2026, 6, 30))
"""A month in which twenty working days have a place."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the estimators made of replicated months [r]."""

    month: foreign.Month
    efficiency: EfficiencyArrays
    correction: CorrectionArrays

    @property
    def naive(self) -> FloatArray:
        """[r] errors of the ratings' mean."""
        return np.asarray(self.month.satisfied / self.month.rated - self.month.truth)

    @property
    def helped(self) -> NDArray[np.bool_]:
        """[r] whether the signal was used."""
        return np.asarray(self.efficiency.verdict == Verdict.HELPED.number)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """[r] whether the efficiency estimator's interval holds the truth."""
        return np.asarray((self.efficiency.low <= self.month.truth) & (self.month.truth <= self.efficiency.high))


def estimates_of(now: foreign.Month, past: foreign.Month, variance: float, months: int) -> Outcome:
    """The procedure on replicated months, with a curve from `months` earlier ones of the same noise."""
    curve = curve_arrays(noisy_cells(past.table, months * variance, past.rated, past.satisfied))
    cells = noisy_cells(now.table, variance, now.rated, now.satisfied)
    fused = efficiency_arrays(cells, curve, now.rated, now.satisfied, tablet_rated=now.rated)
    return Outcome(now, fused, correction_arrays(cells, curve, now.rated, now.satisfied))


def try_months(
    rng: np.random.Generator, runs: int, signal: foreign.Signal, epsilon: float | None, boxes: int, **world: float
) -> Outcome:
    """3,000 visits a month, twelve earlier months."""
    response = world.pop("response", 0.04)
    visits = int(world.pop("visits", 3000))
    past = foreign.months(rng, signal, SHARE, 12 * visits, response, runs, epsilon=epsilon, boxes=12 * boxes, **world)
    now = foreign.months(rng, signal, SHARE, visits, response, runs, epsilon=epsilon, boxes=boxes, **world)
    return estimates_of(now, past, boxes * cell_noise_variance(epsilon), 12)


def group_months(rng: np.random.Generator, slopes: Sequence[float], by_level: float = 0.0) -> list[AgencyMonth]:
    """Twelve agencies of 800 visits (48 answers); the signal's slope in each month."""
    months = []
    for index, slope in enumerate(slopes):
        period = DayRange.month(2025 + index // 12, index % 12 + 1)
        drawn = foreign.months(rng, foreign.Signal(slope), SHARE, 800, 0.06, 12, by_level=by_level)
        for agency in range(12):
            rated, satisfied = int(drawn.rated[agency]), int(drawn.satisfied[agency])
            spread = np.array_split(rng.permutation(np.repeat([1, 0], [satisfied, rated - satisfied])), 20)
            counts = tuple(
                DayCount(period.start + timedelta(day), len(part), int(part.sum())) for day, part in enumerate(spread)
            )
            table = EvidenceTable.released(drawn.table[agency], 1.5, period=period, box=str(agency))
            months.append(AgencyMonth(str(agency), "g", period, (Stratum("s", 800, counts, (table,)),)))
    return months


def weighted_figure(
    rng: np.random.Generator,
    province: foreign.Frame,
    drawn: Sequence[int],
    chance: FloatArray,
    forms: dict[int, int],
) -> tuple[Share, float]:
    """(The weighted figure of a plan's answers, the one that ignored the plan's chances)."""
    rows, agency, day = [], [], []
    for one in drawn:
        answers = foreign.answers_of(rng, province, one, forms[one])
        rows.append(answers)
        agency.append(np.full(len(answers), one))
        day.append(rng.integers(0, 60, len(answers)))
    satisfied = np.concatenate(rows)[:, None].astype(float)
    cell = np.searchsorted(drawn, np.concatenate(agency))
    size = province.transactions[list(drawn)].astype(float)
    number = np.arange(len(drawn), dtype=np.int64)
    weights = Weights(cell, size, chance[list(drawn)], number, np.zeros(len(drawn), dtype=np.int64))
    design = Design(np.concatenate(day).astype(np.int64), np.concatenate(agency).astype(np.int64), weights)
    of_all = Answers(satisfied, np.ones_like(satisfied), np.ones(len(satisfied)), design)
    (found,) = shares(of_all, np.eye(1), days_of(of_all))
    means = np.array([part.mean() for part in rows])
    return found, float((size * means).sum() / size.sum())


def called_back(
    rng: np.random.Generator, odds: float, reached: float, agencies: int = 26, asked: int = 120
) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray, float]:
    """People one by one: each is satisfied or not, answers with odds that satisfaction multiplies, and of those who do
    not, 300 of the province are called and some reached. (asked, satisfied, answered, called satisfied, called, truth
    of all asked's way of being served)."""
    share = expit(1.1 + 0.4 * rng.normal(size=agencies))
    base = logit(0.4) + 0.3 * rng.normal(size=agencies)
    satisfied = rng.random((agencies, asked)) < share[:, None]
    answered = rng.random((agencies, asked)) < expit(base[:, None] + np.log(odds) * (satisfied - 0.75))
    silent = np.argwhere(~answered)
    chosen = silent[rng.permutation(len(silent))[:300]]
    got = chosen[rng.random(len(chosen)) < reached]
    called, liked = np.zeros(agencies, dtype=int), np.zeros(agencies, dtype=int)
    np.add.at(called, got[:, 0], 1)
    np.add.at(liked, got[:, 0], satisfied[got[:, 0], got[:, 1]])
    total = np.full(agencies, asked)
    return total, (satisfied & answered).sum(axis=1), answered.sum(axis=1), liked, called, float(share.mean())
