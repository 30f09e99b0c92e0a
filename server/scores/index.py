"""The SIPAS index (the official one) of a province and period, by agency, level, field, service, channel and month.

Index = 100 x (answers satisfied or very satisfied) / valid answers, for every criterion, factor and the whole; how the
whole is pooled is the instrument's named choice. Beside the plain figure stand its interval, the figure weighted to the
sampling frame, and the figure adjusted for the channels' mix.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.days import DayCorrelation, day_numbers
from calibration.design import Design, Weights, sum_rows
from calibration.mode_effects import ModeEffects, mode_effects
from calibration.survey_shares import NO_SHARE, Answers, Share, days_of, place_shares
from pipeline.calendar import Period, day_date, today
from pipeline.instruments import OVERALL, Instrument, Pooling, RatingFlag
from pipeline.language import Message, Text, in_language
from server.catalogue.reading import Catalogue, frame_counts, read_catalogue
from server.core.disclosure import Published, added_months, hidden_places, published
from server.core.provinces import read_setting
from server.scores.chances import Chances, chances
from server.scores.grouping import Grouped, grouped
from server.scores.sheet_sums import SheetSums, set_aside_expression, sheet_sums
from server.scores.sums import run

WHOLE = "index"
"""Name of the figure of the whole, pooled as the instrument says."""
NO_FRAME = Message("The sampling frame has no transactions for this period: nothing is weighted, no response rate.")
NOT_OVER = Message(
    "The period is not over: its intervals hold however often they are looked at, and are wider than the final ones."
)
ONE_CHANNEL = Message("Only one channel answered: nothing is adjusted for channels.")
SMALL_STRATUM = 5
"""Service groups of an agency with fewer sheets are weighted together."""
DIMENSIONS = ("province", "agency", "level", "field", "service_group", "service", "channel", "month")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one place. All indices are 0..100; None where there is nothing or too little to show.

    `kind`: criterion, fact, factor, overall or index. `valid`, `satisfied`: answers (of a fact: yes). `design_effect`:
    of the plain figure, with `degrees` of freedom. `weighted*`: to the sampling frame. `adjusted`: to the province's
    mix of channels. `watched`: the period is not over, and the intervals hold however often they are looked at."""

    item: str
    kind: str
    valid: int | None
    satisfied: int | None
    index: float | None
    low: float | None
    high: float | None
    design_effect: float | None
    weighted: float | None
    weighted_low: float | None
    weighted_high: float | None
    adjusted: float | None
    suppressed: bool
    degrees: float | None = None
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the result: an agency, a level, a field ... `sheets`: counted sheets. `transactions`: of the frame, None
    where it does not tell. `response_rate`: sheets / transactions. `covered`: share of the frame's transactions that
    lie in cells with at least one sheet."""

    dimension: str
    key: str
    name_vi: str
    name_en: str
    sheets: int
    transactions: int | None
    response_rate: float | None
    covered: float | None
    figures: tuple[Figure, ...]

    @property
    def name(self) -> Text:
        """The name in any language."""
        return Text.named(vi=self.name_vi, en=self.name_en)

    def figure(self, item: str) -> Figure:
        """The figure of an item, factor, `overall` or `index`."""
        return next(one for one in self.figures if one.item == item)


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
    reason_vi: str
    reason_en: str
    sheets: int


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The index of one province, instrument and period."""

    province: str
    province_vi: str
    province_en: str
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Figures:
    """Names of the m figures, and how each is made from the k base figures: `combine` float64 [k, m]."""

    base_slots: tuple[tuple[int, ...], ...]
    names: tuple[tuple[str, str], ...]
    combine: NDArray[np.float64]


def _figures(instrument: Instrument) -> _Figures:
    slots: list[tuple[int, ...]] = [(0,)]
    names = [(OVERALL, "overall")]
    for item in instrument.items:
        slots.append((item.slot,))
        names.append((item.code, item.kind))
    for factor in instrument.factors:
        slots.append(tuple(item.slot for item in instrument.of_factor(factor.code)))
        names.append((factor.code, "factor"))
    slots.append(tuple(item.slot for item in instrument.criteria))
    base = len(slots)
    combine = np.eye(base, base)
    if instrument.pooling is Pooling.WEIGHTED_FACTORS:
        first = 1 + len(instrument.items)
        combine[:, -1] = 0.0
        for step, factor in enumerate(instrument.factors):
            combine[first + step, -1] = factor.weight
    elif instrument.pooling is Pooling.OVERALL_QUESTION:
        combine[:, -1] = 0.0
        combine[0, -1] = 1.0
    names.append((WHOLE, "index"))
    return _Figures(tuple(slots), tuple(names), combine)


def _valid(sums: SheetSums, facts: set[int]) -> NDArray[np.float64]:
    """[rows, slots] sheets with a valid answer in each slot."""
    valid: NDArray[np.float64] = sums.answers[:, :, 1:6].sum(axis=2).astype(np.float64)
    for slot in facts:
        valid[:, slot] = sums.answers[:, slot, 6:8].sum(axis=1)
    return valid


