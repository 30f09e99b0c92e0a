"""The curves of a province's groups of agencies: from which months and boxes, and how far they lean on any one box.

A curve is learnt from periods that ended before the one that is asked for, the latest `HISTORY_MONTHS` of each agency,
less those that no longer hold (`calibration.staleness`). Boxes of every agency of the group stand behind it, so what is
said of it must hold whichever one box was invented (`calibration.bounded`):

- its shares are bounded over boxes, and so are the slopes by which months are forgotten and a period is contradicted;
- months are forgotten, and a group's period is contradicted, only if that holds whichever box is left out;
- fewer than three boxes of several agencies have no majority: each agency is given the curve of its own boxes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from calibration.bounded import MINIMUM_BOXES
from calibration.months import AgencyMonth
from calibration.ratings import TABLET, totals
from calibration.response_curve import MINIMUM_PAIRS, BoxTables, CurveArrays, ResponseCurve, learn_curve
from calibration.staleness import Slope, bounded_sum, bounded_sums_without, contradicted, periods_that_hold
from calibration.tables import EvidenceTable, added_up
from pipeline.calendar import DayRange

HISTORY_MONTHS: Final = 12
"""Earlier periods of an agency that a curve is learnt from: older ones may have drifted away."""


def named_tables(month: AgencyMonth) -> list[EvidenceTable]:
    """The month's tables; one that names no box is its agency's."""
    return [table if table.box else replace(table, box=f"of {month.agency}") for table in month.tables]


def _covered(months: Iterable[AgencyMonth]) -> tuple[int, int]:
    """(rated, satisfied) of tablet ratings whose visits are in the months' tables."""
    strata = [s for m in months for s in m.strata if m.shared_tables or s.tables]
    pairs = [totals(stratum.ratings, TABLET) for stratum in strata]
    return sum(n for n, _ in pairs), sum(k for _, k in pairs)


class _Slopes:
    """The months' slopes by box, of boxes with any; a box of several agencies is added up."""

    def __init__(self, months: Iterable[AgencyMonth]) -> None:
        tables: dict[str, list[EvidenceTable]] = defaultdict(list)
        for month in months:
            for table in named_tables(month):
                tables[table.box].append(table)
        slopes = {box: Slope.of(added_up(of_box)) for box, of_box in tables.items()}
        known = {box: slope for box, slope in slopes.items() if slope.denominator > 0}
        self.boxes = tuple(slopes)
        self._row = {box: row for row, box in enumerate(known)}
        self._sums = np.array([(s.numerator, s.denominator, s.variance) for s in known.values()]).reshape(-1, 3)

    def without(self, left_out: str | None) -> Slope:
        """All boxes' together, but for one."""
        row = self._row.get(left_out) if left_out is not None else None
        return self._whole if row is None else self._without_each[row]

    @cached_property
    def _whole(self) -> Slope:
        return bounded_sum(self._sums)

    @cached_property
    def _without_each(self) -> list[Slope]:
        return bounded_sums_without(self._sums)


def _each_left_out(boxes: Iterable[str]) -> list[str | None]:
    """None (no box left out) and, where a majority remains to judge by, every box."""
    every = sorted(set(boxes))
    return [None, *every] if len(every) >= MINIMUM_BOXES else [None]


