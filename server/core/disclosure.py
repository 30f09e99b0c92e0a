"""What of the citizens' answers may be seen, by whomever and on whatever route: the one place that decides.

Three rules, all in *sheets*, with `below` the province's setting `min_answers` (30):

1. **Nobody sees an answer as it is given.** A sheet is known from the later of its own day and the day on which it was
   stored; only days that are over (Indochina time) count. The sheets of an agency, instrument and calendar quarter come
   into figures in blocks of whole days with at least `below` sheets each, and until the quarter is settled
   (`SETTLED_AFTER_DAYS` after its end) the newest block is held back: so two views at two times differ by nothing or by
   `below` sheets, also on the day when the rest comes in. What is stored later still waits for its own block.
2. **No figure of fewer than `below` sheets.** Answers are no measure: three sheets have seventy answers.
3. **No difference of two views either.** Where one place of a dimension is hidden, the places hidden with it have
   `below` sheets together, also within a level or field whose total is shown, or a further one is hidden
   (`hidden_places`); so for every figure by the sheets behind it, since most may have the overall answer alone
   (`hidden_figures`), and for two breakdowns together (`server.core.cuts`). Breakdowns by channel, field, service and
   month come with the settled quarter; of a part of a quarter neither it nor the rest may be small (`is_safe`).

A quarter that is small within a year that is not remains a limit (ADR 0185).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, func, literal

from calibration.design import distinct
from pipeline.calendar import Period, quarter_of_month, today
from pipeline.instruments import Instrument
from server.core.cuts import thin_cuts
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.engine import raw_numbers
from server.store.tables.agencies import agencies
from server.store.tables.ratings import RatingState, ratings

SETTLED_AFTER_DAYS = 45
"""Days after a quarter's end by which late sheets (paper, boxes without a network) have come."""
PROVINCE_DIMENSIONS = frozenset({"province", "agency", "level"})
"""Dimensions whose places are unions of whole agencies: shown while a quarter is not settled."""

CLERKS_OF_A_COUNTER = 2
"""A counter of fewer is a person: its figure would be this person's mark."""
Key = TypeVar("Key", bound=Hashable)
_Edge = tuple[tuple[int, Any], tuple[int, Any]]
"""A cell as what its row and its column share."""
IntArray = NDArray[np.int64]


def looking_day() -> int:
    """The day on which somebody looks: today. What is held of what may be seen is held for this day alone."""
    return today()


def last_shown(known: Mapping[int, int], below: int, now: int, settles: int) -> int:
    """The day up to which a set of sheets is shown, -1 for none; `known`: sheets by the day on which they were known.

    `now`: today; `settles`: the day after which the set is settled."""
    days = sorted(day for day in known if day < now)
    if below <= 1:
        return now - 1
    last, waiting = -1, 0
    if now > settles:
        last = settles
        days = [day for day in days if day > settles]
        held_back = 0
    else:
        held_back = 1
    ends = [last]
    for day in days:
        waiting += known[day]
        if waiting >= below:
            ends.append(day)
            waiting = 0
    return ends[-1 - held_back] if len(ends) > held_back else -1


def hidden_places(
    sheets: Mapping[Key, int], below: int, groups: Mapping[Key, Hashable] | None = None
) -> frozenset[Key]:
    """Places of one dimension that are hidden: those with fewer than `below` sheets, and where these have fewer
    together (so that the whole less the shown would tell them), the next smallest as well; so also within every group
    whose total is shown elsewhere. `groups`: of which one a place is (an agency: its level)."""
    hidden = {place for place, count in sheets.items() if 0 < count < below}
    parts: dict[Hashable, list[Key]] = defaultdict(list)
    for place, group in (groups or {}).items():
        if sheets.get(place):
            parts[group].append(place)
    for places in (*parts.values(), [place for place, count in sheets.items() if count]):
        total = sum(sheets[place] for place in places if place in hidden)
        for place in sorted((one for one in places if one not in hidden), key=lambda one: sheets[one]):
            if not 0 < total < below:
                break
            hidden.add(place)
            total += sheets[place]
    return frozenset(hidden)


