"""The record of one version of an instrument, and how it is read from TOML.

Answers of a sheet are a tuple of `ANSWER_SLOTS` small integers (`pipeline.wire.Answer`): slot 0 is the overall
rating, slot k the item with `slot = k`; 0 not answered, 1..5 the scale (criteria), 6 yes and 7 no (facts). They are
what a tablet can ask. A longer instrument has items in slots from `ANSWER_SLOTS` on too, and items of other kinds
(`pipeline.instruments.kinds`) stand in these alone: their answers are `more`, slot -> value. Slots of a version never
change."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.errors import ConfigError
from pipeline.language import Message, Text
from pipeline.wire import ANSWER_SLOTS

OVERALL = "overall"
"""Name of slot 0 where items are named."""
YES, NO = 6, 7
SATISFIED = (4, 5)
"""Answers that count as satisfied (hài lòng, rất hài lòng)."""

NOT_APPLICABLE, DONT_KNOW = -1, -2
"""Answers of any question that allows them (`Item.without`): they leave numerator and denominator. Kept in `more`."""
MAX_SLOTS = 256
MAX_CHOICES = 30
MAX_BYTES = 65_536
"""Of an instrument's file; the shipped ones have 8 to 30 KiB."""

Wording = Annotated[str, Meta(min_length=1, max_length=400)]
LanguageCode = Annotated[str, Meta(pattern="^[a-z]{2,3}$")]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,15}$")]


class Pooling(StrEnum):
    """How the index of the whole is made from the answers; a named choice of the instrument."""

    POOLED_ANSWERS = "pooled_answers"
    """100 x satisfied answers / valid answers over all criteria."""
    MEAN_OF_INDICATORS = "mean_of_indicators"
    """Mean of the criteria's indices, over those that have answers."""
    WEIGHTED_FACTORS = "weighted_factors"
    """Mean of the factors' indices, weighted by `Factor.weight`."""
    WEIGHTED_BLOCKS = "weighted_blocks"
    """Mean of the blocks' pooled indices, weighted by `Block.weight`."""
    OVERALL_QUESTION = "overall_question"
    """The index of the overall question alone."""


class Worded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What bears a wording, as files and drafts spell it: Vietnamese, English and, in `more`, any further languages
    (`more = [["tyz", "..."]]`). Whoever shows it takes `named`, the one record for names in any language."""

    vi: Wording
    en: Wording
    more: Annotated[tuple[tuple[LanguageCode, Wording], ...], Meta(max_length=20)] = ()

    @property
    def named(self) -> Text:
        """The wording, as all names in the data are."""
        return Text.named(**{**dict(self.more), "vi": self.vi, "en": self.en})

    def in_language(self, lang: str) -> str:
        """The wording in a language; the Vietnamese one where there is none."""
        return self.named.in_language(lang)


class ScalePoint(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One point of the five-point scale."""

    answer: Annotated[int, Meta(ge=1, le=5)]


