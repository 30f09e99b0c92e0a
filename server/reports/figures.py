"""Figures of a report: how they are written, how far they may be off, how they compare."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.changes import changes
from calibration.ranks import RankSet, rank_shares
from server.documents.writer import Writer
from server.scores.index import WHOLE, Figure, Place


def effective(figure: Figure) -> float:
    """The answers that a figure would need if they did not hang together."""
    return (figure.valid or 0) / (figure.design_effect or 1.0)


def ranking(places: Sequence[Place], item: str = WHOLE) -> list[RankSet]:
    """Rank sets of the agencies that have a figure; all hold at once with 95 %."""
    known = [
        (place.key, f.index / 100, effective(f)) for place in places if (f := place.figure(item)).index is not None
    ]
    return rank_shares([share for _, share, _ in known], [n for _, _, n in known], [name for name, _, _ in known])


class FigureWriter(Writer):
    """Writes a place's figures, too."""

    def interval(self, figure: Figure) -> str:
        """A figure's 95 % interval, or a dash."""
        return self.limits(figure.low, figure.high)

    def cells(self, figure: Figure) -> tuple[str, ...]:
        """A figure as cells of a table, under `head()`."""
        if figure.index is None:
            return (self("too few") if figure.suppressed else "–", "–", "–", "–", "–", "–")
        return (
            self.number(figure.valid, 0),
            self.number(figure.index),
            self.interval(figure),
            self.number(figure.design_effect, 2),
            self.number(figure.weighted),
            self.number(figure.adjusted),
        )

    def head(self) -> tuple[str, ...]:
        """The heads of `cells`."""
        _ = self
        return (
            _("Answers"),
            _("Index"),
            _("95 % interval"),
            _("Design effect"),
            _("Weighted"),
            _("Adjusted for channels"),
        )


def difference(now: Figure, before: Figure, lines: int = 1) -> tuple[float, float, float] | None:
    """Change in points with its 95 % interval (0 outside it: a change); None where either figure is missing.

    `lines`: how many differences are read together; their intervals hold all at once (`calibration.changes`)."""
    if now.index is None or before.index is None:
        return None
    found = changes(
        now.index / 100,
        effective(now),
        before.index / 100,
        effective(before),
        degrees_now=now.degrees or 1.0,
        degrees_before=before.degrees or 1.0,
        lines=lines,
    )
    change, low, high = (100 * float(x) for x in found)
    return change, low, high
