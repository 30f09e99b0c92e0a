"""The SIPAS index (the official one) of a province and period, by agency, level, field, service, channel and month.

Index = 100 x (answers satisfied or very satisfied) / valid answers, for every criterion, factor and the whole; how the
whole is pooled is the instrument's named choice. Beside the plain figure stand its interval, the figure weighted to the
sampling frame, and the figure adjusted for the channels' mix.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.days import DayCorrelation, day_numbers
from calibration.design import Design, Weights, distinct, sum_rows
from calibration.mode_effects import ModeEffects, mode_effects
from calibration.survey_shares import Answers, days_of, place_shares
from pipeline.calendar import Period, day_date
from pipeline.instruments import OVERALL, Instrument, Pooling, RatingFlag
from pipeline.language import Message, Sentence, Text
from server.catalogue.reading import Catalogue, frame_counts, read_catalogue
from server.core.disclosure import (
    PROVINCE_DIMENSIONS,
    SETTLED_AFTER_DAYS,
    Published,
    hidden_figures,
    looking_day,
    published,
)
from server.core.provinces import read_setting
from server.scores.bodies import DIMENSIONS as BODIES
from server.scores.bodies import Apart, apart, by_body
from server.scores.breakdowns import DIMENSIONS as PARTED
from server.scores.breakdowns import hidden_of, parted_places
from server.scores.chances import Chances, chances
from server.scores.figures import FigureTable, Place
from server.scores.grouping import Grouped, grouped
from server.scores.held import Held, version_of
from server.scores.sheets import Sheets, held_sheets, read_sheets, sheets_aside
from server.scores.shown import shown_of
from server.scores.within import counters_of, hidden_within

WHOLE = "index"
"""Name of the figure of the whole, pooled as the instrument says."""
NO_FRAME = Message("The sampling frame has no transactions for this period: nothing is weighted, no response rate.")
NOT_OVER = Message(
    "The period is not over: its intervals hold however often they are looked at, and are wider than the final ones."
)
TOO_FEW = Message("too few answers")
LATER = Message("not shown yet")
BREAKDOWNS_LATER = Message(
    "Figures by field, service, channel and month are shown for whole quarters, from {days} days after the quarter's "
    "end; until then they stay empty, however many sheets there are.",
    days=SETTLED_AFTER_DAYS,
)
ONE_CHANNEL = Message("Only one channel answered: nothing is adjusted for channels.")
SMALL_STRATUM = 5
"""Service groups of an agency with fewer sheets are weighted together."""
DIMENSIONS = ("province", "agency", "level", "field", "service_group", "service", "channel", "month")


@dataclass(frozen=True, slots=True)
class ChannelEffect:
    """How a channel differs from the province's mean within the same agencies, in points of the index."""

    channel: str
    item: str
    effect: float
    error: float
    valid: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """Sheets that do not count, with the reason."""

    agency: str
    channel: str
    flag: str
    reason: Sentence
    sheets: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        row = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("reason", "sheets")}
        return {**row, **Text.said(self.reason).columns("reason_"), "sheets": self.sheets}


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The index of one province, instrument and period."""

    province: str
    province_name: Text
    simulated: bool
    period: str
    instrument: str
    instrument_version: int
    pooling: str
    suppress_below: int
    places: tuple[Place, ...]
    effects: tuple[ChannelEffect, ...]
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...] = field(default=())

    def of(self, dimension: str) -> list[Place]:
        """The places of one dimension, in the catalogue's order."""
        return [place for place in self.places if place.dimension == dimension]

    def waits(self, dimension: str) -> bool:
        """Whether a breakdown is not shown yet, whatever it holds."""
        return BREAKDOWNS_LATER in self.notes and dimension not in PROVINCE_DIMENSIONS

    def why_hidden(self, dimension: str) -> Message:
        """Why a figure of a place of this dimension is not shown."""
        return LATER if self.waits(dimension) else TOO_FEW

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "province_name"}
        return {
            "province": plain.pop("province"),
            **self.province_name.columns("province_"),
            **plain,
            "places": [place.to_dict() for place in self.places],
            "effects": [asdict(one) for one in self.effects],
            "set_aside": [one.to_dict() for one in self.set_aside],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """Names of the m figures, and how each is made from the k base figures: `combine` float64 [k, m]."""

    base_slots: tuple[tuple[int, ...], ...]
    names: tuple[tuple[str, str], ...]
    combine: NDArray[np.float64]

    @property
    def sums(self) -> dict[int, list[int]]:
        """Figures of several questions, by number, and those of their single questions."""
        single = {slots[0]: number for number, slots in enumerate(self.base_slots) if len(slots) == 1}
        return {
            number: parts
            for number, slots in enumerate(self.base_slots)
            if len(slots) > 1 and (parts := [single[slot] for slot in slots if slot in single])
        }


def figures_of(instrument: Instrument, only: Collection[str] | None = None) -> Figures:
    """All figures of an instrument, or those named and those that they are made of."""
    every = _all_figures(instrument)
    if only is None:
        return every
    wanted = [j for j, (name, _) in enumerate(every.names) if name in only]
    # with those that they are made of: what days let expect of figure j is that of base figure j
    made_of = np.flatnonzero((every.combine[:, wanted] > 0).any(axis=1)).tolist()
    kept = sorted({*wanted, *made_of})
    return Figures(
        tuple(every.base_slots[i] for i in kept), tuple(every.names[i] for i in kept), every.combine[np.ix_(kept, kept)]
    )


def _all_figures(instrument: Instrument) -> Figures:
    slots: list[tuple[int, ...]] = [(0,)]
    names = [(OVERALL, "overall")]
    for item in instrument.scored:
        slots.append((item.slot,))
        names.append((item.code, item.kind))
    for factor in instrument.factors:
        slots.append(tuple(item.slot for item in instrument.of_factor(factor.code)))
        names.append((factor.code, "factor"))
    blocks = [block for block in instrument.blocks if instrument.of_block(block.code)]
    for block in blocks:
        slots.append(tuple(item.slot for item in instrument.of_block(block.code)))
        names.append((block.code, "block"))
    slots.append(tuple(item.slot for item in instrument.criteria))
    base = len(slots)
    combine = np.eye(base, base)
    if instrument.pooling is Pooling.WEIGHTED_FACTORS:
        first = 1 + len(instrument.scored)
        combine[:, -1] = 0.0
        for step, factor in enumerate(instrument.factors):
            combine[first + step, -1] = factor.weight
    elif instrument.pooling is Pooling.WEIGHTED_BLOCKS:
        first = 1 + len(instrument.scored) + len(instrument.factors)
        combine[:, -1] = 0.0
        for step, block in enumerate(blocks):
            combine[first + step, -1] = block.weight
    elif instrument.pooling is Pooling.MEAN_OF_INDICATORS:
        combine[:, -1] = 0.0
        for step, item in enumerate(instrument.scored):
            combine[1 + step, -1] = float(item.kind == "criterion")
    elif instrument.pooling is Pooling.OVERALL_QUESTION:
        combine[:, -1] = 0.0
        combine[0, -1] = 1.0
    names.append((WHOLE, "index"))
    return Figures(tuple(slots), tuple(names), combine)


def valid_answers(sheets: Sheets, facts: set[int]) -> NDArray[np.bool_]:
    """[sheets, slots] whether there is a valid answer in each slot."""
    valid = (sheets.answers >= 1) & (sheets.answers <= 5)
    for slot in facts:
        valid[:, slot] = sheets.answers[:, slot] >= 6
    return valid


def overall_alone(valid: NDArray[np.bool_], instrument: Instrument) -> NDArray[np.bool_]:
    """[sheets] those with the overall answer and none to the criteria, of `valid` [sheets, slots]."""
    criteria = [item.slot for item in instrument.criteria if item.slot < valid.shape[1]]
    return np.asarray(valid[:, 0] & ~valid[:, criteria].any(axis=1), dtype=np.bool_)


def answers_of(sheets: Sheets, figures: Figures, facts: set[int], weights: Weights | None) -> Answers:
    """The sheets' answers to every base figure, agency and day as clusters. `facts`: slots of yes and no."""
    good = (sheets.answers == 4) | (sheets.answers == 5)
    for slot in facts:
        good[:, slot] = sheets.answers[:, slot] == 6
    valid = _added(valid_answers(sheets, facts), figures.base_slots)
    satisfied = _added(good, figures.base_slots)
    days, row = np.unique(sheets.day, return_inverse=True)
    dates = [day_date(int(day)) for day in days]
    cluster = day_numbers(dates, dates[0])[row] if dates else sheets.day
    return Answers(satisfied, valid, np.ones(len(sheets)), Design(cluster, sheets.agency, weights))


def _added(values: NDArray[np.bool_], base_slots: tuple[tuple[int, ...], ...]) -> NDArray[np.float64]:
    """[sheets, k] how many `values` [sheets, slots] of each base figure are true."""
    return np.stack([values[:, list(slots)].sum(axis=1, dtype=np.float64) for slots in base_slots], axis=1)


def weights_of(
    sheets: Sheets, frame: dict[tuple[int, int], int], plan: Chances | None, level_of: dict[int, int]
) -> Weights:
    """Weighting cells of the rows: (agency, service group) with the frame's transactions; small groups of an agency are
    taken together, and its transactions in groups without a sheet are left out. `plan`: with what chance cells were
    drawn; cells that a plan left out are apart, since their answers came otherwise."""
    pairs, row, counts = distinct(sheets.agency, sheets.service_group)
    cell_of: dict[tuple[int, int], int] = {}
    number: dict[tuple[int, int, bool], int] = {}
    for agency, group, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        own = count >= SMALL_STRATUM and frame.get((agency, group), 0) > 0
        drawn = plan is None or (agency, group) in plan.of
        cell_of[agency, group] = number.setdefault((agency, group if own else -1, drawn), len(number))
    size, stands = np.zeros(len(number)), np.zeros(len(number))
    for pair, cell in cell_of.items():
        size[cell] += frame.get(pair, 0)
        if plan is not None and pair in plan.of:
            stands[cell] += frame.get(pair, 0) / plan.of[pair]
    rows = np.array(list(cell_of.values()), dtype=np.int64)[row]
    if plan is None:
        return Weights.certain(rows, size)
    chance = np.where(stands > 0, size / np.where(stands > 0, stands, 1.0), 0.0)
    agency_of = np.array([agency for agency, _, _ in number], dtype=np.int64)
    if not plan.by_agency:
        return Weights(rows, size, chance, np.arange(len(number), dtype=np.int64), agency_of)
    return Weights(rows, size, chance, agency_of, np.array([level_of.get(int(a), -1) for a in agency_of]))


def compute_index(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    *,
    suppress_below: int | None = None,
    dimensions: Iterable[str] = DIMENSIONS,
    only: Collection[str] | None = None,
    within: int | None = None,
    held: bool = False,
) -> IndexResult:
    """The index of one province, instrument (this version) and period, from the counted sheets alone; of all figures,
    or of those named in `only` (and those that they are made of), then without the channels' effects and what is set
    aside: no figure depends on which others are asked for. `within`: of one agency's sheets, broken down by
    `server.scores.within.DIMENSIONS`. `held`: from the sheets that are held for the store's version, where the result
    is held by it, too.

    What may be seen of them is decided by `server.core.disclosure`, with `suppress_below` sheets; None: the province's
    setting `min_answers`."""
    if suppress_below is None:
        suppress_below = int(read_setting(connection, province_id, "min_answers"))
    catalogue = read_catalogue(connection, province_id)
    frame = frame_counts(connection, province_id, period)
    shown = (shown_of if held else published)(connection, province_id, period, below=suppress_below)
    sheets = (held_sheets if held else read_sheets)(connection, province_id, instrument, period, shown, within)
    figures = figures_of(instrument, only)
    plan = chances(connection, province_id, instrument, period)
    weights = weights_of(sheets, frame, plan, {agency.id: agency.parent for agency in catalogue.agencies.values()})
    facts = {item.slot for item in instrument.facts}
    answers = answers_of(sheets, figures, facts, weights)
    split = apart(sheets, instrument, shown) if within is None else None
    effects = mode_effects(answers, sheets.channel) if len(sheets) else None
    watched = period.runs
    valid = valid_answers(sheets, facts)
    alone = overall_alone(valid, instrument)
    is_shared = held and within is None and only is None
    days = held_days(connection, province_id, instrument, shown, answers) if is_shared else days_of(answers)
    one = Request(answers, figures, sheets, valid, alone, days, effects, suppress_below, watched)
    of_bodies = one if split is None else one.by_body(split, facts)
    places: list[Place] = []
    parted: dict[str, frozenset[str]] = {}
    if within is None and not set(PARTED).isdisjoint(dimensions := tuple(dimensions)):
        parted = parted_places(connection, province_id, instrument, shown, catalogue, sheets, held)
    for dimension in dimensions:
        if within is None:
            found = grouped(dimension, catalogue, sheets, period, frame)
            hidden = (
                parted[dimension] if dimension in parted else hidden_of(dimension, found, shown, catalogue, instrument)
            )
        else:
            found = grouped(dimension, catalogue, sheets, period, {}, counters_of(connection, province_id, within))
            hidden = hidden_within(
                connection, province_id, within, dimension, shown, instrument, found.names, sheets, held
            )
        if split is not None and dimension in BODIES:
            place_of = grouped(dimension, catalogue, split.sheets, period, frame).place
            places += places_of(dimension, replace(found, place=place_of), of_bodies, hidden)
        else:
            places += places_of(dimension, found, one, hidden)
    notes = [NOT_OVER] if watched else []
    if not shown.shows("channel"):
        notes.append(BREAKDOWNS_LATER)
    if not frame:
        notes.append(NO_FRAME)
    if split is not None:
        notes.append(by_body(instrument))
    if len(sheets) and effects is None:
        notes.append(ONE_CHANNEL)
    return IndexResult(
        province=catalogue.province.code,
        province_name=catalogue.province.name,
        simulated=catalogue.simulated,
        period=period.name,
        instrument=instrument.code,
        instrument_version=instrument.version,
        pooling=str(instrument.pooling),
        suppress_below=suppress_below,
        places=tuple(places),
        effects=_channel_effects(effects, figures, suppress_below) if only is None and shown.shows("channel") else (),
        set_aside=_set_aside(connection, province_id, catalogue, period) if only is None else (),
        notes=tuple(notes),
    )


_days: Held[DayCorrelation] = Held(24)


def held_days(
    connection: Connection, province_id: int, instrument: Instrument, shown: Published, answers: Answers
) -> DayCorrelation:
    """How a province's answers to all figures hang together (`days_of`); held while nothing changes, whatever the
    dimension that is asked for, and for the pages of single agencies."""
    of = (province_id, instrument.code, instrument.version, shown.period, shown.below, looking_day())
    return _days.get(of, version_of(connection, province_id), partial(days_of, answers))


@dataclass(frozen=True, slots=True)
class Request:
    """The sheets that an index is made of, and what their figures need of the whole province."""

    answers: Answers
    figures: Figures
    sheets: Sheets
    valid: NDArray[np.bool_]
    alone: NDArray[np.bool_]
    """Sheets with the overall answer and none to the criteria."""
    days: DayCorrelation
    effects: ModeEffects | None
    suppress_below: int
    watched: bool

    def by_body(self, split: Apart, facts: set[int]) -> Request:
        """The same of sheets by body; each hangs together and weighs with the sheet that it is of."""
        parts = answers_of(split.sheets, self.figures, facts, None)
        answers = replace(parts, design=self.answers.design.take(split.row))
        valid = valid_answers(split.sheets, facts)
        alone = self.alone[split.row] & valid[:, 0]
        return replace(self, answers=answers, sheets=split.sheets, valid=valid, alone=alone)


def secret_of(found: Grouped, one: Request, hidden: frozenset[str]) -> NDArray[np.bool_]:
    """[places, m] which figures of a dimension's places are hidden. `hidden`: codes of places that are, as a whole."""
    count, combine = len(found.names), one.figures.combine
    # sheets behind a figure: at least as many as answered its most answered question; last, those of no place
    place_or_none = np.where(found.place >= 0, found.place, count)
    by_slot = sum_rows(one.valid.astype(np.float64), place_or_none, count + 1)
    by_base = np.stack([by_slot[:, list(s)].max(axis=1, initial=0.0) for s in one.figures.base_slots], axis=1)
    behind = np.stack([by_base[:, used].max(axis=1, initial=0.0) for used in (combine > 0).T], axis=1)
    is_hidden = np.array([named.code in hidden for named in found.names], dtype=np.bool_) & (found.sheets > 0)
    of = [named.parent for named in found.names]
    secret = hidden_figures(behind, np.append(is_hidden, True), [*of, None], one.figures.sums, one.suppress_below)
    return secret[:count]


def places_of(
    dimension: str, found: Grouped, one: Request, hidden: frozenset[str], secret: NDArray[np.bool_] | None = None
) -> Iterator[Place]:
    """The places of a dimension that have sheets, or are shown without. `secret`: what `secret_of` says, where it is
    known already."""
    count, m, combine = len(found.names), len(one.figures.names), one.figures.combine
    rows = found.place >= 0
    # nearly always every sheet is at a place, and answers need not be copied
    place, answers = found.place[rows], one.answers if rows.all() else one.answers.take(rows)
    plain, weighted = (
        place_shares(some, place, count, combine, one.days, watched=one.watched)
        for some in (answers.unweighted(), answers)
    )
    of_base = sum_rows(answers.valid, place, count)
    alone = np.bincount(place[one.alone[rows]], minlength=count)
    shift = np.full((count, m), np.nan)
    if one.effects is not None and dimension != "channel":
        base = one.effects.adjustments(one.sheets.channel[rows], answers.valid, place, count)
        shift = _combine(base, of_base, combine)
    if secret is None:
        secret = secret_of(found, one, hidden)
    table = FigureTable(
        one.figures.names,
        (of_base @ (combine > 0)).astype(np.int64),
        (sum_rows(answers.satisfied, place, count) @ (combine > 0)).astype(np.int64),
        plain,
        weighted,
        shift,
        secret,
        one.watched,
    )
    for number, named in enumerate(found.names):
        sheets, transactions = int(found.sheets[number]), found.transactions[number] or None
        if not sheets and dimension not in ("province", "agency", "level", "channel"):
            continue
        standing_for = float(weighted.standing_for[number])
        yield Place(
            dimension=dimension,
            key=named.code,
            name=named.name,
            sheets=sheets,
            overall_alone=int(alone[number]),
            transactions=transactions,
            response_rate=sheets / transactions if transactions else None,
            covered=min(1.0, standing_for / transactions) if transactions and standing_for > 0 else None,
            table=table,
            number=number,
        )


def _combine(
    base: NDArray[np.float64], valid: NDArray[np.float64], combine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shifts of the base figures [places, k] as shifts of the figures [places, m], over the base figures that have
    `valid` answers [places, k]."""
    has = valid > 0
    total = has @ combine
    unknown = (np.isnan(base) & has) @ (combine > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (np.nan_to_num(base) * has) @ combine / total
    return np.asarray(np.where(unknown | (total == 0), np.nan, shift))


def _channel_effects(effects: ModeEffects | None, figures: Figures, below: int) -> tuple[ChannelEffect, ...]:
    if effects is None:
        return ()
    shown = [j for j, (_, kind) in enumerate(figures.names) if kind in ("overall", "factor", "index")]
    return tuple(
        ChannelEffect(
            channel,
            figures.names[j][0],
            round(100 * float(effects.effects[c, j]), 3),
            round(100 * float(effects.errors[c, j]), 3),
            int(effects.valid[c, j]),
        )
        for j in shown
        if effects.usable[j]
        for c, channel in enumerate(effects.channels)
        if effects.valid[c, j] >= below
    )


def _set_aside(connection: Connection, province_id: int, catalogue: Catalogue, period: Period) -> tuple[SetAside, ...]:
    found = []
    for one in sheets_aside(connection, province_id, period):
        flag = RatingFlag(one.flag)
        agency = catalogue.agencies[one.agency_id].code
        found.append(SetAside(agency, one.channel, flag.name.lower(), flag.label, one.sheets))
    return tuple(found)
