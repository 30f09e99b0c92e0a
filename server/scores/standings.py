"""Where a province and its agencies stand in a period by the official index, what changed, and what can surely be said.

Every statement that singles an agency out (surely low, surely falling) holds with 95 % for all agencies at once: among
three hundred, five in a hundred of single comparisons would be fifteen accused by chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from pipeline.calendar import Period
from pipeline.errors import NotFoundError
from pipeline.instruments import Instrument, load_instrument
from pipeline.language import Text
from server.catalogue.agencies import read_agencies
from server.scores.comparing import Change, difference, differences
from server.scores.figures import Figure, Place
from server.scores.held import Held, version_of
from server.scores.index import WHOLE, IndexResult, compute_index
from server.scores.shown import shown_of

USUAL_INSTRUMENT = "2640"


@dataclass(frozen=True, slots=True)
class Against:
    """The same place in another period. `figure`: there; `change`: this period's less that one's, None where either
    has no figure."""

    period: Period
    figure: Figure | None
    change: Change | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One agency. `low`: surely below the province. `falling`: surely below its own last period or year. `few`: too
    few answers to tell."""

    code: str
    name: Text
    level: str
    level_name: Text
    sheets: int
    overall_alone: int
    figure: Figure
    last: Against
    year: Against
    low: bool
    falling: bool

    @property
    def few(self) -> bool:
        """Whether there are too few answers to tell."""
        return self.figure.index is None


@dataclass(frozen=True, slots=True)
class Standings:
    """A province in a period. `figure`: its official index. `agencies`: the highest index first, those without one
    last."""

    period: Period
    instrument: Instrument
    sheets: int
    overall_alone: int
    response_rate: float | None
    transactions: int | None
    below: int
    figure: Figure
    last: Against
    year: Against
    agencies: tuple[Standing, ...]

    @property
    def low(self) -> tuple[Standing, ...]:
        """Surely below the province, the lowest first."""
        return tuple(one for one in reversed(self.agencies) if one.low)

    @property
    def falling(self) -> tuple[Standing, ...]:
        """Surely falling, the steepest first."""
        return tuple(sorted((one for one in self.agencies if one.falling), key=_steepest))

    @property
    def few(self) -> tuple[Standing, ...]:
        """Too few answers to tell."""
        return tuple(one for one in self.agencies if one.few)


def _steepest(one: Standing) -> float:
    return min(c.points for c in (one.last.change, one.year.change) if c is not None)


_held: Held[Standings] = Held(6)
_results: Held[IndexResult] = Held(12)
_within: Held[IndexResult] = Held(60)


def main_instrument(connection: Connection, province_id: int, period: Period) -> Instrument:
    """The instrument with the most sheets of the period; the usual one where there are none, or its file is gone."""
    sheets: dict[tuple[str, int], int] = defaultdict(int)
    for (_, code, version, month), count in shown_of(connection, province_id, period).months.items():
        if period.first_month <= month <= period.last_month:
            sheets[code, version] += count
    if sheets:
        code, version = max(sheets, key=lambda one: sheets[one])
        try:
            return load_instrument(code, version)
        except NotFoundError:
            pass
    return load_instrument(USUAL_INSTRUMENT)


def held_index(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, by: str = "agency"
) -> IndexResult:
    """Every figure of the province and of the places of a dimension; held while nothing changes."""
    dimensions = tuple(dict.fromkeys(("province", by)))
    of = _of(province_id, instrument, period, by)
    made = partial(compute_index, connection, province_id, instrument, period, dimensions=dimensions, held=True)
    return _results.get(of, version_of(connection, province_id), made)


