"""Which body an answer is about: what was found when the dossier was received counts where it was received, the result
counts where it was decided (a commune receives for a department of the province).

The result is factor D of the ministry's five factors (A access, B procedures, C staff, D result, E feedback); the
overall answer and all else is about the body that received. A sheet that names no other deciding body counts as ever.

No difference of two views may tell a few sheets (`server.core.disclosure`): so two bodies are told apart in quarters
that are settled and whole, where `below` sheets were received by the one for the other, and where what the receiving
body decided itself has `below` sheets, or none. All other sheets count where they were received.

Who receives says who decided, and at the counter where the result is handed over the clerk knows how it went. Who
decides is a matter of the procedure, not of how a dossier went: sheets count elsewhere only where all of a procedure,
in a quarter and a channel, name the same body. So nobody puts the bad ones alone on another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments import Instrument
from pipeline.language import Message
from server.core.disclosure import Published
from server.scores.sheets import Sheets

FIVE_FACTORS = frozenset("ABCDE")
RESULT = "D"
DIMENSIONS = frozenset({"agency", "level"})
"""Dimensions whose places are bodies."""
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Apart:
    """Sheets by body. `sheets`: those that are of one body, then twice those of two: at the body that received without
    the result, at the one that decided with nothing else. `row` int64 [rows]: which of the given sheets each is."""

    sheets: Sheets
    row: IntArray


def result_slots(instrument: Instrument) -> tuple[int, ...]:
    """Slots of the questions about the result; none where an instrument is not in the five factors."""
    if not {factor.code for factor in instrument.factors} >= FIVE_FACTORS:
        return ()
    return tuple(item.slot for item in instrument.of_factor(RESULT))


def by_body(instrument: Instrument) -> Message:
    """What is told where sheets of two bodies are told apart: which questions count where."""
    return Message(
        "Sheets that name a deciding body count there with the questions about the result ({codes}), with all others "
        "where the dossier was received.",
        codes=", ".join(item.code for item in instrument.of_factor(RESULT)),
    )


def apart(sheets: Sheets, instrument: Instrument, shown: Published) -> Apart | None:
    """The sheets by body; None where none is of two bodies that may be told apart."""
    slots = [slot for slot in result_slots(instrument) if slot < sheets.answers.shape[1]]
    other = (sheets.deciding > 0) & (sheets.deciding != sheets.agency)
    if not slots or not other.any() or (shown.below > 1 and not shown.whole_quarters):
        return None
    other &= _of_one_mind(sheets, other)
    two = other & _enough(sheets, other, shown.below)
    if not two.any():
        return None
    row = np.concatenate([np.arange(len(sheets), dtype=np.int64), np.flatnonzero(two)])
    doubled = sheets.take(row)
    answers, agency = doubled.answers.copy(), doubled.agency.copy()
    decided = np.arange(len(row)) >= len(sheets)
    received = np.concatenate([two, np.zeros(int(two.sum()), dtype=np.bool_)])
    is_result = np.isin(np.arange(answers.shape[1]), slots)
    answers[received[:, None] & is_result] = 0
    answers[decided[:, None] & ~is_result] = 0
    agency[decided] = doubled.deciding[decided]
    return Apart(replace(doubled, answers=answers, agency=agency), row)


def _of_one_mind(sheets: Sheets, other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[sheets] whether all sheets that one body received of a sheet's procedure, in its quarter and channel, name the
    same deciding body. Sheets without a procedure are taken by their field."""
    quarter = sheets.month - sheets.month % 3
    decided_by = np.where(other, sheets.deciding, sheets.agency)
    field = np.where(sheets.service > 0, 0, sheets.service_group)
    columns = (sheets.agency, sheets.service, field, quarter, sheets.channel)
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    named: dict[tuple[object, ...], set[int]] = defaultdict(set)
    for key, body in zip(keys, decided_by.tolist(), strict=True):
        named[key].add(body)
    return np.array([len(named[key]) == 1 for key in keys], dtype=np.bool_)


def _enough(sheets: Sheets, other: NDArray[np.bool_], below: int) -> NDArray[np.bool_]:
    """[sheets] whether the pair of bodies of a sheet may be told apart in its quarter."""
    quarter = sheets.month - sheets.month % 3
    decided_by = np.where(other, sheets.deciding, sheets.agency)
    keys = list(zip(sheets.agency.tolist(), quarter.tolist(), decided_by.tolist(), strict=True))
    counts = Counter(keys)
    kept: Counter[tuple[int, int]] = Counter()
    for (agency, first, decider), count in counts.items():
        if decider == agency or count < below:
            kept[agency, first] += count
    return np.array([counts[key] >= below and not 0 < kept[key[:2]] < below for key in keys], dtype=np.bool_)
