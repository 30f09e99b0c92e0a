"""Why people are not satisfied: the reasons that they ticked, with intervals, by agency, criterion, channel and month.

A reason is asked where the overall answer is 1 to 3. A share is of these sheets: "of those who were not satisfied, so
many in a hundred named the waiting". It has the interval of any other share (days are clusters; a sequence while the
period runs), and is under the same rule of disclosure (`server.core.disclosure`): no share of fewer than `below` such
sheets, and none that a difference of two views would tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.days import day_numbers
from calibration.design import Design, distinct, sum_rows
from calibration.survey_shares import Answers, days_of, shares
from pipeline.calendar import Period, day_date, month_spoken
from pipeline.instruments import Instrument
from pipeline.language import Text
from server.catalogue.reading import read_catalogue
from server.core.disclosure import hidden_places
from server.scores.held import Held, version_of
from server.scores.sheets import Sheets, held_sheets
from server.scores.shown import shown_of
from server.store.channels import CHANNELS

DIMENSIONS = ("province", "agency", "criterion", "channel", "month")


@dataclass(frozen=True, slots=True)
class ReasonShare:
    """One reason at one place: 0..100 of the sheets that were not satisfied, with its 95 % interval."""

    code: str
    name: Text
    sheets: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReasonPlace:
    """The reasons of one place, the most frequent first. `unsatisfied`: sheets that were asked; None where the place is
    hidden, and then there are no reasons."""

    dimension: str
    key: str
    name: Text
    unsatisfied: int | None
    reasons: tuple[ReasonShare, ...]

    @property
    def hidden(self) -> bool:
        """Whether there is too little to publish."""
        return self.unsatisfied is None

    def share(self, code: str) -> ReasonShare | None:
        """The share of a reason; None where nobody named it, or the place is hidden."""
        return next((one for one in self.reasons if one.code == code), None)


@dataclass(frozen=True, slots=True)
class Part:
    """A field, a service group or a procedure. `column`: of the sheets; `members`: its numbers there; `others`: those
    of every other place of its kind, which would tell it where they are shown and it is hidden."""

    column: str
    members: frozenset[int]
    others: tuple[frozenset[int], ...]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sheets that were asked for reasons, one row an agency, channel, month and day (and criterion). Keys [rows];
    `asked` int64 [rows]; `named` int64 [rows, reasons]."""

    agency: NDArray[np.int64]
    channel: NDArray[np.str_]
    month: NDArray[np.int64]
    day: NDArray[np.int64]
    criterion: NDArray[np.int64]
    asked: NDArray[np.int64]
    named: NDArray[np.int64]


def reasons_of(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    dimension: str = "province",
    agency_id: int | None = None,
    part: Part | None = None,
) -> list[ReasonPlace]:
    """The reasons at every place of a dimension, of the whole province, within one agency, or of one part (of the
    dimension "province"); held while nothing that figures are made of changes.

    An instrument without reasons has none."""
    if not instrument.reasons:
        return []
    of = (province_id, instrument.code, instrument.version, period, dimension, agency_id, part)
    make = partial(_reasons_of, connection, province_id, instrument, period, dimension, agency_id)
    if part is not None:
        make = partial(_reasons_of_part, connection, province_id, instrument, period, part)
    return list(_held.get(of, version_of(connection, province_id), make))


_held: Held[list[ReasonPlace]] = Held(200)


def _reasons_of(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    dimension: str,
    agency_id: int | None,
) -> list[ReasonPlace]:
    shown = shown_of(connection, province_id, period)
    given = _asked(held_sheets(connection, province_id, instrument, period, shown))
    # a sheet stands under each of its criteria: agencies are judged by whole sheets
    agencies, counts = np.unique(given.agency, return_counts=True)
    of_agency = {str(agency): int(count) for agency, count in zip(agencies, counts, strict=True)}
    hidden = hidden_places(of_agency, shown.below) | {str(one) for one in shown.hidden_agencies()}
    if agency_id is not None:
        own = (given.agency == agency_id) & (str(agency_id) not in hidden)
        given = given.take(np.flatnonzero(own))
    sums = _sums(given, instrument, by_criterion=dimension == "criterion")
    places, watched = _places(connection, province_id, instrument, period, dimension), period.runs
    keys = _keys(sums, dimension)
    asked = {key: int(sums.asked[keys == key].sum()) for key, _ in places}
    secret = hidden_places(asked, shown.below)
    if dimension == "agency":
        secret |= hidden
    if dimension == "criterion":
        # the same sheets stand under many criteria: one that is hidden cannot be told from the others
        secret = frozenset(key for key, count in asked.items() if 0 < count < shown.below)
    elif dimension in ("channel", "month") and not shown.shows(dimension):
        secret = frozenset(asked)
    return [
        _place(sums, keys == key, instrument, dimension, key, name, hidden=key in secret, watched=watched)
        for key, name in places
        if asked[key] or dimension == "province"
    ]


