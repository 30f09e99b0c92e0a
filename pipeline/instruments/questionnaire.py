"""What the tablet asks: a form of an instrument as a list of screens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.instruments.instrument import OVERALL, Instrument, Reason, ScalePoint
from pipeline.language import Message, Text

Form = Literal["one", "short", "kiosk"]
FORMS: tuple[Form, ...] = ("short", "kiosk", "one")
ASK_REASONS_AT = 3
"""Reasons are asked at an overall rating of so much or below."""
SECONDS_A_QUESTION = 8
"""Planning figure, not a measurement: so long a question takes to read and answer."""


def minutes_for(questions: int) -> int:
    """About how many minutes a form takes, at least one."""
    return max(1, round(questions * SECONDS_A_QUESTION / 60))


@dataclass(frozen=True, slots=True)
class Question:
    """One screen: a question on the five-point scale and the slot of its answer. `optional`: may be skipped."""

    slot: int
    text: Text
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The questions of a form in order, their scale, and the reasons. The first is the overall one (slot 0): the first
    touch on a face answers it."""

    wire_code: int
    questions: tuple[Question, ...]
    scale: tuple[ScalePoint, ...]
    reasons: tuple[Reason, ...]


def make_questionnaire(instrument: Instrument, form: Form) -> Questionnaire:
    """The form `one` asks the overall question, `short` the instrument's short form, `kiosk` its kiosk questions.

    Raises `ConfigError` where the instrument has no such form."""
    overall = Question(0, instrument.overall.named)
    if form == "one":
        questions: tuple[Question, ...] = (overall,)
    elif form == "short":
        questions = tuple(_question(instrument, code) for code in instrument.short)
    else:
        questions = tuple(
            Question(instrument.slot_of(each.item), each.named, each.optional) for each in instrument.kiosk
        )
    if questions:
        first = next((question for question in questions if question.slot == 0), overall)
        questions = (first, *(question for question in questions if question.slot))
    if not questions:
        raise ConfigError(
            Message("Instrument {code} has no {form} form.", code=instrument.code, form=form),
            Message('Choose another with [tablet] form: "one", "short" or "kiosk".'),
        )
    return Questionnaire(instrument.wire_code, questions, instrument.scale, instrument.reasons)


def _question(instrument: Instrument, code: str) -> Question:
    if code == OVERALL:
        return Question(0, instrument.overall.named)
    item = instrument.item(code)
    return Question(item.slot, item.named, item.optional)
