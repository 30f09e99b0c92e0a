"""Kinds of question: the one registry that imports, forms, paper, reports and pages read.

An answer is one whole number, whatever the kind: 1 to 5 of the scale; 6 yes, 7 no; the number of a choice; of several
choices a mask, bit n-1 for choice n; a number as it is. `pipeline.instruments.instrument.NOT_APPLICABLE` and
`DONT_KNOW` may stand for any of them. Free words are no answer: they are kept apart (`server.ratings.comments`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.instruments.instrument import DONT_KNOW, NO, NOT_APPLICABLE, YES, Item
from pipeline.language import Message

Figure = Literal["satisfied", "yes", "shares", "several", "mean", "none"]


def _no_choices(item: Item) -> list[Message]:
    return [Message("item {code} may have no choices", code=item.code)] if item.choices else []


def _choices(item: Item) -> list[Message]:
    found = []
    numbers = [choice.number for choice in item.choices]
    if len(item.offered) < 2:
        found.append(Message("item {code} needs two choices at least", code=item.code))
    if len(set(numbers)) < len(numbers):
        found.append(Message("item {code} has two choices of one number", code=item.code))
    if len({choice.vi.casefold() for choice in item.offered}) < len(item.offered):
        found.append(Message("item {code} has two choices of one wording", code=item.code))
    if item.most > len(item.choices):
        found.append(Message("item {code} lets choose more than there is", code=item.code))
    return found


def _three(item: Item) -> list[Message]:
    if [choice.number for choice in item.choices] == [1, 2, 3] and len(item.offered) == 3:
        return []
    return [Message("item {code} needs the three points 1, 2, 3", code=item.code)]


def _number(item: Item) -> list[Message]:
    found = _no_choices(item)
    if item.low > item.high:
        found.append(Message("item {code}: the least number is above the greatest", code=item.code))
    return found


def _one_of(item: Item, value: int) -> bool:
    return any(choice.number == value for choice in item.choices)


def _several(item: Item, value: int) -> bool:
    known = sum(1 << (choice.number - 1) for choice in item.choices)
    return value >= 0 and not value & ~known and (item.most == 0 or value.bit_count() <= item.most)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `fits`: whether a value is an answer of an item; `problems`: what is wrong with an item of this kind;
    `figure`: what is made of its answers; `of_factor`: may belong to a factor; `on_box`: a tablet, SMS or call
    may ask it; `demographic`: may ask who answers; `wrong`: what is said of a value that does not fit."""

    code: str
    name: Message
    figure: Figure
    fits: Callable[[Item, int], bool]
    wrong: Message
    problems: Callable[[Item], list[Message]] = _no_choices
    of_factor: bool = False
    on_box: bool = False
    demographic: bool = False


KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("criterion", Message("Five-point scale"), "satisfied", lambda _item, value: 1 <= value <= 5,
             Message("{item}: an answer is 1 to 5, or empty"), of_factor=True, on_box=True),
        Kind("fact", Message("Yes or no"), "yes", lambda _item, value: value in (YES, NO),
             Message("{item}: a fact is yes or no, or empty"), of_factor=True, on_box=True),
        Kind("three", Message("Three-point scale"), "shares", _one_of,
             Message("{item}: an answer is 1 to 3, or empty"), _three),
        Kind("single", Message("One choice"), "shares", _one_of,
             Message("{item}: none of the choices"), _choices, demographic=True),
        Kind("several", Message("Several choices"), "several", _several,
             Message("{item}: not among the choices, or too many of them"), _choices),
        Kind("number", Message("A number"), "mean", lambda item, value: item.low <= value <= item.high,
             Message("{item}: a number within its bounds, or empty"), _number),
        Kind("text", Message("Free words"), "none", lambda _item, _value: False,
             Message("{item}: free words are kept apart from the sheet")),
    )
}  # fmt: skip
WITHOUT_VALUES: dict[str, int] = {"not_applicable": NOT_APPLICABLE, "dont_know": DONT_KNOW}
WITHOUT_NAMES: dict[str, Message] = {
    "not_applicable": Message("Does not concern me"),
    "dont_know": Message("Don't know"),
}


def fits(item: Item, value: int) -> bool:
    """Whether a value is an answer of an item."""
    if value < 0:
        return any(WITHOUT_VALUES[name] == value for name in item.without)
    return KINDS[item.kind].fits(item, value)