def _answers(sums: SheetSums, figures: _Figures, facts: set[int], weights: Weights) -> Answers:
    valid_slot = _valid(sums, facts)
    satisfied_slot = sums.answers[:, :, 4:6].sum(axis=2).astype(np.float64)
    for slot in facts:
        satisfied_slot[:, slot] = sums.answers[:, slot, 6]
    columns = [list(slots) for slots in figures.base_slots]
    valid = np.stack([valid_slot[:, c].sum(axis=1) for c in columns], axis=1)
    satisfied = np.stack([satisfied_slot[:, c].sum(axis=1) for c in columns], axis=1)
    days = [day_date(int(day)) for day in sums.day]
    cluster = day_numbers(days, min(days)) if days else sums.day
    return Answers(satisfied, valid, sums.sheets.astype(np.float64), Design(cluster, sums.agency, weights))


def _weights(
    sums: SheetSums, frame: dict[tuple[int, int], int], plan: Chances | None, level_of: dict[int, int]
) -> Weights:
    """Weighting cells of the rows: (agency, service group) with the frame's transactions; small groups of an agency are
    taken together, and its transactions in groups without a sheet are left out. `plan`: with what chance cells were
    drawn; cells that a plan left out are apart, since their answers came otherwise."""
    sheets: dict[tuple[int, int], int] = {}
    pairs = list(zip(sums.agency.tolist(), sums.service_group.tolist(), strict=True))
    for pair, count in zip(pairs, sums.sheets.tolist(), strict=True):
        sheets[pair] = sheets.get(pair, 0) + count
    cell_of: dict[tuple[int, int], int] = {}
    number: dict[tuple[int, int, bool], int] = {}
    for agency, group in sorted(sheets):
        own = sheets[agency, group] >= SMALL_STRATUM and frame.get((agency, group), 0) > 0
        drawn = plan is None or (agency, group) in plan.of
        cell_of[agency, group] = number.setdefault((agency, group if own else -1, drawn), len(number))
    size, stands = np.zeros(len(number)), np.zeros(len(number))
    for pair, cell in cell_of.items():
        size[cell] += frame.get(pair, 0)
        if plan is not None and pair in plan.of:
            stands[cell] += frame.get(pair, 0) / plan.of[pair]
    rows = np.array([cell_of[pair] for pair in pairs], dtype=np.int64)
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
) -> IndexResult:
    """The index of one province, instrument (this version) and period, from the counted sheets alone.

    What may be seen of them is decided by `server.core.disclosure`, with `suppress_below` sheets; None: the province's
    setting `min_answers`."""
    if suppress_below is None:
        suppress_below = int(read_setting(connection, province_id, "min_answers"))
    catalogue = read_catalogue(connection, province_id)
    frame = frame_counts(connection, province_id, period)
    shown = published(connection, province_id, period, below=suppress_below)
    sums = sheet_sums(connection, province_id, instrument, period, shown)
    figures = _figures(instrument)
    plan = chances(connection, province_id, instrument, period)
    weights = _weights(sums, frame, plan, {agency.id: agency.parent for agency in catalogue.agencies.values()})
    answers = _answers(sums, figures, {item.slot for item in instrument.facts}, weights)
    effects = mode_effects(answers, sums.channel) if len(sums) else None
    valid = _valid(sums, {item.slot for item in instrument.facts})
    watched = period.last_day >= today()
    one = _Request(answers, figures, sums, valid, days_of(answers), effects, suppress_below, watched)
    places: list[Place] = []
    for dimension in dimensions:
        found = grouped(dimension, catalogue, sums, period, frame)
        hidden = _hidden(dimension, found, shown, catalogue, instrument)
        places += _places(dimension, found, one, hidden)
    notes = [NOT_OVER] if watched else []
    if not frame:
        notes.append(NO_FRAME)
    if len(sums) and effects is None:
        notes.append(ONE_CHANNEL)
    return IndexResult(
        province=catalogue.province.code,
        province_vi=catalogue.province.name_vi,
        province_en=catalogue.province.name_en,
        simulated=catalogue.simulated,
        period=period.name,
        instrument=instrument.code,
        instrument_version=instrument.version,
        pooling=str(instrument.pooling),
        suppress_below=suppress_below,
        places=tuple(places),
        effects=_channel_effects(effects, figures, suppress_below) if shown.shows("channel") else (),
        set_aside=_set_aside(connection, province_id, catalogue, period),
        notes=tuple(notes),
    )


