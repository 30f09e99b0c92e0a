"""Figures over time: the explicit index by month, pulses by window, and the coverage of both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, func

from calibration.intervals import wilson
from calibration.sequences import share_sequence
from pipeline.calendar import Period, day_words, month_words, today
from pipeline.language import in_language
from pipeline.release_kind import PULSE
from pipeline.wire import PeriodKind
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.scores.clerks import any_release, shown_releases
from server.scores.shown import shown_of
from server.scores.sums import run
from server.store.tables.ratings import RatingState, ratings

PULSES_SHOWN = 36


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One month of one agency; index and bounds 0..100, None without a rating."""

    month: int
    index: float | None
    low: float | None
    high: float | None
    rated: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """One window of an agency's boxes, added up: noisy counts, and the standard deviation of the noise of each."""

    kind: int
    index: int
    low: int
    middle: int
    high: int
    abstained: int
    noise_sd: float

    def window(self, lang: str) -> str:
        """The window's name as people write it."""
        if self.kind == PeriodKind.DAY:
            return in_language(day_words(self.index), lang)
        if self.kind == PeriodKind.MONTH:
            return month_words(self.index, lang)
        if self.kind in (PeriodKind.HOUR, PeriodKind.FOUR_HOURS):
            hours = 1 if self.kind == PeriodKind.HOUR else 4
            day, part = divmod(self.index * hours, 24)
            return f"{in_language(day_words(day), lang)} {part:02d}–{part + hours:02d}"
        return f"demo {self.index}"


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """Ratings of one channel in a period, and how many of them were set aside."""

    channel: str
    rated: int
    set_aside: int


def trend(
    connection: Connection, province_id: int, agency_id: int, period: Period, months: int = 12
) -> list[TrendPoint]:
    """The explicit index of the `months` months that end with the period (plain pooling; Wilson intervals, a
    confidence sequence in a month that is not over)."""
    last = period.last_month
    first = last - months + 1
    rated: dict[int, int] = defaultdict(int)
    satisfied: dict[int, int] = defaultdict(int)
    shown = shown_of(connection, province_id, Period(period.name, first, last))
    keys = [ratings.c[name] for name in ("month", "day", "received_day", "instrument", "instrument_version")]
    query = Scope(province_id, agency_id).select(ratings, *keys, func.count(), func.count().filter(ratings.c.a00 >= 4))
    query = query.where(
        ratings.c.month.between(first, last), ratings.c.state != int(RatingState.SET_ASIDE), ratings.c.a00 > 0
    ).group_by(*keys)
    for month, day, received, code, version, count, good in connection.execute(query):
        if shown.sees(agency_id, code, version, month, max(day, received)):
            rated[month] += int(count)
            satisfied[month] += int(good)
    sheets = shown.months_of([agency_id])
    for month in range(first, last + 1):
        one = shown.month(month)
        if not one.is_safe(sheets) or rated[month] < shown.below:
            rated[month] = 0
    level = float(read_setting(connection, province_id, "confidence"))
    points = []
    for month in range(first, last + 1):
        n, k = rated[month], satisfied[month]
        if n == 0:
            points.append(TrendPoint(month, None, None, None, 0))
            continue
        # a month that is not over is looked at day by day
        over = Period(str(month), month, month).last_day < today()
        low, high = wilson(k / n, n, level=level) if over else share_sequence(k / n, n, level)
        points.append(TrendPoint(month, 100 * k / n, 100 * float(low), 100 * float(high), n))
    return points


def pulses(connection: Connection, province_id: int, agency_id: int) -> list[Pulse]:
    """The newest windows of an agency, oldest first; boxes with the same window are added up. Windows of a lone clerk
    are left out (`server/scores/clerks.py`)."""
    if not any_release(connection, province_id, PULSE, agency_id):
        return []
    rows = shown_releases(province_id, PULSE, agency_id)
    import ibis  # here: most agencies have none, and it takes a second of the first page

    from calibration.tables import cell_noise_variance

    sums = {f"s{slot}": rows[f"c{slot:02d}"].sum().cast("int64") for slot in range(4)}
    windows = rows.group_by(["period_kind", "period_index"]).aggregate(
        epsilon_milli=rows.epsilon_milli.min(), count=rows.count(), **sums, newest=rows.id.max()
    )
    found = []
    for row in run(connection, windows.order_by(ibis.desc("newest")).limit(PULSES_SHOWN)):
        kind, index, epsilon_milli, count, low, middle, high, abstained, _ = row
        noise_sd = (count * cell_noise_variance(epsilon_milli / 1000)) ** 0.5
        numbers = (int(low), int(middle), int(high), int(abstained))
        found.append(Pulse(kind, index, *numbers, noise_sd))
    return found[::-1]


def channel_counts(
    connection: Connection, province_id: int, agency_id: int | None, period: Period
) -> list[ChannelCount]:
    """Ratings by channel, those set aside apart."""
    query = (
        Scope(province_id)
        .select(
            ratings,
            ratings.c.channel,
            func.count().filter(ratings.c.state != RatingState.SET_ASIDE),
            func.count().filter(ratings.c.state == RatingState.SET_ASIDE),
        )
        .where(
            ratings.c.month.between(period.first_month, period.last_month),
            ratings.c.day < today(),
            ratings.c.received_day < today(),
        )
        .group_by(ratings.c.channel)
        .order_by(ratings.c.channel)
    )
    if agency_id is not None:
        query = query.where(ratings.c.agency_id == agency_id)
    return [ChannelCount(*row) for row in connection.execute(query)]
