"""Decision 766/QĐ-TTg, satisfaction group: the score of a unit from its counts, and what the counts can carry.

Three parts of 6 points: petitions answered in time, petitions answered well (neither disliked nor repeated nor late),
dossiers without fault (neither late nor with a petition or a dislike), of which 90 % earn the whole. Published to two
decimals. Without petitions both parts score 6, without dossiers theirs scores 0: so published, and *not measured*.

The interval is that of the service behind the counts, as if each petition and dossier were drawn from it: Wilson's for
each share, carried through the formula. A part that is not measured may be anything, 0 to 6. Sums and differences
combine by MOVER (Zou, Donner 2008, Statistics in Medicine 27), the two parts on the same petitions as if they moved
together, which is never too narrow. Dossiers of one day hang together: the true uncertainty is rather larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.intervals import LEVEL, wilson
from calibration.ranks import RankSet
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
POINTS: Final = 6
FULL_SHARE: Final = Fraction(9, 10)
"""Share of dossiers without fault that earns all points."""
PARTS: Final = ("dossiers", "in_time", "good")


@dataclass(frozen=True, slots=True)
class Counts:
    """A unit's counts in a period. `dossiers_good`: neither late nor with a petition or a dislike. `petitions_in_time`,
    `petitions_good`: answered in time; neither disliked nor repeated nor late. Raises `StatisticsError` for a negative
    count, or a part that is larger than its whole."""

    dossiers: int = 0
    dossiers_good: int = 0
    petitions: int = 0
    petitions_in_time: int = 0
    petitions_good: int = 0

    def __post_init__(self) -> None:
        if min(self.astuple()) < 0:
            raise StatisticsError(Message("A count is negative."))
        if self.dossiers_good > self.dossiers:
            raise StatisticsError(Message("More dossiers without fault than dossiers."))
        if max(self.petitions_in_time, self.petitions_good) > self.petitions:
            raise StatisticsError(Message("More petitions answered in time, or well, than petitions."))

    def astuple(self) -> tuple[int, ...]:
        """The counts in the order of the fields."""
        return tuple(getattr(self, one.name) for one in fields(self))

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self.astuple(), other.astuple(), strict=True)))

    def of(self, part: str) -> tuple[int, int]:
        """(good, all) of a part."""
        match part:
            case "dossiers":
                return self.dossiers_good, self.dossiers
            case "in_time":
                return self.petitions_in_time, self.petitions
            case "good":
                return self.petitions_good, self.petitions
        raise ValueError(part)


@dataclass(frozen=True, slots=True)
class Points:
    """Points with what the counts support: `low`..`high` hold `exact`; not `measured` where the denominator is zero."""

    exact: Fraction
    low: float
    high: float
    measured: bool = True

    @property
    def published(self) -> float:
        """To two decimals, halves up."""
        value = Decimal(self.exact.numerator) / Decimal(self.exact.denominator)
        return float(value.quantize(Decimal("0.01"), ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Score:
    """The satisfaction group of a unit: three parts of 0 to 6 points, and their sum of 0 to 18."""

    counts: Counts
    dossiers: Points
    in_time: Points
    good: Points

    @property
    def parts(self) -> dict[str, Points]:
        """The parts by name."""
        return {name: getattr(self, name) for name in PARTS}

    @property
    def measured(self) -> bool:
        """Whether no denominator is zero."""
        return all(part.measured for part in self.parts.values())

    @property
    def total(self) -> Points:
        """The sum, with the interval that the counts support."""
        exact = sum((part.exact for part in self.parts.values()), Fraction())
        below, above = self._reach()
        return Points(exact, max(0.0, float(exact) - below), min(3.0 * POINTS, float(exact) + above), self.measured)

    def _reach(self) -> tuple[float, float]:
        """How far the sum may lie below and above (MOVER)."""
        down = {name: float(part.exact) - part.low for name, part in self.parts.items()}
        up = {name: part.high - float(part.exact) for name, part in self.parts.items()}
        return (
            math.hypot(down["dossiers"], down["in_time"] + down["good"]),
            math.hypot(up["dossiers"], up["in_time"] + up["good"]),
        )


def points_of(part: str, good: int, count: int) -> Fraction:
    """Points of a part, exact."""
    if count == 0:
        return Fraction(0 if part == "dossiers" else POINTS)
    share = Fraction(good, count)
    return POINTS * min(Fraction(1), share / FULL_SHARE if part == "dossiers" else share)


def score(counts: Counts, level: float = LEVEL) -> Score:
    """The score of a unit, with intervals at `level`."""
    return Score(counts, *(_part(name, *counts.of(name), level) for name in PARTS))


def _part(name: str, good: int, count: int, level: float) -> Points:
    exact = points_of(name, good, count)
    if count == 0:
        return Points(exact, 0.0, float(POINTS), measured=False)
    low, high = wilson(good / count, count, level=level)
    top = float(FULL_SHARE) if name == "dossiers" else 1.0
    value = float(exact)
    bounds = (min(value, POINTS * min(1.0, float(low) / top)), max(value, POINTS * min(1.0, float(high) / top)))
    return Points(exact, *bounds)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two units by position, the higher score first, whose order the counts do not support. `difference`: points."""

    higher: int
    lower: int
    difference: float


