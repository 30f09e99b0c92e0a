"""The sheets behind the index, as arrays: read as they are stored, added up by whoever needs them.

One row is one sheet: of a province's sheets of a quarter nearly every one has an agency, service, channel, day and
counter of its own, so that a GROUP BY leaves as many rows, after a sum for every answer of every question (ADR 0201).
Answers travel from the data base in two whole numbers, three bits each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func

from pipeline.calendar import Period, today
from pipeline.instruments import Instrument
from pipeline.wire import ANSWER_SLOTS
from server.core.disclosure import Published
from server.core.scope import Scope
from server.store.tables.ratings import ANSWER_COLUMNS, RatingState, ratings

IntArray = NDArray[np.int64]
_BITS = 3
_PACKED = 16
"""Answers in one whole number: 48 bits."""
_ROWS_AT_ONCE = 20_000
_KEYS = ("agency_id", "service_group", "service_id", "month", "day", "counter_id", "received_day")


@dataclass(frozen=True, slots=True)
class Sheets:
    """The counted sheets of a period that may be seen. Keys: int64 [sheets] (0 where there is none), `channel` str
    [sheets]. `answers`: uint8 [sheets, slots], 0 none, 1..5 the scale, 6 yes, 7 no."""

    agency: IntArray
    service_group: IntArray
    service: IntArray
    channel: NDArray[np.str_]
    month: IntArray
    day: IntArray
    counter: IntArray
    answers: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.agency)


def read_sheets(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, shown: Published
) -> Sheets:
    """The counted sheets of one province, instrument (this version) and period, of those that may be seen."""
    keys = [func.coalesce(ratings.c[name], 0) for name in _KEYS]
    packed = [_packed(first) for first in range(0, ANSWER_SLOTS, _PACKED)]
    query = (
        Scope(province_id)
        .select(ratings, *keys, *packed, ratings.c.channel)
        .where(
            ratings.c.day.between(period.first_day, period.last_day),
            ratings.c.instrument == instrument.code,
            ratings.c.instrument_version == instrument.version,
            ratings.c.state != int(RatingState.SET_ASIDE),
        )
        .order_by(ratings.c.id)
    )
    numbers: list[IntArray] = [np.zeros((0, len(keys) + len(packed)), dtype=np.int64)]
    channels: list[NDArray[np.str_]] = [np.zeros(0, dtype=np.str_)]
    for rows in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)).partitions():
        *columns, channel = zip(*rows, strict=True)
        numbers.append(np.array(columns, dtype=np.int64).T)
        channels.append(np.array(channel, dtype=np.str_))
    table, channel_of = np.concatenate(numbers), np.concatenate(channels)
    of = dict(zip(_KEYS, table.T, strict=False))
    seen = shown.mask(of["agency_id"], of["month"], np.maximum(of["day"], of["received_day"]), instrument)
    return Sheets(
        agency=of["agency_id"][seen],
        service_group=of["service_group"][seen],
        service=of["service_id"][seen],
        channel=channel_of[seen],
        month=of["month"][seen],
        day=of["day"][seen],
        counter=of["counter_id"][seen],
        answers=np.concatenate([_unpacked(one[seen]) for one in table.T[len(keys) :]], axis=1),
    )


def _packed(first: int) -> ColumnElement[Any]:
    """Answers of the slots from `first` as one whole number, the first in the lowest bits."""
    slots = ANSWER_COLUMNS[first : first + _PACKED]
    parts = [cast(ratings.c[name], BigInteger) * (1 << _BITS * place) for place, name in enumerate(slots)]
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
            ratings.c.day.between(period.first_day, min(period.last_day, today() - 1)),
            ratings.c.received_day < today(),
            ratings.c.state == int(RatingState.SET_ASIDE),
        )
        .group_by(*keys)
        .order_by(*keys)
    )
    return [Aside(*row) for row in connection.execute(query)]
