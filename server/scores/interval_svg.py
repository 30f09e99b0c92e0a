"""Interval plots as small SVG of our own: a name, a point, its interval; no script, no library, a millisecond.

Names are wrapped, never cut; text is 13 px. The picture has a title and a description; the figures stand in a table
beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pipeline.language import translator

FONT_PX = 13
_GLYPH_PX = 7.2
"""Width of a letter, on the safe side."""
WIDTH_PX = 900
_NAMES_PX = 270
_LINE_PX = 16
_ROW_PX = 10
_TOP_PX, _BOTTOM_PX = 26, 8
INK, SOFT, LINE, BLUE, RED = "#17212b", "#4a5763", "#dfe5ea", "#0b4f6c", "#a11d2c"


@dataclass(frozen=True, slots=True)
class Interval:
    """One row. `index`, `low`, `high`: on the axis. `marked`: stands out by colour and shape. `href`: where its name
    leads."""

    name: str
    index: float
    low: float
    high: float
    marked: bool = False
    href: str = ""


def interval_plot(
    rows: Sequence[Interval],
    title: str,
    lang: str,
    *,
    key: str = "plot",
    reference: float | None = None,
    top: float = 100.0,
    bottom: float | None = None,
) -> Markup:
    """The rows under each other on an axis from a ten below the lowest bound (or `bottom`) to `top`; a dashed line at
    `reference`. `key` tells apart the plots of one page. Empty without rows."""
    if not rows:
        return Markup("")
    _ = translator(lang)
    floor = float(int(min(row.low for row in rows)) // 10 * 10) if bottom is None else bottom
    floor = min(max(0.0, floor), top - 10)
    step = 5 if top - floor <= 40 else 10 if top - floor <= 60 else 20
    left, right = _NAMES_PX + 10, WIDTH_PX - 14

    def x(value: float) -> float:
        return round(left + (right - left) * (min(max(value, floor), top) - floor) / (top - floor), 1)

    lines = [_wrapped(row.name) for row in rows]
    heights = [_ROW_PX + _LINE_PX * len(text) for text in lines]
    bottom_px = _TOP_PX + sum(heights)
    ticks = [value for value in range(int(floor), int(top) + 1) if value % step == 0]
    height_px = bottom_px + _BOTTOM_PX
    told = _("Point: index. Line: 95 % interval. The figures stand in the table below.")
    parts = [
        f'<svg role="img" viewBox="0 0 {WIDTH_PX} {height_px}" width="{WIDTH_PX}" height="{height_px}" '
        f'font-size="{FONT_PX}" aria-labelledby="{key}-title {key}-text">',
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-text">{escape(told)}</desc>',
        f'<g stroke="{LINE}">',
        *(f'<path d="M{x(tick)} {_TOP_PX}V{bottom_px}"/>' for tick in ticks),
        f'</g><g fill="{SOFT}" text-anchor="middle">',
        *(f'<text x="{x(tick)}" y="16">{tick}</text>' for tick in ticks),
        "</g>",
    ]
    if reference is not None:
        line = f"M{x(reference)} {_TOP_PX}V{bottom_px}"
        parts.append(f'<path d="{line}" stroke="{SOFT}" stroke-width="1.5" stroke-dasharray="5 4"/>')
    y = float(_TOP_PX)
    for row, text, height in zip(rows, lines, heights, strict=True):
        middle = round(y + height / 2, 1)
        first = middle - _LINE_PX * (len(text) - 1) / 2 + 4.5
        colour = RED if row.marked else BLUE
        words = "".join(
            f'<tspan x="{_NAMES_PX}" y="{round(first + _LINE_PX * n, 1)}">{escape(line)}</tspan>'
            for n, line in enumerate(text)
        )
        name = f'<text text-anchor="end" fill="{INK}">{words}</text>'
        parts.append(f'<a href="{escape(row.href)}">{name}</a>' if row.href else name)
        parts.append(f'<path d="M{x(row.low)} {middle}H{x(row.high)}" stroke="{colour}" stroke-width="3"/>')
        point = x(row.index)
        shape = (
            f"M{point - 6} {middle}l6 -6 6 6 -6 6z"
            if row.marked
            else f"M{point - 4.5} {middle}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z"
        )
        parts.append(f'<path d="{shape}" fill="{colour}"/>')
        y += height
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704 - numbers, our own words, and names that are escaped


def _wrapped(name: str) -> list[str]:
    """A name in lines that fit beside the plot."""
    most = int(_NAMES_PX / _GLYPH_PX)
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
