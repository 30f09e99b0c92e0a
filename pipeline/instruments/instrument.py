"""The record of one version of an instrument, and how it is read from TOML.

Answers of a sheet are a tuple of `ANSWER_SLOTS` small integers (`pipeline.wire.Answer`): slot 0 is the overall
rating, slot k the item with `slot = k`; 0 not answered, 1..5 the scale (criteria), 6 yes and 7 no (facts). Slots of
a version never change."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.wire import ANSWER_SLOTS

OVERALL = "overall"
"""Name of slot 0 where items are named."""
YES, NO = 6, 7
SATISFIED = (4, 5)
"""Answers that count as satisfied (hài lòng, rất hài lòng)."""

MAX_BYTES = 65_536
"""Of an instrument's file; the shipped ones have 8 KiB."""
MAX_LINE_CHARS = 2_000
MAX_LINES = 2_000
MAX_LINE_DOTS = 32
"""In a line: a dotted key costs the square of its parts, so that 200 KB of one took 15.5 GB."""

Wording = Annotated[str, Meta(min_length=1, max_length=400)]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,15}$")]


class Pooling(StrEnum):
    """How the index of the whole is made from the answers; a named choice of the instrument."""

    POOLED_ANSWERS = "pooled_answers"
    """100 x satisfied answers / valid answers over all criteria."""
    WEIGHTED_FACTORS = "weighted_factors"
    """Mean of the factors' indices, weighted by `Factor.weight`."""
    OVERALL_QUESTION = "overall_question"
    """The index of the overall question alone."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wording in Vietnamese and English."""

    vi: Wording
    en: Wording

    def in_language(self, lang: str) -> str:
        """The wording in a language; the Vietnamese one where there is none."""
        return str(getattr(self, lang, "")) or self.vi


class ScalePoint(Text, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One point of the five-point scale."""

    answer: Annotated[int, Meta(ge=1, le=5)]


class Factor(Text, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of items. `weight` is used by `Pooling.WEIGHTED_FACTORS` alone."""

    code: Code
    weight: Annotated[float, Meta(ge=0, le=100)] = 1.0


class Item(Text, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A criterion (scale) or a fact (yes, no).

    `asked_if`: code of a fact that must be answered yes. `neutral`: a fact whose yes is neither good nor bad.
    `optional`: may be left out."""

    code: Code
    slot: Annotated[int, Meta(ge=1, lt=ANSWER_SLOTS)]
    factor: Code
    kind: Literal["criterion", "fact"] = "criterion"
    asked_if: Code | None = None
    neutral: bool = False
    optional: bool = False


class KioskQuestion(Text, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the nine questions of a kiosk and the item (or `overall`) that its answer counts for."""

    item: Code
    optional: bool = False


class Reason(Text, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
    recalled: tuple[str, ...] = ()
    """Parts that no text confirms yet; shown wherever the instrument is described."""
    title: Text
    overall: Text
    scale: tuple[ScalePoint, ...]
    factors: tuple[Factor, ...]
    items: tuple[Item, ...]
    validity: Validity = Validity()
    kiosk: tuple[KioskQuestion, ...] = ()
    short: tuple[Code, ...] = ()
    """Criteria (or `overall`) of the short form: SMS, 1022 calls, and tablets that are set to it; in the order
    asked."""
    reasons: tuple[Reason, ...] = ()

    @property
    def criteria(self) -> tuple[Item, ...]:
        """The items on the five-point scale, in order."""
        return tuple(item for item in self.items if item.kind == "criterion")

    @property
    def facts(self) -> tuple[Item, ...]:
        """The yes/no items, in order."""
        return tuple(item for item in self.items if item.kind == "fact")

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
    def slots(self) -> dict[str, int]:
        """Code to slot: `overall` and every item, in order of the slots."""
        return {OVERALL: 0, **{item.code: item.slot for item in sorted(self.items, key=lambda item: item.slot)}}


def parse_instrument(content: bytes, name: str = "instrument") -> Instrument:
    """Read an instrument from TOML bytes (UTF-8). Unknown keys are refused.

    Raises `ConfigError` that names the file and what is wrong with it."""
    try:
        instrument = msgspec.convert(tomllib.loads(_bounded(content)), Instrument)
    # a number of thousands of digits is a plain ValueError, brackets within brackets are a RecursionError
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ConfigError(
            Message("{name} is not an instrument: {error}.", name=name, error=error),
            Message("Compare it with the shipped 2640.toml."),
        ) from None
    problems = _problems(instrument)
    if problems:
        raise ConfigError(
            Message("{name}: {problems}.", name=name, problems="; ".join(problems)), Message("Correct the file.")
        )
    return instrument


def _bounded(content: bytes) -> str:
    """The file's text, if it is small enough to be parsed. Raises `ValueError`."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"{len(content)} bytes, at most {MAX_BYTES}")
    lines = content.decode("utf-8").split("\n")
    if len(lines) > MAX_LINES:
        raise ValueError(f"{len(lines)} lines, at most {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_CHARS or line.count(".") > MAX_LINE_DOTS:
            raise ValueError(f"line {number} is too long, or has too many dots")
    return "\n".join(lines)


def _problems(instrument: Instrument) -> list[str]:
    """What is inconsistent in an instrument, as sentences without a full stop."""
    found: list[str] = []
    factors = [factor.code for factor in instrument.factors]
    codes = [item.code for item in instrument.items]
    for what, values in (
        ("factor", factors),
        ("item", codes),
        ("slot", [item.slot for item in instrument.items]),
        ("reason bit", [reason.bit for reason in instrument.reasons]),
        ("kiosk item", [question.item for question in instrument.kiosk]),
    ):
        names = [str(value) for value in values]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            found.append(f"{what} {', '.join(twice)} appears twice")
    if [point.answer for point in instrument.scale] != [1, 2, 3, 4, 5]:
        found.append("the scale must name the answers 1 to 5 in order")
    if not codes:
        found.append("there is no item")
    if OVERALL in codes:
        found.append("an item may not be called overall")
    if instrument.emotion_factor not in factors:
        found.append(f"emotion_factor {instrument.emotion_factor} is no factor")
    facts = {item.code for item in instrument.facts}
    for item in instrument.items:
        if item.factor not in factors:
            found.append(f"item {item.code} names the unknown factor {item.factor}")
        if item.asked_if is not None and (item.asked_if not in facts or item.asked_if == item.code):
            found.append(f"item {item.code} is asked if {item.asked_if}, which is no other fact")
    found += [f"factor {code} has no criterion" for code in factors if not instrument.of_factor(code)]
    criteria = {item.code for item in instrument.criteria} | {OVERALL}
    found += [f"kiosk question {q.item} is no criterion" for q in instrument.kiosk if q.item not in criteria]
    found += [f"short form: {code} is no criterion" for code in instrument.short if code not in criteria]
    if instrument.pooling is Pooling.WEIGHTED_FACTORS and not sum(factor.weight for factor in instrument.factors):
        found.append("the weights of the factors sum to nothing")
    return found
