"""Changing a draft by what a form says.

Each change gives a new record, whose values are within their bounds; whether they fit together says the check."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from pipeline.errors import InvalidError, NotFoundError
from pipeline.instruments import KINDS, Block, Choice, Factor, Instrument, Item, Pooling, Worded
from pipeline.instruments.instrument import MAX_CHOICES, MAX_SLOTS, OVERALL
from pipeline.language import DEFAULT, SOURCE, Message, languages
from pipeline.wire import ANSWER_SLOTS

_CODE = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,15}$")
_CHOICE = re.compile(r"^(?:(\d{1,2})\s*[.)]\s*)?(.+?)(\s*\[x\])?$")
MAX_WORDING = 400


def set_head(instrument: Instrument, values: Mapping[str, str]) -> Instrument:
    """Title, decision, overall question, pooling. Raises `InvalidError`."""
    try:
        pooling = Pooling(values.get("pooling", ""))
    except ValueError:
        raise InvalidError(Message("There is no such pooling.")) from None
    further = further_languages(instrument)
    return replace(
        instrument,
        title=_text(values, "title", instrument.title, further),
        overall=_text(values, "overall", instrument.overall, further),
        decision=_wording(values.get("decision", "")),
        pooling=pooling,
    )


def put_item(instrument: Instrument, old: str, values: Mapping[str, str], taken: Collection[int]) -> Instrument:
    """Change the question `old`, or add one at the end of its part ('' as `old`).

    `taken`: slots that other versions use. Raises `InvalidError` for what no question can be, `NotFoundError`."""
    before = None if not old else _item(instrument, old)
    code, kind = values.get("code", "").strip(), values.get("kind", "")
    if not _CODE.match(code) or code == OVERALL:
        raise InvalidError(Message("The code of a question is a letter, then up to 15 letters, digits or dashes."))
    if kind not in KINDS:
        raise InvalidError(Message("There is no such kind of question."))
    part = values.get("part", "")
    factor = part if any(one.code == part for one in instrument.factors) else None
    block = part if factor is None and any(one.code == part for one in instrument.blocks) else None
    if factor is None and block is None:
        raise InvalidError(Message("Choose the part that the question belongs to."))
    kept = before is not None and (before.is_wide is False or KINDS[kind].on_box)
    slot = before.slot if before is not None and kept else _free_slot(instrument, taken, wide=KINDS[kind].on_box)
    asked_if, _, number = values.get("asked_if", "").partition("=")
    bounds = {name: _number(values.get(name, ""), usual) for name, usual in (("low", 0), ("high", 1_000))}
    further = further_languages(instrument)
    unit = None
    if kind == "number" and values.get("unit_vi", "").strip():
        unit = _text(values, "unit", None if before is None else before.unit, further)
    words = _text(values, "", before, further)
    given: dict[str, Any] = {
        "code": code,
        "slot": slot,
        "kind": kind,
        **asdict(words),
        "factor": factor,
        "block": block,
        "asked_if": asked_if or None,
        "asked_if_choice": _number(number, 0) or None,
        "optional": bool(values.get("optional")),
        "neutral": False if before is None else before.neutral,
        "without": [name for name in ("not_applicable", "dont_know") if values.get(name)],
        "choices": _choices(values.get("choices", ""), further) if KINDS[kind].figure in ("shares", "several") else [],
        "most": _number(values.get("most", ""), 0) if kind == "several" else 0,
        "topic": "suggestion" if values.get("topic") == "suggestion" else "expectation",
        "unconfirmed": before is not None and before.unconfirmed and before.vi == words.vi,
        **(bounds if kind == "number" else {}),
        **({"unit": asdict(unit)} if unit else {}),
    }
    try:
        item = msgspec.convert(given, Item)
    except msgspec.ValidationError:
        raise InvalidError(
            Message("One of these values cannot be used: a number too large, or a text too long.")
        ) from None
    items = tuple(item if one.code == old else one for one in instrument.items) if old else (*instrument.items, item)
    short = tuple(code if one == old else one for one in instrument.short)
    if bool(values.get("short")) != (code in short):
        short = (*short, code) if values.get("short") else tuple(one for one in short if one != code)
    kiosk = tuple(replace(q, item=code) if q.item == old else q for q in instrument.kiosk)
    filters = tuple(
        replace(one, asked_if=code) if old and one.asked_if == old and code != old else one for one in items
    )
    return replace(instrument, items=filters, short=short, kiosk=kiosk)


def remove_item(instrument: Instrument, code: str) -> Instrument:
    """Take a question out, and out of the short forms. Raises `NotFoundError`."""
    _item(instrument, code)
    return replace(
        instrument,
        items=tuple(one for one in instrument.items if one.code != code),
        short=tuple(one for one in instrument.short if one != code),
        kiosk=tuple(one for one in instrument.kiosk if one.item != code),
    )


def move_item(instrument: Instrument, code: str, up: bool) -> Instrument:
    """Move a question before or behind its neighbour of the same part. Raises `NotFoundError`."""
    item, items = _item(instrument, code), list(instrument.items)
    mates = [one for one in items if (one.factor, one.block) == (item.factor, item.block)]
    other = mates.index(item) + (-1 if up else 1)
    if 0 <= other < len(mates):
        first, second = items.index(item), items.index(mates[other])
        items[first], items[second] = items[second], items[first]
    return replace(instrument, items=tuple(items))


def put_part(instrument: Instrument, values: Mapping[str, str]) -> Instrument:
    """Add a factor or a block, or change the one of that code. Raises `InvalidError`."""
    code = values.get("code", "").strip()
    parts: tuple[Block | Factor, ...] = instrument.blocks if values.get("what") == "block" else instrument.factors
    words = _text(values, "", next((one for one in parts if one.code == code), None), further_languages(instrument))
    if not _CODE.match(code):
        raise InvalidError(Message("The code of a part is a letter, then up to 15 letters, digits or dashes."))
    weight = _decimal(values.get("weight", ""))
    if values.get("what") == "block":
        block = Block(
            code=code,
            **asdict(words),
            weight=weight,
            demographic=bool(values.get("demographic")),
        )
        blocks = instrument.blocks
        is_there = any(one.code == code for one in blocks)
        return replace(
            instrument,
            blocks=tuple(block if one.code == code else one for one in blocks) if is_there else (*blocks, block),
        )
    parent = values.get("block", "") or None
    factor = Factor(code=code, **asdict(words), weight=weight or 1.0, block=parent)
    factors = instrument.factors
    is_there = any(one.code == code for one in factors)
    return replace(
        instrument,
        factors=tuple(factor if one.code == code else one for one in factors) if is_there else (*factors, factor),
    )


def remove_part(instrument: Instrument, code: str) -> Instrument:
    """Take an empty factor or block out. Raises `InvalidError` where questions are in it."""
    if any(code in (one.factor, one.block) for one in instrument.items):
        raise InvalidError(Message("There are questions in this part: move or remove them first."))
    return replace(
        instrument,
        factors=tuple(one for one in instrument.factors if one.code != code),
        blocks=tuple(one for one in instrument.blocks if one.code != code),
    )


def further_languages(instrument: Instrument) -> tuple[str, ...]:
    """The codes of the languages beside Vietnamese and English: those that there are catalogues of, and any that the
    instrument holds a wording in."""
    named: list[Worded] = [instrument.title, instrument.overall, *instrument.factors, *instrument.blocks]
    for item in instrument.items:
        named += (item, *item.choices, *((item.unit,) if item.unit else ()))
    held = {code for one in named for code, _wording in one.more}
    return tuple(dict.fromkeys((*(code for code in languages() if code not in (DEFAULT, SOURCE)), *sorted(held))))


def choices_text(item: Item, further: Sequence[str] = ()) -> str:
    """The choices as the form shows them, one a line: number, Vietnamese, English, each of the `further` languages."""
    lines = []
    for choice in item.choices:
        more = dict(choice.more)
        words = [choice.vi, choice.en if choice.en != choice.vi else "", *(more.get(code, "") for code in further)]
        while not words[-1]:
            words.pop()
        lines.append(f"{choice.number}. {' | '.join(words)}{' [x]' if choice.retired else ''}")
    return "\n".join(lines)


def _choices(text: str, further: Sequence[str]) -> list[Choice]:
    """`3. Nam | Male | ... [x]`: number (else the next free one), wording, English, each of the `further` languages, no
    longer offered."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_CHOICES:
        raise InvalidError(Message("A question has at most {most} choices.", most=MAX_CHOICES))
    matches = [match for line in lines if (match := _CHOICE.match(line)) is not None]
    used = {int(match[1]) for match in matches if match[1]}
    found = []
    for match in matches:
        number = int(match[1]) if match[1] else next(n for n in range(1, 100) if n not in used)
        used.add(number)
        if not 1 <= number <= MAX_CHOICES:
            raise InvalidError(Message("The number of a choice is 1 to {most}.", most=MAX_CHOICES))
        vi, en, *others = (*(part.strip() for part in match[2].split("|", 1 + len(further))), "")[: 2 + len(further)]
        more = tuple((code, _wording(words)) for code, words in zip(further, others, strict=False) if words)
        found.append(Choice(number=number, vi=_wording(vi), en=_wording(en or vi), more=more, retired=bool(match[3])))
    return found


