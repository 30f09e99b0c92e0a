"""When a sheet of answers is valid under its instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.instruments.instrument import NO, OVERALL, YES, Instrument
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


_TEXTS = {
    ProblemKind.LENGTH: Message("a sheet has {answer_slots} slots", answer_slots=ANSWER_SLOTS),
    ProblemKind.OFF_SCALE: Message("{item}: an answer is 1 to 5, or empty"),
    ProblemKind.NOT_YES_NO: Message("{item}: a fact is yes or no, or empty"),
    ProblemKind.UNUSED_SLOT: Message("slot {item} is not used by this instrument"),
    ProblemKind.TOO_FEW: Message("too few answers for a valid sheet"),
    ProblemKind.REASONS: Message("a reason that the instrument does not know"),
}


def drop_unasked(instrument: Instrument, answers: Sequence[int]) -> tuple[int, ...]:
    """The answers without those whose filter was answered no: the form tells to skip them, so they are not counted."""
    kept = list(answers)
    for item in instrument.items:
        if item.asked_if is not None and kept[instrument.slot_of(item.asked_if)] == NO:
            kept[item.slot] = 0
    return tuple(kept)


def check_answers(
    instrument: Instrument, answers: Sequence[int], *, full_form: bool = False, reasons: int = 0
) -> list[Problem]:
    """What is wrong with a sheet; an empty list means that it is valid.

    `answers`: `ANSWER_SLOTS` integers. `full_form`: the channel showed every question (paper, online, hotline), so that
    the share rule applies.
    Answers behind a filter answered no do not count as given (`drop_unasked`)."""
    if len(answers) != ANSWER_SLOTS:
        return [Problem(ProblemKind.LENGTH)]
    found: list[Problem] = []
    used = {0}
    if not 0 <= answers[0] <= 5:
        found.append(Problem(ProblemKind.OFF_SCALE, OVERALL))
    for item in instrument.items:
        used.add(item.slot)
        answer = answers[item.slot]
        if item.kind == "fact":
            if answer not in (0, YES, NO):
                found.append(Problem(ProblemKind.NOT_YES_NO, item.code))
        elif not 0 <= answer <= 5:
            found.append(Problem(ProblemKind.OFF_SCALE, item.code))
    found += [Problem(ProblemKind.UNUSED_SLOT, str(s)) for s, a in enumerate(answers) if a and s not in used]
    if reasons & ~sum(1 << reason.bit for reason in instrument.reasons):
        found.append(Problem(ProblemKind.REASONS))
    if found:
        return found
    kept = drop_unasked(instrument, answers)
    given = sum(1 for item in instrument.criteria if kept[item.slot])
    # A criterion applies unless its filter was answered no or not at all, or it may be left out.
    applied = sum(
        1
        for item in instrument.criteria
        if not item.optional and (item.asked_if is None or kept[instrument.slot_of(item.asked_if)] == YES)
    )
    enough = given >= instrument.validity.min_answers or kept[0] > 0
    if full_form:
        enough = enough and given >= instrument.validity.min_share_full_form * applied
    return [] if enough else [Problem(ProblemKind.TOO_FEW)]
