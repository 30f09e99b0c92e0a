"""Paper forms as a PDF to print: one sheet, front and back, per code, made with Typst."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import segno

from pipeline.instruments import WITHOUT_NAMES, Instrument, Item
from pipeline.language import DEFAULT, Message, Text, translator

TEMPLATE = Path(__file__).parent / "paper_form.typ"
_WORDS = {
    "page": Message("Page"),
    "agency": Message("Agency that handled the matter"),
    "round": Message("Round"),
    "simulated": Message("SIMULATED"),
    "how": Message(
        "Taking part is voluntary; the form bears no name. Please put an x into one box for each question. Leave it "
        "empty where you have no opinion."
    ),
    "day": Message("Day of the answer"),
    "question": Message("No."),
    "content": Message("Content"),
    "yes": Message("Yes"),
    "no": Message("No"),
    "why": Message("If question 0 was answered 3 or lower, why?"),
    "several": Message("(several are possible)"),
    "expectation": Message("What you expect"),
    "no_names": Message("(please write nobody's name)"),
    "solution": Message("What you propose"),
}


def _asked_if(item: Item, _: Callable[..., str]) -> str:
    if item.asked_if is None:
        return ""
    if item.asked_if_choice is None:
        return _("(if {item} was answered “yes”)", item=item.asked_if)
    return _("(if {item} was answered {number})", item=item.asked_if, number=item.asked_if_choice)


def _hint(item: Item, _: Callable[..., str]) -> str:
    if item.kind == "several":
        return _("At most {most} answers.", most=item.most) if item.most else _("Several answers are possible.")
    return _(item.unit) if item.kind == "number" and item.unit else ""


def forms_pdf(
    instrument: Instrument,
    codes: list[str],
    *,
    province: Text,
    agency: Text,
    round_name: str,
    simulated: bool,
    lang: str = DEFAULT,
) -> bytes:
    """A PDF with one form for each code, in one language (in Vietnamese as the decisions word it)."""
    import typst

    names: dict[str, Text | str] = {"province": province, "agency": agency, "round": round_name}
    data = _data(instrument, codes, names, simulated=simulated, lang=lang)
    return bytes(typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": data}))


def forms_pictures(
    instrument: Instrument,
    codes: list[str],
    *,
    province: Text,
    agency: Text,
    round_name: str,
    simulated: bool,
    lang: str = DEFAULT,
) -> list[bytes]:
    """The pages of `forms_pdf` as PNG pictures, to look at."""
    import typst

    names: dict[str, Text | str] = {"province": province, "agency": agency, "round": round_name}
    data = _data(instrument, codes, names, simulated=simulated, lang=lang)
    pages = typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": data}, format="png", ppi=96.0)
    return [bytes(page) for page in pages] if isinstance(pages, list) else [bytes(pages)]


def _data(
    instrument: Instrument, codes: list[str], names: Mapping[str, Text | str], *, simulated: bool, lang: str
) -> str:
    """What the template prints, as JSON."""
    _ = translator(lang)
    # Small QR codes so that a scanner can read the code into the entry page.
    images = {}
    for code in codes:
        buffer = io.BytesIO()
        segno.make(code, error="m").save(buffer, kind="svg", border=1, scale=2)
        images[code] = buffer.getvalue().decode("utf-8")
    data: dict[str, object] = {
        "codes": codes,
        "qr": images,
        "lang": lang,
        "words": {name: _(sentence) for name, sentence in _WORDS.items()},
        "province": _(names["province"]),
        "agency": _(names["agency"]),
        "round": names["round"],
        "simulated": simulated,
        "title": _(instrument.title),
        "overall": _(instrument.overall),
        "scale": [_(point) for point in instrument.scale],
        "factors": [
            {
                "code": part.code if len(part.code) < 3 else "",
                "text": _(part),
                "items": [
                    {
                        "code": item.code,
                        "text": _(item),
                        "kind": item.kind,
                        "asked_if": _asked_if(item, _),
                        "choices": [f"{choice.number}. {_(choice)}" for choice in item.offered],
                        "without": [_(WITHOUT_NAMES[name]) for name in item.without],
                        "hint": _hint(item, _),
                    }
                    for item in items
                ],
            }
            for part, items in instrument.sections
        ],
        "reasons": [{"code": reason.code, "text": _(reason)} for reason in instrument.reasons],
    }
    topics = {item.topic for item in instrument.further if item.kind == "text"}
    data["asks"] = [name for name in ("expectation", "suggestion") if name not in topics]
    return json.dumps(data, ensure_ascii=False)
