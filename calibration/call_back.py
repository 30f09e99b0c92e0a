"""A call-back of those who did not answer: the one remedy against response by satisfaction itself.

Where satisfied people answer more readily, every figure is too high, and no data of those who answered can tell. A
small random sample of the others is called (double sampling). In every agency the odds of being satisfied among those
who answered are `ratio` times the odds among those who did not; one ratio for the province is estimated from agencies'
two-by-two tables (Mantel and Haenszel: consistent however thin they are, with Robins, Breslow and Greenland's variance)
and mends all figures:

    theta_i = r_i p_i + (1 - r_i) q_i,   logit q_i = logit p_i - ln ratio,   r_i = answered / asked.

In q_i stands an agency's p_i beside those of the others (`hierarchical_shares`).

The uncertainty of the ratio is common to all agencies: it stays in the province's figure however many these are. The
covariance of p_i and the ratio is left out; it would narrow the interval.

Of few calls hardly any reach somebody dissatisfied: the ratio's interval is then the exact conditional one (mid-p), and
the figures' ends follow the ratio's own ends, which lie unevenly about it.

Whether those who were *not* reached are like those who were, no figure here tells. `CalledBack.between` assumes less:
the odds of being satisfied of those reached are at most `beyond` times those of the others, or the others' that of
theirs. Left open by itself, `beyond` is the ratio that was found (or its inverse), at least `MIN_BEYOND`: those whom
the calls did not reach may differ from the reached as much as these do from those who answered by themselves.

Assumes that the ratio is about the same everywhere; a test would need far more calls. Sources: Hansen, Hurwitz 1946
(double sampling); Mantel, Haenszel 1959; Robins, Breslow, Greenland 1986; Mehta, Patel, Gray 1985 (exact ends); Zou,
Donner 2008 (uneven ends); Lin, Schaeffer 1995 (how those never reached differ); Manski 1990.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from calibration.intervals import LEVEL, normal_quantile, wilson
from calibration.small_areas import FEWEST_AREAS, hierarchical_shares
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
MAX_EXACT: Final = 1_000
"""People reached up to whom the ratio's ends are exact."""
MIN_BEYOND: Final = 2.0
"""Odds ratio of those reached over those not reached that is always left open, either way."""
REACHED: Final = 0.6
"""Share of those called who are reached, where it is not told."""
FAR: Final = 12.0
"""Logarithm beyond the ratio where its exact ends are sought: no further where all reached answered alike."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Odds of being satisfied among those who answered over those who did not, with `error` of its logarithm.

    `chances` of each number of satisfied people reached, the margins given, were the ratio the one found; and `seen`,
    the place of the number that was: of few calls."""

    ratio: float
    error: float
    chances: FloatArray | None = None
    seen: int = 0

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """(low, high) of the ratio."""
        if self.chances is None:
            half = normal_quantile(level) * self.error
            return self.ratio * math.exp(-half), self.ratio * math.exp(half)
        number = np.arange(len(self.chances))

        def short(away: float, up: bool) -> bool:
            """Whether what was seen, or more (less) of it, has less than its share of chance there."""
            assert self.chances is not None
            log = np.log(np.maximum(self.chances, 1e-300)) - away * number
            chance = np.exp(log - log.max())
            beyond = chance[self.seen + 1 :] if up else chance[: self.seen]
            return float(beyond.sum() + chance[self.seen] / 2) < (1 - level) / 2 * float(chance.sum())

        ends = []
        for sign in (-1.0, 1.0):
            near, far = 0.0, FAR
            for _ in range(50):
                middle = (near + far) / 2
                near, far = (near, middle) if short(sign * middle, sign > 0) else (middle, far)
            ends.append(self.ratio * math.exp(sign * far))
        return ends[0], ends[1]


@dataclass(frozen=True, slots=True)
class CalledBack:
    """Shares in 0..1 [agencies] with `error`, `low`, `high`; `plain`: of those who answered.

    `province`: (estimate, low, high, plain), agencies weighted by those asked or as told."""

    ratio: Ratio
    estimate: FloatArray
    error: FloatArray
    low: FloatArray
    high: FloatArray
    plain: FloatArray
    province: tuple[float, float, float, float]
    beyond: float
    between: tuple[float, float]
    """(low, high) of the province if those not reached differ from the reached by up to `beyond`, either way."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a call-back brings and costs at most, known before a call is made. Standard errors in shares.

    `before`: of the province's figure now, right only if response does not depend on satisfaction. `after`: of the
    corrected one, right in either case. `pays_beyond`: bias (share) from which on the corrected figure is nearer the
    truth."""

    calls: int
    reached: int
    before: float
    after: float

    @property
    def pays_beyond(self) -> float:
        """sqrt(after^2 - before^2)."""
        return math.sqrt(max(self.after**2 - self.before**2, 0.0))


