"""A sheet of one-time QR codes to cut out and hand over with the result."""

from __future__ import annotations

import io
import json
from pathlib import Path

import segno

from pipeline.language import DEFAULT, Text, translator

TEMPLATE = Path(__file__).parent / "qr_sheet.typ"


def qr_sheet(urls: list[str], agency: Text, round_name: Text, lang: str = DEFAULT) -> bytes:
    """A PDF with one QR code for each link."""
    import typst

    codes = []
    for url in urls:
        buffer = io.BytesIO()
        segno.make(url, error="m").save(buffer, kind="svg", border=2, scale=3)
        codes.append({"url": url, "qr": buffer.getvalue().decode("utf-8")})
    _ = translator(lang)
    scan = _("Scan the code to rate the service (it works once)")
    data = {"codes": codes, "lang": lang, "agency": _(agency), "round": _(round_name), "scan": scan}
    return bytes(typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": json.dumps(data, ensure_ascii=False)}))