@dataclass(frozen=True, slots=True)
class Order:
    """What may be said of the order of units: rank sets, and the pairs of which nothing may be said. `pairs`: all
    there are."""

    sets: tuple[RankSet, ...]
    unsupported: tuple[Pair, ...]
    pairs: int


def order(counts: Sequence[Counts], names: Sequence[str], level: float = LEVEL) -> Order:
    """Rank sets of units, 1 the highest score, and the unsupported pairs, the widest apart first.

    Every statement "this one stands higher" holds at once with probability `level`: Bonferroni over the pairs, each
    difference by MOVER with Wilson's bounds at that level."""
    p = len(counts)
    pairs = p * (p - 1) // 2
    if p == 0:
        return Order((), (), 0)
    scores = [score(one, 1 - (1 - level) / max(1, pairs)) for one in counts]
    value = np.array([float(one.total.exact) for one in scores])
    reach = np.array([one._reach() for one in scores])
    difference = value[:, None] - value[None, :]
    above = difference > np.hypot(reach[:, 0][:, None], reach[:, 1][None, :])
    best, worst = 1 + above.sum(axis=0), p - above.sum(axis=1)
    open_pairs = [
        Pair(i, j, float(difference[i, j]))
        for i in range(p)
        for j in range(p)
        if not above[i, j] and (difference[i, j] > 0 or (difference[i, j] == 0 and i < j))
    ]
    return Order(
        tuple(RankSet(name, int(b), int(w), p) for name, b, w in zip(names, best, worst, strict=True)),
        tuple(sorted(open_pairs, key=lambda pair: (-pair.difference, pair.higher, pair.lower))),
        pairs,
    )


@dataclass(frozen=True, slots=True)
class Move:
    """Something that would have moved the score. `what`: `late_petitions` (answered too late, or not), `bad_petitions`
    (disliked or repeated), `dossiers` (late, or with a petition or a dislike). `count`: of them, so many that the part
    is full; `gain`: points for all of them."""

    what: str
    count: int
    gain: float

    @property
    def each(self) -> float:
        """Points for one of them."""
        return self.gain / self.count


def moves(counts: Counts, whole: Counts | None = None) -> list[Move]:
    """What would move a unit's score most, the largest gain first; with `whole`, that of the province it belongs to.

    A late petition counts against both parts of petitions."""
    whole = whole or counts
    found = []
    late = counts.petitions - counts.petitions_in_time
    bad = counts.petitions - counts.petitions_good - late
    if late:
        both = late + min(late, counts.petitions - counts.petitions_good)
        found.append(Move("late_petitions", late, POINTS * both / whole.petitions))
    if bad > 0:
        found.append(Move("bad_petitions", bad, POINTS * bad / whole.petitions))
    needed = math.ceil(FULL_SHARE * whole.dossiers) - whole.dossiers_good
    faults = counts.dossiers - counts.dossiers_good
    if (count := min(needed, faults)) > 0:
        reached = points_of("dossiers", whole.dossiers_good + count, whole.dossiers)
        gain = reached - points_of("dossiers", whole.dossiers_good, whole.dossiers)
        found.append(Move("dossiers", count, float(gain)))
    return sorted(found, key=lambda move: -move.gain)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The score at the period's end: the middle and the interval of what may come. 0 to 18."""

    middle: float
    low: float
    high: float


