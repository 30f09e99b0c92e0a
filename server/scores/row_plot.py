"""Plots of rows that fit any width: a name, what is drawn on an axis, a figure; no script, no library, a millisecond.

A row is HTML, so that its name wraps, is never cut and grows with the reader's text; what is drawn is a small SVG in
per cent of its own width. Where there is room the name stands beside it, on a telephone or with large text above
(`.plot` in style.css). The figures stand in a table beside the plot as well."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup, escape

from pipeline.language import measured
from pipeline.text import tidy

_TICKS = 6
"""At most so many steps on an axis: they can be read on a telephone."""
_SHORT = 14
"""Names of so many letters, months and days, stand beside what is drawn on a telephone, too."""


class Look(StrEnum):
    """Colour and shape; the names are classes of style.css."""

    MAIN = "main"
    MARKED = "marked"
    OTHER = "other"
    HOLLOW = "hollow"
    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"

    @property
    def is_diamond(self) -> bool:
        """Told apart by shape, too, not by colour alone."""
        return self in (Look.MARKED, Look.OTHER)


@dataclass(frozen=True, slots=True)
class Mark:
    """A line from `low` to `high`, on the axis, with a point `at`; or a filled `bar`."""

    low: float
    high: float
    at: float | None = None
    look: Look = Look.MAIN
    bar: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """`name` leads to `href`; an empty one goes on with the row above. `figure`: what stands at the end, as text."""

    name: str
    marks: Sequence[Mark]
    figure: str = ""
    href: str = ""


def row_plot(
    rows: Sequence[Row],
    bounds: tuple[float, float],
    lang: str,
    *,
    key: str,
    told: str,
    looks: Sequence[tuple[Look, str]] = (),
    reference: float | None = None,
    whole: bool = False,
) -> Markup:
    """The rows under each other on one axis over `bounds`; a dashed line at `reference`. `key` tells apart the plots of
    one page, `told` says what is drawn to those who do not see it, `looks` what is what; `whole`: only whole numbers
    stand on the axis. Empty without rows."""
    if not rows:
        return Markup("")
    low, high = bounds

    def x(value: float) -> str:
        return f"{round(100 * (min(max(value, low), high) - low) / (high - low), 1):g}%"

    marks = ticks(low, high, whole=whole)
    grid = "".join(f'<line x1="{x(tick)}" x2="{x(tick)}" y2="100%"/>' for tick in marks)
    if reference is not None:
        grid += f'<line class="reference" x1="{x(reference)}" x2="{x(reference)}" y2="100%"/>'
    labels = "".join(
        f'<text class="{"odd" if n % 2 else "even"}" x="{x(tick)}" y="1em">{measured(tick).in_language(lang)}</text>'
        for n, tick in enumerate(marks)
    )
    short = " short" if all(len(row.name) <= _SHORT for row in rows) else ""
    parts = [
        f'<p class="sr">{escape(told)}</p>',
        legend(looks, key),
        f'<ul class="plot{short}"><li class="axis" aria-hidden="true"><span class="drawn"><svg><defs>'
        f'<path id="{key}-diamond" d="M-6 0l6 -6 6 6 -6 6z"/><g id="{key}-grid" class="grid">{grid}</g></defs>'
        f"{labels}</svg></span></li>",
    ]
    for row in rows:
        drawn = "".join(_drawn(mark, x, key) for mark in row.marks)
        name = escape(tidy(row.name))
        parts.append(
            f'<li class="{"" if row.name else "more"}">'
            + (f'<a class="of" href="{escape(row.href)}">{name}</a>' if row.href else f'<span class="of">{name}</span>')
            + f'<span class="drawn"><svg aria-hidden="true"><use href="#{key}-grid"/>{drawn}</svg></span>'
            + f"<b>{escape(row.figure)}</b></li>"
        )
    parts.append("</ul>")
    return Markup("".join(parts))  # noqa: S704 - numbers, our own words, and names that are escaped


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Round values within the bounds, few enough to be read on a telephone."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough - 1e-9)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def point(look: Look, x: str, y: str, key: str) -> str:
    """A point as SVG. Diamonds are `key`'s."""
    if look.is_diamond:
        return f'<use href="#{key}-diamond" class="{look}" x="{x}" y="{y}"/>'
    return f'<circle class="{look}" cx="{x}" cy="{y}" r="5"/>'


def _drawn(mark: Mark, x: Callable[[float], str], key: str) -> str:
    left, right = x(mark.low), x(mark.high)
    if mark.bar:
        width = f"{round(float(right[:-1]) - float(left[:-1]), 1):g}%"
        return f'<rect class="{mark.look}" x="{left}" y="50%" width="{width}" height="12" transform="translate(0 -6)"/>'
    line = f'<line class="{mark.look}" x1="{left}" x2="{right}" y1="50%" y2="50%"/>'
    return line if mark.at is None else line + point(mark.look, x(mark.at), "50%", key)


def legend(looks: Sequence[tuple[Look, str]], key: str) -> str:
    """What the looks mean."""
    if not looks:
        return ""
    return (
        '<ul class="key">'
        + "".join(
            f'<li><svg aria-hidden="true">{point(look, "50%", "50%", key)}</svg> {escape(words)}</li>'
            for look, words in looks
        )
        + "</ul>"
    )
