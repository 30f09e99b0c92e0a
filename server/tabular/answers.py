"""What the cell of a question says, whatever its kind: the one reader of imports and of paper entry."""

from __future__ import annotations

from pipeline.instruments.instrument import Item
from pipeline.instruments.kinds import KINDS, WITHOUT_VALUES, fits
from pipeline.language import Message
from pipeline.text import match_key, without_marks
from server.tabular.scales import USUAL, Scale
from server.tabular.values import NOT_ANSWERED, read_answer, read_whole

_WITHOUT = {
    "not_applicable": ("-1", "khong ap dung", "khong lien quan", "khong thuoc truong hop nay", "not applicable"),
    "dont_know": ("-2", "khong biet", "khong ro", "kb", "don't know"),
}
_NONE = frozenset({"0", "khong", "khong chon", "none"})
"""Of a question of several choices: asked, and none was chosen. An empty cell says that it was not asked."""


def read_item(item: Item, text: str, missing: frozenset[str] = NOT_ANSWERED, scale: Scale = USUAL) -> int | None:
    """The answer in a cell as one number (`pipeline.instruments.kinds`), None where there is none.

    A choice is its number or its wording; several stand with commas or semicolons between them. Raises `ValueError`
    with the reason."""
    key, plain = match_key(text), without_marks(text)
    for name in item.without:
        if plain in _WITHOUT[name]:
            return WITHOUT_VALUES[name]
    kind = KINDS[item.kind]
    if item.kind in ("criterion", "fact"):
        return read_answer(text, item.kind == "fact", missing, scale.lowest, scale.highest) or None
    if kind.figure == "several" and plain in _NONE:
        return 0
    if key in missing - ({"0"} if item.kind == "number" else set()):
        return None
    if item.kind == "number":
        value = read_whole(text, item.low, item.high)
    elif kind.figure == "several":
        parts = [part.strip() for part in text.replace(";", ",").split(",")]
        chosen = {_choice(item, part) for part in parts if part} if _known(item, key) is None else {_choice(item, text)}
        value = sum(1 << (number - 1) for number in chosen)
    else:
        value = _choice(item, text)
    if not fits(item, value):
        raise ValueError(kind.wrong.with_params(item=item.code))
    return value


def write_item(item: Item, value: int | None) -> str:
    """The cell of an answer, as `read_item` reads it; '' for none."""
    if value is None:
        return ""
    if value > 0 and KINDS[item.kind].figure == "several":
        return ";".join(str(bit + 1) for bit in range(value.bit_length()) if value >> bit & 1)
    return str(value)


def _known(item: Item, key: str) -> int | None:
    for choice in item.choices:
        if key in (str(choice.number), match_key(choice.vi), match_key(choice.en)):
            return choice.number
    return None


def _choice(item: Item, text: str) -> int:
    found = _known(item, match_key(text))
    if found is None:
        raise ValueError(Message("'{text}' is none of the choices", text=text[:30]))
    return found
