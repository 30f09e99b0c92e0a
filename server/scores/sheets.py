"""The sheets behind the index, as arrays: read as they are stored, added up by whoever needs them.

One row is one sheet: of a province's sheets of a quarter nearly every one has an agency, service, channel, day and
counter of its own, so that a GROUP BY leaves as many rows, after a sum for every answer of every question (ADR 0201).
Answers travel from the data base in two whole numbers, three bits each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, cast, func, literal, select

from pipeline.calendar import Period, today
from pipeline.instruments import Instrument
from pipeline.wire import ANSWER_SLOTS
from server.core.disclosure import Published, looking_day
from server.core.scope import Scope
from server.scores.held import Held, version_of
from server.store.engine import raw_numbers, raw_rows
from server.store.tables.channels import channels
from server.store.tables.ratings import ANSWER_COLUMNS, RatingState, ratings
from server.store.tables.sheet_answers import sheet_answers

IntArray = NDArray[np.int64]
_BITS = 3
_PACKED = 16
"""Answers in one whole number: 48 bits."""
_KEYS = (
    "agency_id", "service_group", "service_id", "month", "day", "counter_id", "received_day", "id", "deciding_id",
    "reasons",
)  # fmt: skip
MAX_HELD_SHEETS = 250_000
"""Sheets of one period that are held, at about 80 bytes each; of more they are read each time."""


@dataclass(frozen=True, slots=True)
class Sheets:
    """The counted sheets of a period that may be seen. Keys: int64 [sheets] (0 where there is none), `channel` str
    [sheets]; `id`: of the stored row, ascending; `deciding`: the body that decided, where it is another.
    `answers`: uint8 [sheets, slots], 0 none, 1..5 the scale, 6 yes, 7 no; beyond the columns' slots as far as the
    instrument has criteria and facts. `reasons`: those that were ticked, by bit."""

    id: IntArray
    agency: IntArray
    service_group: IntArray
    service: IntArray
    channel: NDArray[np.str_]
    month: IntArray
    day: IntArray
    counter: IntArray
    deciding: IntArray
    answers: NDArray[np.uint8]
    reasons: IntArray

    def __len__(self) -> int:
        return len(self.agency)

    def take(self, rows: IntArray) -> Sheets:
        """The sheets of these numbers, as often as they are named."""
        return Sheets(*(getattr(self, one.name)[rows] for one in fields(self)))


def read_sheets(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    shown: Published,
    agency_id: int | None = None,
) -> Sheets:
    """The counted sheets of one province (or agency), instrument (this version) and period, of those that may be
    seen."""
    keys = [func.coalesce(ratings.c[name], 0) for name in _KEYS]
    packed = [_packed(first) for first in range(0, ANSWER_SLOTS, _PACKED)]
    scope = Scope(province_id, agency_id)
    codes = sorted(connection.execute(select(channels.c.code)).scalars())
    channel = case({code: number for number, code in enumerate(codes)}, value=ratings.c.channel)
    query = _counted(scope.select(ratings, *keys, *packed, channel), instrument, period)
    table = raw_numbers(connection, query, len(keys) + len(packed) + 1)
    table = table[:, np.argsort(table[_KEYS.index("id")], kind="stable")]  # faster here than in the data base
    channel_of = np.array(codes, dtype=np.str_)[table[-1]]
    of = dict(zip(_KEYS, table, strict=False))
    seen = shown.mask(of["agency_id"], of["month"], np.maximum(of["day"], of["received_day"]), instrument)
    answers = np.concatenate([_unpacked(one[seen]) for one in table[len(keys) : -1]], axis=1)
    if instrument.is_long:
        answers = _with_further(connection, province_id, instrument, period, of["id"][seen], answers)
    return Sheets(
        id=of["id"][seen],
        agency=of["agency_id"][seen],
        service_group=of["service_group"][seen],
        service=of["service_id"][seen],
        channel=channel_of[seen],
        month=of["month"][seen],
        day=of["day"][seen],
        counter=of["counter_id"][seen],
        deciding=of["deciding_id"][seen],
        answers=answers,
        reasons=of["reasons"][seen],
    )


@dataclass(frozen=True, slots=True)
class _Narrow:
    """Sheets as they are held: `numbers` int32 [keys, sheets], channels by their number among `names`."""

    id: IntArray
    numbers: NDArray[np.int32]
    channel: NDArray[np.uint8]
    names: NDArray[np.str_]
    answers: NDArray[np.uint8]

    @classmethod
    def of(cls, sheets: Sheets) -> _Narrow:
        names, channel = np.unique(sheets.channel, return_inverse=True)
        numbers = np.stack([getattr(sheets, name).astype(np.int32) for name in _NARROW])
        return cls(sheets.id, numbers, channel.astype(np.uint8), names, sheets.answers)

    def sheets(self, agency_id: int | None) -> Sheets:
        """All of them, or those of one agency."""
        rows: Any = slice(None) if agency_id is None else self.numbers[_NARROW.index("agency")] == agency_id
        wide = {name: column[rows].astype(np.int64) for name, column in zip(_NARROW, self.numbers, strict=True)}
        names = self.names[self.channel[rows]] if len(self.names) else np.zeros(0, dtype=np.str_)
        return Sheets(id=self.id[rows], channel=names, answers=self.answers[rows], **wide)


_NARROW = tuple(one.name for one in fields(Sheets) if one.name not in ("id", "channel", "answers"))
_held: Held[_Narrow] = Held(6)


def held_sheets(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    shown: Published,
    agency_id: int | None = None,
) -> Sheets:
    """`read_sheets`, of which those of a whole province are held while nothing changes: the index of several
    dimensions, an agency's parts, reasons and drivers are made of the same ones. Nobody may write into them."""
    of = (province_id, instrument.code, instrument.version, period, shown.below, looking_day())
    version = version_of(connection, province_id)
    narrow = _held.look(of, version)
    if narrow is None:
        sheets = read_sheets(connection, province_id, instrument, period, shown, agency_id)
        if agency_id is None and len(sheets) <= MAX_HELD_SHEETS:
            _held.get(of, version, partial(_Narrow.of, sheets))
        return sheets
    return narrow.sheets(agency_id)


