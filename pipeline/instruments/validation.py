"""When a sheet of answers is valid under its instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from pipeline.instruments.instrument import OVERALL, YES, Instrument
from pipeline.instruments.kinds import KINDS, fits
from pipeline.language import Message
from pipeline.wire import ANSWER_SLOTS


class ProblemKind(StrEnum):
    """What is wrong with a sheet."""

    LENGTH = "length"
    OFF_SCALE = "off_scale"
    NOT_YES_NO = "not_yes_no"
    UNUSED_SLOT = "unused_slot"
    TOO_FEW = "too_few"
    REASONS = "reasons"
    CHOICE = "choice"


NO_MORE: Mapping[int, int] = MappingProxyType({})
_WRONG = {"criterion": ProblemKind.OFF_SCALE, "fact": ProblemKind.NOT_YES_NO}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a sheet and the item it concerns ('' for the whole sheet)."""

    kind: ProblemKind
    item: str = ""

    @property
    def words(self) -> Message:
        """The problem as a sentence."""
        return _TEXTS[self.kind].with_params(item=self.item)

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it was given: `ANSWER_SLOTS` integers, and further answers by slot (`pipeline.instruments.kinds`)."""

    answers: tuple[int, ...]
    more: Mapping[int, int] = field(default_factory=lambda: NO_MORE)


_TEXTS = {
    ProblemKind.LENGTH: Message("a sheet has {answer_slots} slots", answer_slots=ANSWER_SLOTS),
    ProblemKind.OFF_SCALE: KINDS["criterion"].wrong,
    ProblemKind.NOT_YES_NO: KINDS["fact"].wrong,
    ProblemKind.CHOICE: Message("{item}: the answer is none of this question"),
    ProblemKind.UNUSED_SLOT: Message("slot {item} is not used by this instrument"),
    ProblemKind.TOO_FEW: Message("too few answers for a valid sheet"),
    ProblemKind.REASONS: Message("a reason that the instrument does not know"),
}


def unasked(instrument: Instrument, answers: Sequence[int], more: Mapping[int, int]) -> frozenset[int]:
    """Slots of the questions that the form tells to skip: their filter was answered otherwise, or was skipped so."""
    found: set[int] = set()
    for item in instrument.items:
        if item.asked_if is None:
            continue
        other = instrument.item(item.asked_if)
        given = value_at(other.slot, answers, more)
        wanted = YES if item.asked_if_choice is None else item.asked_if_choice
        if other.slot in found or (given and given != wanted):
            found.add(item.slot)
    return frozenset(found)


def value_at(slot: int, answers: Sequence[int], more: Mapping[int, int]) -> int:
    """The answer in a slot, 0 for none."""
    return more.get(slot) or (answers[slot] if slot < ANSWER_SLOTS else 0)


def drop_unasked(instrument: Instrument, answers: Sequence[int], more: Mapping[int, int] = NO_MORE) -> tuple[int, ...]:
    """The answers without those whose filter was answered no: the form tells to skip them, so they are not counted."""
    skipped = unasked(instrument, answers, more)
    return tuple(0 if slot in skipped else answer for slot, answer in enumerate(answers))


def kept_more(instrument: Instrument, answers: Sequence[int], more: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """The further answers in order of their slots, without those that the form tells to skip."""
    skipped = unasked(instrument, answers, more)
    return tuple(sorted((slot, value) for slot, value in more.items() if slot not in skipped))


def check_answers(
    instrument: Instrument,
    answers: Sequence[int],
    *,
    more: Mapping[int, int] = NO_MORE,
    full_form: bool = False,
    reasons: int = 0,
) -> list[Problem]:
    """What is wrong with a sheet; an empty list means that it is valid.

    `answers`: `ANSWER_SLOTS` integers. `more`: further answers by slot (`pipeline.instruments.kinds`). `full_form`: the
    channel showed every question (paper, online, hotline), so that the share rule applies.
    Answers behind a filter answered no do not count as given (`drop_unasked`); "does not concern me" and "don't know"
    leave a criterion out of what applied."""
    if len(answers) != ANSWER_SLOTS:
        return [Problem(ProblemKind.LENGTH)]
    found: list[Problem] = []
    used = {0}
    if not 0 <= answers[0] <= 5:
        found.append(Problem(ProblemKind.OFF_SCALE, OVERALL))
    of_slot = {item.slot: item for item in instrument.items}
    for item in instrument.items:
        used.add(item.slot)
        if item.is_wide and answers[item.slot] and not KINDS[item.kind].fits(item, answers[item.slot]):
            found.append(Problem(_WRONG.get(item.kind, ProblemKind.CHOICE), item.code))
    found += [Problem(ProblemKind.UNUSED_SLOT, str(s)) for s, a in enumerate(answers) if a and s not in used]
    for slot, value in more.items():
        item_of = of_slot.get(slot)
        if item_of is None:
            found.append(Problem(ProblemKind.UNUSED_SLOT, str(slot)))
        elif not fits(item_of, value) or (item_of.is_wide and (value > 0 or answers[slot])):
            found.append(Problem(_WRONG.get(item_of.kind, ProblemKind.CHOICE), item_of.code))
    if reasons & ~sum(1 << reason.bit for reason in instrument.reasons):
        found.append(Problem(ProblemKind.REASONS))
    if found:
        return found
    skipped = unasked(instrument, answers, more)
    given = applied = 0
    for item in instrument.criteria:
        value = value_at(item.slot, answers, more)
        given += value > 0 and item.slot not in skipped
        # A criterion applies unless its filter was answered otherwise or not at all, or it may be left out.
        opened = item.asked_if is None or (
            item.slot not in skipped and value_at(instrument.slot_of(item.asked_if), answers, more) > 0
        )
        applied += opened and not item.optional and value >= 0
    enough = given >= instrument.validity.min_answers or answers[0] > 0
    if full_form:
        enough = enough and given >= instrument.validity.min_share_full_form * applied
    return [] if enough else [Problem(ProblemKind.TOO_FEW)]
