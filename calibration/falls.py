"""Has a share fallen sharply? A test that may be looked at every day, with a stated rate of false alarms.

The reference is the share of a year before, known to a one-sided lower end L; *sharply* means by more than `by`. Asked
is whether every sheet since has been satisfied with at least p0 = L - by. Against each q < p0 the likelihood ratio

    e(q) = prod (q / p0)^x ((1 - q) / (1 - p0))^(1 - x)

has a mean of at most 1 whatever the sheets' chances are, as long as none lies below p0: then each factor has, given the
past, the mean p q / p0 + (1 - p) (1 - q) / (1 - p0) <= 1. A mixture over q and over the day c on which the fall began,

    M_n = sum_c w_c mean_q prod_{days c..n} e(q) + 1 / (n + 1),    w_c = 1 / (c (c + 1)),

(the last term is the weight of the days to come) is a supermartingale that starts at 1: it ever reaches 1 / alpha with
probability alpha at most, at all looks together (Ville). Answers that hang together are worth fewer: the ratio is taken
to the power 1 / deff (its mean stays below 1 by Jensen; how much is right follows from the design effect, as everywhere
here, which knows the runs in which days go bad: without them one quarter in 15 was told falsely where one in 400 is
stated).

Of the chance `alpha` of a false alarm, half goes to the reference's lower end, half to M.

Sources: Ville 1939; Robbins, Siegmund 1970 (mixtures); Shin, Ramdas, Rinaldo 2024 (e-detectors); Grünwald, de Heide,
Koolen 2024 (composite hypotheses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, xlog1py, xlogy
from scipy.stats import beta

from calibration.design import Design
from calibration.survey_shares import Answers, days_of, place_shares

FloatArray = NDArray[np.float64]
GRID: Final = 24
"""Shares to which a fall is looked for, evenly between 0 and p0."""
FEWEST: Final = 100
"""Sheets of the reference below which nothing is tested."""


@dataclass(frozen=True, slots=True)
class Fall:
    """Evidence of a fall. `log_evidence`: ln M; `log_bound`: where it is told, ln(2 / alpha)."""

    log_evidence: float
    log_bound: float

    @property
    def is_reported(self) -> bool:
        """Whether it is reported."""
        return self.log_evidence >= self.log_bound

    @property
    def stands(self) -> bool:
        """Whether one that was told stands on: half of the way there."""
        return self.log_evidence >= self.log_bound / 2


def fall(
    before: tuple[ArrayLike, ArrayLike], since: tuple[ArrayLike, ArrayLike], *, by: float, alpha: float
) -> Fall | None:
    """Evidence that a share fell by more than `by` (0..1) from the days before to some day since.

    `before`, `since`: sheets asked and satisfied by day [days] each, oldest first, of days that are over. `alpha`: the
    chance of ever telling it where it is not so, in 0..1. None where the days before hold too few sheets to tell."""
    n0, k0 = (np.asarray(one, dtype=np.float64) for one in before)
    n, k = (np.asarray(one, dtype=np.float64) for one in since)
    if n0.sum() < FEWEST:
        return None
    bound = float(np.log(2.0 / alpha))
    deff = effect_of_days(n0, k0)
    p0 = lower_end(float(k0.sum()), float(n0.sum()), deff, alpha / 2) - by
    n, k = n[n > 0], k[n > 0]
    if p0 <= 0.0 or n.size == 0:
        return Fall(0.0, bound)
    return Fall(float(log_evidence(n, k, p0, deff)[-1]), bound)


def effect_of_days(asked: FloatArray, satisfied: FloatArray) -> float:
    """Design effect of the reference: its days, and the runs in which they hang together (`calibration.days`)."""
    days, one_place = np.arange(len(asked)), np.zeros(len(asked), dtype=np.int64)
    answers = Answers(satisfied[:, None], asked[:, None], asked, Design(days, one_place))
    found = place_shares(answers, one_place, 1, np.ones((1, 1)), days_of(answers))
    return float(found.design_effect[0, 0])


def log_evidence(asked: FloatArray, satisfied: FloatArray, p0: float, deff: float) -> FloatArray:
    """[days] ln M after each day of `asked` and `satisfied` sheets [days], against shares below `p0` in 0..1.

    Day by day: what each q has gathered, and the weight of a fall that begins that day, times the day's ratio."""
    q = p0 * (np.arange(GRID) + 0.5) / GRID
    bad = asked - satisfied
    ratio = (xlogy(satisfied[:, None], q / p0) + xlog1py(bad[:, None], -q) - xlog1py(bad[:, None], -p0)) / deff
    gathered = np.full(GRID, -np.inf)
    found = np.empty(asked.size)
    for day, step in enumerate(ratio, start=1):
        gathered = np.logaddexp(gathered, -np.log(day * (day + 1.0))) + step
        found[day - 1] = logsumexp(np.append(gathered - np.log(GRID), -np.log(day + 1.0)))
    return found


def lower_end(satisfied: float, asked: float, deff: float, alpha: float) -> float:
    """One-sided lower end of a share at 1 - alpha (Clopper, Pearson 1934, at the effective number of sheets)."""
    good, bad = satisfied / deff, (asked - satisfied) / deff
    return float(beta.ppf(alpha, good, bad + 1.0)) if good > 0 else 0.0