class Block(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a long instrument: perception, policy, services, needs, who answers.

    `weight` is used by `Pooling.WEIGHTED_BLOCKS` alone. `demographic`: who answers; voluntary, and published only in
    cells of at least 30 sheets."""

    code: Code
    weight: Annotated[float, Meta(ge=0, le=100)] = 0.0
    demographic: bool = False


class Factor(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of items, in a block where the instrument has blocks. `weight` is used by `Pooling.WEIGHTED_FACTORS`
    alone."""

    code: Code
    weight: Annotated[float, Meta(ge=0, le=100)] = 1.0
    block: Code | None = None


class Choice(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One answer of a choice question. `number` is what is stored, for ever; `retired`: no longer offered, still
    known."""

    number: Annotated[int, Meta(ge=1, le=MAX_CHOICES)]
    retired: bool = False


ItemKind = Literal["criterion", "fact", "three", "single", "several", "number", "text"]
Without = Literal["not_applicable", "dont_know"]


class Item(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question: a criterion (scale), a fact (yes, no), or of another kind (`pipeline.instruments.kinds`).

    `factor`: of a criterion or fact; `block`: of a question that belongs to no factor. `asked_if`: code of a fact
    before it that must be answered yes, or of a single choice before it that must be answered `asked_if_choice`.
    `neutral`: a fact whose yes is neither good nor bad. `optional`: may be left out. `choices`: of `three`, `single`,
    `several`; `most`: how many of `several` may be chosen, 0 any number. `low`, `high`, `unit`: of `number`. `topic`:
    what the free words of `text` are. `without`: answers that leave the question out of numerator and denominator.
    `unconfirmed`: its wording stands in no text at hand."""

    code: Code
    slot: Annotated[int, Meta(ge=1, lt=MAX_SLOTS)]
    factor: Code | None = None
    block: Code | None = None
    kind: ItemKind = "criterion"
    asked_if: Code | None = None
    asked_if_choice: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    neutral: bool = False
    optional: bool = False
    choices: Annotated[tuple[Choice, ...], Meta(max_length=MAX_CHOICES)] = ()
    most: Annotated[int, Meta(ge=0, le=MAX_CHOICES)] = 0
    low: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    high: Annotated[int, Meta(ge=0, le=1_000_000)] = 1_000
    unit: Worded | None = None
    topic: Literal["expectation", "suggestion"] = "expectation"
    without: tuple[Without, ...] = ()
    unconfirmed: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether its answer has a place on the wire and a column of its own."""
        return self.slot < ANSWER_SLOTS

    @property
    def offered(self) -> tuple[Choice, ...]:
        """The choices that a form shows."""
        return tuple(choice for choice in self.choices if not choice.retired)


class KioskQuestion(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the nine questions of a kiosk and the item (or `overall`) that its answer counts for."""

    item: Code
    optional: bool = False


class Reason(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why somebody was not satisfied; `bit` is its place in `RatingRow.reasons`."""

    bit: Annotated[int, Meta(ge=0, le=15)]
    code: Code


class Validity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a sheet counts: at least `min_answers` criteria or the overall question; on channels that show the whole
    form, at least
    `min_share_full_form` of the criteria that applied."""

    min_answers: Annotated[int, Meta(ge=1, le=32)] = 1
    min_share_full_form: Annotated[float, Meta(ge=0, le=1)] = 0.5


class Instrument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of one instrument."""

    code: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    version: Annotated[int, Meta(ge=1, le=999)]
    wire_code: Annotated[int, Meta(ge=1, le=65_535)]
    """What names code and version on the wire and in every row; unique for ever."""
    decision: Wording
    emotion_factor: Code
    """The one factor that an implicit signal may inform, beside the overall index: how one was served."""
    pooling: Pooling
    starts: date | None = None
    """The first day on which it asks; before that it is known, and boxes hold it, but nothing asks with it."""
    variant_of: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")] | None = None
    """Code of the instrument that a province changed for itself."""
    recalled: tuple[str, ...] = ()
    """Parts that no text confirms yet; shown wherever the instrument is described."""
    title: Worded
    overall: Worded
    scale: tuple[ScalePoint, ...]
    blocks: tuple[Block, ...] = ()
    factors: tuple[Factor, ...]
    items: tuple[Item, ...]
    validity: Validity = Validity()
    kiosk: tuple[KioskQuestion, ...] = ()
    short: tuple[Code, ...] = ()
    """Criteria (or `overall`) of the short form: SMS, 1022 calls, and tablets that are set to it; in the order
    asked."""
    reasons: tuple[Reason, ...] = ()

    @property
    def named(self) -> Message:
        """Code and version, as pages say them."""
        return Message("{code} v{version}", code=self.code, version=self.version)

    @property
    def criteria(self) -> tuple[Item, ...]:
        """The items on the five-point scale, in order."""
        return tuple(item for item in self.items if item.kind == "criterion")

    @property
    def facts(self) -> tuple[Item, ...]:
        """The yes/no items, in order."""
        return tuple(item for item in self.items if item.kind == "fact")

    @property
    def scored(self) -> tuple[Item, ...]:
        """Criteria and facts, in order: what the index and its tables show."""
        return tuple(item for item in self.items if item.kind in ("criterion", "fact"))

    @property
    def further(self) -> tuple[Item, ...]:
        """The items of all other kinds, in order."""
        return tuple(item for item in self.items if item.kind not in ("criterion", "fact"))

    @property
    def is_long(self) -> bool:
        """Whether it asks more than the slots of the wire hold."""
        return any(not item.is_wide for item in self.items)

    def block_of(self, item: Item) -> Block | None:
        """The block of an item, by its factor or its own."""
        code = item.block
        for factor in self.factors if code is None else ():
            if factor.code == item.factor:
                code = factor.block
        return next((block for block in self.blocks if block.code == code), None)

    def of_block(self, code: str) -> tuple[Item, ...]:
        """The criteria of one block, in order."""
        return tuple(item for item in self.criteria if (b := self.block_of(item)) is not None and b.code == code)

    def item(self, code: str) -> Item:
        """The item of that code; raises `ConfigError`."""
        for item in self.items:
            if item.code == code:
                return item
        raise ConfigError(Message("Instrument {code} has no item {code_2}.", code=self.code, code_2=code))

    def of_factor(self, code: str) -> tuple[Item, ...]:
        """The criteria of one factor, in order (facts do not enter an index)."""
        return tuple(item for item in self.criteria if item.factor == code)

    def slot_of(self, code: str) -> int:
        """Slot of an item's code, 0 for `overall`; raises `ConfigError`."""
        return 0 if code == OVERALL else self.item(code).slot

    @property
    def sections(self) -> tuple[tuple[Factor | Block, tuple[Item, ...]], ...]:
        """What a form shows, in order: factors with their items, block by block, then what a block asks of its own."""
        found: list[tuple[Factor | Block, tuple[Item, ...]]] = []
        for block in (None, *self.blocks):
            code = None if block is None else block.code
            found += [
                (factor, tuple(item for item in self.items if item.factor == factor.code))
                for factor in self.factors
                if factor.block == code
            ]
            own = () if block is None else tuple(item for item in self.items if item.block == block.code)
            if block is not None and own:
                found.append((block, own))
        return tuple(found)

    @property
    def wide(self) -> dict[str, int]:
        """Code to slot of what the wire and the columns of a rating hold: `overall` and short items."""
        return {code: slot for code, slot in self.slots.items() if slot < ANSWER_SLOTS}

    @property
    def slots(self) -> dict[str, int]:
        """Code to slot: `overall` and every item, in order of the slots."""
        return {OVERALL: 0, **{item.code: item.slot for item in sorted(self.items, key=lambda item: item.slot)}}
