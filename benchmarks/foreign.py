"""A generator of figures that shares no assumption with the estimators: 0/1 answers of visits, areas that differ on the
logit scale or in two lumps, days that move every counter and hang together, ratings that meet no visit, response by
satisfaction, signals whose meaning changes. Written from the field's description, not from `calibration.simulate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def areas(
    rng: np.random.Generator, share: float, count: int, mean_answers: int, spread: float, shape: str = "logit"
) -> tuple[IntArray, IntArray, FloatArray]:
    """(satisfied, rated, truth) [count]: rated is Poisson with at least three; truth by `shape`.

    logit: normal on the logit scale with sd `spread`; beta: a beta distribution with sd `spread`; lumps: 15 % of the
    areas lie `spread` lower than the others."""
    rated = 3 + rng.poisson(mean_answers - 3, count)
    if shape == "logit":
        truth = expit(logit(share) + spread * rng.normal(size=count))
    elif shape == "beta":
        size = share * (1 - share) / spread**2 - 1
        truth = rng.beta(share * size, (1 - share) * size, count)
    else:
        truth = np.where(rng.random(count) < 0.15, share - spread, share)
    return rng.binomial(rated, truth), rated, truth


def areas_in_time(
    rng: np.random.Generator,
    share: float,
    count: int,
    mean_answers: int,
    quarters: int,
    *,
    spread: float = 0.35,
    lasting: float = 0.8,
    shape: str = "steps",
) -> tuple[IntArray, IntArray, FloatArray]:
    """(satisfied, rated, truth) [count, quarters]. On the logit scale an area has a height of its own (`lasting` of the
    variance `spread`^2) and a passing part: new heads, one in four quarters, move it for as long as they stay (steps),
    or it drifts by a random walk that is pulled back (walk). A season moves all; some areas skip a quarter."""
    own = np.sqrt(lasting) * spread * rng.standard_t(6, count) / np.sqrt(1.5)
    passing = np.zeros((count, quarters))
    passing[:, 0] = rng.normal(size=count)
    for t in range(1, quarters):
        if shape == "steps":
            passing[:, t] = np.where(rng.random(count) < 0.25, rng.normal(size=count), passing[:, t - 1])
        else:
            passing[:, t] = 0.8 * passing[:, t - 1] + 0.6 * rng.normal(size=count)
    season = 0.15 * np.sin(np.arange(quarters) * np.pi / 2)
    truth = expit(logit(share) + own[:, None] + np.sqrt(1 - lasting) * spread * passing + season)
    rated = 3 + rng.poisson(mean_answers - 3, (count, quarters))
    rated[:, :-1] *= rng.random((count, quarters - 1)) > 0.05
    return rng.binomial(rated, truth), rated, truth


@dataclass(frozen=True, slots=True)
class Days:
    """Answers of agencies over working days: `satisfied`, `rated` [agencies, days, counters]; truth [agencies]."""

    satisfied: IntArray
    rated: IntArray
    truth: FloatArray


def agency_days(
    rng: np.random.Generator,
    agencies: int,
    days: int,
    counters: int,
    answers_a_day: float,
    *,
    icc: float,
    runs: float = 0.0,
    share: float = 0.83,
    spread: float = 0.35,
) -> Days:
    """Days move all counters of an agency alike: on the logit scale, by a first-order autoregression `runs` whose sd
    gives about the intraclass correlation `icc`. Truth is the mean share over the days' distribution."""
    centre = logit(share) + spread * rng.normal(size=agencies)
    middle = expit(centre)
    sd = np.sqrt(icc / (middle * (1 - middle)))
    step = np.empty((agencies, days))
    step[:, 0] = rng.normal(size=agencies)
    for day in range(1, days):
        step[:, day] = runs * step[:, day - 1] + np.sqrt(1 - runs**2) * rng.normal(size=agencies)
    chance = expit(centre[:, None] + sd[:, None] * step)
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    truth = (expit(centre[:, None] + sd[:, None] * nodes) * weights).sum(axis=1) / weights.sum()
    rated = rng.poisson(answers_a_day / counters, (agencies, days, counters))
    return Days(rng.binomial(rated, chance[:, :, None]), rated, truth)


