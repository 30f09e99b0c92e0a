"""Our own five faces as SVG, one drawing for the tablet, the online form and what is printed.

100 x 100 units, flat colours that a telephone in the dark and a printer show alike; no file or style sheet needed. Each
stands beside the wording of its answer, so that none tells anything alone (`aria-hidden`)."""

from __future__ import annotations

_INK = "#14202b"
_SKIN = {1: "#f2a29a", 2: "#f6c58f", 3: "#f4e08c", 4: "#cfe39a", 5: "#9fd8a4"}
_LINE = f'fill="none" stroke="{_INK}" stroke-width="5" stroke-linecap="round"'
_MOUTH = {
    1: f'<path {_LINE} d="M28 74 Q50 50 72 74"/><path {_LINE} d="M24 26 L40 32 M76 26 L60 32"/>',
    2: f'<path {_LINE} d="M30 71 Q50 58 70 71"/>',
    3: f'<path {_LINE} d="M31 67 L69 67"/>',
    4: f'<path {_LINE} d="M30 62 Q50 76 70 62"/>',
    5: f'<path fill="{_INK}" d="M27 58 Q50 92 73 58 Z"/>',
}


def face_svg(level: int) -> str:
    """The face of an answer, 1 (very dissatisfied) to 5 (very satisfied). Raises `KeyError` for another."""
    eyes = "".join(f'<circle fill="{_INK}" cx="{x}" cy="40" r="5.5"/>' for x in (34, 66))
    skin = f'<circle fill="{_SKIN[level]}" stroke="{_INK}" stroke-width="3" cx="50" cy="50" r="46"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="face face-{level}" viewBox="0 0 100 100" aria-hidden="true" '
        f'focusable="false">{skin}{eyes}{_MOUTH[level]}</svg>'
    )
