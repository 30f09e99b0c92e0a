"""What of two instruments can be compared: a question counts as the same where it is asked in the same words."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.instruments.instrument import Instrument, Item, Pooling


@dataclass(frozen=True, slots=True)
class Comparison:
    """Codes of questions, in the newer one's order (`removed`: the older's).

    `factors`: code -> whether its index can be compared. `scale`: the five points have the same words. `whole`:
    whether the index of the whole can be compared."""

    same: tuple[str, ...]
    reworded: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    factors: dict[str, bool]
    scale: bool
    whole: bool
    overall: bool


def _asked(item: Item) -> tuple[object, ...]:
    """What the citizen sees of a question, and when."""
    choices = tuple((choice.number, choice.vi) for choice in item.offered)
    filters = (item.asked_if, item.asked_if_choice)
    return item.kind, item.vi, choices, item.without, filters, item.low, item.high, item.most


def _weights(instrument: Instrument) -> tuple[object, ...]:
    """What the pooling of the whole rests on beside the answers."""
    if instrument.pooling is Pooling.WEIGHTED_FACTORS:
        return tuple((factor.code, factor.weight) for factor in instrument.factors)
    if instrument.pooling is Pooling.WEIGHTED_BLOCKS:
        return tuple((block.code, block.weight) for block in instrument.blocks if block.weight)
    return ()


def compare(new: Instrument, old: Instrument) -> Comparison:
    """What of `new` can be compared with `old`: only what is asked in the same words, on the same scale, and for a
    factor or the whole, of the same criteria put together in the same way."""
    before = {item.code: item for item in old.items}
    now = {item.code: item for item in new.items}
    same = {code for code, item in now.items() if code in before and _asked(item) == _asked(before[code])}
    scale = [point.vi for point in new.scale] == [point.vi for point in old.scale]

    def alike(mine: tuple[Item, ...], theirs: tuple[Item, ...]) -> bool:
        codes = {item.code for item in mine}
        return scale and codes == {item.code for item in theirs} and codes <= same

    overall = scale and new.overall.vi == old.overall.vi
    whole = new.pooling is old.pooling and _weights(new) == _weights(old)
    whole = whole and (overall if new.pooling is Pooling.OVERALL_QUESTION else alike(new.criteria, old.criteria))
    known = {factor.code for factor in old.factors}
    return Comparison(
        same=tuple(code for code in now if code in same),
        reworded=tuple(code for code in now if code in before and code not in same),
        added=tuple(code for code in now if code not in before),
        removed=tuple(code for code in before if code not in now),
        factors={f.code: f.code in known and alike(new.of_factor(f.code), old.of_factor(f.code)) for f in new.factors},
        scale=scale,
        whole=whole,
        overall=overall,
    )
