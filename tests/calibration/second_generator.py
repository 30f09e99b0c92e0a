"""A second generator, by another hand than `calibration.simulate` and `benchmarks.foreign`, of which it uses
nothing.

Days of an agency have beta shares that go bad in runs, sheets a day are negative binomial, agencies' sizes follow
Pareto's law, people answer by what they are or by what they would say. What docs/statistics.md, docs/survey.md and ADRs
0253 to 0256 say that another generator found of raking, falls, sequences, months, comparisons, call-backs and bridges
comes from here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtr

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SHAPE = 1.5
"""Of the negative binomial sheets of a day: their variance is mean + mean^2 / 1.5."""
LOGISTIC_VARIANCE = np.pi**2 / 3
"""Of one answer's own part on the logit scale."""


def runs_of_days(rng: np.random.Generator, places: int, days: int, runs: float) -> FloatArray:
    """[places, days] of mean 0 and variance 1: an autoregression, `runs` in 0..1 from day to day."""
    found = rng.normal(size=(places, days))
    for day in range(1, days):
        found[:, day] = runs * found[:, day - 1] + np.sqrt(1 - runs**2) * found[:, day]
    return found


def day_shares(rng: np.random.Generator, share: float, places: int, days: int, icc: float, runs: float) -> FloatArray:
    """[places, days] shares in 0..1 of a beta distribution: mean `share`, variance `icc` share (1 - share).

    Through a Gaussian copula of `runs_of_days`: normal scores hang together by `runs`, shares by slightly less."""
    if icc == 0:
        return np.full((places, days), share)
    size = (1 - icc) / icc
    below = np.clip(ndtr(runs_of_days(rng, places, days, runs)), 1e-6, 1 - 1e-6)
    return np.asarray(betaincinv(share * size, (1 - share) * size, below))


def sheets(rng: np.random.Generator, mean: float, shape: tuple[int, ...]) -> IntArray:
    """Negative binomial numbers of sheets of this mean: some days hardly any, some three times as many."""
    return rng.negative_binomial(SHAPE, SHAPE / (SHAPE + mean), shape)


@dataclass(frozen=True, slots=True)
class Days:
    """Sheets and satisfied ones [places, days]; the truth is the same `share` at all places, in 0..1."""

    sheets: IntArray
    satisfied: IntArray
    share: float


def days_of_sheets(
    rng: np.random.Generator, share: float, places: int, days: int, icc: float, runs: float, a_day: float
) -> Days:
    """Sheets of `places` over `days`, `a_day` on average, each satisfied by its day's share (`day_shares`)."""
    chance = day_shares(rng, share, places, days, icc, runs)
    asked = sheets(rng, a_day, chance.shape)
    return Days(asked, rng.binomial(asked, chance), share)


@dataclass(frozen=True, slots=True)
class Called:
    """A province that asked, and called some who did not answer: people [agencies] each. `share` [agencies]: the truth
    of each; `truth`: of the province, agencies by those asked; both in 0..1."""

    asked: IntArray
    answered: IntArray
    satisfied: IntArray
    reached: IntArray
    reached_satisfied: IntArray
    share: FloatArray

    @property
    def truth(self) -> float:
        """The province's share satisfied."""
        return float(self.asked @ self.share / self.asked.sum())


def called_back(
    rng: np.random.Generator,
    agencies: int,
    asked: float,
    calls: int,
    share: float,
    odds: float,
    differ: float = 0.0,
    reach: float = 1.0,
) -> Called:
    """Sizes by Pareto's law of exponent 2 (`asked` on average, at least 8), two fifths answer, 60 % of `calls` reach.

    The odds of being satisfied are `odds` times as high among those who answer as among those who do not, its
    logarithm of standard deviation `differ` between agencies. Of those called the satisfied ones are reached at `reach`
    times the odds of the others."""
    size = np.maximum(8, asked * (rng.pareto(2.0, agencies) + 0.5) / 1.5).astype(np.int64)
    truth = expit(logit(share) + 0.4 * rng.normal(size=agencies))
    log_odds = np.log(odds) + differ * rng.normal(size=agencies)
    response = logit(0.4) + 0.3 * rng.normal(size=agencies)
    good = rng.binomial(size, truth)
    good_answers = rng.binomial(good, expit(response + log_odds / 2))
    bad_answers = rng.binomial(size - good, expit(response - log_odds / 2))
    good_silent, bad_silent = good - good_answers, size - good - bad_answers
    silent = good_silent + bad_silent
    called = rng.multivariate_hypergeometric(silent, min(calls, int(silent.sum())))
    if reach == 1:
        reached = rng.binomial(called, 0.6)
        liked = rng.hypergeometric(good_silent, bad_silent, reached)
    else:
        good_called = rng.hypergeometric(good_silent, bad_silent, called)
        liked = rng.binomial(good_called, expit(logit(0.6) + np.log(reach) / 2))
        reached = liked + rng.binomial(called - good_called, expit(logit(0.6) - np.log(reach) / 2))
    return Called(size, good_answers + bad_answers, good_answers, reached, liked, truth)