def hidden_figures(
    behind: NDArray[np.float64],
    hidden: NDArray[np.bool_],
    groups: Sequence[Hashable],
    sums: Mapping[int, Sequence[int]],
    below: int,
) -> NDArray[np.bool_]:
    """[places, figures] which figures of a dimension's places are hidden. `behind` [places, figures]: sheets behind
    each; `hidden` [places]: places that are hidden as a whole, or never shown; `groups` [places]: of which a place is.
    `sums`: figures (columns) that others add up to, by the sum's column.

    What is hidden of a figure has `below` sheets together over all places, and over those of a group, so that no total
    tells it; and what is hidden of a sum's parts at a place where the sum is shown."""
    secret = ((behind > 0) & (behind < below)) | hidden[:, None]
    of_group = np.array([hash(group) for group in groups])
    rows = [np.ones(len(behind), dtype=np.bool_), *(of_group == group for group in np.unique(of_group))]
    grows = True
    while grows:
        grows = False
        for of in rows:
            total = np.where(secret & of[:, None], behind, 0).sum(axis=0)
            for j in np.flatnonzero((total > 0) & (total < below)):
                grows |= _hide_next(secret[:, j], behind[:, j], of)
        for whole, parts in sums.items():
            own = secret[:, list(parts)]
            total = np.where(own, behind[:, list(parts)], 0).sum(axis=1)
            for i in np.flatnonzero(~secret[:, whole] & (total > 0) & (total < below)):
                is_part = np.isin(np.arange(behind.shape[1]), list(parts))
                grows |= _hide_next(secret[i], behind[i], is_part)
    return secret


def _hide_next(secret: NDArray[np.bool_], behind: NDArray[np.float64], of: NDArray[np.bool_]) -> bool:
    """Hide the smallest of some that are shown; False where none is."""
    shown = np.flatnonzero(of & ~secret & (behind > 0))
    if len(shown):
        secret[shown[np.argmin(behind[shown])]] = True
    return bool(len(shown))


def hidden_cells(
    sheets: Mapping[tuple[Key, Key], int], below: int, also: Iterable[tuple[Key, Key]] = ()
) -> frozenset[tuple[Key, Key]]:
    """Cells of a table of two ways (agency, place) that are hidden, where the totals of both ways are shown elsewhere:
    those with fewer than `below` sheets and those of `also`; and further ones, until no sum or difference of rows,
    columns and shown cells tells fewer (`server.core.cuts`). Where the totals alone tell them, no cell can hide it."""
    hidden = {cell for cell, count in sheets.items() if 0 < count < below} | {cell for cell in also if sheets[cell]}
    edges: dict[_Edge, int] = {((0, row), (1, column)): sheets[row, column] for row, column in hidden}
    lines: dict[tuple[int, Key], list[_Edge]] = defaultdict(list)
    for (row, column), count in sheets.items():
        if count:
            lines[0, row].append(((0, row), (1, column)))
            lines[1, column].append(((0, row), (1, column)))
    while cuts := thin_cuts(edges, below):
        for side in cuts:
            across = sorted(
                (sheets[edge[0][1], edge[1][1]], str(edge), edge)
                for end in side
                for edge in lines[end]
                if (edge[0] in side) != (edge[1] in side)
            )
            total = sum(edges.get(edge, 0) for _, _, edge in across)
            for count, _, edge in across:
                if total < below and edge not in edges:
                    edges[edge] = count
                    total += count
            if total < below:  # nothing more ties this side to the rest: the totals tell it
                edges[next(edge for _, _, edge in across if edge in edges)] = below
    return frozenset((row, column) for (_, row), (_, column) in edges)


def hidden_counters(sheets: Mapping[Key, int], clerks: Mapping[Key, int], below: int) -> frozenset[Key]:
    """Counters of an agency that are hidden: those that one clerk serves (or nobody has said how many), those with
    fewer than `below` sheets; and further ones, the smallest first, until what is hidden is the work of two clerks and
    has `below` sheets."""
    counters = {one for one, count in sheets.items() if count}
    hidden = {one for one in counters if sheets[one] < below or clerks.get(one, 1) < CLERKS_OF_A_COUNTER}
    for one in sorted(counters - hidden, key=lambda one: (sheets[one], str(one))):
        enough = sum(sheets[other] for other in hidden) >= below
        if not hidden or (enough and sum(clerks.get(other, 1) for other in hidden) >= CLERKS_OF_A_COUNTER):
            break
        hidden.add(one)
    return frozenset(hidden)


