"""Figures of places as arrays: thousands of agencies with thirty figures each, made into words and digits on demand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.survey_shares import ShareArrays
from pipeline.language import Text

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one place. All indices are 0..100; None where there is nothing or too little to show.

    `kind`: criterion, fact, factor, block, overall or index. `valid`, `satisfied`: answers (of a fact: yes).
    `design_effect`: of the plain figure, with `degrees` of freedom. `weighted*`: to the sampling frame. `adjusted`:
    to the province's mix of channels. `watched`: the period is not over, and the intervals hold however often they
    are looked at."""

    item: str
    kind: str
    valid: int | None
    satisfied: int | None
    index: float | None
    low: float | None
    high: float | None
    design_effect: float | None
    weighted: float | None
    weighted_low: float | None
    weighted_high: float | None
    adjusted: float | None
    suppressed: bool
    degrees: float | None = None
    watched: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FigureTable:
    """The figures of many places: `names` (item, kind) of each [m]; arrays [places, m]. `shift`: of the adjusted
    against the plain share, NaN where it is not known. `suppressed`: too few sheets, nothing is shown."""

    names: tuple[tuple[str, str], ...]
    valid: NDArray[np.int64]
    satisfied: NDArray[np.int64]
    plain: ShareArrays
    weighted: ShareArrays
    shift: FloatArray
    suppressed: NDArray[np.bool_]
    watched: bool

    def figure(self, place: int, column: int) -> Figure:
        """One figure of one place."""
        item, kind = self.names[column]
        valid, satisfied = int(self.valid[place, column]), int(self.satisfied[place, column])
        few, share = bool(self.suppressed[place, column]), float(self.plain.estimate[place, column])
        if few or np.isnan(share):
            nothing = (None,) * 8
            return Figure(item, kind, None if few else valid, None if few else satisfied, *nothing, suppressed=few)
        shift = float(self.shift[place, column])
        adjusted = np.nan if kind == "fact" else min(1.0, max(0.0, share + shift)) if shift == shift else np.nan
        plain, weighted = self.plain, self.weighted
        # a place of which no cell stands for anything has no weighted figure
        frame = weighted if weighted.standing_for[place] > 0 else None
        return Figure(
            item=item,
            kind=kind,
            valid=valid,
            satisfied=satisfied,
            index=_points(share),
            low=_points(plain.low[place, column]),
            high=_points(plain.high[place, column]),
            design_effect=round(float(plain.design_effect[place, column]), 3),
            weighted=None if frame is None else _points(frame.estimate[place, column]),
            weighted_low=None if frame is None else _points(frame.low[place, column]),
            weighted_high=None if frame is None else _points(frame.high[place, column]),
            adjusted=_points(adjusted),
            suppressed=False,
            degrees=round(float(plain.degrees[place, column]), 1),
            watched=self.watched,
        )


def _points(share: float) -> float | None:
    return None if np.isnan(share) else round(100 * float(share), 4)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A row of the result: an agency, a level, a field ... `sheets`: counted sheets, of them `overall_alone` with
    the overall answer and none to the criteria: they are in the overall question's figure, and in no figure of criteria
    (so not in a whole that is pooled from them). `transactions`: of the frame, None
    where it does not tell. `response_rate`: sheets / transactions. `covered`: share of the frame's transactions that
    lie in cells with at least one sheet. Its figures are row `number` of the `table`."""

    dimension: str
    key: str
    name: Text
    sheets: int
    overall_alone: int
    transactions: int | None
    response_rate: float | None
    covered: float | None
    table: FigureTable
    number: int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the instrument's order."""
        return tuple(self.table.figure(self.number, column) for column in range(len(self.table.names)))

    def figure(self, item: str) -> Figure:
        """The figure of an item, factor, `overall` or `index`."""
        column = next(n for n, (name, _) in enumerate(self.table.names) if name == item)
        return self.table.figure(self.number, column)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("name", "table", "number")}
        head = {"dimension": own.pop("dimension"), "key": own.pop("key")}
        return {**head, **self.name.columns(), **own, "figures": [asdict(figure) for figure in self.figures]}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]
