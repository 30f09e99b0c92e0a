"""A picture that we drew as SVG, as PNG: for DOCX, which shows no SVG everywhere.

Typst draws it, as it draws the PDF, and other threads go on meanwhile: the library before held Python's lock for each
picture, .7 s and more in which no page was answered."""

from __future__ import annotations

_TEMPLATE = b'#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")'
_PPI = 96
"""At which a unit of an SVG is a pixel."""


def svg_png(svg: str, scale: float = 2.0) -> bytes:
    """The picture, so many pixels a unit of the SVG's width and height."""
    import typst

    return bytes(typst.compile(_TEMPLATE, sys_inputs={"svg": svg}, format="png", ppi=_PPI * scale))
