"""Figures of a report: how they are written."""

from __future__ import annotations

from server.documents.writer import Writer
from server.scores.figures import Figure


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
