"""The flow of data as a picture: what exists where, and what crosses."""

from __future__ import annotations

from html import escape

from pipeline.language import Message
from server.documents.blocks import ChartBlock
from server.documents.pictures import svg_png
from server.documents.writer import Writer

_BOXES = (
    (10, 15, 150, Message("Camera, microphone: frames and sound")),
    (10, 105, 150, Message("Tablet: voluntary answers, one touch opts out")),
    (220, 15, 190, Message("Box, memory only: region and channel, then faces, voice, level of the visit")),
    (220, 105, 190, Message("Box, disk: tables with noise, answers of days that are over, log, ledger")),
    (470, 60, 180, Message("Server: tables with noise, answer sheets by day; index with interval")),
)
_ARROWS = ((160, 50, 220, 50), (160, 140, 220, 140), (315, 85, 315, 105), (410, 135, 470, 105))
_NOTE = Message("Between box and server: bounded integers alone, encrypted, at fixed times")
_WIDTH, _HEIGHT, _BOX_HEIGHT = 660, 200, 70
_LINE, _ASCENT = 13, 10
"""Height of a line, and of it what stands above the writing line, in the picture's units."""
_CHARACTERS = 6.4
"""Width of a character in the picture's units, to break lines."""


def flow_chart(_: Writer) -> ChartBlock:
    """The diagram in one language."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="Noto Sans, DejaVu Sans, Liberation Sans" font-size="11">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#333333"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for x, y, width, words in _BOXES:
        parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{_BOX_HEIGHT}" fill="#ffffff" stroke="#0b4f6c" rx="4"/>'
        )
        lines = _lines(_(words), width)
        top = y + (_BOX_HEIGHT - _LINE * len(lines)) / 2 + _ASCENT  # in the middle of its box
        for number, line in enumerate(lines):
            parts.append(f'<text x="{x + 7}" y="{top + _LINE * number:g}">{escape(line)}</text>')
    for x1, y1, x2, y2 in _ARROWS:
        parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#333333" marker-end="url(#tip)"/>')
    parts.append(f'<text x="{_WIDTH / 2}" y="194" text-anchor="middle" font-style="italic">{escape(_(_NOTE))}</text>')
    svg = "".join([*parts, "</svg>"])
    return ChartBlock("flow", _("Flow of the data"), svg, svg_png(svg, 3))


def _lines(text: str, width: float) -> list[str]:
    """The text in lines that fit a box."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) * _CHARACTERS > width - 10 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