def odds_ratio(satisfied: ArrayLike, answered: ArrayLike, called_satisfied: ArrayLike, called: ArrayLike) -> Ratio:
    """Mantel and Haenszel's ratio over agencies [m]; half an answer of each kind is added to the whole so that it is
    finite. Raises `StatisticsError` where nobody was reached or nobody answered."""
    a, n = np.asarray(satisfied, dtype=np.float64), np.asarray(answered, dtype=np.float64)
    c, m = np.asarray(called_satisfied, dtype=np.float64), np.asarray(called, dtype=np.float64)
    if not a.shape == n.shape == c.shape == m.shape or np.any((a < 0) | (c < 0) | (a > n) | (c > m)):
        raise StatisticsError(Message("A call-back: satisfied and all answers of every agency, none larger than all."))
    both = (n > 0) & (m > 0)
    if not both.any():
        raise StatisticsError(Message("A call-back needs agencies with answers and with people reached."))
    a, b, c, d = a[both], (n - a)[both], c[both], (m - c)[both]
    total = a + b + c + d
    up, down = a * d / total, b * c / total
    p, q = (a + d) / total, (b + c) / total
    r, s = float(up.sum()) + 0.25, float(down.sum()) + 0.25
    variance = (
        float((p * up).sum()) / (2 * r**2)
        + float((p * down + q * up).sum()) / (2 * r * s)
        + float((q * down).sum()) / (2 * s**2)
    )
    found = Ratio(r / s, math.sqrt(variance))
    return found if (c + d).sum() > MAX_EXACT else _exact(found, a, b, c, d)


