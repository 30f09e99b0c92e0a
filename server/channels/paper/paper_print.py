"""Paper forms as a PDF to print: one sheet, front and back, per code, made with Typst."""

from __future__ import annotations

import io
import json
from pathlib import Path

import segno

from pipeline.instruments import Instrument

TEMPLATE = Path(__file__).parent / "paper_form.typ"


def forms_pdf(
    instrument: Instrument, codes: list[str], *, province: str, agency: str, round_name: str, simulated: bool
) -> bytes:
    """A PDF with one form for each code (Vietnamese, as the decisions word it)."""
    import typst

    # Small QR codes so that a scanner can read the code into the entry page.
    images = {}
    for code in codes:
        buffer = io.BytesIO()
        segno.make(code, error="m").save(buffer, kind="svg", border=1, scale=2)
        images[code] = buffer.getvalue().decode("utf-8")
    data = {
        "codes": codes,
        "qr": images,
        "province": province,
        "agency": agency,
        "round": round_name,
        "simulated": simulated,
        "title": instrument.title.vi,
        "overall": instrument.overall.vi,
        "scale": [point.vi for point in instrument.scale],
        "factors": [
            {
                "code": factor.code,
                "text": factor.vi,
                "items": [
                    {"code": item.code, "text": item.vi, "fact": item.kind == "fact", "asked_if": item.asked_if or ""}
                    for item in instrument.items
                    if item.factor == factor.code
                ],
            }
            for factor in instrument.factors
        ],
        "reasons": [{"code": reason.code, "text": reason.vi} for reason in instrument.reasons],
    }
    return bytes(typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": json.dumps(data, ensure_ascii=False)}))
