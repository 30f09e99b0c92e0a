"""The QR code on the notice."""

from __future__ import annotations

import io
from functools import lru_cache

import segno


@lru_cache(maxsize=4)
def notice_qr(url: str) -> str:
    """A QR code of an address as a piece of SVG without a size of its own (error correction M)."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        omitsize=True,
        border=4,
        dark="#000",
        light="#fff",
        svgclass=None,
        lineclass=None,
    )
    return out.getvalue().decode()
