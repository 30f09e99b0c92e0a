"""Charts of a report, as SVG (for the PDF) and PNG (for the DOCX): drawn here, some milliseconds each.

A province of 700 agencies has 38 of them. A name stands right beside what is drawn of it, in lines; what is drawn is on
an axis of `_PLOT_PX`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from textwrap import wrap
from unicodedata import combining, east_asian_width

from calibration.ranks import RankSet, by_ranks
from pipeline.language import measured
from pipeline.text import tidy
from server.documents.blocks import ChartBlock
from server.documents.pictures import svg_png
from server.documents.writer import Writer
from server.scores.figures import Figure
from server.scores.row_plot import ticks

BLUE, _GRID, _REFERENCE = "#0b4f6c", "#dfe5ea", "#4a5763"
_FONT, _FONT_PX = "Noto Sans, DejaVu Sans, Liberation Sans", 11
_LABEL = 46
ROWS = 40
"""At most so many rows in a chart: on a page of A4 they are then 5 mm apart or more. Of names of more than two lines
so many fewer that they can still be read."""
_LINE_PX = 12
_PLOT_PX, _GAP_PX, _TOP_PX, _BELOW_PX, _RIGHT_PX = 420, 7, 6, 40, 16
"""Width of the axis; between name and axis; above, below (the axis with its title) and right of what is drawn."""
_LETTER_PX = {"W": 11.0, "wide": 9.0, "narrow": 4.2, "other": 6.9}
"""Widths at `_FONT_PX`, of the widest of the fonts: a name is never cut at the left."""
_NARROW, _WIDEST = frozenset("iíìỉĩịIÍÌỈĨỊjlftr .,:;'()[]-|!"), frozenset("MWmw@%")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A figure under a label, for a chart."""

    label: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class _Row:
    """`lines`: the name in lines, parted by line ends. `low`, `high`: of the line or bar. `at`: of the point."""

    lines: str
    low: float | None
    high: float | None
    at: float | None = None


def _lines(label: str) -> str:
    """A long label in lines."""
    return "\n".join(wrap(tidy(label), _LABEL))


def _row_px(labels: Iterable[str]) -> int:
    """The height of a row: more lines need more."""
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    return 19 if lines == 1 else _LINE_PX * lines + 2


