"""A sheet of one-time QR codes to cut out and hand over with the result."""

from __future__ import annotations

import io
import json
from pathlib import Path

import segno

TEMPLATE = Path(__file__).parent / "qr_sheet.typ"


def qr_sheet(urls: list[str], agency: str, round_name: str) -> bytes:
    """A PDF with one QR code for each link."""
    import typst

    codes = []
    for url in urls:
        buffer = io.BytesIO()
        segno.make(url, error="m").save(buffer, kind="svg", border=2, scale=3)
        codes.append({"url": url, "qr": buffer.getvalue().decode("utf-8")})
    data = json.dumps({"codes": codes, "agency": agency, "round": round_name}, ensure_ascii=False)
    return bytes(typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": data}))
