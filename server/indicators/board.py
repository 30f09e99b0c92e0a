"""The satisfaction group of Decision 766 of a province: every unit's score with what its counts support, the order that
may be stated, what would move the score, and the running month's forecast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from calibration.decision766 import Counts, Forecast, Move, Order, Pair, Score, forecast, moves, order, score
from calibration.ranks import RankSet
from pipeline.calendar import Period, day_date, month_of_day, office_days, period_of_months, today
from server.catalogue.reading import Named, read_catalogue
from server.catalogue.succession import line_of
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.indicators.counts import PROVINCE, Origin, UnitCounts, held_periods, portal_counts, unit_counts

EARLIER_MONTHS = 12
SHOWN_PAIRS = 20
PAIRS_OF_A_UNIT = 3
SHOWN_MOVES = 15


@dataclass(frozen=True, slots=True)
class Row:
    """One unit. `ranks`: None for the province. `coming`: the forecast while the period is a month that runs."""

    unit: Named
    told: UnitCounts
    score: Score
    moves: tuple[Move, ...]
    ranks: RankSet | None = None
    coming: Forecast | None = None

    @property
    def differs(self) -> bool:
        """Whether the sum as published is another than that of the counts, by more than a hundredth."""
        published = self.told.total_score
        return published is not None and abs(published - self.score.total.published) > 0.0101

    def to_dict(self) -> dict[str, Any]:
        """As the interface gives it; points to two decimals."""
        parts = {name: _points(part) for name, part in {**self.score.parts, "total": self.score.total}.items()}
        ranks = (
            None if self.ranks is None else {"best": self.ranks.best, "worst": self.ranks.worst, "of": self.ranks.of}
        )
        coming = None
        if self.coming is not None:
            coming = {name: round(getattr(self.coming, name), 2) for name in ("middle", "low", "high")}
        return {
            "code": self.unit.code,
            **self.unit.name.columns(),
            "counts": dict(zip(Counts.__dataclass_fields__, self.score.counts.astuple(), strict=True)),
            "counts_until": None if self.told.known_day is None else day_date(self.told.known_day).isoformat(),
            **parts,
            "ranks": ranks,
            "forecast": coming,
            "moves": [{"what": one.what, "count": one.count, "gain": round(one.gain, 4)} for one in self.moves],
        }


def _points(part: Any) -> dict[str, Any]:
    return {
        "points": part.published,
        "low": round(part.low, 2),
        "high": round(part.high, 2),
        "measured": part.measured,
    }


@dataclass(frozen=True, slots=True)
class UnitMove:
    """What one unit can add to the province's score."""

    row: Row
    move: Move


@dataclass(frozen=True, slots=True)
class Board:
    """A province, or an agency reader's own unit, in a period. `rows`: the highest score first."""

    period: Period
    origin: Origin
    level: float
    province: Row | None
    rows: tuple[Row, ...]
    order: Order
    moves: tuple[UnitMove, ...]

    @property
    def unsupported(self) -> list[tuple[Row, Row, Pair]]:
        """The widest pairs whose order the counts do not support, no unit in more than three of them: one unit of which
        nothing was measured would else be all that is listed."""
        listed: Counter[int] = Counter()
        found: list[tuple[Row, Row, Pair]] = []
        for one in self.order.unsupported:
            if len(found) < SHOWN_PAIRS and max(listed[one.higher], listed[one.lower]) < PAIRS_OF_A_UNIT:
                listed.update((one.higher, one.lower))
                found.append(self._rows_of(one))
        return found

    def unsupported_of(self, row: Row) -> list[tuple[Row, Row, Pair]]:
        """All pairs of one unit whose order the counts do not support, the widest apart first."""
        own = self.rows.index(row)
        return [self._rows_of(one) for one in self.order.unsupported if own in (one.higher, one.lower)]

    def _rows_of(self, pair: Pair) -> tuple[Row, Row, Pair]:
        return self.rows[pair.higher], self.rows[pair.lower], pair

    @property
    def holidays_missing(self) -> bool:
        """Whether a forecast rests on a year whose public holidays are not known."""
        has_forecast = any(row.coming for row in (*self.rows, *([self.province] if self.province else [])))
        return has_forecast and self.period.days.start.year not in office_days().years

    def to_dict(self) -> dict[str, Any]:
        """As the interface gives it."""
        return {
            "period": self.period.name,
            "origin": str(self.origin),
            "confidence": self.level,
            "holidays_missing": self.holidays_missing,
            "province": None if self.province is None else self.province.to_dict(),
            "units": [row.to_dict() for row in self.rows],
            "pairs": self.order.pairs,
            "unsupported": len(self.order.unsupported),
            "unsupported_pairs": [
                {"higher": a.unit.code, "lower": b.unit.code, "difference": round(pair.difference, 2)}
                for a, b, pair in self.unsupported
            ],
        }