@dataclass(frozen=True)
class GroupHistory:
    """A group's months that its curve rests on, and the period's own."""

    group: str
    earlier: tuple[AgencyMonth, ...]
    current: tuple[AgencyMonth, ...]
    minimum_pairs: int

    @cached_property
    def boxes(self) -> dict[str, frozenset[str]]:
        """Box -> the agencies that it sent for in the earlier months."""
        found: dict[str, set[str]] = defaultdict(set)
        for month in self.earlier:
            for table in named_tables(month):
                found[table.box].add(month.agency)
        return {box: frozenset(agencies) for box, agencies in sorted(found.items())}

    @cached_property
    def _tables(self) -> BoxTables:
        return BoxTables([table for month in self.earlier for table in named_tables(month)])

    def _learnt(self, months: Sequence[AgencyMonth], tables: BoxTables, left_out: str | None = None) -> ResponseCurve:
        # without one box the exact totals are no longer those of the same visits
        rated, satisfied = _covered(months) if left_out is None else (None, None)
        return learn_curve(
            tables,
            self.group,
            left_out=left_out,
            rated=rated,
            satisfied=satisfied,
            minimum_pairs=self.minimum_pairs,
        )

    @cached_property
    def whole(self) -> ResponseCurve:
        """The curve of all boxes."""
        return self._learnt(self.earlier, self._tables)

    @cached_property
    def has_majority(self) -> bool:
        """Whether its boxes could outvote one of them, or are all one agency's."""
        agencies = {agency for of_box in self.boxes.values() for agency in of_box}
        return len(self.boxes) >= MINIMUM_BOXES or len(agencies) <= 1

    def curve_of(self, agency: str) -> ResponseCurve:
        """The curve that an agency's figures use."""
        if self.has_majority:
            return self.whole
        months = [month for month in self.earlier if month.agency == agency]
        return self._learnt(months, BoxTables([table for month in months for table in named_tables(month)]))

    @cached_property
    def stale(self) -> bool:
        """Whether the period's pairs contradict the earlier ones, whichever box is left out."""
        now, before = _Slopes(self.current), _Slopes(self.earlier)
        every = _each_left_out([*now.boxes, *before.boxes])
        return all(contradicted(now.without(box), before.without(box)) for box in every)

    def without(self, box: str) -> ResponseCurve:
        """The curve without a box: what a figure would use if the box had been invented."""
        if box not in self._without:
            self._without[box] = self._learnt(self.earlier, self._tables, box)
        return self._without[box]

    @cached_property
    def _without(self) -> dict[str, ResponseCurve]:
        return {}

    @cached_property
    def nearly_without_each(self) -> CurveArrays:
        """The curve of all boxes and, about, those without each of `box_names`, over one leading axis."""
        return self._tables.nearly_without_each(self.minimum_pairs)

    @property
    def box_names(self) -> tuple[str, ...]:
        """In the order of `nearly_without_each`."""
        return self._tables.names


def histories(
    months: Sequence[AgencyMonth],
    period: DayRange,
    *,
    history: int = HISTORY_MONTHS,
    minimum_pairs: int = MINIMUM_PAIRS,
) -> dict[str, GroupHistory]:
    """Of every agency group: what its curve for `period` rests on."""
    by_agency: dict[tuple[str, str], list[AgencyMonth]] = defaultdict(list)
    for month in months:
        if month.period.end <= period.start and month.tables:
            by_agency[(month.group, month.agency)].append(month)
    found = {}
    for group in sorted({month.group for month in months}):
        chosen = [
            month
            for (of, _), of_agency in by_agency.items()
            if of == group
            for month in sorted(of_agency, key=lambda month: month.period)[-history:]
        ]
        current = tuple(month for month in months if month.group == group and month.period == period)
        found[group] = GroupHistory(group, tuple(_that_hold(chosen)), current, minimum_pairs)
    return found


def _that_hold(months: Sequence[AgencyMonth]) -> list[AgencyMonth]:
    """Without the oldest periods that no longer hold: as few are forgotten as the boxes agree on."""
    periods = sorted({month.period for month in months})
    if not periods:
        return []
    slopes = [_Slopes(month for month in months if month.period == period) for period in periods]
    kept = 0
    for box in _each_left_out([box for of_period in slopes for box in of_period.boxes]):
        kept = max(kept, periods_that_hold([of_period.without(box) for of_period in slopes]))
        if kept == len(periods):  # nothing is forgotten, whichever further box were left out
            break
    held = set(periods[-kept:])
    return [month for month in months if month.period in held]


def stale_groups(months: Sequence[AgencyMonth], period: DayRange, *, history: int = HISTORY_MONTHS) -> frozenset[str]:
    """Groups whose pairs of this period contradict the earlier ones that their curve rests on."""
    return frozenset(group for group, found in histories(months, period, history=history).items() if found.stale)


def group_curves(
    months: Iterable[AgencyMonth],
    before: DayRange,
    *,
    history: int = HISTORY_MONTHS,
    minimum_pairs: int = MINIMUM_PAIRS,
) -> dict[str, ResponseCurve]:
    """The curve of every agency group from periods that ended before `before` starts."""
    found = histories(list(months), before, history=history, minimum_pairs=minimum_pairs)
    return {group: of_group.whole for group, of_group in found.items()}
