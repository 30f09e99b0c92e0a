"""What of an agency is shown by its parts: counters, service groups, services, channels.

The totals of both ways stand on other pages (the agency's, and the province's by group), so that a part is hidden also
where its row or its column would tell it (`server.core.disclosure.hidden_cells`); and a counter that one clerk serves,
or of which nobody has said how many do, is a person and has no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from sqlalchemy import Connection, func

from calibration.design import distinct
from pipeline.instruments import Instrument
from server.catalogue.reading import Named, read_catalogue
from server.core.disclosure import Published, hidden_cells, hidden_counters, looking_day
from server.core.scope import Scope
from server.scores.breakdowns import parted_places
from server.scores.held import Held, version_of
from server.scores.sheets import Sheets, held_sheets, read_sheets
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters

DIMENSIONS = ("counter", "service_group", "service", "channel")


def counters_of(connection: Connection, province_id: int, agency_id: int) -> dict[int, Named]:
    """The counters of an agency by id."""
    query = Scope(province_id, agency_id).select(counters).order_by(counters.c.code)
    return {row.id: Named(row.id, row.code, row.name) for row in connection.execute(query)}


def clerks_of(connection: Connection, province_id: int, agency_id: int) -> dict[int, int]:
    """How many clerks serve at each counter, the fewest that were stated; a counter of no box is not in it."""
    query = (
        Scope(province_id, agency_id)
        .select(boxes, boxes.c.counter_id, func.min(boxes.c.clerks))
        .where(boxes.c.counter_id.is_not(None))
        .group_by(boxes.c.counter_id)
    )
    return {counter: int(clerks) for counter, clerks in connection.execute(query)}


_held: Held[frozenset[tuple[str, str]]] = Held(24)


def hidden_within(
    connection: Connection,
    province_id: int,
    agency_id: int,
    dimension: str,
    shown: Published,
    instrument: Instrument,
    names: Sequence[Named],
    own: Sheets,
    held: bool,
) -> frozenset[str]:
    """Codes of the parts of an agency that are hidden. `own`: the agency's sheets that may be seen; `held`: what is
    asked of the other agencies may be held for the store's version."""
    if not shown.shows(dimension) or agency_id in shown.hidden_agencies():
        return frozenset(one.code for one in names)
    if dimension == "counter":
        of_counter = {int(key): count for (_, key), count in cell_counts(own, dimension).items() if key}
        hidden = hidden_counters(of_counter, clerks_of(connection, province_id, agency_id), shown.below)
        return frozenset(one.code for one in names if one.id in hidden)
    of = (province_id, instrument.code, instrument.version, shown.period, shown.below, looking_day(), dimension)
    make = partial(_hidden_cells, connection, province_id, dimension, shown, instrument, held)
    found = _held.get(of, version_of(connection, province_id), make) if held else make()
    of_agency = {key for agency, key in found if agency == str(agency_id)}
    return frozenset(one.code for one in names if (one.code if dimension == "channel" else str(one.id)) in of_agency)


def _hidden_cells(
    connection: Connection, province_id: int, dimension: str, shown: Published, instrument: Instrument, held: bool
) -> frozenset[tuple[str, str]]:
    """The hidden cells (agency, part) of a whole province: also those of agencies and parts without a total, else the
    cells' sum would be it."""
    read = held_sheets if held else read_sheets
    sheets = read(connection, province_id, instrument, shown.period, shown)
    cells = cell_counts(sheets, dimension)
    unseen = shown.hidden_agencies()
    catalogue = read_catalogue(connection, province_id)
    codes = parted_places(connection, province_id, instrument, shown, catalogue, sheets, held)[dimension]
    parts = {"service": catalogue.services, "service_group": catalogue.groups}.get(dimension)
    without = codes if parts is None else {key for key, one in parts.items() if one.code in codes}
    also = [(str(agency), str(key)) for agency, key in cells if agency in unseen or key in without]
    return hidden_cells({(str(agency), str(key)): count for (agency, key), count in cells.items()}, shown.below, also)


def cell_counts(sheets: Sheets, dimension: str) -> dict[tuple[int, int | str], int]:
    """Sheets by agency and part (0 where there is none)."""
    keys, key = np.unique(getattr(sheets, dimension), return_inverse=True)
    cells, _, counts = distinct(sheets.agency, key)
    names = keys.tolist()
    return {(int(agency), names[one]): int(count) for (agency, one), count in zip(cells.T, counts, strict=True)}