def _reasons_of_part(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, part: Part
) -> list[ReasonPlace]:
    shown = shown_of(connection, province_id, period)
    given = _asked(held_sheets(connection, province_id, instrument, period, shown))
    asked = Counter(_column(given, part.column).tolist())
    of_place = {place: sum(asked.get(one, 0) for one in members) for place, members in enumerate(part.others, start=1)}
    of_place[0] = sum(asked.get(one, 0) for one in part.members)
    hidden = not shown.shows("service_group") or 0 in hidden_places(of_place, shown.below)
    sums = _sums(given, instrument, by_criterion=False, part=part)
    (place,) = _places(connection, province_id, instrument, period, "province")
    every = np.ones(len(sums.asked), dtype=np.bool_)
    return [_place(sums, every, instrument, "province", *place, hidden=hidden, watched=period.runs)]


def _asked(sheets: Sheets) -> Sheets:
    """Those that were asked for reasons: with an overall answer of 1 to 3."""
    return sheets.take(np.flatnonzero(_is_low(sheets.answers[:, 0])))


def _is_low(answers: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (answers >= 1) & (answers <= 3)


def _column(sheets: Sheets, name: str) -> NDArray[np.int64]:
    return sheets.service if name == "service_id" else sheets.service_group


def _sums(sheets: Sheets, instrument: Instrument, *, by_criterion: bool, part: Part | None = None) -> _Sums:
    """Sums of the `sheets` that were asked (`_asked`), of all or of one part."""
    if part is not None:
        sheets = sheets.take(np.flatnonzero(np.isin(_column(sheets, part.column), sorted(part.members))))
    slots = [item.slot for item in instrument.criteria if item.is_wide] if by_criterion else [0]
    step, row = np.nonzero(_is_low(sheets.answers[:, slots]).T)
    channels, number = np.unique(sheets.channel, return_inverse=True)
    groups, of, asked = distinct(step, sheets.agency[row], number[row], sheets.month[row], sheets.day[row])
    bits = np.array([reason.bit for reason in instrument.reasons], dtype=np.int64)
    ticked = (sheets.reasons[row, None] >> bits) & 1
    named = sum_rows(ticked.astype(np.float64), of, groups.shape[1]).astype(np.int64)
    criterion, agency, channel, month, day = groups
    return _Sums(
        agency=agency,
        channel=channels[channel] if len(channels) else np.zeros(0, dtype=np.str_),
        month=month,
        day=day,
        criterion=np.array(slots, dtype=np.int64)[criterion],
        asked=asked.astype(np.int64),
        named=named,
    )


def _taken(sums: _Sums, rows: NDArray[np.bool_]) -> _Sums:
    return _Sums(*(getattr(sums, name)[rows] for name in _Sums.__slots__))


def _keys(sums: _Sums, dimension: str) -> NDArray[np.str_]:
    of: dict[str, Callable[[], Any]] = {
        "province": lambda: np.full(len(sums.asked), "province"),
        "agency": lambda: sums.agency.astype(np.str_),
        "criterion": lambda: sums.criterion.astype(np.str_),
        "channel": lambda: sums.channel,
        "month": lambda: sums.month.astype(np.str_),
    }
    return np.asarray(of[dimension](), dtype=np.str_)


def _places(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, dimension: str
) -> list[tuple[str, Text]]:
    catalogue = read_catalogue(connection, province_id)
    of: dict[str, Callable[[], list[tuple[str, Text]]]] = {
        "province": lambda: [("province", catalogue.province.name)],
        "agency": lambda: [(str(one.id), one.name) for one in catalogue.agencies.values()],
        "criterion": lambda: [
            (str(item.slot), Text.named(**{lang: f"{item.code}. {text}" for lang, text in item.named.words}))
            for item in instrument.criteria
            if item.is_wide
        ],
        "channel": lambda: [(code, Text.said(name)) for code, name in CHANNELS.names.items()],
        "month": lambda: [(str(month), Text.said(month_spoken(month))) for month in period.months],
    }
    return of[dimension]()


def _place(
    sums: _Sums,
    rows: NDArray[np.bool_],
    instrument: Instrument,
    dimension: str,
    key: str,
    name: Text,
    *,
    hidden: bool,
    watched: bool,
) -> ReasonPlace:
    asked = int(sums.asked[rows].sum())
    if hidden or not asked:
        return ReasonPlace(dimension, key, name, None, ())
    one = _taken(sums, rows)
    days = [day_date(int(day)) for day in one.day]
    valid = np.repeat(one.asked[:, None], one.named.shape[1], axis=1).astype(np.float64)
    design = Design(day_numbers(days, min(days)), one.agency, None)
    answers = Answers(one.named.astype(np.float64), valid, one.asked.astype(np.float64), design)
    found = shares(answers, np.eye(one.named.shape[1]), days_of(answers), watched=watched)
    counts = one.named.sum(axis=0)
    reasons = [
        ReasonShare(
            reason.code,
            reason.named,
            int(counts[place]),
            100 * share.estimate,
            100 * (share.low or 0.0),
            100 * (1.0 if share.high is None else share.high),
        )
        for place, (reason, share) in enumerate(zip(instrument.reasons, found, strict=True))
        if share.estimate is not None and counts[place]
    ]
    return ReasonPlace(
        dimension, key, name, asked, tuple(sorted(reasons, key=lambda reason: (-reason.share, reason.code)))
    )