@dataclass(frozen=True, slots=True)
class Published:
    """What is shown of a province's sheets in the quarters that a period touches.

    `cutoffs`: (agency, instrument, version, first month of a quarter) -> last day of being known that is shown.
    `months`: (agency, instrument, version, month) -> sheets shown. `levels`: of which level an agency is."""

    below: int
    period: Period
    settled: bool
    cutoffs: Mapping[tuple[int, str, int, int], int]
    months: Mapping[tuple[int, str, int, int], int]
    levels: Mapping[int, int] = field(default_factory=dict)

    def shows(self, dimension: str) -> bool:
        """Whether places of a dimension are shown at all."""
        return dimension in PROVINCE_DIMENSIONS or self.below <= 1 or self.whole_quarters

    @property
    def _is_part(self) -> bool:
        """Whether the period cuts a quarter."""
        return self.period.first_month % 3 != 0 or self.period.last_month % 3 != 2

    @property
    def whole_quarters(self) -> bool:
        """Whether the period is made of whole quarters that are settled."""
        return self.settled and not self._is_part

    def is_safe(self, sheets: Mapping[int, int]) -> bool:
        """Whether a place's sheets by month (of all quarters touched) may be shown for the period: of a quarter that it
        cuts, neither the part within nor the part outside is small."""
        if self.below <= 1 or not self._is_part:
            return True
        if not self.settled:
            return False
        within: dict[int, int] = defaultdict(int)
        outside: dict[int, int] = defaultdict(int)
        for month, count in sheets.items():
            side = within if self.period.first_month <= month <= self.period.last_month else outside
            side[quarter_of_month(month).first_month] += count
        return all(
            not 0 < outside[q] < self.below and not 0 < within[q] < self.below
            for q in {*within, *outside}
            if outside[q]
        )

    def month(self, month: int) -> Published:
        """The same for a single month of the period."""
        quarter_over = today() > quarter_of_month(month).last_day + SETTLED_AFTER_DAYS
        return replace(self, period=Period(str(month), month, month), settled=quarter_over)

    def months_by_agency(self, instrument: tuple[str, int] | None = None) -> dict[int, dict[int, int]]:
        """Sheets shown of every agency by month, of one instrument (code, version) or of all."""
        found: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for (agency, code, version, month), count in self.months.items():
            if instrument in (None, (code, version)):
                found[agency][month] += count
        return found

    def months_of(self, agencies: Iterable[int], instrument: tuple[str, int] | None = None) -> dict[int, int]:
        """Sheets shown of some agencies by month."""
        return added_months(self.months_by_agency(instrument), agencies)

    def hidden_agencies(self) -> frozenset[int]:
        """Agencies without a figure in the period, over all instruments: what one instrument's table hides is hidden in
        the figures of all, else the difference would tell it."""
        by_instrument: dict[tuple[str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        total: dict[int, int] = defaultdict(int)
        for (agency, code, version, month), count in self.months.items():
            if self.period.first_month <= month <= self.period.last_month:
                by_instrument[code, version][agency] += count
                total[agency] += count
        hidden = set(hidden_places(total, self.below, self.levels))
        for sheets in by_instrument.values():
            hidden |= hidden_places(sheets, self.below, self.levels)
        months = self.months_by_agency()
        return frozenset(hidden | {agency for agency in total if not self.is_safe(months[agency])})

    def sees(self, agency: int, code: str, version: int, month: int, known: int) -> bool:
        """Whether a sheet of an agency, instrument and month that was known on a day is shown."""
        return known <= self.cutoffs.get((agency, code, version, month - month % 3), -1)

    def condition(self, rows: Any, known: Any, is_in: str) -> Any:
        """The condition on rows of `ratings` that are shown: SQLAlchemy's columns (`is_in` "in_") or Ibis's ("isin").
        `known`: the expression of the day on which a row was known."""
        groups: dict[tuple[str, int, int, int], list[int]] = defaultdict(list)
        for (agency, code, version, quarter), last in self.cutoffs.items():
            if last >= 0:
                groups[code, version, quarter, last].append(agency)
        parts = [
            (rows.instrument == code)
            & (rows.instrument_version == version)
            & rows.month.between(quarter, quarter + 2)
            & (known <= last)
            & getattr(rows.agency_id, is_in)(agencies)
            for (code, version, quarter, last), agencies in sorted(groups.items())
        ]
        return _any_of(parts) if parts else None

    def mask(self, agency: IntArray, month: IntArray, known: IntArray, instrument: Instrument) -> NDArray[np.bool_]:
        """Which sheets of an instrument are shown: `agency`, `month`, `known` (the day on which it was known), int64
        [sheets] each. The same rule as `condition`, for sheets that are read already."""
        quarter = month - month % 3
        pairs, row, _ = distinct(agency, quarter)
        last = [
            self.cutoffs.get((int(a), instrument.code, instrument.version, int(q)), -1)
            for a, q in zip(*pairs, strict=True)
        ]
        return np.asarray(known <= np.array(last, dtype=np.int64)[row], dtype=np.bool_)


def added_months(months: Mapping[int, Mapping[int, int]], agencies: Iterable[int]) -> dict[int, int]:
    """Sheets by month of some agencies together."""
    found: dict[int, int] = defaultdict(int)
    for agency in set(agencies):
        for month, count in months.get(agency, {}).items():
            found[month] += count
    return dict(found)


def _any_of(parts: list[Any]) -> Any:
    """The disjunction as a balanced tree: SQLite takes no expression deeper than 1,000."""
    while len(parts) > 1:
        parts = [reduce(or_, parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return parts[0]


def known_day(connection: Connection) -> ColumnElement[int]:
    """The day on which a row of `ratings` was known."""
    greatest = func.max if connection.dialect.name == "sqlite" else func.greatest
    return greatest(ratings.c.day, ratings.c.received_day)


def published(
    connection: Connection, province_id: int, period: Period, *, below: int | None = None, now: int | None = None
) -> Published:
    """What is shown of a province for a period. `below`: the province's setting unless told."""
    floor = int(read_setting(connection, province_id, "min_answers")) if below is None else below
    day = looking_day() if now is None else now
    first, last = (
        quarter_of_month(max(0, period.first_month)).first_month,
        quarter_of_month(period.last_month).last_month,
    )
    known = known_day(connection)
    which = (ratings.c.instrument, ratings.c.instrument_version)
    counted = (
        Scope(province_id)
        .select(ratings, *which)
        .where(ratings.c.month.between(first, last), ratings.c.state != int(RatingState.SET_ASIDE))
    )
    instruments = sorted((code, version) for code, version in connection.execute(counted.distinct()))
    keys = (ratings.c.agency_id, ratings.c.month, known)
    parts: list[IntArray] = [np.zeros((5, 0), dtype=np.int64)]
    for number, one in enumerate(instruments):
        of_one = counted.with_only_columns(*keys, func.count(literal(1)))
        of_one = of_one.where(which[0] == one[0], which[1] == one[1]).group_by(*keys)
        agency, *rest = raw_numbers(connection, of_one, len(keys) + 1)
        parts.append(np.stack([agency, np.full(len(agency), number), *rest]))
    cutoffs, months = _blocks(np.concatenate(parts, axis=1), instruments, floor, day)
    settled = day > quarter_of_month(period.last_month).last_day + SETTLED_AFTER_DAYS
    of_level = connection.execute(Scope(province_id).select(agencies, agencies.c.id, agencies.c.level_id))
    return Published(floor, period, settled, cutoffs, months, {row.id: row.level_id for row in of_level})


def _blocks(
    sums: IntArray, instruments: Sequence[tuple[str, int]], floor: int, day: int
) -> tuple[dict[tuple[int, str, int, int], int], dict[tuple[int, str, int, int], int]]:
    """(`cutoffs`, `months`) of `Published`, seen on a `day`, from `sums` [5, rows]: agency, instrument (among
    `instruments`, by number), month, day of being known, sheets."""
    agency, which, month, known, count = sums
    by_day, row, _ = distinct(agency, which, month - month % 3, known)
    days = by_day[3].tolist()
    counts = np.bincount(row, weights=count, minlength=len(days)).astype(np.int64).tolist()
    quarters, of_day, sizes = distinct(*by_day[:3])
    row = of_day[row]
    last = np.full(len(sizes), -1, dtype=np.int64)
    ends = np.cumsum(sizes)
    settles = {one: quarter_of_month(one).last_day + SETTLED_AFTER_DAYS for one in set(quarters[2].tolist())}
    for number, (first, end) in enumerate(zip((ends - sizes).tolist(), ends.tolist(), strict=True)):
        of_quarter = dict(zip(days[first:end], counts[first:end], strict=True))
        last[number] = last_shown(of_quarter, floor, day, settles[int(quarters[2, number])])
    cutoffs = {
        (one, *instruments[number], quarter): end
        for (one, number, quarter), end in zip(quarters.T.tolist(), last.tolist(), strict=True)
    }
    seen = known <= last[row]
    of_month, place, _ = distinct(agency[seen], which[seen], month[seen])
    sheets_of = np.bincount(place, weights=count[seen], minlength=of_month.shape[1]).astype(np.int64)
    months = {
        (one, *instruments[number], of): sheets
        for (one, number, of), sheets in zip(of_month.T.tolist(), sheets_of.tolist(), strict=True)
    }
    return cutoffs, months


def shown_ratings(rows: Any, shown: Published) -> Any:
    """The rows of an Ibis table `ratings` (with `instrument`, `instrument_version`, `received_day`) that are shown."""
    import ibis

    condition = shown.condition(rows, ibis.greatest(rows.day, rows.received_day), "isin")
    return rows.filter(condition if condition is not None else ibis.literal(False))