def _counted(query: Select[Any], instrument: Instrument, period: Period) -> Select[Any]:
    """The counted sheets of an instrument (this version) and period."""
    return query.where(
        # the same rows; by month and agency they lie together, by day each is a page of the file by itself
        ratings.c.month.between(period.first_month, period.last_month),
        (ratings.c.day + 0).between(period.first_day, period.last_day),
        ratings.c.instrument == instrument.code,
        ratings.c.instrument_version == instrument.version,
        ratings.c.state != int(RatingState.SET_ASIDE),
    )


def _with_further(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    ids: IntArray,
    answers: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """`answers` [sheets, slots] with the criteria and facts beyond the columns, of the sheets with `ids` (ascending).
    "Does not concern me" and "don't know" are no answers."""
    slots = [item.slot for item in instrument.scored if not item.is_wide]
    found = np.zeros((len(ids), 1 + max(slots, default=ANSWER_SLOTS - 1)), dtype=np.uint8)
    found[:, : answers.shape[1]] = answers
    found[:, slots] = further_answers(connection, province_id, instrument, period, ids, slots)
    return found


def further_answers(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    ids: IntArray,
    slots: Sequence[int],
) -> IntArray:
    """[sheets, slots] answers above 0 beyond the columns of the sheets with `ids` (ascending); 0: none, or "does not
    concern me", or "don't know"."""
    found = np.zeros((len(ids), len(slots)), dtype=np.int64)
    columns = (sheet_answers.c.rating_id, sheet_answers.c.slot, sheet_answers.c.value)
    query = Scope(province_id).select(sheet_answers, *columns).join(ratings, ratings.c.id == sheet_answers.c.rating_id)
    query = _counted(query.where(sheet_answers.c.value > 0), instrument, period)
    column_of = {slot: column for column, slot in enumerate(slots)}
    for rows in raw_rows(connection, query):
        wanted = [(rating_id, column_of[slot], value) for rating_id, slot, value in rows if slot in column_of]
        table = np.array(wanted, dtype=np.int64).reshape(-1, 3)
        place = np.searchsorted(ids, table[:, 0])
        known = place < len(ids)
        known[known] = ids[place[known]] == table[known, 0]
        found[place[known], table[known, 1]] = table[known, 2]
    return found


@dataclass(frozen=True, slots=True)
class FurtherSums:
    """Sheets by agency, day, slot and value of what the columns do not hold; each int64 [rows]."""

    agency: IntArray
    day: IntArray
    slot: IntArray
    value: IntArray
    sheets: IntArray


def further_sums(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, shown: Published
) -> FurtherSums:
    """Sums of the further answers of the counted sheets that may be seen."""
    keys = (ratings.c.agency_id, ratings.c.day, ratings.c.month, ratings.c.received_day)
    of_answer = (sheet_answers.c.slot, sheet_answers.c.value)
    query = Scope(province_id).select(sheet_answers, *keys, *of_answer, func.count())
    query = query.join(ratings, ratings.c.id == sheet_answers.c.rating_id)
    query = _counted(query, instrument, period).group_by(*keys, *of_answer)
    rows = [tuple(row) for row in connection.execute(query)]
    agency, day, month, received, slot, value, sheets = np.array(rows, dtype=np.int64).reshape(-1, 7).T
    seen = shown.mask(agency, month, np.maximum(day, received), instrument)
    return FurtherSums(agency[seen], day[seen], slot[seen], value[seen], sheets[seen])


def _packed(first: int) -> ColumnElement[Any]:
    """Answers of the slots from `first` as one whole number, the first in the lowest bits."""
    slots = ANSWER_COLUMNS[first : first + _PACKED]
    parts = [ratings.c[name] * cast(literal(1 << _BITS * place), BigInteger) for place, name in enumerate(slots)]
    return reduce(add, parts)


def _unpacked(numbers: IntArray) -> NDArray[np.uint8]:
    """[sheets, slots] answers of `numbers` [sheets]."""
    shifts = _BITS * np.arange(_PACKED, dtype=np.int64)
    return ((numbers[:, None] >> shifts) & 7).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Aside:
    """How many sheets of an agency and channel are set aside for one flag."""

    agency_id: int
    channel: str
    flag: int
    sheets: int


def sheets_aside(connection: Connection, province_id: int, period: Period) -> list[Aside]:
    """Sheets of the days that are over which are set aside, by agency, channel and flag."""
    keys = (ratings.c.agency_id, ratings.c.channel, ratings.c.flag)
    query = (
        Scope(province_id)
        .select(ratings, *keys, func.count())
        .where(
            ratings.c.month.between(period.first_month, period.last_month),
            (ratings.c.day + 0).between(period.first_day, min(period.last_day, today() - 1)),
            ratings.c.received_day < today(),
            ratings.c.state == int(RatingState.SET_ASIDE),
        )
        .group_by(*keys)
        .order_by(*keys)
    )
    return [Aside(*row) for row in connection.execute(query)]
