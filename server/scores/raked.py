"""The province's index weighted to known margins of its population: beside the official one, never in its place.

Margins: the tiers and fields of the sampling frame, and the answers to questions about oneself (age band, sex ...) of
which somebody has imported how many people they stand for (`server.catalogue.margins`), as they were kept for the
period, once (`server.scores.kept_margins`). Who did not tell keeps the share that he has. Categories of fewer than
`DEMOGRAPHIC_FLOOR` sheets are taken together, and there are no figures where all sheets but fewer than that weigh the
same: the weighted figure less the plain one would be theirs. As with every breakdown of people, it comes with the
settled quarter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.raking import CAP, Margin, rake
from calibration.survey_shares import Share, days_of, raked_shares
from pipeline.calendar import Period
from pipeline.errors import StatisticsError
from pipeline.instruments import OVERALL, Choice, Instrument, Item
from pipeline.language import Message, Sentence, Text, in_language
from server.catalogue.margins import about_oneself
from server.catalogue.reading import read_catalogue
from server.scores.figures import Figure
from server.scores.grouping import grouped
from server.scores.held import Held, version_of
from server.scores.index import WHOLE, answers_of, figures_of
from server.scores.kept_margins import NO_MARGINS, NOT_SETTLED, Known, kept, known_margins
from server.scores.questions import DEMOGRAPHIC_FLOOR
from server.scores.sheets import Sheets, further_answers, held_sheets
from server.scores.shown import shown_of
from server.scores.standings import held_index

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Name = Text | Item | Choice | Message
NOT_KEPT = Message("No margins have been chosen for this period yet.")
TELLS_FEW = Message("Under these margins all sheets but a few weigh the same: the figures would be theirs.")
TOO_FEW = Message("Too few sheets to weight.")
NOT_TOLD = Message("not told")
FRAME = {"level": Message("Tier (transactions)"), "field": Message("Field (transactions)")}
ALIKE = 0.02
"""Weights so near each other, of their size, count as the same: what they tell apart is lost in the rounding."""


@dataclass(frozen=True, slots=True)
class Category:
    """Of a margin: its names (several where taken together), shares 0..100 of the population and of the sheets (None
    before the margins were kept)."""

    names: tuple[Name, ...]
    target: float
    sheets: float | None


@dataclass(frozen=True, slots=True)
class UsedMargin:
    """A margin as it was used."""

    name: Name
    categories: tuple[Category, ...]


@dataclass(frozen=True, slots=True)
class RakedFigure:
    """`official`: as it is published; `raked`: the same answers weighted, shares in 0..1."""

    official: Figure
    raked: Share


@dataclass(frozen=True, slots=True)
class RakedIndex:
    """`problem` says why there is none; else its figures, margins, and what the weights cost: `n_eff` effective sheets,
    `largest` weight over the mean, `capped` sheets at `cap`. With the problem `NOT_KEPT`, `margins` are those known."""

    problem: Sentence | None = None
    figures: tuple[RakedFigure, ...] = ()
    margins: tuple[UsedMargin, ...] = ()
    sheets: int = 0
    n_eff: float = 0.0
    largest: float = 0.0
    capped: int = 0
    cap: float = CAP


_held: Held[RakedIndex] = Held(6)


def raked_index(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> RakedIndex:
    """Of a province and period; held while nothing changes."""
    of = (province_id, instrument.code, instrument.version, period)
    made = partial(_raked_index, connection, province_id, instrument, period)
    return _held.get(of, version_of(connection, province_id), made)


def _raked_index(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> RakedIndex:
    shown = shown_of(connection, province_id, period)
    place = held_index(connection, province_id, instrument, period).of("province")[0]
    if not shown.shows("people"):
        return RakedIndex(NOT_SETTLED)
    if place.figure(WHOLE).index is None or place.sheets < DEMOGRAPHIC_FLOOR:
        return RakedIndex(TOO_FEW)
    sheets = held_sheets(connection, province_id, instrument, period, shown)
    known = kept(connection, province_id, instrument, period)
    if known is None:
        known = known_margins(connection, province_id, instrument, period)
        margins = _as_known(connection, province_id, instrument, known)
        return RakedIndex(NOT_KEPT, margins=margins) if known else RakedIndex(NO_MARGINS)
    prepared = [
        *_of_frame(connection, province_id, sheets, period, known),
        *_of_people(connection, province_id, instrument, sheets, period, known),
    ]
    if not prepared:
        return RakedIndex(NO_MARGINS)
    wanted = (WHOLE, OVERALL, *(b.code for b in instrument.blocks), *(f.code for f in instrument.factors))
    figures = figures_of(instrument)
    answers = answers_of(sheets, figures, {item.slot for item in instrument.facts}, None)
    try:
        raked = rake([margin for _, margin in prepared], np.ones(len(sheets)))
    except StatisticsError as error:
        return RakedIndex(error.said)
    if _tells_few(sheets, raked.weight):
        return RakedIndex(TELLS_FEW)
    found = raked_shares(answers, raked, figures.combine, days_of(answers))
    return RakedIndex(
        figures=tuple(
            RakedFigure(place.figure(code), share)
            for (code, _kind), share in zip(figures.names, found, strict=True)
            if code in wanted and place.figure(code).index is not None
        ),
        margins=tuple(used for used, _ in prepared),
        sheets=len(sheets),
        n_eff=raked.n_eff,
        largest=raked.largest,
        capped=raked.capped,
    )


def _tells_few(sheets: Sheets, weight: FloatArray) -> bool:
    """Whether all sheets but fewer than `DEMOGRAPHIC_FLOOR` weigh the same, in the whole, or each within its place of a
    dimension that has figures of its own: then weighted and plain figures together are those of the few."""
    together = np.zeros(len(sheets), dtype=np.int64)
    if not _apart(together, weight):
        return False  # all weigh the same: then it is the plain figure
    dimensions = (together, sheets.agency, sheets.service_group, sheets.service, sheets.counter, sheets.month)
    channel = np.unique(sheets.channel, return_inverse=True)[1]
    return any(_apart(place, weight) < DEMOGRAPHIC_FLOOR for place in (*dimensions, channel))


def _apart(place: IntArray, weight: FloatArray) -> int:
    """How many sheets weigh something else than most at their `place` [sheets]."""
    order = np.lexsort((weight, place))
    place, logs = place[order], np.log(weight[order])
    starts = np.flatnonzero(np.diff(place, prepend=place[:1] - 1))
    apart = 0
    for of_place in np.split(logs, starts[1:]):
        alike = np.searchsorted(of_place, of_place + ALIKE, side="right") - np.arange(len(of_place))
        apart += len(of_place) - int(alike.max())
    return apart


def _as_known(connection: Connection, province_id: int, instrument: Instrument, known: Known) -> tuple[UsedMargin, ...]:
    """The margins that are known, with nothing of the sheets: whoever tries margins on learns nothing by it."""
    catalogue = read_catalogue(connection, province_id)
    names: dict[str, tuple[Name, dict[str, Name]]] = {
        "level": (FRAME["level"], {one.code: one.name for one in catalogue.levels.values()}),
        "field": (FRAME["field"], {one.code: one.name for one in catalogue.fields.values()}),
    }
    for item in about_oneself(instrument):
        names[item.code] = (item, {str(one.number): one for one in item.choices})
    found = []
    for code, counts in known.items():
        name, categories = names[code]
        shares = {key: 100 * count / sum(counts.values()) for key, count in counts.items()}
        found.append(
            UsedMargin(name, tuple(Category((one,), shares.get(key, 0.0), None) for key, one in categories.items()))
        )
    return tuple(found)


def _of_frame(
    connection: Connection, province_id: int, sheets: Sheets, period: Period, known: Known
) -> list[tuple[UsedMargin, Margin]]:
    """Margins by tier and field of the frame's transactions."""
    catalogue = read_catalogue(connection, province_id)
    found = []
    for dimension, name in FRAME.items():
        if dimension not in known:
            continue
        by = grouped(dimension, catalogue, sheets, period, {})
        targets = [float(known[dimension].get(one.code, 0)) for one in by.names]
        found.append(_prepared(name, [one.name for one in by.names], targets, by.place))
    return [one for one in found if one is not None]