def _hidden(
    dimension: str, found: Grouped, shown: Published, catalogue: Catalogue, instrument: Instrument
) -> frozenset[str]:
    """Codes of the places of a dimension that are hidden."""
    sheets = {named.code: int(count) for named, count in zip(found.names, found.sheets, strict=True)}
    if not shown.shows(dimension):
        return frozenset(sheets)
    hidden = set(hidden_places(sheets, shown.below))
    within: dict[str, list[int]] = {}
    if dimension == "province":
        within = {named.code: list(catalogue.agencies) for named in found.names}
    elif dimension == "agency":
        within = {one.code: [one.id] for one in catalogue.agencies.values()}
    elif dimension == "level":
        within = {level.code: [] for level in catalogue.levels.values()}
        for one in catalogue.agencies.values():
            if one.parent in catalogue.levels:
                within[catalogue.levels[one.parent].code].append(one.id)
    months = shown.months_by_agency((instrument.code, instrument.version))
    for named in found.names:
        agencies = within.get(named.code)
        if agencies is not None and not shown.is_safe(added_months(months, agencies)):
            hidden.add(named.code)
    return frozenset(hidden)


@dataclass(frozen=True, slots=True)
class _Request:
    answers: Answers
    figures: _Figures
    sums: SheetSums
    valid: NDArray[np.float64]
    days: DayCorrelation
    effects: ModeEffects | None
    suppress_below: int
    watched: bool


def _places(dimension: str, found: Grouped, one: _Request, hidden: frozenset[str]) -> Iterator[Place]:
    """The places of a dimension that have sheets, or are shown without."""
    count, m, combine = len(found.names), len(one.figures.names), one.figures.combine
    rows = found.place >= 0
    place, answers = found.place[rows], one.answers.take(rows)
    plain = place_shares(answers.unweighted(), place, count, combine, one.days)
    weighted = place_shares(answers, place, count, combine, one.days)
    if one.watched:
        plain, weighted = plain.watched(), weighted.watched()
    of_base = sum_rows(answers.valid, place, count)
    shift = np.full((count, m), np.nan)
    if one.effects is not None and dimension != "channel":
        base = one.effects.adjustments(one.sums.channel[rows], answers.valid, place, count)
        shift = _combine(base, of_base, combine)
    valid = of_base @ (combine > 0)
    satisfied = sum_rows(answers.satisfied, place, count) @ (combine > 0)
    # sheets behind a figure: at least as many as answered its most answered question
    by_slot = sum_rows(one.valid[rows], place, count)
    by_base = np.stack([by_slot[:, list(s)].max(axis=1, initial=0.0) for s in one.figures.base_slots], axis=1)
    for number, named in enumerate(found.names):
        sheets, transactions = int(found.sheets[number]), found.transactions[number] or None
        if not sheets and dimension not in ("province", "agency", "level", "channel"):
            continue
        behind = ((combine > 0) * by_base[number][:, None]).max(axis=0)
        standing_for = float(weighted.standing_for[number])
        plain_of = plain.of(number)
        weighted_of = weighted.of(number) if standing_for > 0 else [NO_SHARE] * m
        yield Place(
            dimension=dimension,
            key=named.code,
            name_vi=named.name_vi,
            name_en=named.name_en,
            sheets=sheets,
            transactions=transactions,
            response_rate=sheets / transactions if transactions else None,
            covered=min(1.0, standing_for / transactions) if transactions and standing_for > 0 else None,
            figures=tuple(
                _figure(
                    name,
                    kind,
                    int(valid[number, j]),
                    int(satisfied[number, j]),
                    plain_of[j],
                    weighted_of[j],
                    None if kind == "fact" else float(shift[number, j]),
                    bool((named.code in hidden and sheets > 0) or 0 < behind[j] < one.suppress_below),
                    one.watched,
                )
                for j, (name, kind) in enumerate(one.figures.names)
            ),
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


def _points(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


def _figure(
    name: str,
    kind: str,
    valid: int,
    satisfied: int,
    plain: Share,
    weighted: Share,
    shift: float | None,
    few: bool,
    watched: bool,
) -> Figure:
    if few or plain.estimate is None:
        nothing = (None,) * 8
        return Figure(name, kind, None if few else valid, None if few else satisfied, *nothing, suppressed=few)
    adjusted = None
    if shift is not None and not math.isnan(shift):
        adjusted = min(1.0, max(0.0, plain.estimate + shift))
    return Figure(
        item=name,
        kind=kind,
        valid=valid,
        satisfied=satisfied,
        index=_points(plain.estimate),
        low=_points(plain.low),
        high=_points(plain.high),
        design_effect=round(plain.design_effect, 3) if plain.design_effect is not None else None,
        weighted=_points(weighted.estimate),
        weighted_low=_points(weighted.low),
        weighted_high=_points(weighted.high),
        adjusted=_points(adjusted),
        suppressed=False,
        degrees=None if plain.degrees is None else round(plain.degrees, 1),
        watched=watched,
    )


def _channel_effects(effects: ModeEffects | None, figures: _Figures, below: int) -> tuple[ChannelEffect, ...]:
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
    rows = run(connection, set_aside_expression(province_id, period.first_day, period.last_day))
    found = []
    for row in sorted(rows, key=lambda row: (row.agency_id, row.channel, row.flag)):
        flag = RatingFlag(row.flag)
        agency = catalogue.agencies[row.agency_id].code
        found.append(
            SetAside(
                agency, row.channel, flag.name.lower(), in_language(flag.label, "vi"), str(flag.label), int(row.sheets)
            )
        )
    return tuple(found)