def _rows_a_chart(labels: Iterable[str]) -> int:
    """As many rows as a page of A4 has room for."""
    return min(ROWS, ROWS * _row_px(["\n"]) // _row_px(labels))


def _width_px(line: str) -> float:
    """Of a line of a name, rather too wide than too narrow."""

    def of(letter: str) -> str:
        if letter in _WIDEST or east_asian_width(letter) in "WF":
            return "W"
        return "narrow" if letter in _NARROW else "wide" if letter.isupper() else "other"

    return sum(_LETTER_PX[of(letter)] for letter in line if not combining(letter))


def _pages(labels: Sequence[str]) -> list[slice]:
    """Of a long list, the rows of each of its charts: even shares. `labels`: in lines."""
    count = len(labels)
    pages = max(1, -(-count // _rows_a_chart(labels)))
    edges = [round(count * page / pages) for page in range(pages + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]


def _named(name: str, caption: str, page: int, pages: int) -> tuple[str, str]:
    """A chart's own name and caption, where a list takes several."""
    return (name, caption) if pages == 1 else (f"{name}-{page + 1}", f"{caption} ({page + 1}/{pages})")


def interval_charts(
    rows: Sequence[Labelled], name: str, caption: str, _: Writer, *, reference: float | None = None
) -> list[ChartBlock]:
    """As `interval_chart`, a chart for every page of lines, all on one scale: on a page of A4 each line can be read."""
    known = [row for row in rows if row.figure.index is not None]
    lowest = min((row.figure.low for row in known if row.figure.low is not None), default=0.0)
    pages = _pages([_lines(row.label) for row in known])
    return [
        interval_chart(known[part], *_named(name, caption, page, len(pages)), _, reference=reference, lowest=lowest)
        for page, part in enumerate(pages)
    ]


def interval_chart(
    rows: Sequence[Labelled],
    name: str,
    caption: str,
    _: Writer,
    *,
    reference: float | None = None,
    lowest: float | None = None,
) -> ChartBlock:
    """Points with 95 % intervals, one line a label, from 0..100 cut to where they lie (down to `lowest`), and a dashed
    line at `reference`."""
    known = [(row.label, f) for row in rows if (f := row.figure).index is not None]
    low = min((f.low for _label, f in known if f.low is not None), default=0.0) if lowest is None else lowest
    drawn = [_Row(_lines(label), f.low, f.high, f.index) for label, f in known]
    bounds = (min(max(0.0, 10 * (low // 10)), 90.0), 100.0)
    axis = _("Index (0–100), 95 % confidence interval")
    return _chart(drawn, bounds, ticks(*bounds), name, caption, axis, _.lang, reference)


def rank_charts(sets: Sequence[RankSet], names: dict[str, str], name: str, caption: str, _: Writer) -> list[ChartBlock]:
    """A bar from the best to the worst rank that the figures allow, half a rank added on either side so that one rank
    has a length, for every agency; a chart for every page."""
    ordered, axis = sorted(sets, key=by_ranks), _("Ranks that cannot be ruled out")
    size = max(2, *(one.of for one in sets))
    steps = [float(rank) for rank in range(1, size + 1, max(1, size // 13))]
    drawn = [_Row(_lines(names[one.name]), one.best - 0.4, one.worst + 0.4) for one in ordered]
    pages = _pages([row.lines for row in drawn])
    return [
        _chart(drawn[part], (0.5, size + 0.5), steps, *_named(name, caption, page, len(pages)), axis, _.lang)
        for page, part in enumerate(pages)
    ]


def bar_chart(rows: Sequence[tuple[str, int]], name: str, caption: str, axis: str, lang: str) -> ChartBlock:
    """Counts by label."""
    bounds = (0.0, float(max(1, *(count for _label, count in rows))))
    drawn = [_Row(_lines(label), 0.0, float(count)) for label, count in rows]
    return _chart(drawn, bounds, ticks(*bounds, whole=True), name, caption, axis, lang)


def _chart(
    rows: Sequence[_Row],
    bounds: tuple[float, float],
    steps: Sequence[float],
    name: str,
    caption: str,
    title: str,
    lang: str,
    reference: float | None = None,
) -> ChartBlock:
    """The rows under each other on an axis over `bounds` with `steps` and a `title`. A row with a point is drawn as a
    line with it, one without as a bar."""
    left = max((_width_px(line) for row in rows for line in row.lines.split("\n")), default=0.0) + _GAP_PX
    row_px = _row_px(row.lines for row in rows)
    bottom = _TOP_PX + row_px * max(3, len(rows))
    width, height = round(left + _PLOT_PX + _RIGHT_PX), bottom + _BELOW_PX
    low, high = bounds

    def x(value: float) -> str:
        return f"{left + _PLOT_PX * (min(max(value, low), high) - low) / (high - low):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{_FONT}" font-size="{_FONT_PX}" fill="#000"><rect width="100%" height="100%" fill="#fff"/>'
    ]
    for step in steps:
        words = measured(step).in_language(lang)
        parts.append(f'<path d="M{x(step)} {_TOP_PX}V{bottom}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{x(step)}" y="{bottom + 14}" text-anchor="middle">{words}</text>')
    parts.append(f'<path d="M{x(low)} {bottom}H{x(high)}" stroke="#888"/>')
    middle = f'x="{left + _PLOT_PX / 2:.1f}" y="{bottom + 32}" text-anchor="middle"'
    parts.append(f'<text {middle} font-weight="bold">{escape(tidy(title))}</text>')
    if reference is not None:
        dashed = 'stroke-dasharray="5 4"'
        parts.append(f'<path d="M{x(reference)} {_TOP_PX}V{bottom}" stroke="{_REFERENCE}" {dashed}/>')
    for number, row in enumerate(rows):
        y = _TOP_PX + row_px * (number + 0.5)
        parts += [_label(row.lines, left - _GAP_PX, y), *_drawn(row, y, x)]
    svg = "".join([*parts, "</svg>"])
    return ChartBlock(name, caption, svg, svg_png(svg))


def _label(lines: str, right: float, y: float) -> str:
    """A name that ends at `right`, its lines about the height `y`."""
    parts = lines.split("\n")
    first = y + 0.35 * _FONT_PX - _LINE_PX * (len(parts) - 1) / 2
    words = escape(parts[0])
    if len(parts) > 1:
        words = "".join(
            f'<tspan x="0" dy="{_LINE_PX if number else 0}">{escape(part)}</tspan>' for number, part in enumerate(parts)
        )
    return f'<text text-anchor="end" transform="translate({right:.1f},{first:.1f})">{words}</text>'


def _drawn(row: _Row, y: float, x: Callable[[float], str]) -> list[str]:
    found = []
    if row.low is not None and row.high is not None:
        line = 'stroke-width="2.5" opacity="0.55"' if row.at is not None else 'stroke-width="9"'
        found.append(f'<path d="M{x(row.low)} {y:.1f}H{x(row.high)}" stroke="{BLUE}" {line}/>')
    if row.at is not None:
        found.append(f'<circle cx="{x(row.at)}" cy="{y:.1f}" r="4.2" fill="{BLUE}"/>')
    return found