def _exact(found: Ratio, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Ratio:
    """With the chances of the satisfied people reached, all margins of all tables given (noncentral hypergeometric)."""
    chances, least = np.ones(1), 0
    for answered, called, liked in zip(a + b, c + d, a + c, strict=True):
        number = np.arange(max(0.0, liked - answered), min(liked, called) + 1)
        rest = liked - number
        log = -gammaln(number + 1) - gammaln(called - number + 1) - gammaln(rest + 1) - gammaln(answered - rest + 1)
        log -= number * math.log(found.ratio)
        chances = np.convolve(chances, np.exp(log - log.max()))
        chances, least = chances / chances.max(), least + int(number[0])
    return Ratio(found.ratio, found.error, chances, round(float(c.sum())) - least)


def corrected(
    asked: ArrayLike,
    satisfied: ArrayLike,
    answered: ArrayLike,
    called_satisfied: ArrayLike,
    called: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    design_effect: ArrayLike = 1.0,
    reached: float = REACHED,
    beyond: float | None = None,
    level: float = LEVEL,
) -> CalledBack:
    """Figures of agencies [m]: `asked` >= `answered` >= `satisfied`, and of those reached by call-back `called`.

    `weights` [m]: of the province's figure (default: those asked). `reached`: share of the silent ones called who were
    reached; `beyond`: what is left open about the others, at least 1 (default: see above). Raises as `odds_ratio`."""
    if not 0 < reached <= 1 or (beyond is not None and not beyond >= 1):
        raise StatisticsError(
            Message("A call-back reaches a share of those called, and leaves open odds of 1 or more.")
        )
    ratio = odds_ratio(satisfied, answered, called_satisfied, called)
    n, k = np.asarray(answered, dtype=np.float64), np.asarray(satisfied, dtype=np.float64)
    invited = np.maximum(np.asarray(asked, dtype=np.float64), n)
    rate = np.divide(n, invited, out=np.zeros_like(n), where=invited > 0)
    plain = np.divide(k, n, out=np.full_like(n, np.nan), where=n > 0)
    effect = np.maximum(np.broadcast_to(np.asarray(design_effect, dtype=np.float64), n.shape), 1.0)
    near, unsure = _near(k, n, effect)
    weight = np.where(n > 0, invited if weights is None else np.asarray(weights, dtype=np.float64), 0.0)
    weight = weight / weight.sum()
    chance = effect * near * (1 - near) / np.maximum(n, 1.0)
    ends = ratio.interval(level)

    def shares(of: float, beyond: float) -> tuple[FloatArray, FloatArray]:
        """(Share satisfied [agencies], how that of the silent moves with the answered's) at a ratio."""
        heard = near / (near + of * (1 - near))
        others = heard / (heard + beyond * (1 - heard))
        slope = of / np.square(near + of * (1 - near))
        slope = slope * (reached + (1 - reached) * beyond / np.square(heard + beyond * (1 - heard)))
        return rate * np.nan_to_num(plain) + (1 - rate) * (reached * heard + (1 - reached) * others), slope

    def province(beyond: float) -> tuple[float, float, float]:
        estimate, slope = shares(ratio.ratio, beyond)
        spread = float(np.square(weight) @ (np.square(rate + (1 - rate) * slope) * chance))
        whole, top, bottom = (float(weight @ one) for one in (estimate, *(shares(of, beyond)[0] for of in ends)))
        low, high = _uneven(whole, spread, bottom, top, level)
        return whole, float(low), float(high)

    estimate, slope = shares(ratio.ratio, 1.0)
    own = np.square(rate * np.sqrt(chance) + (1 - rate) * slope * np.sqrt(unsure))
    silent = near / (near + ratio.ratio * (1 - near))
    error = np.sqrt(own + np.square((1 - rate) * silent * (1 - silent) * ratio.error))
    top, bottom = (shares(of, 1.0)[0] for of in ends)
    low, high = _uneven(estimate, own, bottom, top, level)
    if beyond is None:
        beyond = max(ratio.ratio, 1 / ratio.ratio, MIN_BEYOND)
    between = province(beyond)[1], province(1 / beyond)[2]
    whole = (*province(1.0), float(weight @ np.nan_to_num(plain)))
    return CalledBack(ratio, estimate, error, low, high, plain, whole, beyond, between)


def _uneven(
    share: FloatArray | float,
    own: FloatArray | float,
    bottom: FloatArray | float,
    top: FloatArray | float,
    level: float,
) -> tuple[FloatArray, FloatArray]:
    """Ends of a share with a variance of its `own` that also moves between `bottom` and `top` (Zou, Donner)."""
    middle = np.clip(share, 1e-9, 1 - 1e-9)
    low, high = wilson(middle, middle * (1 - middle) / np.maximum(own, 1e-12), level=level)
    return (
        np.maximum(share - np.hypot(share - low, share - bottom), 0.0),
        np.minimum(share + np.hypot(high - share, top - share), 1.0),
    )


def _near(k: FloatArray, n: FloatArray, effect: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share satisfied of those who answered, never 0 or 1, and its variance [agencies]: from which the others' is read.

    Beside those of the other agencies where there are five: half an answer of each kind added to six answers draws an
    agency towards a half, and a province of communes was 4 points too low."""
    some = n > 0
    if some.sum() < FEWEST_AREAS:
        near = (k + 0.5) / (n + 1.0)
        return near, effect * near * (1 - near) / np.maximum(n, 1.0)
    found = hierarchical_shares(k[some], n[some], effect[some])
    near, unsure = np.full_like(n, (k.sum() + 0.5) / (n.sum() + 1.0)), np.zeros_like(n)
    near[some], unsure[some] = found.estimate, found.variance
    return near, unsure


def price(asked: int, answered: int, calls: int, *, share: float = 0.85, reached: float = REACHED) -> Price:
    """Of `calls` in a province with `answered` of `asked`, at a likely `share` satisfied, if response did not depend on
    satisfaction. `reached`: share of calls that are answered."""
    if not 0 < answered <= asked or calls < 1 or not 0 < reached <= 1 or not 0 < share < 1:
        raise StatisticsError(Message("A call-back needs answers, no more than were asked, and at least one call."))
    people = max(1, round(calls * reached))
    spread = share * (1 - share)
    before = math.sqrt(spread / answered)
    # at a ratio of 1: variance of its logarithm, and how far the silent ones' share follows it
    of_ratio = 1.0 / (people * spread) + 1.0 / (answered * spread)
    after = math.sqrt(spread / answered + ((1 - answered / asked) * spread) ** 2 * of_ratio)
    return Price(calls, people, before, after)


def draw_calls(picks: Sequence[Sequence[int]], missing: Sequence[int], calls: int, seed: int) -> list[tuple[int, ...]]:
    """Transactions to call [strata]: `calls` of those asked (`picks`, numbers in the register), in proportion to the
    `missing` forms of each stratum and at random within it, from the seed alone.

    Answers bear no name, so that nobody can tell who among the `picks` did not answer: more are drawn, by asked over
    missing, and the caller asks first. All of the stratum where that is more than it has."""
    wanted = np.asarray(missing, dtype=np.float64)
    if calls < 1 or not wanted.sum() > 0:
        raise StatisticsError(Message("A call-back needs at least one call, and forms that are missing."))
    asked = np.array([len(one) for one in picks], dtype=np.float64)
    share = calls * wanted / wanted.sum() * asked / np.maximum(wanted, 1.0)
    rng = np.random.default_rng(seed)
    sizes = np.minimum(np.floor(share + rng.uniform(size=len(share))), asked).astype(np.int64)
    return [
        tuple(sorted(int(number) for number in rng.choice(np.asarray(one, dtype=np.int64), size=size, replace=False)))
        for one, size in zip(picks, sizes.tolist(), strict=True)
    ]