def make_board(connection: Connection, scope: Scope, period: Period, origin: Origin) -> Board:
    """Everything about a period; of an agency's scope, its own unit alone."""
    level = float(read_setting(connection, scope.province_id, "confidence"))
    catalogue = read_catalogue(connection, scope.province_id)
    told = unit_counts(connection, scope, period, origin)
    runs = len(period.months) == 1 and period.runs
    earlier = months_before(connection, scope, period.first_month - 1, origin) if runs else {}
    whole = told.pop(PROVINCE, None)
    scores = {unit: score(one.counts, level) for unit, one in told.items()}
    units = sorted(told, key=lambda unit: (-scores[unit].total.exact, catalogue.agencies[unit].code))
    found = order([told[unit].counts for unit in units], [catalogue.agencies[unit].code for unit in units], level)
    rows = [
        Row(
            catalogue.agencies[unit],
            told[unit],
            scores[unit],
            tuple(moves(told[unit].counts)),
            ranks if scope.agency_id is None else None,
            _coming(period, told[unit], _of_unit(connection, scope, unit, earlier), level),
        )
        for unit, ranks in zip(units, found.sets, strict=True)
    ]
    province = None
    best: list[UnitMove] = []
    if whole is not None:
        coming = _coming(period, whole, _of_unit(connection, scope, PROVINCE, earlier), level)
        name = catalogue.province
        province = Row(name, whole, score(whole.counts, level), tuple(moves(whole.counts)), None, coming)
        best = [UnitMove(row, move) for row in rows for move in moves(row.told.counts, whole.counts)]
        best.sort(key=lambda one: -one.move.gain)
    return Board(period, origin, level, province, tuple(rows), found, tuple(best[:SHOWN_MOVES]))


def province_score(connection: Connection, scope: Scope, period: Period) -> tuple[Origin, Score] | None:
    """The province's score of a period alone, as the first page leads with it; None where nothing is told of it."""
    origin = choose_origin(connection, scope, period, "")
    whole = unit_counts(connection, scope, period, origin).get(PROVINCE)
    if whole is None:
        return None
    return origin, score(whole.counts, float(read_setting(connection, scope.province_id, "confidence")))


def newest_month(connection: Connection, scope: Scope) -> tuple[Period, Score] | None:
    """The newest month of which something is told of an agency's scope, and its score; None where there is none."""
    if scope.agency_id is None:
        raise ValueError("of one agency")
    for period in held_periods(connection, scope):
        if len(period.months) == 1:
            origin = choose_origin(connection, scope, period, "")
            told = unit_counts(connection, scope, period, origin).get(scope.agency_id)
            if told is not None:
                return period, score(told.counts, float(read_setting(connection, scope.province_id, "confidence")))
    return None


def _coming(period: Period, told: UnitCounts, earlier: Mapping[int, Counts], level: float) -> Forecast | None:
    """The forecast, where the period is a month that runs."""
    if len(period.months) > 1 or told.known_day is None or not period.runs:
        return None
    elapsed = part_over(period, told.known_day)
    months = list(earlier.values())
    return forecast(told.counts, elapsed, months, open_petitions=told.open_petitions, level=level, draws=1_000)


def part_over(period: Period, day: int) -> float:
    """The part of a period's working days that is over at the end of a day. In a year whose holidays are not known
    Mondays to Fridays count."""
    holidays = office_days()
    before = period.days.start - timedelta(days=1)
    last = period.days.end - timedelta(days=1)
    whole = holidays.between(before, last)
    return min(1.0, holidays.between(before, min(last, day_date(day))) / whole) if whole else 1.0


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A month of a unit's line; `score` None where nothing is told."""

    month: int
    counts: Counts | None
    score: Score | None


@dataclass(frozen=True, slots=True)
class Series:
    """A unit by month, through the mergers that made it. `breaks`: months in which others went over into it."""

    points: tuple[SeriesPoint, ...]
    breaks: tuple[int, ...]


def series(connection: Connection, scope: Scope, unit: int, period: Period, origin: Origin) -> Series:
    """The months up to a period's end: a unit's own counts, and before a merger those of the units that made it."""
    # those that were merged into a reader's own agency are its past
    months = months_before(connection, scope.province, period.last_month, origin)
    counts = _of_unit(connection, scope, unit, months)
    points = [
        SeriesPoint(month, counts.get(month), score(counts[month]) if month in counts else None) for month in months
    ]
    breaks = () if unit == PROVINCE else line_of(connection, scope, unit).break_months
    return Series(tuple(points), tuple(one for one in breaks if one in months))


def months_before(
    connection: Connection, scope: Scope, last_month: int, origin: Origin
) -> dict[int, dict[int, UnitCounts]]:
    """Counts by month and unit of the twelve months up to one, oldest first."""
    return {
        month: unit_counts(connection, scope, period_of_months(month, month), origin)
        for month in range(max(0, last_month - EARLIER_MONTHS + 1), last_month + 1)
    }


def _of_unit(
    connection: Connection, scope: Scope, unit: int, months: Mapping[int, Mapping[int, UnitCounts]]
) -> dict[int, Counts]:
    """A unit's counts by month, those of the units that were merged into it added up."""
    if not any(months.values()):
        return {}
    members = {unit} if unit == PROVINCE else set(line_of(connection, scope, unit).members)
    found = {}
    for month, told in months.items():
        parts = [told[one].counts for one in members if one in told]
        if parts:
            found[month] = sum(parts, Counts())
    return found


def choose_origin(connection: Connection, scope: Scope, period: Period, asked: str) -> Origin:
    """What is shown: as asked, else the portal's counts where there are any."""
    if asked in list(Origin):
        return Origin(asked)
    return Origin.PORTAL if portal_counts(connection, scope, period) else Origin.OWN


def running_month() -> Period:
    """The month of today."""
    month = month_of_day(today())
    return period_of_months(month, month)