@dataclass(frozen=True, slots=True)
class PeopleAnswers:
    """One answer a row: `satisfied` 0 or 1, `agency`, `day`, `old`, `woman` 0 or 1. Truth: of the people, half of them
    old."""

    satisfied: FloatArray
    agency: IntArray
    day: IntArray
    old: IntArray
    woman: IntArray
    truth: float


def people_who_answer(
    rng: np.random.Generator, icc: float, n: int = 900, agencies: int = 12, days: int = 20
) -> PeopleAnswers:
    """The old are less satisfied (.70 against .90) and answer three times less often than they come; sexes differ
    little; a day moves all of an agency's answers."""
    agency, day = rng.integers(0, agencies, n), rng.integers(0, days, n)
    old = (rng.random(n) < 0.25).astype(np.int64)
    woman = rng.integers(0, 2, n)
    base, sd = logit(np.array([0.90, 0.70])), np.sqrt(icc / (0.8 * 0.2))
    step = sd * rng.normal(size=(agencies, days))
    chance = expit(base[old] + 0.15 * (woman - 0.5) + step[agency, day])
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    of_kind = [(expit(b + 0.15 * (w - 0.5) + sd * nodes) * weights).sum() / weights.sum() for b in base for w in (0, 1)]
    return PeopleAnswers(rng.binomial(1, chance).astype(np.float64), agency, day, old, woman, float(np.mean(of_kind)))


def laplace(rng: np.random.Generator, epsilon: float | None, shape: tuple[int, ...]) -> IntArray:
    """Two-sided geometric noise of scale 1/epsilon; none for None."""
    if epsilon is None:
        return np.zeros(shape, dtype=np.int64)
    chance = -np.expm1(-epsilon)
    return rng.geometric(chance, shape) - rng.geometric(chance, shape)


@dataclass(frozen=True, slots=True)
class Signal:
    """How a visit looks: a logistic score of slope `slope` on satisfaction, cut into five levels; 10 % abstained."""

    slope: float
    cuts: tuple[float, ...] = (-2.0, -0.8, 0.6, 2.0)

    def levels(self) -> FloatArray:
        """[2, 6]: P(level | not satisfied, satisfied)."""
        found = np.empty((2, 6))
        for satisfied in (0, 1):
            below = expit(np.array(self.cuts) - self.slope * (satisfied - 0.8))
            found[satisfied, :5] = 0.9 * np.diff(np.concatenate([[0.0], below, [1.0]]))
            found[satisfied, 5] = 0.1
        return found


@dataclass(frozen=True, slots=True)
class Month:
    """One agency's months, replicated: tables [r, 6, 3] with noise, ratings of all channels [r], truth."""

    table: IntArray
    rated: IntArray
    satisfied: IntArray
    truth: float


def months(
    rng: np.random.Generator,
    signal: Signal,
    share: float,
    visits: int,
    response: float,
    runs: int,
    *,
    epsilon: float | None = 1.5,
    boxes: int = 1,
    met: float = 1.0,
    odds: float = 1.0,
    by_level: float = 0.0,
) -> Month:
    """`response`: about the share that answers; satisfied visitors at `odds` times the odds of others, and for each
    level more at exp(`by_level`) times. A rating meets its visit with probability `met`."""
    levels = signal.levels()
    joint = np.stack([(1 - share) * levels[0], share * levels[1]], axis=1)
    height = np.append(np.arange(5) - 2.0, 0.0)
    chance = expit(logit(response) + by_level * height[:, None] + np.log(odds) * (np.arange(2)[None, :] - share))
    cells = np.stack([joint * (1 - chance), joint * chance * met, joint * chance * (1 - met)], axis=2)
    drawn = rng.multinomial(visits, cells.ravel() / cells.sum(), size=runs).reshape(runs, 6, 2, 3)
    table = np.stack(
        [drawn[..., 0].sum(axis=2) + drawn[..., 2].sum(axis=2), drawn[:, :, 0, 1], drawn[:, :, 1, 1]], axis=2
    )
    for _ in range(boxes):
        table = table + laplace(rng, epsilon, table.shape)
    rated = drawn[..., 1:].sum(axis=(1, 2, 3))
    return Month(table, rated, drawn[:, :, 1, 1:].sum(axis=(1, 2)), share)


