"""The questionnaire as a conversation by SMS or keys of a telephone: a pure state machine.

Asked is the instrument's short form. 1 to 5 or a wording of the scale answers, 0 skips a question (not the first),
`DUNG`/`STOP` or hanging up ends it (`understanding`). What is not understood is asked again twice; then a first
question ends the conversation, another one is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.instruments import OVERALL, Instrument
from pipeline.language import Message, in_language, translator
from pipeline.wire import ANSWER_SLOTS
from server.channels.gateway.understanding import SKIP, STOP, read_input

MAX_RETRIES = 2


class Outcome(StrEnum):
    """What has become of a conversation."""

    GOING_ON = "going_on"
    DONE = "done"
    """All asked: the sheet is stored where it is valid."""
    DECLINED = "declined"
    """Stopped by the person before any answer."""
    FAILED = "failed"
    """Nothing usable after all retries."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """`step`: the question asked now. `answers`: one for each question so far, 0 skipped."""

    step: int = 0
    retries: int = 0
    answers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """The conversation after an input, and what to say."""

    conversation: Conversation
    outcome: Outcome
    reply: str


def question(instrument: Instrument, step: int, language: str = "vi", *, spoken: bool = False) -> str:
    """The text of a question with its keys."""
    code = instrument.short[step]
    text = instrument.overall if code == OVERALL else instrument.item(code)
    number = f"{step + 1}/{len(instrument.short)}"
    _ = translator(language)
    worst, best = instrument.scale[0], instrument.scale[-1]
    if spoken:
        keys = _("Press 1, {worst}, to 5, {best}.", worst=worst, best=best)
    else:
        keys = _("Answer 1 ({worst}) to 5 ({best})", worst=worst, best=best)
    skip = "" if step == 0 else _(", 0 to skip.")
    return f"{number}. {_(text)} {keys.rstrip('.')}{skip or '.'}"


def greeting(instrument: Instrument, agency: str, language: str = "vi", *, spoken: bool = False) -> str:
    """The first message: who asks, that it is voluntary, how to stop; and the first question."""
    first = question(instrument, 0, language, spoken=spoken)
    _ = translator(language)
    stop = _("Press hash to stop.") if spoken else _("Send STOP to decline.")
    who = _("Survey about the service of {agency}. Voluntary, without your name.", agency=agency)
    return f"{who} {stop} {first}"


def turn(
    instrument: Instrument, conversation: Conversation, text: str, language: str = "vi", *, spoken: bool = False
) -> Turn:
    """One input, and what follows from it."""
    _ = translator(language)
    value = read_input(text, instrument)
    if not text.strip() and conversation.step == 0 and not conversation.answers:
        # a call begins, or nobody has pressed a key yet: the question itself, and no try is lost
        return Turn(conversation, Outcome.GOING_ON, question(instrument, 0, language, spoken=spoken))
    if value == STOP:
        if not any(conversation.answers):
            thanks = _("Noted. We will not ask again.")
            return Turn(conversation, Outcome.DECLINED, thanks)
        return _end(conversation, language)
    if value is None or (value == SKIP and conversation.step == 0):
        if conversation.retries < MAX_RETRIES:
            again = Conversation(conversation.step, conversation.retries + 1, conversation.answers)
            asked = question(instrument, conversation.step, language, spoken=spoken)
            # a voice asks again first, and explains only then: a slip of the finger is no fault
            hint = "" if spoken and conversation.retries == 0 else _hint(instrument, language, spoken=spoken)
            return Turn(again, Outcome.GOING_ON, f"{hint} {asked}".strip())
        if conversation.step == 0:
            sorry = _("Sorry, no answer was understood.")
            return Turn(conversation, Outcome.FAILED, sorry)
        value = 0
    after = Conversation(conversation.step + 1, 0, (*conversation.answers, value))
    if after.step >= len(instrument.short):
        return _end(after, language)
    return Turn(after, Outcome.GOING_ON, question(instrument, after.step, language, spoken=spoken))


def _hint(instrument: Instrument, language: str, *, spoken: bool) -> str:
    """What an answer looks like, without blame."""
    _ = translator(language)
    if spoken:
        return _("Please press a key from 1 to 5.")
    worst, best = instrument.scale[0], instrument.scale[-1]
    return _("Please answer with a number from 1 ({worst}) to 5 ({best}).", worst=worst, best=best)


def _end(conversation: Conversation, language: str) -> Turn:
    return Turn(conversation, Outcome.DONE, in_language(Message("Thank you for answering."), language))


def sheet(instrument: Instrument, answers: Sequence[int]) -> tuple[int, ...]:
    """The conversation's answers as a sheet of slots."""
    values = [0] * ANSWER_SLOTS
    for code, answer in zip(instrument.short, answers, strict=False):
        values[instrument.slot_of(code)] = answer
    return tuple(values)
