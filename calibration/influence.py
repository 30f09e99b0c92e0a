"""Leave one box out: on how many boxes a figure rests, and how far any one of them could have moved it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.bounded import MINIMUM_BOXES
from calibration.correction import correction_arrays
from calibration.curves import GroupHistory
from calibration.days import DayCorrelation
from calibration.fuse import Fused, Settings
from calibration.months import AgencyMonth
from calibration.reasons import Reason, Why
from calibration.units import units_of
from calibration.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Support:
    """What an agency's curve rests on. `own`: on its own boxes alone, as the group has no majority.

    `shift`: largest move of the corrected share (0..1) when one box is left out, and `box`: which; None where nothing
    is corrected, or nothing can be left out."""

    boxes: int
    own: bool
    shift: float | None = None
    box: str = ""

    @property
    def reason(self) -> Reason:
        """For the estimates that use the curve."""
        if self.shift is None or self.boxes < MINIMUM_BOXES:
            return Reason.of(Why.FEW_BOXES, boxes=self.boxes)
        return Reason.of(Why.RESTS_ON, boxes=self.boxes, points=f"{100 * self.shift:.1f}")


def support_of(
    month: AgencyMonth, history: GroupHistory, fused: Fused, days: DayCorrelation, settings: Settings
) -> Support:
    """What an agency's figures of the period rest on, by doing without each box in turn.

    A box of the agency itself is among them: it may move its own agency's curve too, though not its own answers."""
    used = history.curve_of(month.agency)
    own = not history.has_majority
    if own or fused.correction is None or used.boxes < MINIMUM_BOXES:
        return Support(used.boxes, own)
    names = list(history.left_out)
    curves = history.whole_and_left_out
    total, shares = 0.0, np.zeros(len(names) + 1)
    for unit in units_of(month, days):
        if unit.cells is not None and unit.n > 0 and unit.weight > 0:
            found = correction_arrays(
                unit.cells, curves, unit.n, unit.k, effect=unit.effect, estimand=settings.estimand, level=settings.level
            )
            shares += unit.weight * found.estimate
            total += unit.weight
    if total <= 0:
        return Support(used.boxes, own)
    moves = np.abs(shares[1:] - shares[0]) / total
    furthest = int(np.argmax(moves))
    return Support(used.boxes, own, float(moves[furthest]), names[furthest])


def with_support(fused: Fused, support: Support) -> Fused:
    """The estimates that use the curve, saying what it rests on."""
    efficiency, correction = fused.efficiency, fused.correction
    if efficiency.verdict in (Verdict.HELPED, Verdict.NOT_AT_RANDOM):
        efficiency = replace(efficiency, reasons=(*efficiency.reasons, support.reason))
    if correction is not None:
        estimate = replace(correction.estimate, reasons=(*correction.estimate.reasons, support.reason))
        correction = replace(correction, estimate=estimate)
    return Fused(fused.explicit, efficiency, correction)
