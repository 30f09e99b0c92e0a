"""Leave one box out: on how many boxes a figure rests, and how far any one of them could have moved it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.bounded import MINIMUM_BOXES
from calibration.correction import correction_arrays
from calibration.curves import GroupHistory
from calibration.days import DayCorrelation
from calibration.fuse import Fused, Settings
from calibration.months import AgencyMonth
from calibration.reasons import Reason, Why
from calibration.response_curve import CurveArrays, ResponseCurve
from calibration.units import Unit, units_of
from calibration.verdicts import Verdict

FloatArray = NDArray[np.float64]
ONE_BY_ONE: Final = 48
"""Boxes up to which each is left out in earnest."""
AT_ONCE: Final = 6
"""Boxes of a larger group that are left out in earnest at first; then twice as many, and so on."""
TOLERANCE: Final = 1e-5
"""Share by which a box that was not gone through may move a figure further: it is told to a thousandth."""


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
    units = [unit for unit in units_of(month, days) if unit.cells is not None and unit.n > 0 and unit.weight > 0]
    if not units:
        return Support(used.boxes, own)
    furthest, shift = _furthest(history, lambda curves: _shares(units, curves, settings))
    return Support(used.boxes, own, shift, furthest)


def _furthest(history: GroupHistory, shares: Callable[[CurveArrays], FloatArray]) -> tuple[str, float]:
    """(Box, move) of the box without which the share moves furthest; `shares`: corrected with each of some curves.

    Few boxes are gone through one by one. Of many, first those that would move it furthest if the share were linear in
    the curve and the other boxes stayed as they are, and some of all weights; then more, until the next one, by twice
    the largest error that was found in such an estimate, could not move it further by a thousandth of a point."""
    names = history.box_names
    whole = float(shares(_stacked([history.whole]))[0])
    moves: dict[int, float] = {}

    def go_through(boxes: Iterable[int]) -> None:
        curves = {box: history.without(names[box]) for box in dict.fromkeys(boxes) if box not in moves}
        by_rows: dict[int, list[int]] = defaultdict(list)
        for box, curve in curves.items():
            by_rows[len(curve.share)].append(box)
        for alike in by_rows.values():
            found = shares(_stacked([curves[box] for box in alike]))
            moves.update((box, float(share) - whole) for box, share in zip(alike, found, strict=True))

    if len(names) <= ONE_BY_ONE:
        go_through(range(len(names)))
    else:
        curves = history.nearly_without_each
        about = _linear(curves, shares) - whole
        order = np.argsort(-np.abs(about), kind="stable")
        by_weight = np.argsort(np.abs(curves.fitted[1:] - curves.fitted[0]).sum(axis=-1), kind="stable")
        of_all_weights = by_weight[np.linspace(0, len(names) - 1, AT_ONCE).astype(int)].tolist()
        further = AT_ONCE
        while True:
            go_through([*of_all_weights, *order[:further].tolist()])
            error = 2 * max(abs(move - about[box]) for box, move in moves.items())
            rest = order[further:]
            if not len(rest) or abs(about[rest[0]]) + error <= max(map(abs, moves.values())) + TOLERANCE:
                break
            further *= 2
    # the first of those that move it as far, as if gone through in their order
    furthest = max(sorted(moves), key=lambda box: abs(moves[box]))
    return names[furthest], abs(moves[furthest])


def _linear(curves: CurveArrays, shares: Callable[[CurveArrays], FloatArray]) -> FloatArray:
    """[curves - 1] share with each but the first of `curves`, taken as linear in the curve about the first one."""
    parts = np.concatenate([curves.fitted, curves.fitted_variance], axis=-1)
    away = parts[1:] - parts[0]
    step = np.abs(away).max(axis=0)
    size = len(step)
    points = np.repeat(parts[:1], 1 + 2 * size, axis=0)
    points[1 : 1 + size] += np.diag(step)
    points[1 + size :] -= np.diag(step)
    rows = curves.fitted.shape[-1]
    at = _at(curves, np.zeros(len(points), dtype=int))
    found = shares(replace(at, fitted=points[:, :rows], fitted_variance=np.maximum(points[:, rows:], 0.0)))
    slope = (found[1 : 1 + size] - found[1 + size :]) / np.maximum(2 * step, 1e-12)
    return np.asarray(found[0] + away @ slope)


def _shares(units: Sequence[Unit], curves: CurveArrays, settings: Settings) -> FloatArray:
    """[curves] corrected share of the units together."""
    total, shares = 0.0, np.zeros(len(curves.mean))
    for unit in units:
        assert unit.cells is not None
        found = correction_arrays(
            unit.cells, curves, unit.n, unit.k, effect=unit.effect, estimand=settings.estimand, level=settings.level
        )
        shares = shares + unit.weight * found.estimate
        total += unit.weight
    return shares / total


def _at(curves: CurveArrays, rows: NDArray[np.intp]) -> CurveArrays:
    return CurveArrays(*(getattr(curves, part.name)[rows] for part in fields(CurveArrays)))


def _stacked(curves: Sequence[ResponseCurve]) -> CurveArrays:
    """Curves of as many rows over one leading axis."""
    arrays = [curve.arrays() for curve in curves]
    return CurveArrays(*(np.array([getattr(one, part.name) for one in arrays]) for part in fields(CurveArrays)))


def with_support(fused: Fused, support: Support) -> Fused:
    """The estimates that use the curve, saying what it rests on."""
    efficiency, correction = fused.efficiency, fused.correction
    if efficiency.verdict in (Verdict.HELPED, Verdict.NOT_AT_RANDOM):
        efficiency = replace(efficiency, reasons=(*efficiency.reasons, support.reason))
    if correction is not None:
        estimate = replace(correction.estimate, reasons=(*correction.estimate.reasons, support.reason))
        correction = replace(correction, estimate=estimate)
    return Fused(fused.explicit, efficiency, correction)
