"""What of an agency is shown by its parts: counters, service groups, services, channels.

The totals of both ways stand on other pages (the agency's, and the province's by group), so that a part is hidden also
where its row or its column would tell it (`server.core.disclosure.hidden_cells`); and a counter that one clerk serves,
or of which nobody has said how many do, is a person and has no figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, func

from pipeline.instruments import Instrument
from server.catalogue.reading import Named
from server.core.disclosure import Published, hidden_cells, hidden_counters
from server.core.scope import Scope
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters
from server.store.tables.ratings import RatingState, ratings

DIMENSIONS = ("counter", "service_group", "service", "channel")
_KEYS = {"counter": "counter_id", "service_group": "service_group", "service": "service_id", "channel": "channel"}


def counters_of(connection: Connection, province_id: int, agency_id: int) -> dict[int, Named]:
    """The counters of an agency by id."""
    query = Scope(province_id, agency_id).select(counters).order_by(counters.c.code)
    return {row.id: Named(row.id, row.code, row.name_vi, row.name_en) for row in connection.execute(query)}


def clerks_of(connection: Connection, province_id: int, agency_id: int) -> dict[int, int]:
    """How many clerks serve at each counter, the fewest that were stated; a counter of no box is not in it."""
    query = (
        Scope(province_id, agency_id)
        .select(boxes, boxes.c.counter_id, func.min(boxes.c.clerks))
        .where(boxes.c.counter_id.is_not(None))
        .group_by(boxes.c.counter_id)
    )
    return {counter: int(clerks) for counter, clerks in connection.execute(query)}


def hidden_within(
    connection: Connection,
    province_id: int,
    agency_id: int,
    dimension: str,
    shown: Published,
    instrument: Instrument,
    names: Sequence[Named],
) -> frozenset[str]:
    """Codes of the parts of an agency that are hidden."""
    every = frozenset(one.code for one in names)
    if not shown.shows(dimension) or agency_id in shown.hidden_agencies():
        return every
    cells = cell_counts(connection, province_id, instrument, shown, _KEYS[dimension])
    own = {key: count for (agency, key), count in cells.items() if agency == agency_id}
    if dimension == "counter":
        own.pop(0, None)  # what came by another channel belongs to no counter
        of_counter = {int(key): count for key, count in own.items()}
        hidden = hidden_counters(of_counter, clerks_of(connection, province_id, agency_id), shown.below)
        return frozenset(one.code for one in names if one.id in hidden)
    unseen = shown.hidden_agencies()
    also = [cell for cell in cells if cell[0] in unseen]
    found = hidden_cells(_texts(cells), shown.below, [(str(agency), str(key)) for agency, key in also])
    of_agency = {key for agency, key in found if agency == str(agency_id)}
    return frozenset(one.code for one in names if (one.code if dimension == "channel" else str(one.id)) in of_agency)


def cell_counts(
    connection: Connection, province_id: int, instrument: Instrument, shown: Published, by: str
) -> dict[tuple[int, Any], int]:
    """Sheets that may be seen, by agency and one of the columns of `_KEYS` (0 where there is none)."""
    keys = [ratings.c[name] for name in ("agency_id", "month", "day", "received_day")]
    query = (
        Scope(province_id)
        .select(ratings, *keys, ratings.c[by], func.count())
        .where(
            ratings.c.day.between(shown.period.first_day, shown.period.last_day),
            ratings.c.instrument == instrument.code,
            ratings.c.instrument_version == instrument.version,
            ratings.c.state != int(RatingState.SET_ASIDE),
        )
        .group_by(*keys, ratings.c[by])
    )
    rows = [(*row,) for row in connection.execute(query)]
    if not rows:
        return {}
    agency, month, day, received = (np.array([row[n] for row in rows], dtype=np.int64) for n in range(4))
    seen = shown.mask(agency, month, np.maximum(day, received), instrument)
    found: dict[tuple[int, Any], int] = {}
    for (of, _month, _day, _received, key, count), is_seen in zip(rows, seen, strict=True):
        if is_seen:
            found[of, key or 0] = found.get((of, key or 0), 0) + int(count)
    return found


def _texts(cells: Mapping[tuple[int, object], int]) -> dict[tuple[str, str], int]:
    return {(str(agency), str(key)): count for (agency, key), count in cells.items()}
