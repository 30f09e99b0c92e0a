"""Which factors go with the overall answer at each agency: sheets of the store, for `calibration.drivers`.

A factor's value on a sheet is the mean of its criteria that were answered. Sheets that leave a factor or the overall
question out are counted and left out. The rule of disclosure is that of the index (`server.core.disclosure`): sheets of
days and blocks that are shown, and nothing for an agency whose figures are hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.drivers import Drivers, Sheets, analyse_drivers
from pipeline.calendar import Period
from pipeline.instruments import Instrument
from server.scores.held import Held, version_of
from server.scores.sheets import held_sheets
from server.scores.shown import shown_of

MIN_ANSWERED: Final = 0.5
"""Share of the sheets with an overall answer that must answer a factor: one that few are asked is left out, and named,
rather than every sheet that was not asked it."""


@dataclass(frozen=True, slots=True)
class ProvinceDrivers:
    """Drivers by agency's id, of the agencies with shown sheets; names are the factors' codes. `left_out`: codes of
    factors that too few sheets answer."""

    agencies: Mapping[int, Drivers]
    left_out: tuple[str, ...]


_held: Held[ProvinceDrivers] = Held(20)


def drivers_of(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> ProvinceDrivers:
    """The drivers of a province's agencies, held while nothing that figures are made of changes."""
    of = (province_id, instrument.code, instrument.version, period)
    make = partial(_drivers_of, connection, province_id, instrument, period)
    return _held.get(of, version_of(connection, province_id), make)


def _drivers_of(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> ProvinceDrivers:
    shown = shown_of(connection, province_id, period)
    # criteria beyond the columns (long instruments) are no drivers yet
    by_factor = {f.code: [i.slot for i in instrument.of_factor(f.code) if i.is_wide] for f in instrument.factors}
    factors = [code for code, of_it in by_factor.items() if of_it]
    slots = [by_factor[code] for code in factors]
    given = held_sheets(connection, province_id, instrument, period, shown)
    asked = np.flatnonzero((given.answers[:, 0] >= 1) & (given.answers[:, 0] <= 5))
    if not len(asked) or len(slots) < 2:
        return ProvinceDrivers({}, ())
    agency, day, answers = given.agency[asked], given.day[asked], given.answers[asked].astype(np.int64)
    means = _means(answers[:, list(chain.from_iterable(slots))], slots)
    kept = np.isfinite(means).mean(axis=0) >= MIN_ANSWERED
    left_out = tuple(code for code, stays in zip(factors, kept, strict=True) if not stays)
    order = np.argsort(agency, kind="stable")
    agencies, first = np.unique(agency[order], return_index=True)
    hidden = shown.hidden_agencies()
    sheets = {
        str(one): Sheets.of(answers[mine, 0], means[mine][:, kept], day[mine])
        for one, mine in zip(agencies, np.split(order, first[1:]), strict=True)
        if int(one) not in hidden
    }
    found = analyse_drivers(sheets, [code for code in factors if code not in left_out])
    return ProvinceDrivers({int(one): drivers for one, drivers in found.items()}, left_out)


def _means(answers: NDArray[np.int64], slots: list[list[int]]) -> NDArray[np.float64]:
    """Mean of the criteria answered 1..5 of each factor: float64 [sheets, factors], NaN where none was."""
    columns, first = [], 0
    for of_factor in slots:
        values = answers[:, first : first + len(of_factor)]
        first += len(of_factor)
        given = (values >= 1) & (values <= 5)
        count = given.sum(axis=1)
        total = np.where(given, values, 0).sum(axis=1)
        columns.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.column_stack(columns)
