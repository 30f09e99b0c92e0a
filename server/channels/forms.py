"""Reading a sheet from a form's fields, whatever its questions.

`q_CODE` is one answer, `q_CODE_3` a ticked choice, `t_CODE` free words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import HTTPException

from pipeline.instruments import KINDS, Instrument
from pipeline.instruments.instrument import MAX_SLOTS
from pipeline.language import Message
from pipeline.wire import ANSWER_SLOTS

MAX_FIELDS = 80 + 2 * MAX_SLOTS
_LONGEST = 7


@dataclass(frozen=True, slots=True)
class Given:
    """What a form gave: a sheet's answers (32 integers), further ones by slot, and free words by their kind."""

    answers: tuple[int, ...]
    more: Mapping[int, int]
    words: Mapping[str, str]


def read_form(instrument: Instrument, values: Mapping[str, object], *, whole: bool = True) -> Given:
    """The sheet in a form's fields. `whole`: every question was shown, so that choices left blank are blank answers.

    Raises `HTTPException` 422 for what no form of ours sends; whether an answer fits its question says the rating."""
    answers, more = [0] * ANSWER_SLOTS, dict[int, int]()
    words = {kind: str(values.get(kind, "") or "") for kind in ("expectation", "suggestion")}
    for code, slot in instrument.slots.items():
        item = instrument.item(code) if slot else None
        if item is not None and KINDS[item.kind].figure == "none":
            parts = (words[item.topic], str(values.get(f"t_{code}", "") or "").strip())
            words[item.topic] = "\n".join(part for part in parts if part)
            continue
        text = str(values.get(f"q_{code}", "") or "").strip()
        if item is not None and KINDS[item.kind].figure == "several" and not text:
            ticked = [choice.number for choice in item.choices if values.get(f"q_{code}_{choice.number}")]
            if ticked or whole:
                more[slot] = sum(1 << (number - 1) for number in ticked)
            continue
        if not text:
            continue
        value = _read(code, text)
        if slot < ANSWER_SLOTS and value >= 0:
            answers[slot] = value
        else:
            more[slot] = value
    return Given(tuple(answers), more, words)


def _read(code: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(text) > _LONGEST or int(text) < -2:
        raise HTTPException(422, Message("{code}: this is no answer.", code=code))
    return int(text)
