"""Figures of a report: how they are written, how far they may be off, how they compare."""

from __future__ import annotations

import math
from collections.abc import Sequence

from calibration.intervals import normal_quantile
from calibration.ranks import RankSet, rank_shares, smoothed_error
from server.scores.index import WHOLE, Figure, Place


def standard_error(figure: Figure) -> float | None:
    """Standard error of a figure in points, at its effective number of answers, never zero."""
    if figure.index is None or figure.valid is None:
        return None
    return 100 * float(smoothed_error(figure.index / 100, effective(figure)))


def effective(figure: Figure) -> float:
    """The answers that a figure would need if they did not hang together."""
    return (figure.valid or 0) / (figure.design_effect or 1.0)


def ranking(places: Sequence[Place], item: str = WHOLE) -> list[RankSet]:
    """Rank sets of the agencies that have a figure; all hold at once with 95 %."""
    known = [
        (place.key, f.index / 100, effective(f)) for place in places if (f := place.figure(item)).index is not None
    ]
    return rank_shares([share for _, share, _ in known], [n for _, _, n in known], [name for name, _, _ in known])


def number(value: float | None, digits: int = 1) -> str:
    """A figure as Vietnamese writes it; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def interval(figure: Figure) -> str:
    """A figure's 95 % interval, or a dash."""
    return "–" if figure.low is None else f"{number(figure.low)} – {number(figure.high)}"


def cells(figure: Figure) -> tuple[str, ...]:
    """A figure as cells of a table, under `HEAD`."""
    if figure.index is None:
        return ("quá ít" if figure.suppressed else "–", "–", "–", "–", "–", "–")
    return (
        number(figure.valid, 0),
        number(figure.index),
        interval(figure),
        number(figure.design_effect, 2),
        number(figure.weighted),
        number(figure.adjusted),
    )


HEAD = ("Câu trả lời", "Chỉ số", "Khoảng 95 %", "Deff", "Trọng số", "Theo kênh")
"""The heads of `cells`."""


def difference(now: Figure, before: Figure) -> tuple[float, float, float] | None:
    """Change in points with its 95 % interval; None where either figure is missing."""
    one, other = standard_error(now), standard_error(before)
    if one is None or other is None or now.index is None or before.index is None:
        return None
    change, half = now.index - before.index, normal_quantile() * math.hypot(one, other)
    return change, change - half, change + half
