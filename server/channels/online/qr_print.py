"""One-time QR codes on paper: a sheet to cut out and hand over with the result, and a poster to tear them off."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import segno

from pipeline.faces import face_svg
from pipeline.language import DEFAULT, Text, translator

TEMPLATE = Path(__file__).parent / "qr_sheet.typ"


POSTER = Path(__file__).parent / "poster.typ"
SLIPS = 10
"""Codes to tear off a poster."""


def _qr(url: str) -> str:
    buffer = io.BytesIO()
    segno.make(url, error="m").save(buffer, kind="svg", border=2, scale=3)
    return buffer.getvalue().decode("utf-8")


def _printed(template: Path, data: dict[str, Any]) -> bytes:
    import typst

    return bytes(typst.compile(template.read_bytes(), sys_inputs={"data": json.dumps(data, ensure_ascii=False)}))


def qr_sheet(urls: list[str], agency: Text, round_name: Text, lang: str = DEFAULT) -> bytes:
    """A PDF with one QR code for each link."""
    _ = translator(lang)
    scan = _("Scan the code to rate the service (it works once)")
    codes = [{"url": url, "qr": _qr(url)} for url in urls]
    data = {"codes": codes, "lang": lang, "agency": _(agency), "round": _(round_name), "scan": scan}
    return _printed(TEMPLATE, data)


def poster(urls: list[str], agency: Text, round_name: Text, lang: str = DEFAULT, *, simulated: bool = False) -> bytes:
    """A PDF of one page A4 for the wall: how to rate, and `SLIPS` one-time codes to tear off. One code that hangs there
    for everybody would be no proof that somebody was served (ADR 0062, 0218)."""
    if len(urls) != SLIPS:
        raise ValueError(f"a poster has {SLIPS} codes")
    _ = translator(lang)
    words = {
        "ask": _("How satisfied are you with today's service?"),
        "tear": _("Tear off a code and rate us on your telephone"),
        "steps": [
            _("Tear off one slip below."),
            _("Scan it with your telephone's camera."),
            _("Touch a face, and what else you want to tell."),
        ],
        "tablet": _("Or rate by one touch on the tablet at the counter. No telephone? Ask for a paper form."),
        "once": _("Voluntary, without your name. Each code works once."),
        "scan": _("Scan me"),
        "simulated": _("Simulated figures."),
    }
    data = {
        "codes": [_qr(url) for url in urls],
        "faces": [face_svg(level) for level in range(1, 6)],
        "lang": lang,
        "agency": _(agency),
        "round": _(round_name),
        "simulated": simulated,
        "words": words,
    }
    return _printed(POSTER, data)