def periods(
    rng: np.random.Generator, agencies: int, a_period: float, spread: float, count: int = 6
) -> tuple[IntArray, IntArray]:
    """(satisfied, sheets) [agencies, periods] where nothing was done: agencies differ, a season moves all of them, and
    periods of one hang together (.5 from one to the next, standard deviation `spread` of the log odds)."""
    height = 1.5 + 0.4 * rng.normal(size=(agencies, 1))
    season = 0.2 * np.sin(np.arange(count) * np.pi / 2)
    asked = 5 + sheets(rng, a_period, (agencies, count))
    return rng.binomial(asked, expit(height + spread * runs_of_days(rng, agencies, count, 0.5) + season)), asked


def asked_both_ways(rng: np.random.Generator, channels: int, apart: float, n: float) -> tuple[IntArray, IntArray]:
    """(satisfied, asked) [channels, 2], by the old and the new instrument, about `n` people each.

    The new one gives 5 points less, more or less by channel: a standard deviation of `apart`, a share in 0..1."""
    old = rng.uniform(0.65, 0.95, channels)
    new = np.clip(old - 0.05 + apart * rng.normal(size=channels), 0.01, 0.995)
    asked = 3 + rng.poisson(n - 3, channels)
    return rng.binomial(asked[:, None], np.stack([old, new], axis=1)), np.stack([asked, asked], axis=1)


@dataclass(frozen=True, slots=True)
class People:
    """A province of people of several kinds. `kinds` [margins, kinds]: category in each margin; `of_kind` [kinds] and
    `of_agency` [agencies]: shares of the people; `margins`: shares of each margin's categories; `effect` [kinds] and
    `height` [agencies]: of the log odds of being satisfied."""

    kinds: IntArray
    of_kind: FloatArray
    of_agency: FloatArray
    margins: tuple[FloatArray, ...]
    effect: FloatArray
    height: FloatArray

    def truth(self, icc: float) -> float:
        """Share satisfied of all people, over all days that there could be."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(15)
        odds = self.effect[:, None] + self.height
        chance = (expit(odds[..., None] + day_spread(icc) * nodes) * weights).sum(axis=-1) / weights.sum()
        return float(self.of_kind @ chance @ self.of_agency)


@dataclass(frozen=True, slots=True)
class Quarter:
    """One sheet a row: `satisfied` 0 or 1, `agency`, `day`, and `category` [margins, rows]."""

    satisfied: FloatArray
    agency: IntArray
    day: IntArray
    category: IntArray


def people(rng: np.random.Generator, agencies: int, categories: tuple[int, ...]) -> People:
    """Sizes by Pareto's law of exponent 1.5; margins that are independent, the first category the least satisfied."""
    margins = tuple(rng.dirichlet(np.full(count, 15.0)) for count in categories)
    kinds = np.array(np.meshgrid(*(np.arange(count) for count in categories), indexing="ij")).reshape(
        len(categories), -1
    )
    of_kind = np.prod([margin[row] for margin, row in zip(margins, kinds, strict=True)], axis=0)
    effect = np.sum([np.linspace(-0.7, 0.7, count)[row] for count, row in zip(categories, kinds, strict=True)], axis=0)
    size = rng.pareto(1.5, agencies) + 0.3
    return People(kinds, of_kind, size / size.sum(), margins, effect, 1.5 + 0.4 * rng.normal(size=agencies))


def day_spread(icc: float) -> float:
    """Standard deviation of the log odds of a day under which answers of one day hang together by about `icc`."""
    return float(np.sqrt(icc / (1 - icc) * LOGISTIC_VARIANCE))


def quarter(
    rng: np.random.Generator, province: People, n: float, days: int, icc: float, runs: float, informative: float
) -> Quarter:
    """About `n` sheets, at least two of each agency. A kind answers exp(`informative` times its effect) times as often
    as it comes: who is less satisfied answers less."""
    agencies = len(province.of_agency)
    agency = np.repeat(np.arange(agencies), rng.poisson(n * province.of_agency) + 2)
    answering = province.of_kind * np.exp(informative * province.effect)
    kind = rng.choice(len(answering), len(agency), p=answering / answering.sum())
    day = rng.integers(0, days, len(agency))
    step = day_spread(icc) * runs_of_days(rng, agencies, days, runs)
    chance = expit(province.effect[kind] + province.height[agency] + step[agency, day])
    return Quarter((rng.random(len(agency)) < chance).astype(np.float64), agency, day, province.kinds[:, kind])
