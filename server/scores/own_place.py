"""One agency's figures without those of all others: of its own sheets, and of what they need of the whole province.

That is how days hang together, and which figures are hidden. It is made once for a store's version and held; an
agency's page then costs the agency's sheets, where it cost every figure of every agency in three periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.days import DayCorrelation
from pipeline.calendar import Period
from pipeline.instruments import Instrument
from server.catalogue.reading import frame_counts, read_catalogue
from server.core.disclosure import looking_day
from server.scores.bodies import apart, by_body
from server.scores.breakdowns import hidden_of
from server.scores.chances import chances
from server.scores.figures import Place
from server.scores.grouping import grouped
from server.scores.held import Held, version_of
from server.scores.index import (
    Request,
    answers_of,
    figures_of,
    held_days,
    overall_alone,
    places_of,
    secret_of,
    valid_answers,
    weights_of,
)
from server.scores.sheets import held_sheets
from server.scores.shown import shown_of
from server.scores.standings import held_index, known_index


@dataclass(frozen=True, slots=True)
class _Province:
    """What one agency's figures need of the province. `secret` [m] by agency's id: which figures are hidden.
    `by_body`: sheets of one agency count at another, so that the agency's own do not tell its figures."""

    days: DayCorrelation
    secret: Mapping[int, NDArray[np.bool_]]
    by_body: bool


_held: Held[_Province] = Held(12)


def own_place(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, agency_id: int
) -> Place | None:
    """An agency of the whole index (`server.scores.index.compute_index`), to the digit, but not adjusted to the mix of
    channels (`adjusted` is None unless the whole index is held already); None where there is no such agency."""
    catalogue = read_catalogue(connection, province_id)
    if agency_id not in catalogue.agencies:
        return None
    named = catalogue.agencies[agency_id]
    whole = known_index(connection, province_id, instrument, period)
    if whole is None:
        province = shared_by_agencies(connection, province_id, instrument, period)
        if province.by_body:
            whole = held_index(connection, province_id, instrument, period)
    if whole is not None:
        return next((place for place in whole.of("agency") if place.key == named.code), None)
    shown = shown_of(connection, province_id, period)
    sheets = held_sheets(connection, province_id, instrument, period, shown, agency_id)
    frame = {
        pair: count for pair, count in frame_counts(connection, province_id, period).items() if pair[0] == named.id
    }
    plan = chances(connection, province_id, instrument, period)
    facts = {item.slot for item in instrument.facts}
    figures = figures_of(instrument)
    answers = answers_of(sheets, figures, facts, weights_of(sheets, frame, plan, {named.id: named.parent}))
    valid = valid_answers(sheets, facts)
    alone = overall_alone(valid, instrument)
    one = Request(answers, figures, sheets, valid, alone, province.days, None, shown.below, period.runs)
    found = grouped("agency", replace(catalogue, agencies={named.id: named}), sheets, period, frame)
    return next(places_of("agency", found, one, frozenset(), province.secret[named.id][None]))


def counts_by_body(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> bool:
    """Whether an agency's figures of the result are of other sheets than the rest: of those that it decided."""
    whole = known_index(connection, province_id, instrument, period)
    if whole is not None:
        return by_body(instrument) in whole.notes
    return shared_by_agencies(connection, province_id, instrument, period).by_body


def shared_by_agencies(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> _Province:
    """What all agencies' figures of a period need of the province; held while nothing changes."""
    of = (province_id, instrument.code, instrument.version, period, looking_day())
    make = partial(_shared, connection, province_id, instrument, period)
    return _held.get(of, version_of(connection, province_id), make)


def _shared(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> _Province:
    catalogue = read_catalogue(connection, province_id)
    shown = shown_of(connection, province_id, period)
    sheets = held_sheets(connection, province_id, instrument, period, shown)
    facts = {item.slot for item in instrument.facts}
    figures = figures_of(instrument)
    answers = answers_of(sheets, figures, facts, None)
    valid = valid_answers(sheets, facts)
    days = held_days(connection, province_id, instrument, shown, answers)
    one = Request(answers, figures, sheets, valid, valid[:, 0], days, None, shown.below, watched=False)
    found = grouped("agency", catalogue, sheets, period, {})
    secret = secret_of(found, one, hidden_of("agency", found, shown, catalogue, instrument))
    of_agency = {named.id: row for named, row in zip(found.names, secret, strict=True)}
    return _Province(days, of_agency, by_body=apart(sheets, instrument, shown) is not None)
