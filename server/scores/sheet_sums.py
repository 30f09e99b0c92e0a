"""The sums behind the index: written once as Ibis expressions, run on the store's own connection.

As in `server.scores.sums`: the same expression for SQLite, PostgreSQL, and for those who keep years of sheets, DuckDB
and Spark. Only integers go into the expressions, and only integers come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from pipeline.calendar import Period, today
from pipeline.instruments import Instrument
from pipeline.wire import ANSWER_SLOTS
from server.core.disclosure import Published, shown_ratings
from server.core.scope import Scope
from server.scores.sums import run
from server.store.tables.ratings import ANSWER_COLUMNS, RatingState

IntArray = NDArray[np.int64]
_KEYS = ("agency_id", "service_group", "service_id", "channel", "month", "day", "counter_id")
_RATING_COLUMNS = {
    **dict.fromkeys(("province_id", *_KEYS, "instrument_version", "reasons", "flag", "state", "received_day"), "int64"),
    "channel": "string",
    "instrument": "string",
    **dict.fromkeys(ANSWER_COLUMNS, "int64"),
}


@dataclass(frozen=True, slots=True)
class SheetSums:
    """Sums of the counted sheets of a period, one row for each agency, service group, service, channel and day.

    Key arrays: int64 [rows] (0 where there is none), `channel` str [rows]. `sheets`: int64 [rows]. `answers`: int64
    [rows, slots, 8], how many sheets gave each answer 0..7 in each slot."""

    agency: IntArray
    service_group: IntArray
    service: IntArray
    channel: NDArray[np.str_]
    month: IntArray
    day: IntArray
    counter: IntArray
    sheets: IntArray
    answers: IntArray

    def __len__(self) -> int:
        return len(self.sheets)


def ratings_table() -> Any:
    """The table of ratings as the sums read it, not yet bound to a data base."""
    import ibis

    return ibis.table(_RATING_COLUMNS, name="ratings")


def sheet_expression(
    province_id: int, instrument: Instrument, first_day: int, last_day: int, shown: Published | None = None
) -> Any:
    """The Ibis expression of `SheetSums`: counted sheets of one province, instrument and range of days; of those that
    may be seen where `shown` says so."""
    import ibis

    rows = Scope(province_id).filter(ratings_table() if shown is None else shown_ratings(ratings_table(), shown))
    chosen = rows.filter(
        rows.day.between(first_day, last_day),
        rows.instrument == instrument.code,
        rows.instrument_version == instrument.version,
        rows.state != int(RatingState.SET_ASIDE),
    )
    sums = {"sheets": ibis._.count()}
    for slot in sorted(instrument.slots.values()):
        name = ANSWER_COLUMNS[slot]
        answers = (6, 7) if slot in {item.slot for item in instrument.facts} else (1, 2, 3, 4, 5)
        for answer in answers:
            sums[f"{name}_{answer}"] = (ibis._[name] == answer).ifelse(1, 0).sum()
    return chosen.group_by(list(_KEYS)).aggregate(**sums)


def set_aside_expression(province_id: int, first_day: int, last_day: int) -> Any:
    """The Ibis expression of how many sheets are set aside, by agency, channel and flag."""
    import ibis

    rows = Scope(province_id).filter(ratings_table())
    chosen = rows.filter(
        rows.day.between(first_day, min(last_day, today() - 1)),
        rows.received_day < today(),
        rows.state == int(RatingState.SET_ASIDE),
    )
    return chosen.group_by(["agency_id", "channel", "flag"]).aggregate(sheets=ibis._.count())


def sheet_sums(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, shown: Published
) -> SheetSums:
    """Sums of the counted sheets of one province, instrument (this version) and period, of those that may be seen."""
    rows = run(connection, sheet_expression(province_id, instrument, period.first_day, period.last_day, shown))

    def column(name: str) -> IntArray:
        return np.array([getattr(row, name) or 0 for row in rows], dtype=np.int64)

    answers = np.zeros((len(rows), ANSWER_SLOTS, 8), dtype=np.int64)
    sheets = column("sheets")
    for name in rows[0]._fields if rows else ():
        if name[0] == "a" and name[1:3].isdigit():
            answers[:, int(name[1:3]), int(name[4:])] = column(name)
    answers[:, :, 0] = sheets[:, None] - answers.sum(axis=2)
    return SheetSums(
        agency=column("agency_id"),
        service_group=column("service_group"),
        service=column("service_id"),
        channel=np.array([row.channel for row in rows], dtype=np.str_),
        month=column("month"),
        day=column("day"),
        counter=column("counter_id"),
        sheets=sheets,
        answers=answers,
    )