def asked_for_consent(
    rng: np.random.Generator, share: float, agree: float, odds: float, of_others: float, response: float
) -> tuple[FloatArray, float]:
    """(P(row, satisfied, rated) [7, 2, 2] of one agency, its share satisfied), over three clerks and eight hours.

    Clerks and hours differ in satisfaction, and where it is high more agree, so that consent hangs on both; besides,
    within them satisfied visitors agree at `odds` times the odds of others (`agree`: about the share that does). Of
    those who agree the content look answers more often; of those who do not, a third as many answer, satisfied ones at
    `of_others` times the odds. Clerks make people smile differently."""
    clerk, hour, smile = 0.4 * rng.normal(size=(3, 1)), 0.3 * rng.normal(size=(1, 8)), 0.3 * rng.normal(size=(3, 1))
    load = rng.dirichlet(np.full(24, 3.0)).reshape(3, 8)
    chance = expit(logit(share) + clerk + hour)
    passing = 0.8 * (clerk + hour) + 0.4 * rng.normal(size=(3, 1)) + 0.3 * rng.normal(size=(1, 8))
    height = expit(logit(response) + 0.25 * np.append(np.arange(5) - 2.0, 0.0))
    law = np.zeros((7, 2, 2))
    for y, of_kind in ((0, load * (1 - chance)), (1, load * chance)):
        agreed = of_kind * expit(logit(agree) + np.log(odds) * (y - share) + passing)
        below = expit(np.array([-2.0, -0.8, 0.6, 2.0])[:, None, None] - 1.8 * (y - 0.8) - smile)
        edges = np.concatenate([np.zeros((1, 3, 1)), below, np.ones((1, 3, 1))])
        level = np.append(0.9 * (np.diff(edges, axis=0) * agreed).sum(axis=(1, 2)), 0.1 * agreed.sum())
        answers = expit(logit(0.35 * response) + np.log(of_others) * (y - share))
        law[:6, y] = level[:, None] * np.stack([1 - height, height], axis=1)
        law[6, y] = (of_kind - agreed).sum() * np.array([1 - answers, answers])
    return law, float((load * chance).sum())


def consent_tables(
    rng: np.random.Generator, law: FloatArray, visits: int, runs: int, epsilon: float, releases: int = 1
) -> tuple[IntArray, IntArray, IntArray]:
    """(Tables [runs, 7, 3] with the noise of so many releases, rated [runs], satisfied [runs]) under `law`."""
    drawn = rng.multinomial(visits, law.ravel(), size=runs).reshape(runs, 7, 2, 2)
    table = np.stack([drawn[..., 0].sum(axis=2), drawn[:, :, 0, 1], drawn[:, :, 1, 1]], axis=2)
    for _ in range(releases):
        table = table + laplace(rng, epsilon, table.shape)
    return table, drawn[..., 1].sum(axis=(1, 2)), drawn[:, :, 1, 1].sum(axis=1)


@dataclass(frozen=True, slots=True)
class Frame:
    """A finite province: transactions of each agency and how many of them are satisfied."""

    transactions: IntArray
    satisfied: IntArray

    @property
    def truth(self) -> float:
        """Share satisfied of all transactions."""
        return float(self.satisfied.sum() / self.transactions.sum())


def frame(rng: np.random.Generator, agencies: int, middle: int, worse_by_size: float) -> Frame:
    """Sizes lognormal about `middle`; on the logit scale satisfaction falls by `worse_by_size` per unit of log size."""
    sizes = np.maximum(rng.lognormal(np.log(middle), 0.9, agencies).astype(np.int64), 60)
    relative = np.log(sizes / middle)
    return Frame(sizes, rng.binomial(sizes, expit(1.6 - worse_by_size * relative + 0.3 * rng.normal(size=agencies))))


def answers_of(rng: np.random.Generator, found: Frame, agency: int, forms: int) -> IntArray:
    """[forms] 0/1 answers of transactions drawn from the agency's register without replacement."""
    n, k = int(found.transactions[agency]), int(found.satisfied[agency])
    yes = int(rng.hypergeometric(k, n - k, min(forms, n)))
    return rng.permutation(np.repeat([1, 0], [yes, min(forms, n) - yes]))