def forecast(
    so_far: Counts,
    elapsed: float,
    earlier: Sequence[Counts] = (),
    *,
    open_petitions: int = 0,
    level: float = LEVEL,
    seed: int = 0,
    draws: int = 4_000,
) -> Forecast:
    """The running month's score from what is known so far and the months before it.

    `elapsed`: share of the month's working days that are over, 0 to 1. `open_petitions`: received and not yet due: they
    will be answered one way or another. What is still to come is drawn: how many from the pace so far and the earlier
    months, how well from a beta distribution whose spread is that of the earlier months' shares around their mean (so
    a unit whose months differ is forecast more widely), learnt further from this month. Simulated coverage:
    `tests/calibration/test_decision766.py`."""
    if not 0 <= elapsed <= 1:
        raise StatisticsError(Message("The part of a month that is over is 0 to 1."))
    rng = np.random.default_rng(seed)
    if elapsed == 1 and not open_petitions:
        exact = float(score(so_far).total.exact)
        return Forecast(exact, exact, exact)
    dossiers = _to_come(so_far.dossiers, [one.dossiers for one in earlier], elapsed, draws, rng)
    petitions = _to_come(so_far.petitions + open_petitions, [one.petitions for one in earlier], elapsed, draws, rng)
    petitions += open_petitions
    good = _drawn(so_far, earlier, "dossiers", dossiers, rng)
    in_time = _drawn(so_far, earlier, "in_time", petitions, rng)
    # of those in time, some are disliked or repeated: what is good is part of what is in time
    well = _share(
        [(min(one.petitions_good, one.petitions_in_time), one.petitions_in_time) for one in earlier],
        (min(so_far.petitions_good, so_far.petitions_in_time), so_far.petitions_in_time),
        draws,
        rng,
    )
    fine = rng.binomial(in_time, well)
    all_dossiers, all_petitions = so_far.dossiers + dossiers, so_far.petitions + petitions
    share = np.divide(so_far.dossiers_good + good, all_dossiers, out=np.zeros(draws), where=all_dossiers > 0)
    total = POINTS * np.minimum(1.0, share / float(FULL_SHARE))
    for known, coming in ((so_far.petitions_in_time, in_time), (so_far.petitions_good, fine)):
        total += POINTS * np.divide(known + coming, all_petitions, out=np.ones(draws), where=all_petitions > 0)
    low, middle, high = np.quantile(total, [(1 - level) / 2, 0.5, (1 + level) / 2])
    return Forecast(float(middle), float(low), float(high))


def _to_come(
    so_far: int, earlier: Sequence[int], elapsed: float, draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Counts [draws] of the rest of the month. The month's mean is gamma: a month's worth of trust in the earlier
    months' mean, and in this month as much as is over; months vary as the earlier ones did."""
    usual = [count for count in earlier if count > 0]
    mean = float(np.mean(usual)) if usual else so_far / elapsed if elapsed else 0.0
    if mean <= 0:
        return np.zeros(draws, dtype=np.int64)
    pace = so_far / elapsed if elapsed else mean
    expected = (mean + elapsed * 4 * pace) / (1 + elapsed * 4)
    spread = float(np.var(usual, ddof=1)) if len(usual) > 2 else (0.25 * mean) ** 2 + mean
    relative = max(spread / mean**2, 1 / mean) / (1 + elapsed * 4)
    rate = rng.gamma(1 / relative, expected * relative, draws)
    return np.asarray(rng.poisson(rate * (1 - elapsed)), dtype=np.int64)


def _drawn(
    so_far: Counts, earlier: Sequence[Counts], part: str, coming: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    share = _share([one.of(part) for one in earlier], so_far.of(part), len(coming), rng)
    return np.asarray(rng.binomial(coming, share), dtype=np.int64)


def _share(
    earlier: Sequence[tuple[int, int]], so_far: tuple[int, int], draws: int, rng: np.random.Generator
) -> FloatArray:
    """Shares [draws] of this month's rest: a beta prior with the earlier months' mean and spread, then this month."""
    months = [(good, count) for good, count in earlier if count > 0]
    good, count = (sum(one[0] for one in months), sum(one[1] for one in months))
    mean = (good + 1) / (count + 2)
    weight = 4.0
    if len(months) > 2:
        shares = np.array([g / n for g, n in months])
        sizes = np.array([n for _, n in months], dtype=np.float64)
        between = float(np.var(shares, ddof=1)) - mean * (1 - mean) * float(np.mean(1 / sizes))
        weight = float(np.clip(mean * (1 - mean) / max(between, 1e-6) - 1, 2.0, 400.0))
    a, b = mean * weight, (1 - mean) * weight
    # days of this month hang together: its counts weigh as those of a month at most, never as their number
    known = min(float(so_far[1]), weight)
    part = so_far[0] / so_far[1] if so_far[1] else 0.0
    return np.asarray(rng.beta(a + part * known, b + (1 - part) * known, draws))