def _of_people(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    sheets: Sheets,
    period: Period,
    known: Mapping[str, Mapping[str, int]],
) -> list[tuple[UsedMargin, Margin]]:
    """Margins by questions about oneself."""
    items = [item for item in about_oneself(instrument) if item.code in known]
    if not items:
        return []
    answers = further_answers(connection, province_id, instrument, period, sheets.id, [item.slot for item in items])
    found = []
    for item, given in zip(items, answers.T, strict=True):
        place = np.full(max(choice.number for choice in item.choices) + 1, -1, dtype=np.int64)
        for position, choice in enumerate(item.choices):
            place[choice.number] = position
        targets = [float(known[item.code].get(str(choice.number), 0)) for choice in item.choices]
        found.append(_prepared(item, item.choices, targets, place[np.minimum(given, len(place) - 1)]))
    return [one for one in found if one is not None]


def _prepared(
    name: Name, labels: Sequence[Name], targets: Sequence[float], place: IntArray
) -> tuple[UsedMargin, Margin] | None:
    """A margin of sheets with `place` [sheets] among `labels`, -1 where it is not told; None where all of it would be
    one category."""
    counts = np.bincount(place + 1, minlength=len(labels) + 1)
    told = len(place) - int(counts[0])
    if not told or not sum(targets):
        return None
    # who did not tell keeps his share
    wanted = np.array([sum(targets) * counts[0] / told, *targets])
    names: list[Name] = [NOT_TOLD, *labels]
    small = {c for c in range(len(counts)) if counts[c] < DEMOGRAPHIC_FLOOR or not wanted[c]}
    for other in sorted((c for c in range(len(counts)) if c not in small), key=lambda c: int(counts[c])):
        together = sorted(small)
        enough = counts[together].sum() >= DEMOGRAPHIC_FLOOR and wanted[together].sum() > 0
        if enough or not (counts[together].any() or wanted[together].any()):
            break
        small.add(other)
    kept = [[c] for c in range(len(counts)) if c not in small]
    groups = [*kept, sorted(c for c in small if counts[c] or wanted[c])]
    groups = [group for group in groups if group]
    if len(groups) < 2:
        return None
    category = np.zeros(len(counts), dtype=np.int64)
    for number, group in enumerate(groups):
        category[group] = number
    target = np.array([wanted[group].sum() for group in groups])
    margin = Margin(
        in_language(name, "vi"),
        category[place + 1],
        target,
        tuple(", ".join(in_language(names[c], "vi") for c in group) for group in groups),
    )
    used = UsedMargin(
        name,
        tuple(
            Category(
                tuple(names[c] for c in group),
                100 * float(target[number] / target.sum()),
                100 * float(counts[group].sum() / len(place)),
            )
            for number, group in enumerate(groups)
        ),
    )
    return used, margin