def known_index(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> IndexResult | None:
    """`held_index` of the agencies where it is held already."""
    return _results.look(_of(province_id, instrument, period, "agency"), version_of(connection, province_id))


def known_standings(connection: Connection, province_id: int, period: Period) -> Standings | None:
    """`standings` where they are held already."""
    return _held.look((province_id, period), version_of(connection, province_id))


def _of(province_id: int, instrument: Instrument, period: Period, by: str) -> tuple[Hashable, ...]:
    return province_id, instrument.code, instrument.version, period, by


def index_within(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    dimensions: tuple[str, ...],
    agency_id: int,
) -> IndexResult:
    """Every figure of the parts of an agency; held while nothing changes."""
    of = (province_id, instrument.code, instrument.version, period, dimensions, agency_id)
    made = partial(
        compute_index, connection, province_id, instrument, period, dimensions=dimensions, within=agency_id, held=True
    )
    return _within.get(of, version_of(connection, province_id), made)


def standings(connection: Connection, province_id: int, period: Period) -> Standings:
    """Where the active agencies of a province stand by the period's main instrument; held while nothing changes."""
    version = version_of(connection, province_id)
    return _held.get((province_id, period), version, partial(_standings, connection, province_id, period))


def _standings(connection: Connection, province_id: int, period: Period) -> Standings:
    instrument = main_instrument(connection, province_id, period)
    before, year_before = period.before(), period.year_before()
    now, last, year = (
        compute_index(
            connection, province_id, instrument, one, dimensions=("province", "agency"), only=(WHOLE,), held=True
        )
        for one in (period, before, year_before)
    )
    whole = now.of("province")[0]
    active = {agency.code: agency for agency in read_agencies(connection, province_id)}
    # what had ended before the period is listed where it still has sheets alone: nobody asks citizens of it for more
    places = [
        place
        for place in now.of("agency")
        if place.key in active and (place.sheets or not active[place.key].ended_before(period.first_day))
    ]
    lines = _lines(places)
    last_figures, year_figures = (
        {(place.dimension, place.key): place.figure(WHOLE) for place in result.places} for result in (last, year)
    )
    figures = [place.figure(WHOLE) for place in places]
    lasts, years = ([of.get((place.dimension, place.key)) for place in places] for of in (last_figures, year_figures))
    since_last, since_year = (differences(list(zip(figures, past, strict=True))) for past in (lasts, years))
    of_province = whole.figure(WHOLE)
    low = _surely_below(figures, [of_province] * len(figures), lines)
    fallen = zip(_surely_below(figures, lasts, lines), _surely_below(figures, years, lines), strict=True)
    falling = [since_a or since_b for since_a, since_b in fallen]
    found = []
    for number, (place, figure) in enumerate(zip(places, figures, strict=True)):
        agency = active[place.key]
        found.append(
            Standing(
                code=place.key,
                name=place.name,
                level=agency.level,
                level_name=agency.level_name,
                sheets=place.sheets,
                overall_alone=place.overall_alone,
                figure=figure,
                last=Against(before, lasts[number], since_last[number]),
                year=Against(year_before, years[number], since_year[number]),
                low=low[number],
                falling=falling[number],
            )
        )
    key = (whole.dimension, whole.key)
    return Standings(
        period=period,
        instrument=instrument,
        sheets=whole.sheets,
        overall_alone=whole.overall_alone,
        response_rate=whole.response_rate,
        transactions=whole.transactions,
        below=now.suppress_below,
        figure=of_province,
        last=_against(before, of_province, last_figures.get(key)),
        year=_against(year_before, of_province, year_figures.get(key)),
        agencies=tuple(sorted(found, key=lambda one: (one.few, -(one.figure.index or 0.0), one.code))),
    )


def _against(period: Period, now: Figure, then: Figure | None) -> Against:
    return Against(period, then, None if then is None else difference(now, then))


def surely_low(places: Sequence[Place], whole: Place) -> tuple[Place, ...]:
    """The agencies that lie surely below the province, the lowest first: as the first page judges them."""
    figures = [place.figure(WHOLE) for place in places]
    below = _surely_below(figures, [whole.figure(WHOLE)] * len(figures), _lines(places))
    found = [place for place, low in zip(places, below, strict=True) if low]
    return tuple(sorted(found, key=lambda place: place.figure(WHOLE).index or 0.0))


def _lines(places: Sequence[Place]) -> int:
    """How many differences are looked at together: each agency's against the province and twice against its past."""
    return 3 * max(1, sum(place.figure(WHOLE).index is not None for place in places))


def _surely_below(figures: Sequence[Figure], others: Sequence[Figure | None], lines: int) -> list[bool]:
    found = differences(list(zip(figures, others, strict=True)), lines)
    return [one is not None and one.high < 0 for one in found]


def worst(place: Place, codes: Sequence[str], count: int = 5) -> list[Figure]:
    """The lowest figures of a place among those of some items, the lowest first."""
    known = [figure for code in codes if (figure := place.figure(code)).index is not None]
    return sorted(known, key=lambda figure: figure.index or 0.0)[:count]
