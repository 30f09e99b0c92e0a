"""What the other questions of a long instrument say: choices, several choices, numbers, and who answered.

Shares are per cent of those who answered (of several choices: of those asked), with intervals at the effective number
of answers, agency and day as clusters; while the period runs they hold at every look. "Does not concern me" and "don't
know" leave both; they are counted beside. Free words are no figure (`server.ratings.comments`). What may be seen is
decided by `server.core.disclosure`; who answered is shown for the whole province alone, in cells of at least 30 sheets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from calibration.days import day_numbers
from calibration.design import Design
from calibration.intervals import t_quantile
from calibration.sequences import at_every_look
from calibration.survey_shares import Answers, days_of, shares
from pipeline.calendar import Period, day_date
from pipeline.instruments import DONT_KNOW, KINDS, NOT_APPLICABLE, Instrument, Item
from pipeline.instruments.instrument import NO, YES
from pipeline.language import Message, Text
from server.core.disclosure import Published, added_months, hidden_places
from server.scores.sheets import further_sums
from server.scores.shown import shown_of

DEMOGRAPHIC_FLOOR = 30
"""Fewest sheets in a cell about who answered, whatever the province's own floor is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One answer of a question. `sheets` None: the cell is hidden. Shares 0..100 with their 95 % interval."""

    text: Text | Message
    sheets: int | None
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class QuestionFigure:
    """One question. `answered`: those in the denominator, None where too few are to be shown; `mean` with its interval
    where the question asks for a number."""

    item: Item
    part: Text | None
    answered: int | None
    not_applicable: int | None
    dont_know: int | None
    lines: tuple[Line, ...] = ()
    mean: float | None = None
    mean_low: float | None = None
    mean_high: float | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether too few sheets answered, or the period is not settled."""
        return self.answered is None


Sums = Mapping[tuple[int, int], Mapping[int, int]]
"""(agency, day) -> value -> sheets, of one question."""


def question_figures(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, agency_id: int | None = None
) -> list[QuestionFigure]:
    """The figures of every question outside the index, in order: of the province, or of one agency."""
    asked = [item for item in instrument.items if not item.is_wide and _is_shown(item)]
    if not asked:
        return []
    shown = shown_of(connection, province_id, period)
    sums = further_sums(connection, province_id, instrument, period, shown)
    by_slot: dict[int, dict[tuple[int, int], dict[int, int]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(int))
    )
    hidden_agencies = shown.hidden_agencies() if agency_id is not None else frozenset()
    rows = zip(*(one.tolist() for one in (sums.agency, sums.day, sums.slot, sums.value, sums.sheets)), strict=True)
    for agency, day, slot, value, sheets in rows:
        if agency_id in (None, agency):
            by_slot[slot][agency, day][value] += sheets
    watched = period.runs
    months = shown.months_by_agency((instrument.code, instrument.version))
    unsafe = agency_id is None and not shown.is_safe(added_months(months, months))
    found = []
    for item in asked:
        block = instrument.block_of(item)
        people = block is not None and block.demographic
        if people and agency_id is not None:
            continue
        of_item = by_slot.get(item.slot, {})
        hidden = unsafe or agency_id in hidden_agencies or (people and not shown.shows("people"))
        part = None if block is None else block.named
        found.append(_figure(item, part, {} if hidden else of_item, shown, people=people, watched=watched))
    return found


def _is_shown(item: Item) -> bool:
    return KINDS[item.kind].figure not in ("none", "satisfied")


def _choices(item: Item) -> list[tuple[int, Text | Message]]:
    if item.kind == "fact":
        return [(YES, Message("Yes")), (NO, Message("No"))]
    return [(choice.number, choice.named) for choice in item.choices]


def _figure(
    item: Item, part: Text | None, sums: Sums, shown: Published, *, people: bool, watched: bool
) -> QuestionFigure:
    total: dict[int, int] = defaultdict(int)
    for values in sums.values():
        for value, sheets in values.items():
            total[value] += sheets
    answered = sum(sheets for value, sheets in total.items() if value >= 0)
    if answered < max(shown.below, 1):
        return QuestionFigure(item, part, None, None, None)
    without = (total[NOT_APPLICABLE], total[DONT_KNOW])
    if item.kind == "number":
        return QuestionFigure(item, part, answered, *without, (), *_mean(item, sums, answered, watched=watched))
    return QuestionFigure(item, part, answered, *without, _lines(item, sums, people=people, watched=watched))


def _lines(item: Item, sums: Sums, *, people: bool, watched: bool) -> tuple[Line, ...]:
    several = KINDS[item.kind].figure == "several"
    choices = _choices(item)
    keys = sorted(key for key, values in sums.items() if any(value >= 0 for value in values))
    chosen = np.zeros((len(keys), len(choices)))
    valid = np.zeros((len(keys), len(choices)))
    for place, key in enumerate(keys):
        for value, sheets in sums[key].items():
            if value < 0:
                continue
            valid[place] += sheets
            for column, (number, _text) in enumerate(choices):
                if (value >> (number - 1) & 1) if several else value == number:
                    chosen[place, column] += sheets
    days = [day_date(day) for _agency, day in keys]
    design = Design(day_numbers(days, min(days)), np.array([agency for agency, _day in keys], dtype=np.int64))
    answers = Answers(chosen, valid, valid[:, 0], design)
    found = shares(answers, np.eye(len(choices)), days_of(answers), watched=watched)
    counts = {column: int(chosen[:, column].sum()) for column in range(len(choices))}
    hidden = hidden_places(counts, DEMOGRAPHIC_FLOOR) if people else frozenset()
    return tuple(
        Line(text, None, None, None, None)
        if column in hidden
        else Line(text, counts[column], _percent(one.estimate), _percent(one.low), _percent(one.high))
        for column, ((_number, text), one) in enumerate(zip(choices, found, strict=True))
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _mean(item: Item, sums: Sums, answered: int, *, watched: bool) -> tuple[float, float, float]:
    """Mean of a number, with the interval of a ratio whose clusters are agency and day (Cochran 1977, 6.4), within what
    may be answered. One cluster shows no spread: then the mean may be anything."""
    pairs = [
        (sum(value * n for value, n in values.items() if value >= 0), sum(n for v, n in values.items() if v >= 0))
        for values in sums.values()
        if any(value >= 0 for value in values)
    ]
    mean = sum(total for total, _count in pairs) / answered
    if len(pairs) < 2:
        return mean, item.low, item.high
    left = sum((total - mean * count) ** 2 for total, count in pairs)
    half = float(t_quantile(len(pairs) - 1)) * (len(pairs) / (len(pairs) - 1) * left) ** 0.5 / answered
    if watched:
        half *= (answered / float(at_every_look(0.5, answered))) ** 0.5
    return mean, max(mean - half, item.low), min(mean + half, item.high)
