"""Has the curve's meaning changed? Slopes of satisfied over the levels, period by period, within agencies.

A curve that was learnt from months which no longer hold would correct in the wrong direction. Two guards:

- *forgetting*: earlier periods are split into newer and older ones where their slopes differ most; where the difference
  is beyond chance (1 % over all splits) the older ones are forgotten, and so on with the rest;
- *contradiction*: where the pairs of this period, of the whole group together, lie far below the slope of the periods
  that the curve rests on, the curve is not used: nothing is fused and nothing corrected.

Whether one agency's own pairs contradict is seen by the efficiency estimator (`Verdict.MISLEADS`); a group's pairs show
it at a tenth of the answers an agency would need. Heights do not matter, as each agency's own mean is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from calibration.bounded import CAP, CLIP, MINIMUM_BOXES, bounded_ratio, ratios_without_each, weighted_median
from calibration.tables import SEEN_LEVELS, EvidenceTable

FORGETTING_P: Final = 0.01
CONTRADICTION_Z: Final = 2.5
SLOPE_SD: Final = 0.02
"""How far honest boxes' slopes are taken to lie apart (satisfied by level; a counter of 85 % has about .07)."""
_SCORES: Final = np.arange(SEEN_LEVELS, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Slope:
    """Of satisfied over the level, by least squares within agencies: numerator, denominator and numerator's variance.
    They add up over agencies and periods."""

    numerator: float = 0.0
    denominator: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, table: EvidenceTable) -> Slope:
        """Of one agency's (pooled) table in one period."""
        counts = table.counts[:SEEN_LEVELS].astype(np.float64)
        rated, satisfied = counts[:, 1] + counts[:, 2], counts[:, 2]
        kept = np.maximum(rated, 0.0)
        total = float(kept.sum())
        if total < 2:
            return cls()
        centred = _SCORES - float(_SCORES @ kept) / total
        share = float(np.clip((satisfied.sum() + 1) / (rated.sum() + 2), 0.02, 0.98)) if rated.sum() > 0 else 0.5
        spread = float((kept * centred**2).sum())
        noise = table.cell_variance * float((centred**2).sum()) * ((1 - share) ** 2 + share**2)
        return cls(float(centred @ (satisfied - share * rated)), spread, share * (1 - share) * spread + noise)

    def __add__(self, other: Slope) -> Slope:
        return Slope(
            self.numerator + other.numerator, self.denominator + other.denominator, self.variance + other.variance
        )

    def differs(self, other: Slope) -> float:
        """Standard errors by which this slope lies above the other; 0 where one of them is not known."""
        if self.denominator <= 0 or other.denominator <= 0:
            return 0.0
        gap = self.numerator / self.denominator - other.numerator / other.denominator
        error = math.sqrt(self.variance / self.denominator**2 + other.variance / other.denominator**2)
        return gap / max(error, 1e-12)


def added(slopes: Sequence[Slope]) -> Slope:
    """All together."""
    total = Slope()
    for slope in slopes:
        total = total + slope
    return total


def bounded_sum(slopes: NDArray[np.float64]) -> Slope:
    """All boxes' together, so that no single one of three or more moves it far (`calibration.bounded`).

    `slopes` [boxes, 3]: numerator, denominator > 0 and variance of each."""
    if len(slopes) < MINIMUM_BOXES:
        return added([Slope(*map(float, of_box)) for of_box in slopes])
    numerator, denominator, variance = slopes.T
    scale = np.minimum(1.0, CAP * np.median(denominator) / denominator)
    numerator, denominator, variance = numerator * scale, denominator * scale, variance * scale
    start = weighted_median((numerator / denominator)[:, None], denominator[:, None])
    spread = variance + (SLOPE_SD * denominator) ** 2
    held, _ = bounded_ratio(numerator[:, None], denominator[:, None], spread[:, None], start)
    return Slope(float(held.sum()), float(denominator.sum()), float(variance.sum()))


def bounded_sums_without(slopes: NDArray[np.float64]) -> list[Slope]:
    """`bounded_sum` without each of the boxes in turn, in time that grows with boxes and not with their square.

    `slopes` [boxes, 3], as there. Without a box the median one is one of three, so that the others' caps are too."""
    boxes = len(slopes)
    if boxes <= MINIMUM_BOXES:
        return [bounded_sum(np.delete(slopes, row, axis=0)) for row in range(boxes)]
    order = np.argsort(slopes[:, 1], kind="stable")
    ranked, rank = slopes[order, 1], np.argsort(order, kind="stable")
    # of those left, in order, the one or two in the middle
    middle = [ranked[place + (place >= rank)] for place in ((boxes - 2) // 2, (boxes - 1) // 2)]
    median = (middle[0] + middle[1]) / 2
    found: list[Slope] = [Slope()] * boxes
    for each in np.unique(median):
        numerator, denominator, variance = slopes.T * np.minimum(1.0, CAP * each / slopes[:, 1])
        rows = np.flatnonzero(median == each)
        held = CLIP * np.sqrt(variance + (SLOPE_SD * denominator) ** 2)
        sums = ratios_without_each(numerator, denominator, held, rows)
        for row, top in zip(rows.tolist(), sums.tolist(), strict=True):
            rest = float(denominator.sum() - denominator[row]), float(variance.sum() - variance[row])
            found[row] = Slope(top, *rest)
    return found


def periods_that_hold(slopes: Sequence[Slope]) -> int:
    """How many of the last periods (oldest first) tell one story; the others are to be forgotten. At least one."""
    kept = len(slopes)
    while kept > 1:
        newest = slopes[-kept:]
        gaps = [abs(added(newest[cut:]).differs(added(newest[:cut]))) for cut in range(1, kept)]
        worst = int(np.argmax(gaps))
        if gaps[worst] <= -float(ndtri(FORGETTING_P / 2 / len(gaps))):
            break
        kept -= worst + 1
    return kept


def contradicted(now: Slope, before: Slope) -> bool:
    """Whether this period's pairs lie far below what the curve rests on."""
    return now.differs(before) < -CONTRADICTION_Z
