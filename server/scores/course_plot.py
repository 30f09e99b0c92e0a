"""Plots of a course over time, or of points on two axes, that fit any width: a small SVG in per cent of its own size,
with what stands at its edges as HTML that wraps. No script, no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from pipeline.language import measured
from server.scores.row_plot import Look, legend, point, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 9.0, 97.0, 8.0, 97.0
"""Where what is drawn begins and ends, in per cent: points have room at the rim."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """`points`: (x, y) in order; `spans`: (x, low, high), their intervals. `joined` by a line, `dashed`; `dotted`: the
    points themselves are drawn."""

    look: Look
    points: Sequence[tuple[float, float]]
    spans: Sequence[tuple[float, float, float]] = ()
    joined: bool = True
    dashed: bool = False
    dotted: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A dashed line across the plot at an `x` or a `y`, with what it says."""

    x: float | None = None
    y: float | None = None
    words: str = ""


def course_plot(
    courses: Sequence[Drawn],
    told: str,
    edge: Sequence[str],
    lang: str,
    *,
    key: str,
    bounds: tuple[float, float] | None = None,
    marks: Sequence[tuple[float, str]] | None = None,
    rules: Sequence[Rule] = (),
    looks: Sequence[tuple[Look, str]] = (),
    across: tuple[float, float] | None = None,
    title: str = "",
    below: str = "",
) -> Markup:
    """`told`: what it shows, for who does not see it. `edge`: what stands below it, from its beginning to its end.
    `bounds` and `marks` of the upright axis (default: what the points need, round values), `across` of the other one.
    `title` names the upright axis, `below` the other one. Empty without points."""
    xs = [x for one in courses for x, _y in one.points]
    if not xs:
        return Markup("")
    ys = [y for one in courses for y in (*(y for _x, y in one.points), *(v for _x, *span in one.spans for v in span))]
    low, high = bounds or _around(min(ys), max(ys))
    first, last = across or (min(xs), max(xs))

    def at_x(value: float) -> str:
        part = 0.5 if last == first else (value - first) / (last - first)
        return f"{round(_LEFT + (_RIGHT - _LEFT) * min(max(part, 0.0), 1.0), 1):g}%"

    def at_y(value: float) -> str:
        part = (min(max(value, low), high) - low) / (high - low)
        return f"{round(_BOTTOM - (_BOTTOM - _TOP) * part, 1):g}%"

    if marks is None:
        marks = [(value, measured(value).in_language(lang)) for value in ticks(low, high)]
    parts = [
        f'<svg role="img" class="course" aria-label="{escape(told)}"><defs><path id="{key}-diamond" '
        'd="M-6 0l6 -6 6 6 -6 6z"/></defs><g class="grid">',
        *(f'<line x2="100%" y1="{at_y(value)}" y2="{at_y(value)}"/>' for value, _words in marks),
        "</g>",
        *(f'<text y="{at_y(value)}" dy="-.25em">{escape(words)}</text>' for value, words in marks),
    ]
    for rule in rules:
        if rule.x is not None:
            x = at_x(rule.x)
            end = float(x[:-1]) > 60
            parts.append(
                f'<line class="rule" x1="{x}" x2="{x}" y2="100%"/><text class="rule" x="{x}" y="1em" '
                f'dx="{"-" if end else ""}5"{" text-anchor=" + chr(34) + "end" + chr(34) if end else ""}>'
                f"{escape(rule.words)}</text>"
            )
        if rule.y is not None:
            parts.append(f'<line class="rule" x2="100%" y1="{at_y(rule.y)}" y2="{at_y(rule.y)}"/>')
    for one in courses:
        look = f"{one.look}{' dashed' if one.dashed else ''}"
        parts += (
            f'<line class="{one.look} span" x1="{at_x(x)}" x2="{at_x(x)}" y1="{at_y(a)}" y2="{at_y(b)}"/>'
            for x, a, b in one.spans
        )
        if one.joined:
            parts += (
                f'<line class="{look}" x1="{at_x(x)}" y1="{at_y(y)}" x2="{at_x(then)}" y2="{at_y(there)}"/>'
                for (x, y), (then, there) in pairwise(one.points)
            )
        if one.dotted:
            parts += (point(one.look, at_x(x), at_y(y), key) for x, y in one.points)
    parts.append("</svg>")
    edges = "".join(f"<span>{escape(words)}</span>" for words in edge)
    head = f'<p class="axis-name">{escape(title)}</p>' if title else ""
    foot = f'<p class="edge" aria-hidden="true">{edges}</p>'
    foot += f'<p class="axis-name below">{escape(below)}</p>' if below else ""
    drawn = head + "".join(parts) + foot + legend(looks, key)
    return Markup(drawn)  # noqa: S704 - numbers, our own words, and names that are escaped


def _around(low: float, high: float) -> tuple[float, float]:
    """Bounds with a little room."""
    room = max((high - low) * 0.08, 0.5)
    return low - room, high + room
