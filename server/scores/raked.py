"""The province's index weighted to known margins of its population: beside the official one, never in its place.

Margins: the tiers and fields of the sampling frame, and the answers to questions about oneself (age band, sex ...) of
which somebody has imported how many people they stand for (`server.catalogue.margins`). Who did not tell keeps the
share that he has. Categories of fewer than `DEMOGRAPHIC_FLOOR` sheets are taken together: nothing that can be told from
the weighted and the plain figure is of fewer. As with every breakdown of people, it comes with the settled quarter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.raking import CAP, Margin, rake
from calibration.survey_shares import Share, days_of, raked_shares
from pipeline.calendar import Period, month_date
from pipeline.errors import StatisticsError
from pipeline.instruments import OVERALL, Choice, Instrument, Item
from pipeline.language import Message, Sentence, Text, in_language
from server.catalogue.margins import about_oneself
from server.catalogue.reading import frame_counts, read_catalogue
from server.core.scope import Scope
from server.scores.figures import Figure
from server.scores.grouping import grouped
from server.scores.held import Held, version_of
from server.scores.index import WHOLE, answers_of, figures_of
from server.scores.questions import DEMOGRAPHIC_FLOOR
from server.scores.sheets import Sheets, further_answers, held_sheets
from server.scores.shown import shown_of
from server.scores.standings import held_index
from server.store.tables.margins import margins as margins_table

IntArray = NDArray[np.int64]
Name = Text | Item | Choice | Message
NOT_SETTLED = Message("Weighted figures come with the settled quarter, as all that rests on who answered.")
NO_MARGINS = Message("No margins are known: import them, or the transactions by field.")
TOO_FEW = Message("Too few sheets to weight.")
NOT_TOLD = Message("not told")


@dataclass(frozen=True, slots=True)
class Category:
    """Of a margin: its names (several where taken together), shares 0..100 of the population and of the sheets."""

    names: tuple[Name, ...]
    target: float
    sheets: float


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
    `largest` weight over the mean, `capped` sheets at `cap`."""

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
    prepared = [
        *_of_frame(connection, province_id, sheets, period),
        *_of_people(connection, province_id, instrument, sheets, period),
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


def _of_frame(
    connection: Connection, province_id: int, sheets: Sheets, period: Period
) -> list[tuple[UsedMargin, Margin]]:
    """Margins by tier and field of the frame's transactions."""
    frame = frame_counts(connection, province_id, period)
    if not frame:
        return []
    catalogue = read_catalogue(connection, province_id)
    names = {"level": Message("Tier (transactions)"), "field": Message("Field (transactions)")}
    found = []
    for dimension, name in names.items():
        by = grouped(dimension, catalogue, sheets, period, frame)
        labels = [one.name for one in by.names]
        found.append(_prepared(name, labels, [float(count) for count in by.transactions], by.place))
    return [one for one in found if one is not None]


def _of_people(
    connection: Connection, province_id: int, instrument: Instrument, sheets: Sheets, period: Period
) -> list[tuple[UsedMargin, Margin]]:
    """Margins by questions about oneself, of the newest year known by then."""
    query = Scope(province_id).select(margins_table).where(margins_table.c.instrument == instrument.code)
    people: dict[str, dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(query):
        people[row.item][row.year][row.choice] = row.people
    items = [item for item in about_oneself(instrument) if item.code in people]
    if not items:
        return []
    answers = further_answers(connection, province_id, instrument, period, sheets.id, [item.slot for item in items])
    found = []
    for item, given in zip(items, answers.T, strict=True):
        years, now = people[item.code], month_date(period.last_month).year
        counts = years[max((year for year in years if year <= now), default=min(years))]
        place = np.full(max(choice.number for choice in item.choices) + 1, -1, dtype=np.int64)
        for position, choice in enumerate(item.choices):
            place[choice.number] = position
        targets = [float(counts.get(choice.number, 0)) for choice in item.choices]
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
