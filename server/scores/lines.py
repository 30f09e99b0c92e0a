"""Factors and criteria of a place as lines, with what changed; the plot of the lowest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.instruments import Instrument
from pipeline.language import Text, in_language
from server.scores.comparing import Change, difference
from server.scores.figures import Figure, Place
from server.scores.interval_svg import Interval, interval_plot
from server.scores.standings import worst

WORST = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One factor or criterion of a place, with its change against the last period and a year ago; the changes of all
    lines of one kind hold at once."""

    code: str
    name: Text
    figure: Figure
    last: Change | None
    year: Change | None

    @property
    def changed(self) -> bool:
        """Whether something surely changed."""
        return any(one is not None and (one.low > 0 or one.high < 0) for one in (self.last, self.year))

    @property
    def fallen(self) -> bool:
        """Whether it surely fell."""
        return any(one is not None and one.high < 0 for one in (self.last, self.year))


@dataclass(frozen=True, slots=True)
class Lines:
    """A place's factors and criteria, and the lowest of the criteria."""

    factors: Sequence[Line]
    criteria: Sequence[Line]
    lowest: Sequence[Line]

    @property
    def changed(self) -> list[Line]:
        """The criteria that surely changed."""
        return [line for line in self.criteria if line.changed]


def lines_of(instrument: Instrument, now: Place | None, last: Place | None, year: Place | None) -> Lines:
    """The lines of a place in three periods; without a place now there are none."""
    if now is None:
        return Lines((), (), ())
    factors = _lines([(f.code, f.named) for f in instrument.factors], now, last, year)
    criteria = _lines([(i.code, i.named) for i in instrument.criteria], now, last, year)
    by_code: Mapping[str, Line] = {line.code: line for line in criteria}
    lowest = [by_code[figure.item] for figure in worst(now, list(by_code), WORST)]
    return Lines(factors, criteria, lowest)


def _lines(named: list[tuple[str, Text]], now: Place, last: Place | None, year: Place | None) -> list[Line]:
    lines = max(1, len(named))

    def against(code: str, then: Place | None) -> Change | None:
        return None if then is None else difference(now.figure(code), then.figure(code), lines)

    return [Line(code, name, now.figure(code), against(code, last), against(code, year)) for code, name in named]


def lowest_plot(lines: Sequence[Line], lang: str) -> Markup:
    """The plot of the lowest criteria."""
    rows = [
        Interval(f"{line.code}. {in_language(line.name, lang)}", f.index, f.low or 0.0, f.high or 100.0)
        for line in lines
        if (f := line.figure).index is not None
    ]
    return interval_plot(rows, lang, key="criteria-plot")


def place_of(places: Sequence[Place], code: str) -> Place | None:
    """The place with that code."""
    return next((place for place in places if place.key == code), None)