def _item(instrument: Instrument, code: str) -> Item:
    for item in instrument.items:
        if item.code == code:
            return item
    raise NotFoundError(Message("There is no question {code}.", code=code))


def _free_slot(instrument: Instrument, taken: Collection[int], *, wide: bool) -> int:
    used = {item.slot for item in instrument.items} | set(taken)
    for slot in range(1 if wide else ANSWER_SLOTS, MAX_SLOTS):
        if slot not in used:
            return slot
    raise InvalidError(Message("The instrument is full: it has {most} questions.", most=MAX_SLOTS - 1))


def _text(values: Mapping[str, str], prefix: str, held: Worded | None, further: Sequence[str]) -> Worded:
    """A wording; the English one is the Vietnamese where nothing is given. The `further` languages are those of the
    form; one that it has no field for stays as it is `held` while the Vietnamese does."""
    before = f"{prefix}_" if prefix else ""
    vi = _wording(values.get(f"{before}vi", ""))
    more = dict(held.more) if held is not None and held.vi == vi else {}
    for code in further:
        if (words := values.get(f"{before}more_{code}")) is not None:
            more.pop(code, None)
            more |= {code: _wording(words)} if words.strip() else {}
    return Worded(vi=vi, en=_wording(values.get(f"{before}en", "").strip() or vi), more=tuple(more.items()))


def _wording(text: str) -> str:
    found = " ".join(text.split())
    if not 0 < len(found) <= MAX_WORDING:
        raise InvalidError(Message("A wording has 1 to {most} characters.", most=MAX_WORDING))
    return found


def _number(text: str, usual: int) -> int:
    if not text.strip():
        return usual
    if not (text.strip().isascii() and text.strip().isdigit()) or len(text.strip()) > 7:
        raise InvalidError(Message("'{text}' is no whole number.", text=text[:20]))
    return int(text)


def _decimal(text: str) -> float:
    found = text.strip().replace(",", ".")
    if not re.fullmatch(r"\d{0,3}(\.\d{1,4})?", found) or float(found or 0) > 100:
        raise InvalidError(Message("A weight is a number from 0 to 100."))
    return float(found or 0)
