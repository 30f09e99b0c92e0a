"""What does not fit together in an instrument, in sentences for whoever wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.instruments.instrument import OVERALL, Instrument, Item, Pooling
from pipeline.instruments.kinds import KINDS
from pipeline.language import Message

NOUNS = {
    "block": Message("block"),
    "factor": Message("factor"),
    "item": Message("item"),
    "slot": Message("slot"),
    "reason bit": Message("reason bit"),
    "kiosk item": Message("kiosk item"),
    "short item": Message("item of the short form"),
}


def find_problems(instrument: Instrument) -> list[Message]:
    """What does not fit together, as sentences without a full stop; empty where all fits."""
    return [
        *_twice("block", (block.code for block in instrument.blocks)),
        *_twice("factor", (factor.code for factor in instrument.factors)),
        *_twice("item", (item.code for item in instrument.items)),
        *_twice("slot", (str(item.slot) for item in instrument.items)),
        *_twice("reason bit", (str(reason.bit) for reason in instrument.reasons)),
        *_twice("kiosk item", (question.item for question in instrument.kiosk)),
        *_twice("short item", instrument.short),
        *_whole(instrument),
        *_groups(instrument),
        *_items(instrument),
        *_small_forms(instrument),
    ]


def _twice(noun: str, values: Iterable[str]) -> list[Message]:
    twice = sorted(value for value, count in Counter(values).items() if count > 1)
    words = Message("{noun} {names} appears twice", noun=NOUNS[noun], names=", ".join(twice))
    return [words] if twice else []


def _whole(instrument: Instrument) -> list[Message]:
    found = []
    if [point.answer for point in instrument.scale] != [1, 2, 3, 4, 5]:
        found.append(Message("the scale must name the answers 1 to 5 in order"))
    if not instrument.items:
        found.append(Message("there is no item"))
    if any(item.code == OVERALL for item in instrument.items):
        found.append(Message("an item may not be called overall"))
    if instrument.emotion_factor not in {factor.code for factor in instrument.factors}:
        found.append(Message("emotion_factor {code} is no factor", code=instrument.emotion_factor))
    if instrument.pooling is Pooling.WEIGHTED_FACTORS and not sum(factor.weight for factor in instrument.factors):
        found.append(Message("the weights of the factors sum to nothing"))
    if instrument.pooling is Pooling.WEIGHTED_BLOCKS:
        weighed = [block for block in instrument.blocks if block.weight]
        if not weighed:
            found.append(Message("the weights of the blocks sum to nothing"))
        found += [
            Message("block {code} has a weight and no criterion", code=block.code)
            for block in weighed
            if not instrument.of_block(block.code)
        ]
    return found


def _groups(instrument: Instrument) -> list[Message]:
    blocks = {block.code for block in instrument.blocks}
    found = [
        Message("factor {code} names the unknown block {block}", code=factor.code, block=factor.block)
        for factor in instrument.factors
        if factor.block is not None and factor.block not in blocks
    ]
    found += [
        Message("factor {code} has no criterion", code=factor.code)
        for factor in instrument.factors
        if not instrument.of_factor(factor.code)
    ]
    names = Counter(
        [*blocks, *{factor.code for factor in instrument.factors}, *{item.code for item in instrument.items}]
    )
    return found + [
        Message("{code} names two of block, factor and item", code=code) for code, n in sorted(names.items()) if n > 1
    ]


def _items(instrument: Instrument) -> list[Message]:
    factors, blocks = {f.code for f in instrument.factors}, {b.code: b for b in instrument.blocks}
    found: list[Message] = []
    before: dict[str, Item] = {}
    every = {item.code for item in instrument.items}
    for item in instrument.items:
        kind = KINDS[item.kind]
        if item.factor is not None and item.factor not in factors:
            found.append(Message("item {code} names the unknown factor {factor}", code=item.code, factor=item.factor))
        if item.block is not None and item.block not in blocks:
            found.append(Message("item {code} names the unknown block {block}", code=item.code, block=item.block))
        if item.kind == "criterion" and item.factor is None:
            found.append(Message("item {code} must name its factor", code=item.code))
        elif (item.factor is None) == (item.block is None) or (item.factor is not None and not kind.of_factor):
            found.append(Message("item {code} must name its block, and no factor", code=item.code))
        if not kind.on_box and item.is_wide:
            found.append(Message("item {code} is no question for a tablet: give it a slot from 32 on", code=item.code))
        found += _filter(item, before, every)
        found += kind.problems(item)
        if item.block in blocks and blocks[item.block].demographic and not (kind.demographic and item.optional):
            found.append(Message("item {code} asks who answers: a single choice, and voluntary", code=item.code))
        before[item.code] = item
    return found


def _filter(item: Item, before: dict[str, Item], every: set[str]) -> list[Message]:
    """A filter is a fact, or one answer of a single choice, that was asked before."""
    if item.asked_if is None:
        return [] if item.asked_if_choice is None else [Message("item {code} has no filter to choose", code=item.code)]
    other = before.get(item.asked_if)
    if other is None:
        if item.asked_if in every:
            return [Message("item {code} is asked if {filter}, which comes after it", code=item.code,
                            filter=item.asked_if)]  # fmt: skip
        return [Message("item {code} is asked if {filter}, which is no other fact", code=item.code,
                        filter=item.asked_if)]  # fmt: skip
    if item.asked_if_choice is None:
        fits = other.kind == "fact"
    else:
        fits = other.kind == "single" and any(one.number == item.asked_if_choice for one in other.choices)
    words = Message("item {code} is asked if {filter}, which is no other fact", code=item.code, filter=item.asked_if)
    return [] if fits else [words]


def _small_forms(instrument: Instrument) -> list[Message]:
    """The tablet's forms, SMS and 1022 ask criteria that the wire has a place for, and nothing that hangs on a filter
    is among them by itself."""
    small = {item.code for item in instrument.criteria if item.is_wide} | {OVERALL}
    found = [
        Message("kiosk question {code} is no criterion", code=question.item)
        for question in instrument.kiosk
        if question.item not in small
    ]
    return found + [
        Message("short form: {code} is no criterion", code=code) for code in instrument.short if code not in small
    ]
