"""Figures over time: the explicit index by month, pulses by window, and the coverage of both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, false, func

from calibration.days import day_numbers
from calibration.design import Design
from calibration.intervals import t_quantile, wilson
from calibration.sequences import share_sequence, sure
from calibration.survey_shares import Answers, days_of, place_shares
from pipeline.calendar import Period, day_date, day_words, month_words, period_of_months, today
from pipeline.language import in_language
from pipeline.release_kind import PULSE
from pipeline.wire import PeriodKind
from server.catalogue.succession import Line
from server.core.disclosure import known_day
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


def trend(connection: Connection, province_id: int, line: Line, period: Period, months: int = 12) -> list[TrendPoint]:
    """The explicit index of the `months` months that end with the period (plain pooling). Intervals know how answers of
    a day, and days near each other, hang together, as learnt from all those months (`calibration.days`): Wilson's, a
    confidence sequence in a month that is not over.

    `line`: of the agency (`line_of`; `Line.alone`). A month before a merger is what its agencies had together, where
    each of them may be shown by itself: a sum that held a hidden one would tell it by the difference."""
    last = period.last_month
    first = last - months + 1
    counts: dict[int, dict[int, list[int]]] = defaultdict(dict)
    shown = shown_of(connection, province_id, Period(period.name, first, last))
    rated: dict[int, Counter[int]] = defaultdict(Counter)
    keys = [
        ratings.c[name] for name in ("agency_id", "month", "day", "received_day", "instrument", "instrument_version")
    ]
    query = Scope(province_id).select(ratings, *keys, func.count(), func.count().filter(ratings.c.a00 >= 4))
    query = query.where(
        ratings.c.agency_id.in_(line.members),
        ratings.c.month.between(first, last),
        ratings.c.state != int(RatingState.SET_ASIDE),
        ratings.c.a00 > 0,
    ).group_by(*keys)
    for agency, month, day, received, code, version, count, good in connection.execute(query):
        if line.counts(agency, month) and shown.sees(agency, code, version, month, max(day, received)):
            of_day = counts[month].setdefault(day, [0, 0])
            of_day[0] += int(count)
            of_day[1] += int(good)
            rated[month][agency] += int(count)
    sheets = {agency: shown.months_of([agency]) for agency in line.members}
    known = [
        month
        for month in sorted(rated)
        if all(
            shown.month(month).is_safe(sheets[agency]) and count >= max(shown.below, 1)
            for agency, count in rated[month].items()
        )
    ]
    level = float(read_setting(connection, province_id, "confidence"))
    points = {month: TrendPoint(month, None, None, None, 0) for month in range(first, last + 1)}
    for month, found in zip(known, _months([counts[month] for month in known], level), strict=True):
        # a month that is not over is looked at day by day
        low, high = found.watched if period_of_months(month, month).runs else found.ends
        points[month] = TrendPoint(month, 100 * found.share, 100 * low, 100 * high, rated[month].total())
    return list(points.values())


@dataclass(frozen=True, slots=True)
class _Month:
    share: float
    ends: tuple[float, float]
    watched: tuple[float, float]


def _months(counts: Sequence[Mapping[int, Sequence[int]]], level: float) -> list[_Month]:
    """Shares of months, each (ratings, satisfied) by day, with ends that hold at the end and at every look."""
    if not counts:
        return []
    rows = [(month, day, n, k) for month, days in enumerate(counts) for day, (n, k) in sorted(days.items())]
    month, day, n, k = (np.array(column) for column in zip(*rows, strict=True))
    dates = [day_date(int(one)) for one in day]
    valid, satisfied = (one.astype(np.float64)[:, None] for one in (n, k))
    answers = Answers(satisfied, valid, valid[:, 0], Design(day_numbers(dates, min(dates)), month))
    known = days_of(answers)
    found, open_ = (
        place_shares(answers, month, len(counts), np.ones((1, 1)), days) for days in (known, known.at_most())
    )
    share, n_eff, degrees = (one[:, 0] for one in (found.estimate, found.n_eff, found.degrees))
    ends = np.stack(wilson(share, n_eff, t_quantile(degrees, level)), axis=1)
    sure_of = sure(open_.n_eff[:, 0], open_.degrees[:, 0], level)
    watched = np.stack(share_sequence(share, sure_of, level), axis=1)
    return [
        _Month(float(p), (float(e[0]), float(e[1])), (float(w[0]), float(w[1])))
        for p, e, w in zip(share, ends, watched, strict=True)
    ]


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
    """Ratings by channel, those set aside apart. Counted are those that figures are made of, so that two views at two
    times differ by whole blocks: nobody counts who answered yesterday. What was set aside is told when its day is over.
    """
    shown = shown_of(connection, province_id, period)
    seen = shown.condition(ratings.c, known_day(connection), "in_")
    is_aside = ratings.c.state == int(RatingState.SET_ASIDE)
    is_counted = false() if seen is None else seen & ~is_aside
    is_over = (ratings.c.day < today()) & (ratings.c.received_day < today())
    query = (
        Scope(province_id)
        .select(ratings, ratings.c.channel, func.count().filter(is_counted), func.count().filter(is_aside & is_over))
        .where(ratings.c.month.between(period.first_month, period.last_month), is_counted | (is_aside & is_over))
        .group_by(ratings.c.channel)
        .order_by(ratings.c.channel)
    )
    if agency_id is not None:
        query = query.where(ratings.c.agency_id == agency_id)
    return [ChannelCount(*row) for row in connection.execute(query)]
